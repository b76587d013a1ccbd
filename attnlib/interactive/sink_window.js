// A window and its sinks over a stack of layers: the cells that reach one output, and
// what they would contribute if the weights of each row were equal.
const figure = "sink_window";
const rowHeight = 46, barHeight = 56, mostLayers = 6, mostSinks = 4;

// Whether position t attends to position j.
const attends = ({window, sinks}, t, j) => j <= t && (j > t - window || j < sinks);

// The share of each position in the output, a row per layer from the input up: the same
// as attnlib.interactive.sink_window.shares_by_layer.
const calculate = settings => {
  const {length, layers, position} = settings;
  const positions = Array.from({length}, (_, j) => j);
  const rows = [positions.map(j => Number(j === position))];
  for (let k = 0; k < layers; k += 1) {
    const next = positions.map(() => 0);
    rows[0].forEach((share, t) => {
      if (!share) return;
      const open = positions.filter(j => attends(settings, t, j));
      for (const j of open) next[j] += share / open.length;
    });
    rows.unshift(next);
  }
  return rows;
};
const reachedIn = row => row.map((share, j) => share > 0 ? j : -1).filter(j => j >= 0);

// Positions as text: 0, 5–9.
const ranges = positions => positions
  .filter((j, i) => j !== positions[i - 1] + 1)
  .map(first => {
    let last = first;
    while (positions.includes(last + 1)) last += 1;
    return first === last ? `${first}` : `${first}–${last}`;
  }).join(", ");

const rowName = (k, layers) =>
  (k ? `after layer ${k}` : "input") + (k === layers ? " (output)" : "");

const draw = (picture, settings, rows) => {
  const {length, layers, sinks, position} = settings, width = picture.clientWidth;
  const left = width < 460 ? 24 : 92, column = (width - left) / length;
  const x = j => left + (j + 0.5) * column, y = k => 24 + (layers - k) * rowHeight;
  const size = Math.min(column * 0.72, 22), below = y(0) + size / 2 + 8;
  const text = (at, height, content, kind = "") =>
    svg("text", {x: at, y: height, class: kind}, content);
  const lines = {window: "", sink: ""}, cells = [], labels = [];
  rows.forEach((row, k) => {
    const name = left < 50 ? (k ? `L${k}` : "in") : (k ? `layer ${k}` : "input");
    labels.push(text(0, y(k) + 4, name, "sw-name"));
    row.forEach((share, t) => {
      const reached = share > 0, isSink = t < sinks;
      const kind = ["sw-cell", reached ? "sw-reached" : "", isSink ? "sw-sink" : "",
        k === layers && t === position ? "sw-chosen" : ""].join(" ");
      cells.push(svg("rect", {
        x: x(t) - size / 2, y: y(k) - size / 2, width: size, height: size,
        rx: size / 4, class: kind,
      }));
      if (!reached || !k) return;
      for (let j = 0; j <= t; j += 1) {
        if (!attends(settings, t, j)) continue;
        const by = j > t - settings.window ? "window" : "sink";
        lines[by] += `M${x(t)} ${y(k) + size / 2}L${x(j)} ${y(k - 1) - size / 2}`;
      }
    });
  });
  const largest = Math.max(...rows[0]), step = column < 16 ? 5 : 1;
  const bars = rows[0].flatMap((share, j) => {
    const height = barHeight * share / largest;
    const label = j % step ? [] : [text(x(j), below + 12, j, "sw-position")];
    if (!share) return label;
    const isLabeled = share === largest || (share >= 0.1 && column >= 28);
    const percent = `${Math.round(100 * share)}%`;
    return [...label, svg("rect", {
      x: x(j) - size / 2, y: below + 20, width: size, height: Math.max(height, 1),
      class: j < sinks ? "sw-bar sw-sink" : "sw-bar",
    }), ...isLabeled ? [text(x(j), below + 33 + height, percent, "sw-position")] : []];
  });
  picture.setAttribute("height", below + 40 + barHeight);
  picture.replaceChildren(
    svg("rect", {x: x(position) - column / 2, y: 0, width: column, height: below + 16,
      class: "sw-column"}),
    svg("path", {d: lines.window, class: "sw-line"}),
    svg("path", {d: lines.sink, class: "sw-line sw-to-sink"}),
    ...cells, ...labels, ...bars,
    text(0, below + 32, left < 50 ? "" : "share", "sw-name"));
};

const updateTable = (table, {layers, window, sinks, position}, rows) => {
  table.caption.textContent = `The output at position ${position}, with a window of ` +
    `${window} and ${sinks} sink${sinks === 1 ? "" : "s"}: what can reach it.`;
  table.tBodies[0].replaceChildren(...rows.map((row, k) => {
    const reached = reachedIn(row), share = sum(row.slice(0, sinks));
    const bar = make("span", {style: "display:inline-block;height:10px;" +
      `background:#08735a;margin-left:8px;width:${Math.round(96 * share)}px`});
    return make("tr", {}, make("th", {scope: "row"}, rowName(k, layers)),
      make("td", {}, String(reached.length)), make("td", {}, ranges(reached)),
      make("td", {}, share.toFixed(3), bar));
  }).reverse());
};

// The count of the receptive field as a formula.
const formula = ({layers, window, sinks, position}, count) => {
  const whole = layers * (window - 1) + 1 + sinks;
  const cut = whole > position + 1 ? `, but there are only ${count} ` +
    `position${position ? "s" : ""} up to t` : "";
  return `L × (w − 1) + 1 + s = ${layers} × ${window - 1} + 1 + ${sinks} = ` +
    `${whole}${cut}`;
};

const describe = (settings, rows) => {
  const {position, sinks, window, layers} = settings, reached = reachedIn(rows[0]);
  const field = reached.length === 1 ? "1 position" : `${reached.length} positions`;
  const lost = position + 1 - reached.length;
  const rest = lost ? ` ${lost} earlier one${lost > 1 ? "s" : ""} cannot.` : "";
  const kept = Math.min(position + 1, window + sinks);
  const share = sum(rows[0].slice(0, sinks));
  return `${field} of the input (${ranges(reached)}) can reach the output at position ` +
    `${position} through ${layers} layer${layers > 1 ? "s" : ""}.${rest} A ` +
    `cache keeps ${kept} position${kept > 1 ? "s" : ""} per layer.` + (sinks
    ? ` If all weights were equal, ${Math.round(100 * share)}% of the weight would ` +
      `end at the sink${sinks > 1 ? "s" : ""}.` : "");
};

const start = ({root, live, said, data}) => {
  const table = root.querySelector("table"), say = speaker(said);
  const {length} = data;
  let settings = data;
  const picture = svg("svg", {class: "sw-picture", "aria-hidden": "true"});
  const count = make("p", {class: "sw-count"});
  const change = changes => {
    settings = {...settings, ...changes};
    show();
  };
  const sliders = [
    ["layers", "layers L", 1, mostLayers], ["window", "window w", 1, length],
    ["sinks", "sinks s", 0, Math.min(mostSinks, length)],
    ["position", "position t", 0, length - 1],
  ].map(([key, name, min, max]) => ({key, ...control([name], {min, max, step: 1},
    value => change({[key]: value}))}));
  const show = () => {
    const rows = calculate(settings);
    for (const {key, show: set} of sliders) set(settings[key], String(settings[key]));
    updateTable(table, settings, rows);
    count.replaceChildren(make("b", {}, "Receptive field: "),
      formula(settings, reachedIn(rows[0]).length));
    if (picture.clientWidth) draw(picture, settings, rows);
    say(describe(settings, rows));
    root.shares = rows;
  };
  const key = make("div", {class: "sw-key"}, ...[
    ["sw-reached", "reaches the output"], ["sw-sink", "sink"],
    ["sw-line", "attended to by the window"], ["sw-to-sink", "as a sink"],
    ["sw-bar", "share of the weight, if the weights of each row were equal"],
  ].map(([kind, name]) => make("span", {}, make("i", {class: kind}), name)));
  picture.addEventListener("click", e => {
    const left = picture.clientWidth < 460 ? 24 : 92;
    const column = (picture.clientWidth - left) / length;
    const x = e.clientX - picture.getBoundingClientRect().left - left;
    const position = Math.floor(x / column);
    if (position >= 0 && position < length) change({position});
  });
  live.append(make("div", {class: "af-controls"}, ...sliders.map(({box}) => box),
    button("Reset", () => change(data))), picture, key, count);
  live.after(said);
  new ResizeObserver(() => show()).observe(picture);
  show();
};

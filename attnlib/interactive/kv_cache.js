// A cache of keys and values: it fills token by token, and the queries read what it
// keeps.
const figure = "kv_cache";
const bytesPerNumber = 2, mostSinks = 4, mostTokens = 15;  // 2 ** 15 of the model
const cellHeight = 22, combHeight = 11;

const many = number => number.toLocaleString("en-US");
const plural = (count, name) => `${many(count)} ${name}${count === 1 ? "" : "s"}`;
const inUnits = number => {
  for (const [unit, power] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    const shown = number / power;
    if (shown >= 1) return `${shown.toFixed(2 - (shown >= 10) - (shown >= 100))} ${unit}`;
  }
  return `${number} bytes`;
};
const positionsTo = t => Array.from({length: t + 1}, (_, j) => j);

// The positions that the cache holds once the token at position t is in it.
const keptAt = (t, {window, sinks}) => positionsTo(t)
  .filter(j => j < sinks || window === null || j > t - window);
const bytesOf = (positions, {layers, kvHeads, headDim}) =>
  2 * layers * kvHeads * positions * headDim * bytesPerNumber;

const count = (t, settings) => {
  const {layers, kvHeads} = settings, each = 2 * layers * kvHeads;
  const kept = keptAt(t, settings);
  return {
    kept, bytes: bytesOf(kept.length, settings),
    computed: each * (t + 1), without: each * (t + 1) * (t + 2) / 2,
  };
};

// The picture: per layer and key–value head, a row of cells, one per position. Above the
// row stand the query heads that read it, each with a line to all cells that are kept.
const draw = (picture, {tokens}, settings, t) => {
  const {layers, heads, kvHeads} = settings, width = picture.clientWidth;
  const group = heads / kvHeads, right = 30, column = (width - right) / tokens.length;
  const longest = Math.max(...tokens.map(token => Math.min(token.length, 10)));
  const turned = longest * 8 > column, top = turned ? 14 + 7 * longest : 24;
  const x = j => (j + 0.5) * column, size = Math.min(column - 4, 40);
  const text = (at, height, content, kind, more = {}) =>
    svg("text", {x: at, y: height, class: kind, ...more}, content);
  const kept = t < 0 ? [] : keptAt(t, settings), parts = [];
  tokens.forEach((token, j) => {
    const kind = j === t ? "kv-token kv-now" : j < t ? "kv-token" : "kv-token kv-later";
    const name = token.slice(0, 10), at = turned ? x(j) + 4 : x(j), low = top - 8;
    parts.push(turned
      ? text(at, low, name, `${kind} kv-turned`, {transform: `rotate(-90 ${at} ${low})`})
      : text(at, low, name, kind));
  });
  let y = top;
  for (let layer = layers; layer >= 1; layer -= 1) {
    const named = `Layer ${layer}: ${plural(kvHeads, "key–value head")}`;
    parts.push(text(0, y + 12, named, "kv-layer"));
    y += 18;
    for (let head = 0; head < kvHeads; head += 1) {
      const cells = y + group * combHeight + 6;
      let lines = "";
      for (let q = 0; t >= 0 && q < group; q += 1) {
        const line = y + 5 + q * combHeight;
        // Each line has its own place above a cell, so that none hides another.
        const aside = (q - (group - 1) / 2) * Math.min(5, size / group);
        const end = x(t) + size / 2 + 6;
        lines += `M${x(kept[0]) + aside} ${line}H${end}`;
        for (const j of kept) lines += `M${x(j) + aside} ${line}V${cells}`;
        parts.push(text(end + 3, line + 4, `q${head * group + q + 1}`, "kv-query"));
      }
      parts.push(svg("path", {d: lines, class: "kv-read"}));
      tokens.forEach((_, j) => {
        const at = {x: x(j) - size / 2, width: size, height: cellHeight / 2};
        if (j > t) {
          parts.push(svg("rect", {...at, y: cells, height: cellHeight, class: "kv-free"}));
        } else if (kept.includes(j)) {
          const isNew = j === t ? " kv-new" : "";
          parts.push(
            svg("rect", {...at, y: cells, class: `kv-key${isNew}`}),
            svg("rect", {...at, y: cells + cellHeight / 2, class: `kv-value${isNew}`}));
          if (isNew) {
            parts.push(svg("rect",
              {...at, y: cells, height: cellHeight, class: "kv-frame"}));
          }
        } else {
          parts.push(svg("rect", {...at, y: cells, height: cellHeight, class: "kv-gone"}));
        }
      });
      y = cells + cellHeight + 6;
    }
    y += 6;
  }
  // What fewer heads save stays as free room, so that the page below does not move.
  const bottom = top + layers * (24 + heads * (combHeight + cellHeight + 12));
  if (kvHeads < heads) {
    parts.push(
      svg("rect", {x: 1, y: y + 4, width: width - 2, height: bottom - y - 8, rx: 6,
        class: "kv-saved"}),
      text(width / 2, (y + bottom) / 2 + 4,
        `saved: ${plural(heads - kvHeads, "key–value head")} per layer`, "kv-token kv-later"));
  }
  picture.setAttribute("height", bottom);
  picture.replaceChildren(...parts);
};

// Two bars of one scale: a name, a number, and a bar each.
const makeBars = () => {
  const box = make("div", {class: "kv-bars"});
  const show = rows => {
    const largest = Math.max(...rows.map(([, number]) => number)) || 1;
    box.replaceChildren(...rows.map(([name, number, text, kind]) => {
      const fill = make("i", {class: kind, style: `width:${100 * number / largest}%`});
      return make("div", {}, make("span", {}, name), make("b", {}, text),
        make("div", {class: "kv-track", "aria-hidden": "true"}, fill));
    }));
  };
  return {box, show};
};

const ruleOf = ({window, sinks}) => window === null ? "every position"
  : `the last ${plural(window, "position")}${sinks ? ` and the first ${sinks > 1 ? sinks : "one"}` : ""}`;

const updateTable = (table, {tokens}, settings, t) => {
  const {layers, heads, kvHeads, headDim} = settings;
  table.caption.textContent = `${plural(layers, "layer")}, ` +
    `${plural(heads, "query head")}, ${plural(kvHeads, "key–value head")} of ` +
    `${plural(headDim, "number")}, ${ruleOf(settings)}`;
  [...table.tBodies[0].rows].forEach((row, j) => {
    const {kept, bytes, computed, without} = count(j, settings);
    row.className = j === t ? "kv-row" : "";
    row.cells[1].textContent = tokens[j];
    [kept.length, bytes, computed, without].forEach((number, i) => {
      row.cells[i + 2].textContent = many(number);
    });
  });
};

const describe = ({names}, settings, t) => {
  if (t < 0) return "The cache is empty. Step writes the first token.";
  const {layers, kvHeads, heads, sinks} = settings;
  const {kept, bytes} = count(t, settings), pairs = layers * kvHeads;
  const gone = t + 1 - kept.length;
  const out = gone ? ` ${plural(gone, "position")} ${gone > 1 ? "were" : "was"} evicted` +
    `${sinks ? `, but not the first ${sinks > 1 ? sinks : "one"}` : ""}.` : "";
  return `“${names[t]}” adds ${plural(pairs, "key")} and ${plural(pairs, "value")}, one of ` +
    `each per layer and key–value head. In each layer, its ${plural(heads, "query")
      .replace(/querys$/, "queries")} read ${plural(kept.length, "position")}.${out} ` +
    `The cache takes ${plural(bytes, "byte")}.`;
};

// The same count for a model that is well known, with a slider for the tokens.
const makeModel = (table, model) => {
  const {layers, heads, kv_heads: kvHeads, head_dim: headDim, window} = model;
  table.tHead.replaceChildren(make("tr", {},
    ...["what is kept", "cache"].map(name => make("th", {scope: "col"}, name))));
  const show = power => {
    const tokens = 2 ** power;
    slider.show(power, many(tokens));
    const rows = [
      [heads, tokens, `${heads} key–value heads, every position`],
      [kvHeads, tokens, `${kvHeads} key–value heads, every position`],
      [kvHeads, Math.min(tokens, window),
        `${kvHeads} key–value heads, the last ${many(window)} positions (as built)`],
    ];
    const sizes = rows.map(([each, kept]) =>
      bytesOf(kept, {layers, kvHeads: each, headDim}));
    table.caption.textContent = `${model.name} has ${many(layers)} layers, ` +
      `${many(heads)} query heads, ${many(kvHeads)} key–value heads of ` +
      `${many(headDim)} numbers, and a window of ${many(window)} (Jiang et al., 2023). ` +
      `Its cache after ${plural(tokens, "token")}:`;
    table.tBodies[0].replaceChildren(...rows.map(([, , name], i) => {
      const fill = make("i", {style: `width:${100 * sizes[i] / sizes[0]}%`});
      return make("tr", {}, make("th", {scope: "row"}, name),
        make("td", {}, inUnits(sizes[i]),
          make("div", {class: "kv-track", "aria-hidden": "true"}, fill)));
    }));
  };
  const slider = control([`tokens that ${model.name} has written or read`],
    {min: 0, max: mostTokens, step: 1}, power => show(power));
  show(mostTokens);
  table.before(make("div", {class: "af-controls af-live kv-tokens"}, slider.box));
};

const start = ({root, live, said, data}) => {
  const [table, modelTable] = root.querySelectorAll("table"), say = speaker(said);
  const {tokens, heads} = data, full = tokens.length;
  const choices = positionsTo(heads).filter(n => n && heads % n === 0);
  const initial = {
    layers: data.layers, heads, headDim: data.head_dim,
    kvHeads: data.kv_heads, window: data.window, sinks: data.sinks,
  };
  let settings = initial;
  const picture = svg("svg", {class: "kv-picture", "aria-hidden": "true"});
  const size = makeBars(), work = makeBars();
  const change = changes => {
    settings = {...settings, ...changes};
    show(player.step());
  };
  const shared = control(["key–value heads"], {min: 0, max: choices.length - 1, step: 1},
    i => change({kvHeads: choices[i]}));
  const window = control(["window"], {min: 1, max: full + 1, step: 1},
    w => change({window: w > full ? null : w}));
  const sinks = control(["sinks"], {min: 0, max: Math.min(mostSinks, full), step: 1},
    s => change({sinks: s}));
  const show = (step, playing = false) => {
    const t = step - 1, last = Math.max(t, 0);
    const now = count(last, settings);
    const most = count(last, {...settings, kvHeads: heads, window: null});
    const {kvHeads} = settings;
    shared.show(choices.indexOf(kvHeads), `${kvHeads} of ${heads}`);
    window.show(settings.window ?? full + 1,
      settings.window === null ? "none" : String(settings.window));
    sinks.show(settings.sinks, String(settings.sinks));
    const filled = t < 0 ? 0 : 1;
    size.show([
      ["this cache", filled * now.bytes, plural(filled * now.bytes, "byte"), "kv-is-size"],
      [`${plural(heads, "key–value head")}, no window`, filled * most.bytes,
        plural(filled * most.bytes, "byte"), "kv-is-most"],
    ]);
    work.show([
      ["with the cache, each one once", filled * now.computed, many(filled * now.computed),
        "kv-is-size"],
      ["without it, all again at each step", filled * now.without, many(filled * now.without),
        "kv-is-most"],
    ]);
    updateTable(table, data, settings, t);
    if (picture.clientWidth) draw(picture, data, settings, t);
    said.setAttribute("aria-live", playing ? "off" : "polite");
    say(describe(data, settings, t));
    root.state = {t, ...now};
  };
  const player = makePlayer(show);
  const key = make("div", {class: "kv-legend"}, ...[
    ["kv-key", "key"], ["kv-value", "value"], ["kv-frame", "new"],
    ["kv-gone", "evicted"], ["kv-read", "read by a query q"],
  ].map(([kind, name]) => make("span", {}, make("i", {class: kind}), name)));
  live.append(
    make("div", {class: "af-controls"}, shared.box, window.box, sinks.box),
    player.box, picture, key, said,
    make("div", {class: "kv-counts"},
      make("div", {}, make("p", {}, "Size of the cache"), size.box),
      make("div", {}, make("p", {}, "Keys and values computed so far"), work.box)));
  makeModel(modelTable, data.model);
  new ResizeObserver(() => show(player.step())).observe(picture);
  player.reset(full, 0);
};

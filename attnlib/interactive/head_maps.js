// The attention maps of a Transformer: a small picture for each layer and head, of which
// one is chosen, and the map of that one.
const figure = "head_maps";

// A picture of all weights: a row for each output character, a column for each input
// character. Gold links are frames, shown on demand.
const makeThumbnail = ({source, target, weights, gold = []}) => {
  const [width, height] = [source, target].map(({tokens}) => tokens.length);
  const cell = (x, y, attributes) => svg("rect", {x, y, width: 1, height: 1, ...attributes});
  const cells = weights.flatMap((row, y) =>
    row.map(([x, w]) => cell(x, y, {"fill-opacity": w})));
  const links = gold.map(([y, x]) => cell(x, y, {class: "hm-link"}));
  return svg("svg", {
    class: "hm-picture", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none",
    "aria-hidden": "true",
  }, ...cells, ...links);
};

const onGold = ({on_gold: share}) =>
  share === undefined ? "" : `${share.toFixed(2)} on gold links`;

// The pictures as a grid with a row for each layer. `change(index)` is called.
const makeGrid = (maps, heads, chosen, change) => {
  const group = `hm-${Math.random()}`;  // one per figure
  const options = maps.map((map, i) => {
    const label = [map.name, onGold(map)].filter(Boolean).join(", ");
    const input = make("input", {type: "radio", name: group, "aria-label": label});
    input.checked = i === chosen;
    input.addEventListener("change", () => change(i));
    const head = i ? `head ${(i - 1) % heads + 1}` : "mean";
    const share = map.on_gold === undefined ? [] : [
      make("span", {class: "hm-share"}, map.on_gold.toFixed(2))];
    const text = make("span", {class: "hm-text", "aria-hidden": "true"}, head, ...share);
    return make("label", {class: "hm-option"}, input, makeThumbnail(map), text);
  });
  const rows = [["all", options.slice(0, 1)]];
  for (let i = 1; i < options.length; i += heads) {
    rows.push([`layer ${rows.length}`, options.slice(i, i + heads)]);
  }
  const cells = rows.flatMap(([name, row]) =>
    [make("span", {class: "hm-layer", "aria-hidden": "true"}, name), ...row]);
  const numbers = maps[0].on_gold === undefined ? "" :
    " The number is the weight on gold links.";
  const note = make("p", {class: "hm-note"}, "In each picture, a row is an output " +
    `character, and a column is an input character.${numbers}`);
  cells.splice(2, 0, note);
  return make("fieldset", {class: "hm-choice", style: `--heads:${heads}`},
    make("legend", {}, "Layer and head"), ...cells);
};

// A cell is shaded like those of the static table.
const tableCell = (w, isGold) => {
  const star = isGold ? "*" : "";
  const cell = make("td", {}, w < 0.01 ? star : w.toFixed(2) + star);
  if (w >= 0.05) {
    cell.className = w > 0.87 ? "hm-strong" : "hm-shaded";
    cell.style.setProperty("--w", w);
  }
  return cell;
};

const heading = (scope, {tokens, names}, i) => {
  const cell = make("th", {scope}, tokens[i]);
  if (names[i] !== undefined) cell.setAttribute("aria-label", names[i]);
  return cell;
};

const drawTable = (table, {name, source, target, weights, gold = []}) => {
  const links = new Set(gold.map(String)), columns = source.tokens;
  const head = columns.map((_, j) => heading("col", source, j));
  const rows = weights.map((row, i) => {
    const known = new Map(row);
    const cells = columns.map((_, j) =>
      tableCell(known.get(j) ?? 0, links.has(`${i},${j}`)));
    return make("tr", {}, heading("row", target, i), ...cells);
  });
  table.dir = source.dir;
  table.style.setProperty("--columns", columns.length);
  table.tBodies[0].replaceChildren(make("tr", {}, make("td"), ...head), ...rows);
  table.caption.textContent = `${name}: attention weights: one row per output token, ` +
    "one column per input token; weights below 0.01 are left out." +
    (gold.length ? " Gold links are marked with a star." : "");
};

const start = ({root, live, said, data: stored}) => {
  const table = root.querySelector("table"), shown = make("div");
  let chosen = 0, stop = () => {};
  const draw = ({maps, heads}) => {
    const box = make("div");
    let show;
    stop();
    shown.replaceChildren(box);
    stop = drawMaps(box, said, maps, choose => {
      show = i => {
        chosen = i;
        choose(i);
        drawTable(table, maps[i]);
      };
      return makeGrid(maps, heads, chosen, show);
    });
    show(chosen);
  };
  const form = makeForm(root, {
    label: "Your date", value: stored.text, action: "Translate", draw,
    findFault: text => findFault(text, stored),
    request: text => ({function: "head_maps", args: ["dates-transformer", text]}),
  });
  live.append(form, makeElsewhere("date", 'head_maps(translator, "May 1, 2025")'), shown);
  draw(stored);
};

// Draws the tables and interactive figures of attnlib from data that the reader's code
// returned.
//
// The data is checked here, and then the script of the stored figures draws a figure:
// interactive.js, which the build makes of attnlib/interactive. This file adds what
// Python writes around a stored figure, its title and its table. Whatever the data
// holds becomes text, numbers, and attributes, and never HTML.

const MOST_WORDS = 2000;
const MOST_CELLS = 100_000; // of an attention map
const MOST_COLUMNS = 50; // of a table
const MOST_ROWS = 1000;
const LONGEST = 1000; // characters of a text

// Draw a figure at the end of an element, or say why it cannot be drawn. What was
// appended stays in the order of the calls.
export async function drawFigure(element, name, data) {
  const holder = make("div", { class: "run-figure" });
  element.append(holder);
  try {
    const figure = Object.hasOwn(FIGURES, name) ? FIGURES[name] : null;
    if (!figure) refuse(`this page knows no figure of the name ${shorten(name)}`);
    checkObject("the data", data);
    if (data.title !== null) checkText("title", data.title);
    figure.check(data);
    if (!figure.fallback) {
      holder.append(figure.draw(data));
      return;
    }
    const { figures } = await loadFigures();
    holder.append(makeShell(name, figure, figures[name].style, data));
    figures[name].start();
  } catch (error) {
    const reason = error instanceof Refusal ? error.message : "its script failed";
    const text = `The figure cannot be drawn: ${reason}.`;
    holder.replaceChildren(make("p", { class: "run-note" }, text));
  }
}

// What is wrong with the data of a figure, as the start of a sentence; null if they are
// fine.
export function faultOf(name, data) {
  try {
    checkObject("the data", data);
    FIGURES[name].check(data);
    return null;
  } catch (error) {
    return error instanceof Refusal ? error.message : "the data make no sense";
  }
}

// With the same version as this file.
function loadFigures() {
  const address = new URL("interactive.js", import.meta.url);
  address.search = new URL(import.meta.url).search;
  return import(address.href).catch(() => refuse("its script could not be loaded"));
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// As Figure.__str__ of attnlib/interactive/frame.py writes it.
function makeShell(name, figure, style, { title, ...data }) {
  const words = name.replaceAll("_", " ");
  const label = title || words[0].toUpperCase() + words.slice(1);
  const heading = { class: "af-title", style: "font-weight:600" };
  return make(
    "div",
    {
      class: `attn-figure attn-${name}`,
      role: "group",
      "aria-label": label,
      "data-lm-suppress-shortcuts": "true",
    },
    make("style", {}, style),
    ...(title ? [make("p", heading, label)] : []),
    make("p", { class: "af-note" }, "Run this cell to use the figure."),
    ...figure.fallback(data),
    make(
      "script",
      { type: "application/json", class: "af-data" },
      JSON.stringify(data),
    ),
  );
}

// Checks

class Refusal extends Error {}

function refuse(reason) {
  throw new Refusal(reason);
}

function shorten(value) {
  const text = String(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function check(condition, name, expected) {
  if (!condition) refuse(`${name} should be ${expected}`);
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumber(value, low, high) {
  return typeof value === "number" && value >= low && value <= high; // no NaN
}

function isIndex(value, length) {
  return Number.isInteger(value) && value >= 0 && value < length;
}

function isText(value) {
  return typeof value === "string" && value.length <= LONGEST;
}

function checkObject(name, value) {
  check(isObject(value), name, "an object");
}

function checkText(name, value) {
  check(isText(value), name, `a text of at most ${LONGEST} characters`);
}

function checkNumber(name, value, low, high) {
  check(isNumber(value, low, high), name, `a number between ${low} and ${high}`);
}

// A list of `length` items, or of 1 to `most` where no length is given.
function checkList(name, value, kind, isKind, { length, most }) {
  const fits = (count) => (length ?? count) === count && count > 0 && count <= most;
  const isList = Array.isArray(value) && fits(value.length) && value.every(isKind);
  check(isList, name, `a list of ${length ?? `1 to ${most}`} ${kind}`);
}

function checkTexts(name, value, size) {
  checkList(name, value, `texts of at most ${LONGEST} characters`, isText, size);
}

function checkNumbers(name, value, low, high, length) {
  const kind = `numbers between ${low} and ${high}`;
  const isKind = (each) => isNumber(each, low, high);
  checkList(name, value, kind, isKind, { length, most: length });
}

// {index: text} of some of the items of a list.
function checkNotes(name, value, length) {
  const isNote = ([key, text]) => isIndex(Number(key), length) && isText(text);
  const isFine = isObject(value) && Object.entries(value).every(isNote);
  check(isFine, name, `texts by index, from 0 to ${length - 1}`);
}

// Parts of the tables

function scrollable(label, table) {
  const box = {
    style: "overflow-x:auto",
    role: "group",
    tabindex: "0",
    "aria-label": label,
  };
  return make("div", box, table);
}

function foldableTable(summary, table) {
  return make(
    "details",
    { open: "" },
    make("summary", {}, summary),
    scrollable(summary, table),
  );
}

function row(...cells) {
  return make("tr", {}, ...cells);
}

function heading(scope, text) {
  return make("th", { scope }, text);
}

function cell(...content) {
  return make("td", {}, ...content);
}

const BAR =
  "display:inline-block;width:0px;height:10px;background:#08735a;margin-left:8px";

function minus(number) {
  return number.toFixed(1).replace("-", "\u2212");
}

// The attention map

const CARD = [0xfb, 0xfa, 0xf6];
const GREEN = [0x08, 0x73, 0x5a];

function checkSide(name, side, others) {
  checkObject(name, side);
  const { length } = side.tokens;
  checkNotes(`${name}.names`, side.names, length);
  checkNotes(`${name}.none`, side.none, length);
  check(["ltr", "rtl"].includes(side.dir), `${name}.dir`, "ltr or rtl");
  const isKind = (each) => isIndex(each, others);
  const kind = `integers from 0 to ${others - 1}`;
  checkList(`${name}.largest`, side.largest, kind, isKind, { length, most: length });
}

function checkMap({ source, target, weights, least, gold = [] }) {
  for (const [name, side] of Object.entries({ source, target })) {
    checkObject(name, side);
    checkTexts(`${name}.tokens`, side.tokens, { most: MOST_WORDS });
  }
  const [rows, columns] = [target.tokens.length, source.tokens.length];
  if (rows * columns > MOST_CELLS) {
    const size = `${rows} output by ${columns} input words`;
    const most = MOST_CELLS.toLocaleString("en-US");
    refuse(`${size} are more than the ${most} pairs that this page draws`);
  }
  checkSide("source", source, rows);
  checkSide("target", target, columns);
  const isPair = (pair) => Array.isArray(pair) && pair.length === 2;
  const isWeight = (pair, i, all) =>
    isPair(pair) &&
    isIndex(pair[0], columns) &&
    (i === 0 || all[i - 1][0] < pair[0]) &&
    isNumber(pair[1], 0, 1);
  const isRow = (each) => Array.isArray(each) && each.every(isWeight);
  const kind = "rows of [input index, weight from 0 to 1] in the order of the input";
  checkList("weights", weights, kind, isRow, { length: rows, most: rows });
  checkNumber("least", least, 0, 2);
  const isLink = (pair) =>
    isPair(pair) && isIndex(pair[0], rows) && isIndex(pair[1], columns);
  const fits = Array.isArray(gold) && gold.length <= MOST_CELLS && gold.every(isLink);
  check(fits, "gold", "a list of [output index, input index]");
}

function wordHeading(scope, { tokens, names }, index) {
  const element = heading(scope, tokens[index]);
  if (names[index] !== undefined) element.setAttribute("aria-label", names[index]);
  return element;
}

function mapCell(weight, isGold) {
  const element = cell(weight < 0.01 ? "" : weight.toFixed(2), isGold ? "*" : "");
  element.normalize();
  if (weight < 0.05) return element;
  const mixed = CARD.map((card, i) => Math.round(card + (GREEN[i] - card) * weight));
  const shade = mixed.map((part) => part.toString(16).padStart(2, "0")).join("");
  const ink = weight > 0.87 ? "fff" : "000";
  element.setAttribute("style", `background:#${shade};color:#${ink}`);
  return element;
}

function mapRow(row, columns, links) {
  const weights = new Map(row);
  return Array.from({ length: columns }, (_, j) =>
    mapCell(weights.get(j) ?? 0, links.has(j)));
}

function mapTable({ source, target, weights, gold = [] }) {
  const columns = source.tokens.length;
  const links = target.tokens.map(() => new Set());
  for (const [i, j] of gold) links[i].add(j);
  const head = source.tokens.map((_, j) => wordHeading("col", source, j));
  const rows = weights.map((each, i) =>
    row(wordHeading("row", target, i), ...mapRow(each, columns, links[i])));
  const text =
    "Attention weights: one row per output token, one column per input token; " +
    "weights below 0.01 are left out.";
  const marked = gold.length ? " Gold links are marked with a star." : "";
  const body = make("tbody", {}, row(cell(), ...head), ...rows);
  const attributes = { dir: source.dir, style: `--columns:${columns}` };
  const caption = make("caption", { dir: "ltr" }, text + marked);
  return make("table", attributes, caption, body);
}

// The maps of a Transformer. The script fills the table.

const MOST_HEADS = 64;

function checkHeadMaps({ maps, heads, text, known, longest }) {
  checkList("maps", maps, "objects", isObject, { most: MOST_HEADS + 1 });
  for (const map of maps) {
    checkText("maps.name", map.name);
    checkMap(map);
    if (map.on_gold !== undefined) checkNumber("maps.on_gold", map.on_gold, 0, 1);
  }
  const isEven = isIndex(heads - 1, maps.length) && (maps.length - 1) % heads === 0;
  check(isEven, "heads", "the number of heads of each layer");
  for (const [name, value] of Object.entries({ text, known })) checkText(name, value);
  check(isIndex(longest, 1000), "longest", "an integer between 0 and 999");
}

function headMapsTable() {
  const caption = make("caption", { dir: "ltr" });
  const table = make("table", {}, caption, make("tbody"));
  return [foldableTable("The weights of this map as a table", table)];
}

// Weights, and the window. Their scripts fill in the cells that are empty here.

function checkWords({ words, names, scores }, most, limit) {
  checkTexts("words", words, { most });
  checkTexts("names", names, { length: words.length, most });
  checkNumbers("scores", scores, -limit, limit, words.length);
}

function checkWeights(data) {
  checkWords(data, 12, 10);
  const { mask, words, temperature } = data;
  const isBoolean = (each) => typeof each === "boolean";
  const { length } = words;
  checkList("mask", mask, "times true or false", isBoolean, { length, most: length });
  checkNumber("temperature", temperature, 0.05, 20);
}

function weightsTable({ words }) {
  const names = ["word", "score", "weight"].map((name) => heading("col", name));
  const rows = words.map((word) => row(heading("row", word), cell(), cell()));
  return make(
    "table",
    {},
    make("caption"),
    make("thead", {}, row(...names)),
    make("tbody", {}, ...rows),
    make(
      "tfoot",
      {},
      row(heading("row", "sum"), cell(), cell()),
      row(heading("row", "entropy (nats)"), cell(), cell()),
    ),
  );
}

function checkWindow(data) {
  checkWords(data, 24, 100);
  const { words, center, half_width: reach, sigma } = data;
  checkNumber("center", center, 0, words.length);
  check(isIndex(reach - 1, 100), "half_width", "an integer between 1 and 100");
  if (sigma !== null) checkNumber("sigma", sigma, 0.1, 100);
}

function windowTable({ words, scores }) {
  const bar = () => make("span", { style: BAR });
  const head = ["position", "word", "score", "softmax", "Gaussian", "weight"];
  const rows = words.map((word, s) =>
    row(
      ...[cell(String(s)), heading("row", word), cell(minus(scores[s]))],
      ...[cell(), cell(), cell(" ", bar())],
    ));
  const total = row(
    ...[cell(), heading("row", "sum"), cell()],
    ...[cell("1.000"), cell(), cell()],
  );
  return make(
    "table",
    {},
    make("caption"),
    make("thead", {}, row(...head.map((name) => heading("col", name)))),
    make("tbody", {}, ...rows),
    make("tfoot", {}, total),
  );
}

// A decoder step. Its script fills the tables.

const MOST_STEPS = 24;
const MOST_CHARACTERS = 60;
const MOST_UNITS = 1024;

// Rows of one length with numbers between low and high.
function checkMatrix(name, rows, height, width, low, high) {
  const isNumbers = (row) =>
    Array.isArray(row) &&
    row.length === width &&
    row.every((each) => isNumber(each, low, high));
  const kind = `rows of ${width} numbers between ${low} and ${high}`;
  checkList(name, rows, kind, isNumbers, { length: height, most: height });
}

function widthOf(name, rows) {
  const width = Array.isArray(rows) && Array.isArray(rows[0]) ? rows[0].length : 0;
  check(isIndex(width - 1, MOST_UNITS), name, `rows of 1 to ${MOST_UNITS} numbers`);
  return width;
}

function checkDecoderStep(data) {
  const { source, names, states, scores, weights, contexts, candidates } = data;
  checkTexts("source", source, { most: MOST_CHARACTERS });
  const width = source.length;
  checkTexts("names", names, { length: width, most: width });
  const isCandidate = (each) =>
    Array.isArray(each) && isText(each[0]) && isText(each[1]) && isNumber(each[2], 0, 1);
  const isStep = (each) =>
    Array.isArray(each) && isIndex(each.length - 1, 10) && each.every(isCandidate);
  const kind = "lists of 1 to 10 [text, name, probability]";
  checkList("candidates", candidates, kind, isStep, { most: MOST_STEPS });
  const steps = candidates.length;
  checkMatrix("states", states, steps + 1, widthOf("states", states), -1, 1);
  checkMatrix("contexts", contexts, steps, widthOf("contexts", contexts), -1, 1);
  checkMatrix("scores", scores, steps, width, -1000, 1000);
  checkMatrix("weights", weights, steps, width, 0, 1);
  for (const name of ["text", "known"]) checkText(name, data[name]);
  check(isIndex(data.longest, 1000), "longest", "an integer between 0 and 999");
}

function decoderStepTables({ source, candidates: [candidates] }) {
  const barred = () => cell("0", make("span", { style: BAR }));
  const table = (heads, rows) => {
    const head = make("thead", {}, row(...heads.map((name) => heading("col", name))));
    return make("table", {}, make("caption"), head, make("tbody", {}, ...rows));
  };
  const letters = source.map((text, j) =>
    row(cell(String(j + 1)), heading("row", text), cell(), barred()));
  const words = candidates.map(([text]) => row(heading("row", text), barred()));
  const both = document.createDocumentFragment();
  both.append(
    table(["j", "character", "score", "weight"], letters),
    table(["character", "probability"], words),
  );
  both.lastChild.caption.append("The most probable next characters");
  return both;
}

// Heads of self-attention. The script fills the table.

const MOST_HEAD_WORDS = 12;

function checkHeads({ words, names, values, heads, start, ...data }) {
  checkTexts("words", words, { most: MOST_HEAD_WORDS });
  const { length } = words;
  checkTexts("names", names, { length, most: length });
  const width = widthOf("values", values);
  checkMatrix("values", values, length, width, -1000, 1000);
  checkList("heads", heads, "objects", isObject, { most: 10 });
  for (const head of heads) {
    for (const name of ["name", "about"]) checkText(`heads.${name}`, head[name]);
    const { queries, keys, scores } = head;
    const read = widthOf("heads.keys", keys);
    checkMatrix("heads.keys", keys, length, read, -1000, 1000);
    checkMatrix("heads.queries", queries, length, read, -1000, 1000);
    checkMatrix("heads.scores", scores, length, length, -1000, 1000);
    for (const kind of ["", "causal_"]) {
      const [weights, contexts] = [`${kind}weights`, `${kind}contexts`];
      checkMatrix(`heads.${weights}`, head[weights], length, length, 0, 1);
      checkMatrix(`heads.${contexts}`, head[contexts], length, width, -1000, 1000);
    }
  }
  checkObject("start", start);
  check(isIndex(start.head, heads.length), "start.head", "one of the heads");
  check(isIndex(start.query, length), "start.query", "one of the words");
  check(typeof start.causal === "boolean", "start.causal", "true or false");
  checkText("text", data.text);
  check(isIndex(data.longest, 1000), "longest", "an integer between 0 and 999");
}

function headsParts() {
  const parts = ["caption", "thead", "tbody"].map((name) => make(name));
  return [
    make("p", { class: "af-paper hd-text" }),
    make("table", { dir: "ltr" }, ...parts),
  ];
}

// The words of a sentence. The script fills the table.

const MOST_OWN_WORDS = 60;
const OWN_WORDS_CREDIT =
  "The model was trained on the Sentiment Labelled Sentences of Kotzias et al. (2015), " +
  "CC BY 4.0.";

function checkOwnWords({ words, names, known, weights, gradients, ...data }) {
  checkTexts("words", words, { most: MOST_OWN_WORDS });
  const { length } = words;
  checkTexts("names", names, { length, most: length });
  const isBoolean = (each) => typeof each === "boolean";
  checkList("known", known, "times true or false", isBoolean, { length, most: length });
  checkNumbers("weights", weights, -1000, 1000, length);
  checkNumbers("gradients", gradients, -1000, 1000, length);
  checkNumber("probability", data.probability, 0, 1);
  checkText("text", data.text);
  check(isIndex(data.longest, 1000), "longest", "an integer between 0 and 999");
}

function ownWordsParts() {
  const names = ["word", "weight", "gradient × input"];
  const head = row(...names.map((name) => heading("col", name)));
  return [
    make("p", { class: "af-paper ow-answer" }),
    make("table", {}, make("caption"), make("thead", {}, head), make("tbody")),
    make("p", { class: "ow-credit" }, OWN_WORDS_CREDIT),
  ];
}

// A cache of keys and values, an online softmax, and a window with its sinks. Their
// scripts fill the tables.

const MOST_TOKENS = 16;

function checkInteger(name, value, low, high) {
  const isFine = Number.isInteger(value) && value >= low && value <= high;
  check(isFine, name, `an integer between ${low} and ${high}`);
}

function checkCache({ tokens, names, heads, kv_heads: shared, window, ...data }) {
  checkTexts("tokens", tokens, { most: MOST_TOKENS });
  const { length } = tokens;
  checkTexts("names", names, { length, most: length });
  checkInteger("heads", heads, 1, 8);
  checkInteger("kv_heads", shared, 1, heads);
  check(heads % shared === 0, "kv_heads", "a divisor of heads");
  if (window !== null) checkInteger("window", window, 1, length);
  const limits = { layers: 3, head_dim: 1024, sinks: 4 };
  for (const [name, most] of Object.entries(limits)) {
    checkInteger(name, data[name], name === "sinks" ? 0 : 1, most);
  }
  checkObject("model", data.model);
  const { name: title, ...sizes } = data.model;
  checkText("model.name", title);
  for (const name of ["layers", "heads", "kv_heads", "head_dim", "window"]) {
    checkInteger(`model.${name}`, sizes[name], 1, 1_000_000);
  }
}

function emptyTable(head, rows, attributes = {}) {
  const names = row(...head.map((name) => heading("col", name)));
  const [caption, body] = [make("caption"), make("tbody", {}, ...rows)];
  return make("table", attributes, caption, make("thead", {}, names), body);
}

function cacheTables({ tokens }) {
  const head = ["position", "token", "positions kept", "bytes in the cache"];
  head.push("keys and values computed so far", "without a cache");
  const rows = tokens.map((token, j) =>
    row(cell(String(j)), heading("row", token), cell(), cell(), cell(), cell()));
  return [
    foldableTable("The counts as a table", emptyTable(head, rows)),
    emptyTable([], [], { class: "kv-model" }),
  ];
}

function checkOnlineSoftmax({ scores, values, block_size: size }) {
  const isScore = (each) => each === null || isNumber(each, -1000, 1000);
  const kind = "numbers between -1000 and 1000, or null";
  checkList("scores", scores, kind, isScore, { most: 16 });
  checkNumbers("values", values, -1000, 1000, scores.length);
  checkInteger("block_size", size, 1, 16);
}

function onlineSoftmaxTable() {
  const table = emptyTable([], []);
  table.append(make("tfoot"));
  return [scrollable("The numbers as a table", table)];
}

function checkSinkWindow({ length, layers, window, sinks, position }) {
  checkInteger("length", length, 2, 32);
  checkInteger("layers", layers, 1, 6);
  checkInteger("window", window, 1, length);
  checkInteger("sinks", sinks, 0, 4);
  checkInteger("position", position, 0, length - 1);
}

function sinkWindowTable() {
  const head = ["row", "positions", "which", "share of the sinks"];
  return [foldableTable("The numbers as a table", emptyTable(head, []))];
}

// The cueing experiment

const KINDS = ["valid", "invalid", "catch"];
const WAITS = ["empty", "cross", "feedback", "pause"];

function checkCueing({ settings, simulated, minutes, about, table }) {
  checkObject("settings", settings);
  const { blocks, counts, practice, onset, early, late, repeats, waits } = settings;
  const names = { blocks, early, late, repeats };
  const limits = { blocks: 50, early: 10_000, late: 60_000, repeats: 10 };
  for (const [name, value] of Object.entries(names)) {
    check(isIndex(value, limits[name]), `settings.${name}`, "a number");
  }
  checkNumbers("settings.onset", onset, 0, 60_000, 2);
  const parts = { counts: KINDS, practice: KINDS, waits: WAITS };
  for (const [name, keys] of Object.entries(parts)) {
    const part = { counts, practice, waits }[name];
    checkObject(`settings.${name}`, part);
    const values = keys.map((key) => part[key]);
    checkNumbers(`settings.${name}`, values, 0, 10_000, keys.length);
  }
  const isTrial = (trial) =>
    Array.isArray(trial) &&
    trial.length === 5 &&
    trial.every((each, i) => (i === 4 && each === null) || isNumber(each, -1e5, 1e5));
  checkList("simulated", simulated, "trials", isTrial, { most: 10_000 });
  checkNumber("minutes", minutes, 0, 1000);
  checkText("about", about);
  const isRow = (each) =>
    Array.isArray(each) && each.length === 4 && each.every(isText);
  checkList("table", table, "rows of 4 texts", isRow, { length: 3, most: 3 });
}

function cueingPanel(left, middle, right, caption) {
  const box = (text) =>
    make(
      "span",
      {
        style:
          "display:inline-block;box-sizing:border-box;width:1.5em;height:1.5em;" +
          "line-height:1.3;border:2px solid",
      },
      ...(text ? [text] : []),
    );
  const style =
    "flex:1 1 9rem;border:1px solid;border-radius:.4rem;padding:.6rem;" +
    "text-align:center";
  return make(
    "div",
    { style },
    make(
      "div",
      { style: "display:flex;justify-content:space-between;font-size:1.3rem" },
      ...[box(left), make("span", {}, middle), box(right)],
    ),
    make("div", {}, caption),
  );
}

function cueingPanels() {
  const label =
    "One trial in three pictures: a cross between two boxes; in place of the cross, " +
    "an arrow that points to the right; a dot in the right box, at which the reader " +
    "presses the space bar.";
  const panels = make(
    "div",
    { style: "display:flex;flex-wrap:wrap;gap:.5rem" },
    cueingPanel("", "+", "", "Look at the cross"),
    cueingPanel("", "→", "", "An arrow appears"),
    cueingPanel("", "→", "●", "A dot: press space"),
  );
  const attributes = {
    class: "cu-panels",
    role: "img",
    style: "margin-bottom:.6rem",
    "aria-label": label,
  };
  return make("div", attributes, panels);
}

function cueingParts({ about, table }) {
  const paper =
    "An arrow points to one of two boxes, and 300 to 800 milliseconds later a dot " +
    "appears in one of them: 4 times in 5 where the arrow points. How soon do you " +
    "see it? The page measures your times where scripts run.";
  const head = ["median", "95% interval", "answers"];
  const rows = table.map(([name, ...cells]) =>
    row(heading("row", name), ...cells.map((text) => cell(text))));
  const body = make(
    "tbody",
    {},
    row(cell(), ...head.map((name) => heading("col", name))),
    ...rows,
  );
  const caption = "Simulated: median reaction time in milliseconds";
  return [
    cueingPanels(),
    make("p", { class: "af-paper" }, paper),
    make(
      "details",
      { open: "" },
      make("summary", {}, "A simulated reader's result as a table"),
      make("table", { class: "cu-table" }, make("caption", {}, caption), body),
      make("p", { class: "cu-small" }, about),
    ),
  ];
}

// A table of results, as attnlib/tables.py writes it

function checkTable({ columns, numeric, rows }) {
  checkTexts("columns", columns, { most: MOST_COLUMNS });
  const { length } = columns;
  const isBoolean = (each) => typeof each === "boolean";
  checkList("numeric", numeric, "times true or false", isBoolean, {
    length,
    most: length,
  });
  const isPart = (part) =>
    Array.isArray(part) && part.length === 2 && isText(part[0]) && isBoolean(part[1]);
  const isCell = (each) =>
    Array.isArray(each) && each.length <= MOST_WORDS && each.every(isPart);
  const isRow = (each) =>
    Array.isArray(each) && each.length === length && each.every(isCell);
  const isFine = Array.isArray(rows) && rows.length <= MOST_ROWS && rows.every(isRow);
  const kind = `${length} cells, each a list of [text, whether it is marked]`;
  check(isFine, "rows", `a list of at most ${MOST_ROWS} rows of ${kind}`);
}

function resultsTable({ title, columns, numeric, rows }) {
  const side = (j) => `text-align: ${numeric[j] ? "right" : "left"}`;
  const marked = { style: "text-decoration: underline wavy; font-weight: bold" };
  const content = (parts) =>
    parts.flatMap(([text, isMarked], i) => [
      i ? " " : "",
      isMarked ? make("mark", marked, text) : text,
    ]);
  const part = (parts, j) =>
    j === 0
      ? make("th", { scope: "row", style: side(0) }, ...content(parts))
      : make("td", { style: side(j) }, ...content(parts));
  const head = columns.map((text, j) =>
    make("th", { scope: "col", style: side(j) }, text));
  const caption = { style: "caption-side: top; text-align: left" };
  const table = make(
    "table",
    { class: "results" },
    ...(title ? [make("caption", caption, title)] : []),
    make("thead", {}, row(...head)),
    make("tbody", {}, ...rows.map((parts) => row(...parts.map(part)))),
  );
  return scrollable(title || "Table", table);
}

const FIGURES = {
  attention_map: {
    check: checkMap,
    fallback: (data) => [foldableTable("The weights as a table", mapTable(data))],
  },
  cueing: { check: checkCueing, fallback: cueingParts },
  decoder_step: {
    check: checkDecoderStep,
    fallback: (data) => [
      foldableTable("The numbers of this step as tables", decoderStepTables(data)),
    ],
  },
  head_maps: { check: checkHeadMaps, fallback: headMapsTable },
  heads: { check: checkHeads, fallback: headsParts },
  kv_cache: { check: checkCache, fallback: cacheTables },
  online_softmax: { check: checkOnlineSoftmax, fallback: onlineSoftmaxTable },
  own_words: { check: checkOwnWords, fallback: ownWordsParts },
  sink_window: { check: checkSinkWindow, fallback: sinkWindowTable },
  table: { check: checkTable, draw: resultsTable },
  weights: { check: checkWeights, fallback: (data) => [weightsTable(data)] },
  window: {
    check: checkWindow,
    fallback: (data) => [foldableTable("The numbers as a table", windowTable(data))],
  },
};

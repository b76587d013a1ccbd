// Attention maps: two rows of words, and a line for each weight between them. Where the
// rows are too long for the page, they stand upright, side by side.
const sides = ["source", "target"], other = {source: "target", target: "source"};

// A word is a button and, beside it, its weight while another word is chosen.
const makeWord = (token, name, index) => {
  const button = make("button", {type: "button", class: "am-token"}, token);
  if (name !== token) button.setAttribute("aria-label", name);
  button.tabIndex = index ? -1 : 0;  // one tab stop per row
  const number = make("span", {class: "am-number", "aria-hidden": "true"});
  return {button, number, box: make("div", {class: "am-word"}, button, number)};
};

const makeRow = (side, dir, words, unit) => {
  const name = `${side === "source" ? "in" : "out"}put ${unit}s`;
  return make("div",
    {class: `am-row am-${side}`, role: "group", "aria-label": name, dir},
    ...words.map(word => word.box));
};

// The weights that are large enough to be shown, as [index, weight] lists for each word
// of either side.
const readWeights = ({source: {tokens}, weights: target}) => {
  const source = tokens.map(() => []);
  target.forEach((row, t) => row.forEach(([s, w]) => source[s].push([t, w])));
  return {source, target};
};

// The lines of 0.01 or more of one word.
const makeLines = (side, i, row, attributes = {}) => row.flatMap(([k, w]) => {
  const path = svg("path", {style: `--w:${w}`, ...attributes});
  return w < 0.01 ? [] : [{path, w, [side]: i, [other[side]]: k}];
});

// Where the words are, and how far apart the rows.
const measure = (words, picture, upright) => {
  const [edge, size, at, length] = upright
    ? ["offsetLeft", "offsetWidth", "offsetTop", "offsetHeight"]
    : ["offsetTop", "offsetHeight", "offsetLeft", "offsetWidth"];
  const {button} = words.source[0], from = button[edge] + button[size];
  const gap = words.target[0].button[edge] - from;
  picture.style.cssText = upright
    ? `left:${from}px;top:0;width:${gap}px;height:100%`
    : `left:0;top:${from}px;width:100%;height:${gap}px`;
  const middles = side => words[side].map(({box}) => box[at] + box[length] / 2);
  const spans = words.source.map(({box}) => [box[at], box[at] + box[length]]);
  return {upright, gap, spans, source: middles("source"), target: middles("target")};
};

// A point of the picture, along the rows and across from the input to the output.
const pointIn = ({upright}) => (along, across) =>
  upright ? `${across} ${along}` : `${along} ${across}`;

// Puts each line between the middles of its two words, in the space between the rows.
const placeLines = (lines, places) => {
  const {gap, source, target} = places, point = pointIn(places);
  for (const {path, w, source: s, target: t} of lines) {
    const a = target[t], b = source[s], half = gap / 2;
    const end = 2 + 6.5 * w;  // half the width of the line, whose end is round
    const bends = `${point(a, half)} ${point(b, half)}`;
    path.setAttribute("d", `M${point(a, gap - end)}C${bends} ${point(b, end)}`);
  }
};

// The window of local attention along the input words, and its center.
const makeWindow = () => {
  const [bar, center] = ["bar", "center"].map(name =>
    svg("path", {class: `am-${name}`}));
  const element = svg("g", {class: "am-window"}, bar, center);
  element.place = ([middle, first, last], places) => {
    const {spans, source} = places, point = pointIn(places);
    const ends = first > last ? [] : [...spans[first], ...spans[last]];
    const from = Math.min(...ends), to = Math.max(...ends);
    bar.setAttribute("d", ends.length ? `M${point(from, 1)}L${point(from, 9)}` +
      `M${point(from, 5)}L${point(to, 5)}M${point(to, 1)}L${point(to, 9)}` : "");
    // Between the middles of two words, or beyond the first or the last.
    const s = Math.min(Math.max(Math.floor(middle), 0), source.length - 2);
    const step = source.length > 1 ? source[s + 1] - source[s] : 0;
    const at = (source[s] ?? source[0]) + (middle - s) * step;
    center.setAttribute("d",
      `M${point(at - 6, 15)}L${point(at, 3)}L${point(at + 6, 15)}Z`);
  };
  return element;
};

// The links of the gold alignment, by word of either side.
const readGold = (gold, words) => {
  const lists = side => words[side].map(() => []);
  const links = {source: lists("source"), target: lists("target")};
  for (const [t, s] of gold) {
    links.target[t].push(s);
    links.source[s].push(t);
  }
  return links;
};

// What is said of a word: its three largest weights of 0.05 or more, or `none`; its
// gold links where they are shown; and its window, in positions from 0.
const describe = (name, verb, names, entries, none, gold, window) => {
  const ranked = entries.filter(([, w]) => w >= 0.05).sort((a, b) => b[1] - a[1]);
  const large = ranked.slice(0, 3).flatMap(([k, w], n) =>
    [n ? ", " : "", make("bdi", {}, names[k]), ` ${w.toFixed(2)}`]);
  const links = gold.flatMap((k, n) => [n ? ", " : "", make("bdi", {}, names[k])]);
  return [
    make("b", {}, make("bdi", {}, name)), `: ${verb} `, ...none ? [none] : large,
    ...gold.length ? [". Gold: ", ...links] : [],
    ...window ? [`. ${describeWindow(window)}`] : [],
  ];
};

const describeWindow = ([center, first, last]) => {
  const covers = first > last ? "no position" : first === last ? `position ${first}`
    : `positions ${first} to ${last}`;
  return `Window: ${covers}, center ${minus(center)}`;
};

// A button that calls step(0), step(1), … until `count()`, and then rest().
const makePlayer = (count, step, rest, changed) => {
  let timer = null;
  const set = value => {
    timer = value;
    play.textContent = timer ? "Stop" : "Play";
    play.classList.toggle("am-on", timer);
    changed(timer);
  };
  const stop = () => { clearInterval(timer); set(null); };
  const end = () => { stop(); rest(); };
  const play = button("Play", () => {
    if (timer) { end(); return; }
    let i = 0;
    const next = () => { if (i < count()) step(i++); else end(); };
    set(setInterval(next, count() > 14 ? 700 : 1100));
    next();
  });
  play.classList.add("am-play");
  return {play, stop, playing: () => !!timer};
};

// The map of one model. `panel` is what the maps of a figure share.
const makeMap = (data, panel) => {
  const {said, stage} = panel;
  const names = {}, words = {}, entries = readWeights(data);
  for (const side of sides) {
    const {tokens, names: given} = data[side];
    names[side] = tokens.map((token, i) => given[i] ?? token);
    words[side] = tokens.map((token, i) => makeWord(token, names[side][i], i));
  }
  const lines = entries.target.flatMap((row, i) =>
    makeLines("target", i, row.filter(([, w]) => w >= data.least)));
  const all = svg("g", {}, ...lines.map(({path}) => path)), chosen = svg("g");
  const gold = readGold(data.gold ?? [], words);
  const links = (data.gold ?? []).map(([target, source]) =>
    ({path: svg("path"), w: 0, source, target}));
  const ideal = svg("g", {class: "am-gold"}, ...links.map(({path}) => path));
  const frame = data.windows && makeWindow();
  const layers = [all, chosen, ideal, ...frame ? [frame] : []];
  const picture = svg("svg", {class: "am-lines", "aria-hidden": "true"}, ...layers);
  let places, lit = [];  // where the words are, and the lines of the chosen word
  let row;  // of the window that is shown, if any
  const rows = sides.map(side => makeRow(side, data[side].dir, words[side], data.unit));
  const board = make("div", {class: "am-board"}, ...rows, picture);
  board.classList.toggle("am-many", panel.many);
  const isUpright = () => board.classList.contains("am-upright");
  let pinned = [];  // side and index of the word that was clicked, if any
  const isPinned = (side, i) => pinned[0] === side && pinned[1] === i;

  const showWords = (side, i) => {
    const weights = new Map(side ? entries[side][i] : []);
    for (const here of sides) words[here].forEach(({box, button, number}, k) => {
      const w = here !== side && weights.get(k) || 0;
      box.classList.toggle("am-chosen", here === side && k === i);
      box.classList.toggle("am-lit", w >= 0.05);
      box.classList.toggle("am-later", here === "target" && side === "target" && k > i);
      button.style.setProperty("--w", w);
      button.setAttribute("aria-pressed", isPinned(here, k));
      number.textContent = w >= (panel.many ? 0.05 : 0.005) ? w.toFixed(2) : "";
    });
  };
  const showLines = (side, i) => {
    picture.classList.toggle("am-some", !!side);
    lit = side ? makeLines(side, i, entries[side][i], {class: "am-lit"}) : [];
    chosen.replaceChildren(...lit.map(({path}) => path));
    row = side === "target" ? data.windows?.[i] : null;
    frame?.classList.toggle("am-shown", !!row);
    if (places) placeAll(lit);
    for (const {path, ...ends} of links) {
      path.classList.toggle("am-lit", ends[side] === i);
    }
  };
  const placeAll = moved => {
    placeLines(moved, places);
    if (row) frame.place(row, places);
  };
  const show = (side, i = -1) => {
    showWords(side, i);
    showLines(side, i);
    const verb = side === "target" ? "attends to" : "attended to by";
    said.replaceChildren(...side
      ? describe(
        names[side][i], verb, names[other[side]], entries[side][i], data[side].none[i],
        panel.withGold ? gold[side][i] : [], row,
      )
      : [`Point at a ${data.unit}, tap it, or use Tab and the arrow keys.`]);
    // What is below stays where it is when a shorter text follows.
    said.style.minHeight = said.getBoundingClientRect().height + "px";
  };
  const find = selector => {
    for (const side of sides) {
      const i = words[side].findIndex(({button}) => button.matches(selector));
      if (i >= 0) return [side, i];
    }
    return [];
  };
  const pin = (side, i) => {
    pinned = side && i < words[side].length ? [side, i] : [];
    show(...pinned);
  };
  const rest = () => {
    if (!panel.player.playing()) {
      show(...pinned.length ? pinned : find(":focus-visible"));
    }
  };
  const step = i => {
    pin();
    show("target", i);
    // Where the map is longer than its box, both ends come into view if they fit.
    const ends = places.target[i] + places.source[data.target.largest[i]];
    stage.scrollTop = (ends - stage.clientHeight) / 2;
  };

  const listen = ({button}, side, i) => {
    const byMouse = act => e => { if (e.pointerType === "mouse") act(); };
    button.onpointerenter = byMouse(() => show(side, i));
    button.onpointerleave = byMouse(rest);
    button.onfocus = () => {
      words[side].forEach((word, k) => { word.button.tabIndex = k === i ? 0 : -1; });
      show(side, i);
    };
    button.onclick = () => {
      panel.player.stop();
      if (isPinned(side, i)) pin(); else pin(side, i);
    };
  };
  for (const side of sides) words[side].forEach((word, i) => listen(word, side, i));

  board.onkeydown = e => {
    const [side, i] = find(":focus");
    if (!side) return;
    const last = words[side].length - 1, isSource = side === "source";
    const ahead = data[side].dir === "rtl" ? -1 : 1;  // what "right" means
    const moves = isUpright()
      ? {ArrowUp: i - 1, ArrowDown: i + 1, Home: 0, End: last}
      : {ArrowLeft: i - ahead, ArrowRight: i + ahead, Home: 0, End: last};
    const across = isUpright()
      ? isSource ? "ArrowRight" : "ArrowLeft"
      : isSource ? "ArrowDown" : "ArrowUp";
    if (e.key === "Escape") {
      panel.player.stop();
      pin();
    } else if (e.key in moves) {
      words[side][Math.min(Math.max(moves[e.key], 0), last)].button.focus();
    } else if (e.key === across) {
      words[other[side]][data[side].largest[i]].button.focus();
    } else return;
    e.preventDefault();
    e.stopPropagation();
  };
  board.addEventListener("focusout", e => {
    if (!board.contains(e.relatedTarget)) show(...pinned);
  });
  new ResizeObserver(() => {
    places = measure(words, picture, isUpright());
    placeAll([...lines, ...links, ...lit]);
  }).observe(board);
  const count = words.target.length;
  return {board, picture, count, show, rest, step, pin, pinned: () => pinned};
};

// Draws the maps in a box. They lie in one place, and only the first is shown. What
// `makeSwitch(choose)` returns stands before them; `choose(index)` shows another one.
// Returns the function that ends the player.
const drawMaps = (box, said, models, makeSwitch) => {
  const longest = Math.max(...models.flatMap(model =>
    sides.map(side => model[side].tokens.length)));
  const stage = make("div", {class: "am-stage"});
  const panel = {said, stage, many: longest > 14, withGold: false};
  const maps = models.map(model => makeMap(model, panel));
  const boards = maps.map(({board}) => board);
  let map = maps[0];  // the one that is shown
  panel.player = makePlayer(() => map.count, i => map.step(i), () => map.show(),
    playing => {
      stage.classList.toggle("am-playing", playing);
      // A screen reader is spared one announcement per step.
      said.setAttribute("aria-live", playing ? "off" : "polite");
    });
  const reveal = () => boards.forEach(board =>
    board.classList.toggle("am-hidden", board !== map.board));
  const choose = index => {
    panel.player.stop();
    const pinned = map.pinned();
    map = maps[index];
    reveal();
    map.pin(...pinned);  // the same word, so that its lines can be compared
  };

  // The buttons come first, so that no text moves them under the pointer.
  const buttons = make("div", {class: "am-buttons"}, panel.player.play);
  const foot = make("div", {class: "am-foot"}, buttons, said);
  foot.classList.toggle("am-long", models.some(({windows}) => windows));
  if (models.some(({gold}) => gold)) {
    panel.player.play.before(toggle("Gold links", false, on => {
      panel.withGold = on;
      box.classList.toggle("am-with-gold", on);
      map.rest();
    }));
  }
  const ruler = make("div");  // as wide as the page allows, whatever the maps need
  stage.append(...boards);
  box.append(ruler, ...makeSwitch ? [makeSwitch(choose)] : [], stage, foot);
  reveal();
  map.show();
  new ResizeObserver(() => {
    boards.forEach(board => board.classList.remove("am-upright"));
    const upright = boards.some(board => board.offsetWidth > ruler.offsetWidth);
    boards.forEach(board => board.classList.toggle("am-upright", upright));
    stage.classList.toggle("am-tall", upright && longest > 40);
    said.style.minHeight = "";
  }).observe(ruler);
  return panel.player.stop;
};

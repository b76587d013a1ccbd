// The attention map: two rows of words, and a line for each weight between them. Where
// the rows are too long for the page, they stand upright, side by side.
const figure = "attention_map";
const sides = ["source", "target"], other = {source: "target", target: "source"};

// A word is a button and, beside it, its weight while another word is chosen.
const makeWord = (token, name, index) => {
  const button = make("button", {type: "button", class: "am-token"}, token);
  if (name !== token) button.setAttribute("aria-label", name);
  button.tabIndex = index ? -1 : 0;  // one tab stop per row
  const number = make("span", {class: "am-number", "aria-hidden": "true"});
  return {button, number, box: make("div", {class: "am-word"}, button, number)};
};

const makeRow = (side, dir, words) => {
  const name = `${side === "source" ? "in" : "out"}put words`;
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
  return {upright, gap, source: middles("source"), target: middles("target")};
};

// Puts each line between the middles of its two words, in the space between the rows.
const placeLines = (lines, {upright, gap, source, target}) => {
  const point = (along, across) =>
    upright ? `${across} ${along}` : `${along} ${across}`;
  for (const {path, w, source: s, target: t} of lines) {
    const a = target[t], b = source[s], half = gap / 2;
    const end = 2 + 6.5 * w;  // half the width of the line, whose end is round
    const bends = `${point(a, half)} ${point(b, half)}`;
    path.setAttribute("d", `M${point(a, gap - end)}C${bends} ${point(b, end)}`);
  }
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

// What is said of a word: its three largest weights of 0.05 or more, or `none`, and its
// gold links where they are shown.
const describe = (name, verb, names, entries, none, gold) => {
  const ranked = entries.filter(([, w]) => w >= 0.05).sort((a, b) => b[1] - a[1]);
  const large = ranked.slice(0, 3).flatMap(([k, w], n) =>
    [n ? ", " : "", make("bdi", {}, names[k]), ` ${w.toFixed(2)}`]);
  const links = gold.flatMap((k, n) => [n ? ", " : "", make("bdi", {}, names[k])]);
  return [
    make("b", {}, make("bdi", {}, name)), `: ${verb} `, ...none ? [none] : large,
    ...gold.length ? [". Gold: ", ...links] : [],
  ];
};

// A button that calls step(0), step(1), … until `count`, and then rest().
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
    const next = () => { if (i < count) step(i++); else end(); };
    set(setInterval(next, count > 14 ? 700 : 1100));
    next();
  });
  play.classList.add("am-play");
  return {play, stop, playing: () => !!timer};
};

const start = ({live, said, data}) => {
  const names = {}, words = {}, entries = readWeights(data);
  for (const side of sides) {
    const {tokens, names: given} = data[side];
    names[side] = tokens.map((token, i) => given[i] ?? token);
    words[side] = tokens.map((token, i) => makeWord(token, names[side][i], i));
  }
  const many = Math.max(words.source.length, words.target.length) > 14;
  const lines = entries.target.flatMap((row, i) =>
    makeLines("target", i, row.filter(([, w]) => w >= data.least)));
  const all = svg("g", {}, ...lines.map(({path}) => path)), chosen = svg("g");
  const gold = readGold(data.gold ?? [], words);
  const links = (data.gold ?? []).map(([target, source]) =>
    ({path: svg("path"), w: 0, source, target}));
  const ideal = svg("g", {class: "am-gold"}, ...links.map(({path}) => path));
  const picture =
    svg("svg", {class: "am-lines", "aria-hidden": "true"}, all, chosen, ideal);
  let places, lit = [];  // where the words are, and the lines of the chosen word
  let withGold = false;
  const rows = sides.map(side => makeRow(side, data[side].dir, words[side]));
  const board = make("div", {class: "am-board"}, ...rows, picture);
  const stage = make("div", {class: "am-stage"}, board);
  board.classList.toggle("am-many", many);
  const isUpright = () => board.classList.contains("am-upright");
  let pinned = [];  // side and index of the word that was clicked, if any
  const isPinned = (side, i) => pinned[0] === side && pinned[1] === i;

  const show = (side, i = -1) => {
    const row = new Map(side ? entries[side][i] : []);
    for (const here of sides) words[here].forEach(({box, button, number}, k) => {
      const w = here !== side && row.get(k) || 0;
      box.classList.toggle("am-chosen", here === side && k === i);
      box.classList.toggle("am-lit", w >= 0.05);
      box.classList.toggle("am-later", here === "target" && side === "target" && k > i);
      button.style.setProperty("--w", w);
      button.setAttribute("aria-pressed", isPinned(here, k));
      number.textContent = w >= (many ? 0.05 : 0.005) ? w.toFixed(2) : "";
    });
    picture.classList.toggle("am-some", !!side);
    lit = side ? makeLines(side, i, entries[side][i], {class: "am-lit"}) : [];
    chosen.replaceChildren(...lit.map(({path}) => path));
    if (places) placeLines(lit, places);
    for (const {path, ...ends} of links) {
      path.classList.toggle("am-lit", ends[side] === i);
    }
    const verb = side === "target" ? "attends to" : "attended to by";
    said.replaceChildren(...side
      ? describe(
        names[side][i], verb, names[other[side]], entries[side][i], data[side].none[i],
        withGold ? gold[side][i] : [],
      )
      : ["Point at a word, tap it, or use Tab and the arrow keys."]);
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
  const rest = () => {
    if (!player.playing()) show(...pinned.length ? pinned : find(":focus-visible"));
  };

  const step = i => {
    pinned = [];
    show("target", i);
    // Where the map is longer than its box, both ends come into view if they fit.
    const ends = places.target[i] + places.source[data.target.largest[i]];
    stage.scrollTop = (ends - stage.clientHeight) / 2;
  };
  const player = makePlayer(words.target.length, step, () => show(), playing => {
    stage.classList.toggle("am-playing", playing);
    // A screen reader is spared one announcement per step.
    said.setAttribute("aria-live", playing ? "off" : "polite");
  });

  const listen = ({button}, side, i) => {
    const byMouse = act => e => { if (e.pointerType === "mouse") act(); };
    button.onpointerenter = byMouse(() => show(side, i));
    button.onpointerleave = byMouse(rest);
    button.onfocus = () => {
      words[side].forEach((word, k) => { word.button.tabIndex = k === i ? 0 : -1; });
      show(side, i);
    };
    button.onclick = () => {
      player.stop();
      pinned = isPinned(side, i) ? [] : [side, i];
      show(...pinned);
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
      player.stop();
      pinned = [];
      show();
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

  // The buttons come first, so that no text moves them under the pointer.
  const buttons = make("div", {class: "am-buttons"}, player.play);
  const foot = make("div", {class: "am-foot"}, buttons, said);
  if (links.length) {
    player.play.before(toggle("Gold links", false, on => {
      withGold = on;
      picture.classList.toggle("am-with-gold", on);
      rest();
    }));
  }
  const ruler = make("div");  // as wide as the page allows, whatever the map needs
  live.append(ruler, stage, foot);
  show();
  new ResizeObserver(() => {
    board.classList.remove("am-upright");
    const upright = board.offsetWidth > ruler.offsetWidth;
    board.classList.toggle("am-upright", upright);
    const tall = words.source.length > 40 || words.target.length > 40;
    stage.classList.toggle("am-tall", upright && tall);
    said.style.minHeight = "";
  }).observe(ruler);
  new ResizeObserver(() => {
    places = measure(words, picture, isUpright());
    placeLines([...lines, ...links, ...lit], places);
  }).observe(board);
};

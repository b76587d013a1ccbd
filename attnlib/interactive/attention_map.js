// The attention map: two rows of words, and a line for each weight between them.
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

const middle = ({box}) => box.offsetLeft + box.offsetWidth / 2;

// Puts each line between the middles of its two words, in the space between the rows.
const placeLines = (lines, {height, source, target}) => {
  for (const {path, w, source: s, target: t} of lines) {
    const a = target[t], b = source[s], half = height / 2;
    const end = 2 + 6.5 * w;  // half the width of the line, whose end is round
    const bends = `${a} ${half} ${b} ${half}`;
    path.setAttribute("d", `M${a} ${height - end}C${bends} ${b} ${end}`);
  }
};

// What is said of a word: its three largest weights of 0.05 or more, or `none`.
const describe = (name, verb, names, entries, none) => {
  const ranked = entries.filter(([, w]) => w >= 0.05).sort((a, b) => b[1] - a[1]);
  const large = ranked.slice(0, 3).flatMap(([k, w], n) =>
    [n ? ", " : "", make("bdi", {}, names[k]), ` ${w.toFixed(2)}`]);
  return [make("b", {}, make("bdi", {}, name)), `: ${verb} `, ...none ? [none] : large];
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
  const picture = svg("svg", {class: "am-lines", "aria-hidden": "true"}, all, chosen);
  let places, lit = [];  // where the words are, and the lines of the chosen word
  const rows = sides.map(side => makeRow(side, data[side].dir, words[side]));
  const board = make("div", {class: "am-board"}, ...rows, picture);
  const stage = make("div", {class: "am-stage"}, board);
  board.classList.toggle("am-many", many);
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
    const verb = side === "target" ? "attends to" : "attended to by";
    said.replaceChildren(...side
      ? describe(
        names[side][i], verb, names[other[side]], entries[side][i], data[side].none[i],
      )
      : ["Point at a word, tap it, or use Tab and the arrow keys."]);
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
    stage.scrollLeft = middle(words.target[i]) - stage.clientWidth / 2;
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
    const last = words[side].length - 1;
    const ahead = data[side].dir === "rtl" ? -1 : 1;  // what "right" means
    const moves = {ArrowLeft: i - ahead, ArrowRight: i + ahead, Home: 0, End: last};
    if (e.key === "Escape") {
      player.stop();
      pinned = [];
      show();
    } else if (e.key in moves) {
      words[side][Math.min(Math.max(moves[e.key], 0), last)].button.focus();
    } else if (e.key === (side === "source" ? "ArrowDown" : "ArrowUp")) {
      words[other[side]][data[side].largest[i]].button.focus();
    } else return;
    e.preventDefault();
    e.stopPropagation();
  };
  board.addEventListener("focusout", e => {
    if (!board.contains(e.relatedTarget)) show(...pinned);
  });

  live.append(stage, make("div", {class: "am-foot"}, said, player.play));
  show();
  // A text that is written from right to left begins at the right.
  if (data.target.dir === "rtl") stage.scrollLeft = stage.scrollWidth;
  new ResizeObserver(() => {
    const above = words.source[0].button, top = above.offsetTop + above.offsetHeight;
    const height = words.target[0].button.offsetTop - top;
    picture.style.top = top + "px";
    picture.style.height = height + "px";
    places = {height};
    for (const side of sides) places[side] = words[side].map(middle);
    placeLines([...lines, ...lit], places);
  }).observe(board);
};

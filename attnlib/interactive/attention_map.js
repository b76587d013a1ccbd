// The attention map: two rows of words, and a line for each weight between them.
const figure = "attention_map";
const sides = ["source", "target"], other = {source: "target", target: "source"};
const spoken = new Map([
  [" ", "space"], ["-", "hyphen"], [",", "comma"], [".", "full stop"], ["/", "slash"],
]);
const nameOf = token => spoken.get(token) || token;

// A word is a button and, beside it, its weight while another word is chosen.
const makeWord = (token, index) => {
  const button = make("button", {type: "button", class: "am-token"}, token);
  if (!token.trim()) button.textContent = "\u2423";
  if (spoken.has(token)) button.setAttribute("aria-label", nameOf(token));
  button.tabIndex = index ? -1 : 0;  // one tab stop per row
  const number = make("span", {class: "am-number", "aria-hidden": "true"});
  return {button, number, box: make("div", {class: "am-word"}, button, number)};
};

const makeRow = (side, words) => {
  const name = side === "source" ? "input words" : "output words";
  const attributes = {class: `am-row am-${side}`, role: "group", "aria-label": name};
  return make("div", attributes, ...words.map(word => word.box));
};

const makeLines = weights => weights.flatMap((row, target) => row.flatMap((w, source) =>
  w < 0.01 ? [] : [{path: svg("path", {style: `--w:${w}`}), w, source, target}]));

const middle = ({box}) => box.offsetLeft + box.offsetWidth / 2;

// Puts each line between the middles of its two words, in the space between the rows.
const placeLines = (picture, lines, words) => {
  const above = words.source[0].button, top = above.offsetTop + above.offsetHeight;
  const height = words.target[0].button.offsetTop - top, half = height / 2;
  picture.style.top = top + "px";
  picture.style.height = height + "px";
  for (const {path, w, source, target} of lines) {
    const a = middle(words.target[target]), b = middle(words.source[source]);
    const end = 2 + 6.5 * w;  // half the width of the line, whose end is round
    const bends = `${a} ${half} ${b} ${half}`;
    path.setAttribute("d", `M${a} ${height - end}C${bends} ${b} ${end}`);
  }
};

// What is said of a word: its three largest weights of 0.05 or more.
const describe = (token, verb, tokens, weights) => {
  const ranked = weights.map((w, k) => [w, k]).sort((a, b) => b[0] - a[0]);
  const large = ranked.filter(([w]) => w >= 0.05).slice(0, 3).flatMap(([w, k], n) =>
    [n ? ", " : "", make("bdi", {}, nameOf(tokens[k])), ` ${w.toFixed(2)}`]);
  const none = ranked[0][0] ? "many words, none of them 0.05 or more" : "nothing";
  return [make("b", {}, nameOf(token)), `: ${verb} `, ...large.length ? large : [none]];
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

const start = ({live, said, data: {source, target, weights}}) => {
  const tokens = {source, target}, many = Math.max(source.length, target.length) > 14;
  const words = {source: source.map(makeWord), target: target.map(makeWord)};
  const weightsOf = (side, i) =>
    side === "target" ? weights[i] : weights.map(row => row[i]);
  const lines = makeLines(weights), paths = lines.map(line => line.path);
  const picture = svg("svg", {class: "am-lines", "aria-hidden": "true"}, ...paths);
  const rows = sides.map(side => makeRow(side, words[side]));
  const board = make("div", {class: "am-board"}, ...rows, picture);
  const stage = make("div", {class: "am-stage"}, board);
  board.classList.toggle("am-many", many);
  let pinned = [];  // side and index of the word that was clicked, if any
  const isPinned = (side, i) => pinned[0] === side && pinned[1] === i;

  const show = (side, i = -1) => {
    const row = side ? weightsOf(side, i) : [];
    for (const here of sides) words[here].forEach(({box, button, number}, k) => {
      const w = side && here !== side ? row[k] : 0;
      box.classList.toggle("am-chosen", here === side && k === i);
      box.classList.toggle("am-lit", w >= 0.05);
      box.classList.toggle("am-later", here === "target" && side === "target" && k > i);
      button.style.setProperty("--w", w);
      button.setAttribute("aria-pressed", isPinned(here, k));
      number.textContent = w >= (many ? 0.05 : 0.005) ? w.toFixed(2) : "";
    });
    picture.classList.toggle("am-some", !!side);
    for (const line of lines) line.path.classList.toggle("am-lit", line[side] === i);
    const verb = side === "target" ? "attends to" : "attended to by";
    said.replaceChildren(...side
      ? describe(tokens[side][i], verb, tokens[other[side]], row)
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
  const player = makePlayer(target.length, step, () => show(), playing => {
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
    const last = tokens[side].length - 1;
    const moves = {ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: last};
    if (e.key === "Escape") {
      player.stop();
      pinned = [];
      show();
    } else if (e.key in moves) {
      words[side][Math.min(Math.max(moves[e.key], 0), last)].button.focus();
    } else if (e.key === (side === "source" ? "ArrowDown" : "ArrowUp")) {
      const row = weightsOf(side, i);
      words[other[side]][row.indexOf(Math.max(...row))].button.focus();
    } else return;
    e.preventDefault();
    e.stopPropagation();
  };
  board.addEventListener("focusout", e => {
    if (!board.contains(e.relatedTarget)) show(...pinned);
  });

  live.append(stage, make("div", {class: "am-foot"}, said, player.play));
  show();
  new ResizeObserver(() => placeLines(picture, lines, words)).observe(board);
};

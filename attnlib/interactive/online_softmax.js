// An online softmax: scores are read block by block, and what was summed before shrinks
// whenever the maximum rises.
const figure = "online_softmax";
const mostScores = 16, largestScore = 1000;

const fixed = number => number === -Infinity ? "−∞"
  : minus(number.toFixed(3).replace(/^-(?=[0.]*$)/, ""));
const short = number => number === -Infinity ? "−∞" : minus(Number(number.toPrecision(6)));
const range = ({from, to}) => to - from === 1 ? `${from}` : `${from}–${to - 1}`;
const place = ({from, to}) => to - from === 1 ? `position ${from}`
  : `positions ${from} to ${to - 1}`;

// What is known after each block.
const readBlocks = ({scores, values}, size) => {
  let m = -Infinity, l = 0, o = 0;
  const rows = [];
  for (let from = 0; from < scores.length; from += size) {
    const part = scores.slice(from, from + size), to = from + part.length;
    const before = {m, l, o};
    m = Math.max(m, ...part);
    // Nothing to attend to so far: −∞ − (−∞) would not be a number.
    const shift = m === -Infinity ? 0 : m;
    const factor = before.m === m ? 1 : Math.exp(before.m - shift);
    const powers = part.map(score => Math.exp(score - shift));
    const added = {
      l: sum(powers),
      o: sum(powers.map((power, j) => power * values[from + j])),
    };
    l = factor * l + added.l;
    o = factor * o + added.o;
    rows.push({from, to, part, before, m, factor, added, l, o, context: l ? o / l : 0});
  }
  return rows;
};

// The same from all scores at once.
const readAll = ({scores, values}) => {
  const weights = softmax(scores, scores.map(score => score > -Infinity));
  const m = Math.max(...scores), shift = m === -Infinity ? 0 : m;
  const powers = scores.map(score => Math.exp(score - shift));
  return {
    m, l: sum(powers), weights,
    o: sum(powers.map((power, j) => power * values[j])),
    context: sum(weights.map((weight, j) => weight * values[j])),
  };
};

// Scores as a reader writes them; a text that says what is wrong instead of them.
const parse = text => {
  const words = text.replace(/[−–]/g, "-").split(/[\s,;]+/).filter(word => word);
  if (!words.length) return "There is no score. Enter some numbers, as in 1, 3, 2.";
  if (words.length > mostScores) {
    return `There are ${words.length} scores. At most ${mostScores} fit here.`;
  }
  const scores = [];
  for (const word of words) {
    if (/^-(inf|infinity|∞)$/i.test(word)) { scores.push(-Infinity); continue; }
    const isNumber = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(word);
    if (!isNumber) {
      return `“${word.slice(0, 20)}” is not a number. Write scores as in 1, 3.5, -inf.`;
    }
    if (Math.abs(Number(word)) > largestScore) {
      return `The score ${word.slice(0, 20)} is out of range: ` +
        `scores lie between −${largestScore} and ${largestScore}.`;
    }
    scores.push(Number(word));
  }
  return scores;
};

// The scores, each with a bar, and below them what each adds to the sum.
const makeColumns = ({scores, values}) => {
  const finite = scores.filter(score => score > -Infinity);
  const low = Math.min(0, ...finite), span = Math.max(0, ...finite) - low || 1;
  const share = score => 100 * (score - low) / span;
  const columns = scores.map((score, j) => {
    const bar = make("i"), power = make("i"), number = make("span", {class: "os-power"});
    const from = Math.min(share(0), share(Math.max(score, low)));
    const height = score > -Infinity ? Math.abs(share(score) - share(0)) : 0;
    bar.style.cssText = `bottom:${from}%;height:${height}%`;
    const box = make("div", {class: "os-column"},
      make("div", {class: "os-track os-up"}, bar),
      make("span", {class: "os-score"}, short(score)),
      make("span", {class: "os-value"}, short(values[j])),
      make("div", {class: "os-track os-down"}, power), number);
    return {box, power, number};
  });
  const line = make("div", {class: "os-line"}), label = make("span");
  line.append(label);
  const picture = make("div", {class: "os-picture", "aria-hidden": "true"},
    ...columns.map(({box}) => box), line);
  picture.style.setProperty("--n", scores.length);
  // Numbers are turned where a column is too narrow for them, and named where there is
  // room.
  const longest = Math.max(...[...scores, ...values].map(each => short(each).length));
  picture.style.setProperty("--longest", longest);
  new ResizeObserver(() => {
    const column = picture.clientWidth / scores.length - 6;
    picture.classList.toggle("os-turned", column < 8 * longest);
    picture.classList.toggle("os-named", column > 8 * (longest + 6));
    picture.classList.toggle("os-roomy", column > 40);
  }).observe(picture);
  const show = (rows, step) => {
    const now = rows[step - 1];
    columns.forEach(({box, power, number}, j) => {
      const read = !!now && j < now.to, isNew = read && j >= now.from;
      box.classList.toggle("os-read", read);
      box.classList.toggle("os-new", isNew);
      box.classList.toggle("os-first", rows.some(({from}) => from === j && j > 0));
      const size = !read || now.m === -Infinity ? 0 : Math.exp(scores[j] - now.m);
      power.style.height = `${100 * size}%`;
      number.textContent = read ? fixed(size) : "";
    });
    const shown = !!now && now.m > -Infinity;
    line.hidden = !shown;
    if (!shown) return;
    line.style.setProperty("--m", share(now.m) / 100);
    line.style.setProperty("--to", now.to);
    label.textContent = `m = ${short(now.m)}`;
  };
  return {box: picture, show};
};

// The arithmetic of one step, a line each.
const writeStep = (row, all) => {
  const {part, before, m, factor, added, l, o} = row;
  const list = [before.m, ...part].map(short).join(", ");
  const first = before.m === -Infinity;
  const rescaled = name => first ? "" : `${fixed(factor)} × ${fixed(before[name])} + `;
  const exponent = first || before.m === m ? "" : ` = exp(${short(before.m)} − ` +
    `${m < 0 ? `(${short(m)})` : short(m)})`;
  return [
    ["maximum", "m", `max(${list}) = ${short(m)}`],
    ["factor", "", first ? "nothing was summed before"
      : `exp(m before − m)${exponent} = ${fixed(factor)}`],
    ["sum", "ℓ", `${rescaled("l")}${fixed(added.l)} = ${fixed(l)}`],
    ["weighted sum", "o", `${rescaled("o")}${fixed(added.o)} = ${fixed(o)}`],
    ...all ? [["context", "o / ℓ", `${fixed(row.context)}, and the softmax of all ` +
      `scores at once gives ${fixed(all.context)}`]] : [],
  ];
};

const fillTable = (table, {scores, values}, rows, all, step) => {
  table.caption.textContent = `Scores ${scores.map(short).join(", ")}; ` +
    `values ${values.map(short).join(", ")}.`;
  const names = ["positions", "maximum m", "factor", "sum ℓ", "weighted sum o", "o / ℓ"];
  table.tHead.replaceChildren(make("tr", {},
    ...names.map(name => make("th", {scope: "col"}, name))));
  const cells = numbers => numbers.map(number =>
    make("td", {}, number === null ? "" : fixed(number)));
  // What is not read yet is hidden on the screen, and there on paper.
  table.tBodies[0].replaceChildren(...rows.map((row, i) => {
    const {m, factor, l, o, context} = row;
    const kind = i === step - 1 ? "os-now" : i < step ? "" : "os-later";
    return make("tr", {class: kind}, make("th", {scope: "row"}, range(row)),
      ...cells([m, factor, l, o, context]));
  }));
  const {m, l, o, context} = all;
  table.tFoot.replaceChildren(make("tr", {class: step < rows.length ? "os-later" : ""},
    make("th", {scope: "row"}, "all at once"), ...cells([m, null, l, o, context])));
};

const describe = (data, rows, all, step) => {
  if (!step) {
    return `Nothing is read yet: m is −∞, and ℓ and o are zero. The ` +
      `${data.scores.length} scores will be read in ${rows.length} ` +
      `block${rows.length > 1 ? "s" : ""}.`;
  }
  const row = rows[step - 1], {before, m, factor} = row;
  const rises = before.m > -Infinity && m > before.m;
  const what = m === -Infinity ? "every score so far is −∞, so nothing is added"
    : before.m === -Infinity ? `the maximum is ${short(m)}`
      : rises ? `the maximum rises from ${short(before.m)} to ${short(m)}, so what was ` +
        `summed before is multiplied by ${fixed(factor)}`
        : `the maximum stays ${short(m)}, so nothing is rescaled`;
  const said = `Block ${step} of ${rows.length}, ${place(row)}: ${what}.`;
  if (step < rows.length) return said;
  if (!all.l) return `${said} There is nothing to attend to, and the context is zero.`;
  const large = Math.max(...data.scores) > 709;  // exp(710) is infinite
  return `${said} All scores are read, and o / ℓ is the context: ` +
    `${fixed(row.context)}.` + (large ? ` Without the maximum, ` +
    `exp(${short(Math.max(...data.scores))}) would be infinite.` : "");
};

const start = ({root, live, said, data: stored}) => {
  const table = root.querySelector("table"), say = speaker(said);
  table.classList.add("os-table");
  const read = list => list.map(score => score ?? -Infinity);
  let data = {scores: read(stored.scores), values: stored.values};
  let size = stored.block_size, columns, rows, all;
  const shown = make("div"), steps = make("div", {class: "os-steps"});
  const show = (step, playing) => {
    columns.show(rows, step);
    steps.replaceChildren(...(step ? writeStep(rows[step - 1], step === rows.length && all) : []).map(
      ([name, symbol, text]) => make("p", {}, make("span", {}, name),
        make("span", {}, make("b", {}, symbol), symbol ? ` = ${text}` : text))));
    fillTable(table, data, rows, all, step);
    said.setAttribute("aria-live", playing ? "off" : "polite");
    say(describe(data, rows, all, step));
    root.state = {step, rows, all};
  };
  const player = makePlayer(show);
  const calculate = to => {
    rows = readBlocks(data, size);
    all = readAll(data);
    block.input.max = data.scores.length;
    block.show(Math.min(size, data.scores.length), String(size));
    player.reset(rows.length, to);
  };
  const block = control(["block size"], {min: 1, max: data.scores.length, step: 1},
    value => { size = value; calculate(0); });
  const draw = scores => {
    data = {scores, values: scores.map((_, j) => stored.values[j] ?? 10 * (j + 1))};
    size = Math.min(size, scores.length);
    columns = makeColumns(data);
    shown.replaceChildren(columns.box);
    calculate(0);
  };
  const form = makeForm(root, {
    label: "Your scores", value: data.scores.map(short).join(", "), action: "Use them",
    findFault: text => { const found = parse(text); return Array.isArray(found) ? "" : found; },
    draw: text => draw(parse(text)),
  });
  const key = make("div", {class: "os-key"}, ...[
    ["os-is-score", "score"], ["os-is-later", "score that is not read yet"],
    ["os-is-power", "exp(score − m), its part of the sum ℓ"],
    ["os-is-new", "block that is read"],
  ].map(([kind, name]) => make("span", {}, make("i", {class: kind}), name)));
  live.append(form, make("div", {class: "af-controls"}, block.box), shown, key,
    player.box, steps);
  live.after(said);
  draw(data.scores);
};

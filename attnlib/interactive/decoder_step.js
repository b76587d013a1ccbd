// One step of a decoder with attention, from the query down to the next character. The
// picture keeps its elements; a step only sets their sizes and colors.
const figure = "decoder_step";
const still = matchMedia("(prefers-reduced-motion: reduce)");

// A symbol with a subscript, such as s₃ or e₃ⱼ.
const symbol = (letter, ...index) =>
  make("span", {class: "ds-symbol"}, make("i", {}, letter), make("sub", {}, ...index));

const chip = (text, kind) => make("span", {class: `ds-chip ds-${kind}`}, text);

// A row of the picture: what it is, where the paper has it, and a drawing.
const makeStage = (kind, name, place, drawing) => {
  const symbols = make("span", {class: "ds-symbols"}), note = make("span");
  const about = make("div", {class: "ds-about"}, note, " ",
    make("span", {class: "ds-place"}, `(${place})`));
  const label =
    make("div", {class: "ds-label"}, make("b", {}, name), " ", symbols, " ", about);
  const held = make("div", {class: "ds-drawing", "aria-hidden": "true"}, ...drawing);
  const box = make("div", {class: `ds-stage ds-in-${kind}`}, label, held);
  const describe = (letters, ...text) => {
    symbols.replaceChildren(...letters);
    note.replaceChildren(...text);
  };
  return {box, describe};
};

// A vector as a strip of cells, in rows of `width`.
const makeStrip = (kind, length, width) => {
  const cells = Array.from({length}, () => make("i"));
  const attributes = {class: `ds-strip ds-${kind}`, style: `--cells:${width};--rows:${length / width}`};
  const box = make("div", attributes, ...cells);
  const show = vector => vector.forEach((value, k) => {
    cells[k].style.setProperty("--v", `${Math.round(50 + 50 * clamp(value, -1, 1))}%`);
  });
  return {box, show};
};
// A number as text, without a minus sign before zero.
const decimal = (number, digits) =>
  minus(number.toFixed(digits).replace(/^-(?=[0.]*$)/, ""));
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// The lines between one point and every column, in a box of `count` by 1.
const makeFan = (count, kind, isOpening) => {
  const paths = Array.from({length: count}, (_, j) => {
    const [top, bottom] = isOpening ? [count / 2, j + 0.5] : [j + 0.5, count / 2];
    return svg("path", {d: `M${top} 0C${top} .6 ${bottom} .4 ${bottom} 1`});
  });
  const view = {viewBox: `0 0 ${count} 1`, preserveAspectRatio: "none"};
  return {box: svg("svg", {class: `ds-fan ds-${kind}`, ...view}, ...paths), paths};
};

const makeBars = (count, kind) => {
  const bars = Array.from({length: count}, () => {
    const number = make("span"), fill = make("i", {}, number);
    return {fill, number, box: make("div", {class: "ds-bar"}, fill)};
  });
  const box = make("div", {class: `ds-columns ds-${kind}`}, ...bars.map(b => b.box));
  return {box, bars};
};

// The candidates for the next character, each with a bar.
const makeWords = count => {
  const rows = Array.from({length: count}, () => {
    const token = make("span", {class: "ds-chip ds-target"});
    const fill = make("i"), number = make("span", {class: "ds-number"});
    const track = make("div", {class: "ds-track"}, fill);
    const box = make("div", {class: "ds-word"}, token, track, number);
    return {token, fill, number, box};
  });
  const show = candidates => rows.forEach(({token, fill, number, box}, k) => {
    const [text, , p] = candidates[k] ?? ["", "", 0];
    box.hidden = k >= candidates.length;
    token.textContent = text;
    fill.style.width = `${100 * p}%`;
    number.textContent = p.toFixed(2);
  });
  return {boxes: rows.map(row => row.box), show};
};

// The picture of one sentence; `show(i)` draws step i, counted from 0.
const makePicture = ({source, states, scores, weights, contexts, candidates}) => {
  const count = source.length, units = states[0].length;
  const query = makeStrip("target", units, units);
  const context = makeStrip("source", contexts[0].length, units);
  const state = makeStrip("target", units, units);
  const words = makeWords(Math.max(...candidates.map(each => each.length)));
  const opening = makeFan(count, "opening", true), closing = makeFan(count, "closing");
  const score = makeBars(count, "scores"), weight = makeBars(count, "weights");
  const input = source.map(each => chip(each, "source"));
  const highest = Math.max(0.01, ...scores.flat());
  const lowest = Math.min(-0.01, ...scores.flat());
  const zero = `${100 * highest / (highest - lowest)}%`;
  score.box.style.setProperty("--zero", zero);
  const stages = {
    query: makeStage("query", "Query", "section 3.1", [query.box, opening.box]),
    scores: makeStage("scores", "Scores", "appendix A.1.2", [score.box]),
    weights: makeStage("weights", "Weights", "equation 6", [weight.box]),
    input: makeStage("input", "Annotations", "section 3.2",
      [make("div", {class: "ds-columns"}, ...input), closing.box]),
    context: makeStage("context", "Context", "equation 5", [context.box]),
    state: makeStage("state", "New state", "section 3.1", [state.box]),
    word: makeStage("word", "Next character", "equation 4", words.boxes),
  };
  const board = make("div", {class: "ds-board", style: `--columns:${count}`},
    ...Object.values(stages).map(each => each.box));
  const box = make("div", {class: "ds-picture"}, board);

  const drawColumns = i => source.forEach((_, j) => {
    const e = scores[i][j], w = weights[i][j];
    const isLargest = w === Math.max(...weights[i]);
    const part = Math.abs(e) / (highest - lowest);
    score.bars[j].box.classList.toggle("ds-below", e < 0);
    score.bars[j].fill.style.height = `${100 * part}%`;
    score.bars[j].number.textContent = decimal(e, 1);
    weight.bars[j].fill.style.height = `${100 * w}%`;
    weight.bars[j].number.textContent = w >= 0.005 ? w.toFixed(2) : "";
    for (const bars of [score, weight]) {
      bars.bars[j].box.classList.toggle("ds-largest", isLargest);
    }
    input[j].style.setProperty("--w", w);
    closing.paths[j].style.setProperty("--w", w);
    closing.paths[j].classList.toggle("ds-none", w < 0.01);
  });
  const show = (i, last) => {
    const n = i + 1, before = i ? candidates[i - 1][0][0] : "start";
    query.show(states[i]);
    context.show(contexts[i]);
    state.show(states[i + 1]);
    words.show(candidates[i]);
    drawColumns(i);
    const j = letter => symbol(letter, String(n), make("i", {}, "j"));
    stages.query.describe([symbol("s", i)], i
      ? "the state after the previous step"
      : "the first state, which the encoder provides");
    stages.scores.describe([j("e")], "how well each annotation matches the query");
    stages.weights.describe([j("α")], "the softmax of the scores");
    stages.input.describe([symbol("h", make("i", {}, "j"))],
      "the encoder’s states, one per character");
    stages.context.describe([symbol("c", n)],
      "the weighted average of the annotations");
    stages.state.describe([symbol("s", n)],
      "from ", symbol("s", i), ", ", symbol("c", n), ", and ", symbol("y", i),
      " = ", chip(before, "target"), ", by a GRU");
    stages.word.describe([symbol("y", n)], "the most probable one is output");
    // The new state of the step before is the query of this one.
    if (last === i - 1 && !still.matches) {
      const [from, to] = [state, query].map(each => each.box.getBoundingClientRect());
      query.box.animate(
        [{transform: `translateY(${from.top - to.top}px)`, zIndex: 1}, {}],
        {duration: 450, easing: "ease-in-out"},
      );
    }
    const largest = input[weights[i].indexOf(Math.max(...weights[i]))];
    box.scrollLeft = largest.offsetLeft - box.clientWidth / 2;
  };
  new ResizeObserver(() => {
    const column = score.box.clientWidth / count;
    board.classList.toggle("ds-roomy", column >= 27);
  }).observe(box);
  return {box, show};
};

// What is written, as buttons that lead to their steps, and four more buttons.
const makeSteps = (candidates, go) => {
  const chips = candidates.map(([[text, name]], i) => {
    const attributes = {type: "button", class: "ds-chip ds-target"};
    const element = make("button", attributes, text);
    element.setAttribute("aria-label", `step ${i + 1}: ${name}`);
    element.addEventListener("click", () => go(i));
    return element;
  });
  const written = make("div",
    {class: "ds-written", role: "group", "aria-label": "Output, one step each"},
    ...chips);
  const last = candidates.length - 1;
  let step = 0;
  const moves = [
    ["First", () => 0], ["Back", () => step - 1],
    ["Forward", () => step + 1], ["Last", () => last],
  ].map(([name, to]) => {
    const element = button(name, () => go(clamp(to(), 0, last)));
    return {element, isIdle: () => clamp(to(), 0, last) === step};
  });
  const count = make("span", {class: "ds-count"});
  const buttons = make("div", {class: "ds-buttons"},
    ...moves.map(({element}) => element), count);
  const show = i => {
    step = i;
    chips.forEach((element, k) => {
      element.classList.toggle("ds-later", k > i);
      element.tabIndex = k === i ? 0 : -1;
      if (k === i) element.setAttribute("aria-current", "step");
      else element.removeAttribute("aria-current");
      if (k === i && written.contains(document.activeElement)) element.focus();
    });
    for (const {element, isIdle} of moves) {
      element.setAttribute("aria-disabled", String(isIdle()));
    }
    count.textContent = `Step ${i + 1} of ${candidates.length}`;
  };
  return {box: make("div", {class: "ds-steps"}, written, buttons), show};
};

// What a screen reader hears of step i.
const describe = ({names, weights, candidates}, i) => {
  const [[, next, p]] = candidates[i];
  const largest = Math.max(...weights[i]), name = names[weights[i].indexOf(largest)];
  const before = candidates.slice(0, i).map(([[text]]) => text).join("");
  return `Step ${i + 1} of ${candidates.length}, ` +
    `${before ? `after “${before}”` : "with nothing written"}. ` +
    `The largest weight is ${largest.toFixed(2)}, on ${name}. ` +
    (next === "<end>" ? "The translation ends here" : `The next character is ${next}`) +
    `, with probability ${p.toFixed(2)}.`;
};

const updateTables = ([input, words], {scores, weights, candidates}, i) => {
  const steps = `Step ${i + 1} of ${candidates.length}`;
  input.caption.textContent = `${steps}: scores and weights of the input`;
  [...input.tBodies[0].rows].forEach(({cells}, j) => {
    cells[2].textContent = decimal(scores[i][j], 2);
    fillBar(cells[3], weights[i][j]);
  });
  [...words.tBodies[0].rows].forEach(({cells}, k) => {
    const [text, , p] = candidates[i][k] ?? ["", "", 0];
    cells[0].textContent = text;
    fillBar(cells[1], p);
  });
};
const fillBar = (cell, share) => {
  cell.firstChild.data = share.toFixed(3);
  cell.lastChild.style.width = `${Math.round(96 * share)}px`;
};

// The tables of another text have other rows.
const resizeTable = ([input], {source}) => {
  const [body] = input.tBodies, [row] = body.rows;
  body.replaceChildren(...source.map((text, j) => {
    const copy = row.cloneNode(true);
    copy.cells[0].textContent = j + 1;
    copy.cells[1].textContent = text;
    return copy;
  }));
};

const start = ({root, live, said, data: stored}) => {
  const tables = root.querySelectorAll("table");
  const shown = make("div");
  let data, picture, steps, step;
  const show = i => {
    picture.show(i, step);
    step = i;
    steps.show(i);
    updateTables(tables, data, i);
    said.textContent = describe(data, i);
    root.step = i;
  };
  const draw = given => {
    data = given;
    step = null;
    picture = makePicture(data);
    steps = makeSteps(data.candidates, show);
    shown.replaceChildren(picture.box, steps.box);
    resizeTable(tables, data);
    show(0);
  };
  shown.addEventListener("keydown", e => {
    const last = data.candidates.length - 1;
    const moves = {ArrowLeft: step - 1, ArrowRight: step + 1, Home: 0, End: last};
    if (!(e.key in moves) || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    e.stopPropagation();
    show(clamp(moves[e.key], 0, last));
  });
  const form = makeForm(root, {
    label: "Your date", value: stored.text, action: "Translate", draw,
    findFault: text => findFault(text, stored),
    request: text => ({function: "decoder_steps", args: ["dates", text]}),
  });
  const call = 'decoder_step(translator, "May 1, 2025")';
  live.append(form, makeElsewhere("date", call), shown);
  said.after(make("p", {class: "ds-key"},
    "Each cell of a strip is one number, from −1 (pale) to 1 (strong). Sections and " +
    "equations are those of Bahdanau et al. (2015)."));
  draw(stored);
};

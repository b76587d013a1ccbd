// Sliders for the scores and the temperature of a softmax, and a box per word.
const figure = "weights";

// A bar in a table cell; returns the function that draws it. `even` is the share that
// each word would have if all were equal, 0 for no mark.
const makeBar = cell => {
  const fill = make("div", {class: "wt-fill"});
  const number = make("span", {class: "wt-number"});
  const track = make("div", {class: "wt-track", "aria-hidden": "true"}, fill);
  cell.replaceChildren(make("div", {class: "wt-cell"}, track, number));
  return (share, value, even = 0) => {
    fill.style.width = 100 * share + "%";
    track.style.setProperty("--even", even);
    track.classList.toggle("wt-even", even > 0);
    number.textContent = value.toFixed(3);
  };
};

// Turns a row of the static table into a box, a slider, and a bar.
const makeRow = (row, name, limit, changeMask, changeScore) => {
  const [head, score, weight] = row.cells;
  const word = head.querySelector("s")?.textContent ?? head.textContent;
  const label = `${name}: may be attended to`;
  const box = make("input", {type: "checkbox", "aria-label": label});
  const range = {min: -limit, max: limit, step: 0.1, "aria-label": `score of ${name}`};
  const input = slider(range, changeScore);
  const number = make("span", {class: "wt-number"});
  box.addEventListener("change", () => changeMask(box.checked));
  head.replaceChildren(make("label", {}, box, make("span", {class: "wt-word"}, word)));
  score.replaceChildren(make("div", {class: "wt-cell"}, input, number));
  return {row, box, input, number, draw: makeBar(weight)};
};

// What a screen reader hears; `maximum` is the largest possible entropy.
const describe = (names, weights, mask, entropy, maximum) => {
  const allowed = weights.filter((_, j) => mask[j]), n = allowed.length;
  const largest = Math.max(...weights), top = names[weights.indexOf(largest)];
  const nats = `Entropy ${entropy.toFixed(2)} of at most ${maximum.toFixed(2)} nats.`;
  if (!n) return "Nothing may be attended to: every weight is zero, and so is their sum.";
  if (n === 1) return `Only ${top} may be attended to, and gets all the weight. ${nats}`;
  if (largest - Math.min(...allowed) < 0.0005) {
    return `The ${n} weights are equal, ${largest.toFixed(3)} each. ${nats}`;
  }
  return `The largest weight is ${largest.toFixed(3)}, for ${top}. ${nats}`;
};

const start = ({root, live, said, data}) => {
  const table = root.querySelector("table"), say = speaker(said);
  const [sumRow, entropyRow] = table.tFoot.rows;
  let scores, mask, temperature;

  table.classList.add("wt-table");
  const limit = data.scores.some(score => Math.abs(score) > 5) ? 10 : 5;
  const rows = [...table.tBodies[0].rows].map((row, j) => makeRow(
    row, data.names[j], limit,
    allowed => { mask[j] = allowed; show(); },
    score => { scores[j] = score; show(); },
  ));
  const drawEntropy = makeBar(entropyRow.cells[2]);
  table.tHead.rows[0].cells[0].textContent = "may be attended to";
  const setting = make("span", {class: "af-paper"});
  table.caption.replaceChildren(setting, "A dashed line marks an even share.");

  // A logarithmic slider from 1/20 to 20 with T = 1 in the middle.
  const heat = control(["temperature T"], {min: -60, max: 60, step: 1}, k => {
    temperature = Number((20 ** (k / 60)).toPrecision(2));
    show();
  });
  heat.input.after(make("div", {class: "wt-ends", "aria-hidden": "true"},
    make("span", {}, "low: peaked"), make("span", {}, "high: even")));
  const reset = () => {
    scores = [...data.scores];
    mask = [...data.mask];
    temperature = data.temperature;
    show();
  };
  live.append(make("div", {class: "af-controls"}, heat.box, button("Reset", reset)));

  const show = () => {
    const weights = softmax(scores.map(score => score / temperature), mask);
    const n = sum(mask.map(Number)), maximum = n ? Math.log(n) : 0;
    const entropy = sum(weights.map(w => w > 0 ? -w * Math.log(w) : 0));
    rows.forEach(({row, box, input, number, draw}, j) => {
      box.checked = mask[j];
      row.classList.toggle("wt-masked", !mask[j]);
      input.show(scores[j], scores[j].toFixed(1));
      number.textContent = minus(scores[j].toFixed(1));
      draw(weights[j], weights[j], mask[j] && n > 1 ? 1 / n : 0);
    });
    const degrees = String(Number(temperature.toPrecision(3)));
    heat.show(60 * Math.log(temperature) / Math.log(20), degrees);
    setting.textContent = `Temperature T = ${degrees}. `;
    sumRow.cells[2].textContent = sum(weights).toFixed(3);
    entropyRow.cells[1].textContent =
      n ? `at most ln ${n} = ${maximum.toFixed(2)}` : "nothing to attend to";
    drawEntropy(n > 1 ? entropy / maximum : 0, entropy);
    root.weights = weights;
    say(describe(data.names, weights, mask, entropy, maximum));
  };
  reset();
};

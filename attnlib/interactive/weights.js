const start = ({root, live, data, say}) => {
  const {words} = data, table = root.querySelector("table");
  const rows = [...table.tBodies[0].rows], [sums, spread] = table.tFoot.rows;
  const most = data.scores.some(score => Math.abs(score) > 5) ? 10 : 5;
  let scores, mask, temperature;

  const bar = cell => {
    const fill = make("div", {class: "wt-fill"}), number = make("span", {class: "wt-number"});
    const track = make("div", {class: "wt-track", "aria-hidden": "true"}, fill);
    cell.replaceChildren(make("div", {class: "wt-cell"}, track, number));
    return (share, value, even = 0) => {
      fill.style.width = 100 * share + "%";
      track.style.setProperty("--even", even);
      track.classList.toggle("wt-even", even > 0);
      number.textContent = value.toFixed(3);
    };
  };

  table.classList.add("wt-table");
  const lines = rows.map((row, j) => {
    const name = row.cells[0].querySelector("s")?.textContent ?? row.cells[0].textContent;
    const box = make("input", {type: "checkbox", "aria-label": `${name}: may be attended`});
    const word = make("span", {class: "wt-word"}, name);
    const input = slider({min: -most, max: most, step: 0.1, "aria-label": `score of ${name}`}, value => {
      scores[j] = value;
      show();
    });
    const number = make("span", {class: "wt-number"});
    box.addEventListener("change", () => { mask[j] = box.checked; show(); });
    row.cells[0].replaceChildren(make("label", {}, box, word));
    row.cells[1].replaceChildren(make("div", {class: "wt-cell"}, input, number));
    return {row, box, input, number, draw: bar(row.cells[2])};
  });
  const drawSum = sums.cells[2], drawSpread = bar(spread.cells[2]);
  table.tHead.rows[0].cells[0].textContent = "may be attended";

  const heard = make("span", {class: "af-paper"});
  table.caption.replaceChildren(heard, "A dashed line marks an even share.");

  // A logarithmic slider with T = 1 in the middle.
  const heat = control(["temperature T"], {min: -60, max: 60, step: 1}, k => {
    temperature = Number((20 ** (k / 60)).toPrecision(2));
    show();
  });
  const reset = () => {
    scores = [...data.scores];
    mask = [...data.mask];
    temperature = data.temperature;
    show();
  };
  const ends = make("div", {class: "wt-ends", "aria-hidden": "true"});
  ends.append(make("i", {}, "cold: choose"), make("i", {}, "hot: spread"));
  heat.input.after(ends);
  live.append(make("div", {class: "af-controls"}, heat.box, button("Start again", reset)));

  const show = () => {
    const weights = softmax(scores.map(score => score / temperature), mask), n = sum(mask.map(Number));
    const entropy = sum(weights.map(w => w > 0 ? -w * Math.log(w) : 0)), largest = Math.max(...weights);
    lines.forEach(({row, box, input, number, draw}, j) => {
      box.checked = mask[j];
      row.classList.toggle("wt-masked", !mask[j]);
      input.show(scores[j], scores[j].toFixed(1));
      number.textContent = minus(scores[j].toFixed(1));
      draw(weights[j], weights[j], mask[j] && n > 1 ? 1 / n : 0);
    });
    const degrees = String(Number(temperature.toPrecision(3)));
    heat.show(60 * Math.log(temperature) / Math.log(20), degrees);
    heard.textContent = `Temperature T = ${degrees}. `;
    drawSum.textContent = sum(weights).toFixed(3);
    spread.cells[1].textContent = n ? `at most ln ${n} = ${Math.log(n).toFixed(2)}` : "nothing to attend to";
    drawSpread(n > 1 ? entropy / Math.log(n) : 0, entropy);
    root.weights = weights;
    const nats = `Entropy ${entropy.toFixed(2)} of at most ${n ? Math.log(n).toFixed(2) : 0} nats.`;
    const top = words[weights.indexOf(largest)], open = weights.filter((_, j) => mask[j]);
    say(
      !n ? "Nothing may be attended: every weight is zero, and so is their sum."
      : n === 1 ? `Only ${top} may be attended, and takes all of it. ${nats}`
      : largest - Math.min(...open) < 0.0005 ? `The ${n} weights are alike, ${largest.toFixed(3)} each. ${nats}`
      : `The largest weight is ${largest.toFixed(3)}, for ${top}. ${nats}`,
    );
  };
  reset();
};

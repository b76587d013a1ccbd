// Sliders, and what figures that have them share.

// A slider. `change(number)` is called with what the reader chose;
// `input.show(value, text)` sets the slider without calling `change`.
const slider = (range, change) => {
  const input = make("input", {type: "range", ...range});
  input.addEventListener("input", () => change(input.valueAsNumber));
  // A finger that scrolls the page past a slider leaves it as it was.
  let before;
  input.addEventListener("pointerdown", () => { before = input.valueAsNumber; });
  input.addEventListener("pointercancel", () => change(before));
  input.show = (value, text) => {
    input.value = value;
    input.setAttribute("aria-valuetext", text);
  };
  return input;
};

// A slider below its name (a list of texts and elements) and its value.
const control = (name, range, change) => {
  const input = slider(range, change);
  const output = make("span", {"aria-hidden": "true", class: "af-value"});
  const label = make("span", {}, ...name, output);
  const show = (value, text) => {
    input.show(value, text);
    output.textContent = ` = ${text}`;
  };
  return {box: make("label", {class: "af-control"}, label, input), input, show};
};

// Writes to the one live region of a figure. It waits until the reader rests, so that
// moving a slider does not announce a hundred sentences.
const speaker = region => {
  let timer = null;
  return text => {
    clearTimeout(timer);
    const write = () => { if (region.textContent !== text) region.textContent = text; };
    if (region.textContent) timer = setTimeout(write, 400); else write();
  };
};

// The same as attnlib.reference.softmax: a row with nothing to attend to gets zeros.
const softmax = (scores, mask) => {
  const largest = Math.max(...scores.filter((_, j) => mask[j]));
  const powers = scores.map((score, j) => mask[j] ? Math.exp(score - largest) : 0);
  const total = sum(powers) || 1;
  return powers.map(power => power / total);
};

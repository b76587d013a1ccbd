// What the scripts of all figures share. Stands after the figure's own script, which holds `start`.

const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  element.append(...children);
  return element;
};

// A slider. `change(number)` hears what the reader chose; `input.show(value, text)` sets it without a call.
const slider = (range, change) => {
  const input = make("input", {type: "range", ...range});
  input.addEventListener("input", () => change(input.valueAsNumber));
  input.show = (value, text) => {
    input.value = value;
    input.setAttribute("aria-valuetext", text);
  };
  return input;
};

// A slider below its name, a list of texts and elements, and its value.
const control = (name, range, change) => {
  const input = slider(range, change), shown = make("span", {"aria-hidden": "true", class: "af-value"});
  const box = make("label", {class: "af-control"}, make("span", {}, ...name, shown), input);
  return {box, input, show: (value, text) => { input.show(value, text); shown.textContent = ` = ${text}`; }};
};

const button = (name, click) => {
  const made = make("button", {type: "button", class: "af-button"}, name);
  made.addEventListener("click", click);
  return made;
};

// A button that stays down: `change(pressed)` hears it.
const toggle = (name, pressed, change) => {
  const made = button(name, () => {
    made.show(made.getAttribute("aria-pressed") !== "true");
    change(made.getAttribute("aria-pressed") === "true");
  });
  made.show = value => made.setAttribute("aria-pressed", String(value));
  made.show(pressed);
  return made;
};

// The one live region of a figure. It waits until the reader rests, so that a slider is not a hundred sentences.
const speaker = said => {
  let timer = null;
  return text => {
    clearTimeout(timer);
    const tell = () => { if (said.textContent !== text) said.textContent = text; };
    if (said.textContent) timer = setTimeout(tell, 400); else tell();
  };
};

const minus = number => String(number).replace("-", "\u2212");

// As attnlib.reference.softmax: a row with nothing to attend to gets zeros.
const softmax = (scores, mask) => {
  const largest = Math.max(...scores.filter((_, j) => mask[j]));
  const powers = scores.map((score, j) => mask[j] ? Math.exp(score - largest) : 0);
  const total = sum(powers) || 1;
  return powers.map(power => power / total);
};
const sum = numbers => numbers.reduce((a, b) => a + b, 0);

for (const root of document.querySelectorAll(`.attn-${figure}:not([data-ready])`)) {
  const data = root.querySelector(":scope > .af-data");
  if (!data) continue;
  root.dataset.ready = "";
  const live = make("div", {class: "af-live"}), said = make("p", {class: "af-say", role: "status"});
  root.querySelector(":scope > .af-note").after(live);
  // A table that folds is folded on the screen, and open on paper.
  const table = root.querySelector(":scope > details");
  (table || data).before(said);
  if (table) {
    table.open = false;
    matchMedia("print").addEventListener("change", e => { table.open = e.matches; });
  }
  start({root, live, data: JSON.parse(data.textContent), say: speaker(said)});
}

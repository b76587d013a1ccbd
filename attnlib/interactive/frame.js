// What the scripts of all figures share. It follows the figure's own script, which sets
// `figure`, the name of the figure, and defines `start`.

const addTo = (element, attributes, children) => {
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  element.append(...children);
  return element;
};
const make = (tag, attributes = {}, ...children) =>
  addTo(document.createElement(tag), attributes, children);

// The same for an element of a drawing.
const svg = (tag, attributes = {}, ...children) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return addTo(element, attributes, children);
};

const button = (name, click) => {
  const element = make("button", {type: "button", class: "af-button"}, name);
  element.addEventListener("click", click);
  return element;
};

// A button that stays pressed: `change(pressed)` is called with its new state.
const toggle = (name, pressed, change) => {
  const element = button(name, () => {
    element.show(element.getAttribute("aria-pressed") !== "true");
    change(element.getAttribute("aria-pressed") === "true");
  });
  element.show = value => element.setAttribute("aria-pressed", String(value));
  element.show(pressed);
  return element;
};

const minus = number => String(number).replace("-", "\u2212");
const sum = numbers => numbers.reduce((a, b) => a + b, 0);

for (const root of document.querySelectorAll(`.attn-${figure}:not([data-ready])`)) {
  const data = root.querySelector(":scope > .af-data");
  if (!data) continue;
  root.dataset.ready = "";
  const live = make("div", {class: "af-live"});
  const said = make("p", {class: "af-say", role: "status"});
  root.querySelector(":scope > .af-note").after(live);
  // A table that can be folded is folded on the screen and open on paper.
  const table = root.querySelector(":scope > details");
  (table || data).before(said);
  if (table) {
    table.open = false;
    matchMedia("print").addEventListener("change", e => { table.open = e.matches; });
  }
  start({root, live, said, data: JSON.parse(data.textContent)});
}

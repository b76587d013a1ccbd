// Before the page is drawn: light or dark as the system says, so that nothing flashes. The theme names none where the
// browser lets no page keep anything.
const root = document.documentElement;
if ((root.dataset.theme ?? "auto") === "auto") {
  root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

// A link to something folded away opens it: <details>, and the theme's dropdowns, which are buttons.
function unfold() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let element = target; element; element = element.parentElement) {
    if (element.tagName === "DETAILS") element.open = true;
    if (element.classList.contains("toggle-hidden")) element.querySelector(".toggle-button")?.click();
  }
  target.scrollIntoView();
}
addEventListener("hashchange", unfold);
addEventListener("click", event => {
  // The same address a second time is no change, and what it names may have been closed since.
  if (event.target.closest("a[href]")?.href === location.href) unfold();
});
addEventListener("load", unfold);

// What scrolls sideways can be reached, and so scrolled, with the keyboard; it has a name, and fades where it is cut off.
const SCROLLS = {
  "mjx-container:is([display], .wide)": "Equation",
  ".pst-scrollable-table-container": "Table",
  ".cell_output .output, .cell_output pre": "Output",
  ".highlight pre": "Code",
};
function fade(box) {
  const rest = box.scrollWidth - box.clientWidth - Math.abs(box.scrollLeft);
  box.classList.toggle("cut-left", Math.abs(box.scrollLeft) > 1);
  box.classList.toggle("cut-right", rest > 1);
}
function reach() {
  for (const formula of document.querySelectorAll("p mjx-container:not([display]), li mjx-container:not([display])")) {
    const room = formula.closest("p, li").clientWidth;
    formula.classList.toggle("wide", room > 0 && formula.firstElementChild.getBoundingClientRect().width > room);
  }
  for (const [boxes, name] of Object.entries(SCROLLS)) {
    for (const box of document.querySelectorAll(boxes)) {
      if (box.scrollWidth > box.clientWidth && !box.hasAttribute("tabindex")) {
        box.tabIndex = 0;
        box.setAttribute("role", "group");
        box.setAttribute("aria-label", `${name}, scrolls sideways`);
        box.addEventListener("scroll", () => fade(box), {passive: true});
      }
      if (box.hasAttribute("tabindex")) fade(box);
    }
  }
}
addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(reach));
addEventListener("resize", reach);
addEventListener("toggle", reach, true); // what was folded has no width before

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

// What scrolls sideways can be reached, and so scrolled, with the keyboard.
const REACHED = "mjx-container[display], .cell_output .output, .cell_output pre, .highlight pre";
function reach() {
  for (const box of document.querySelectorAll(REACHED)) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}
addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(reach));
addEventListener("resize", reach);

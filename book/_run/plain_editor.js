// An editor without any library, where the other one cannot be loaded. Tab indents;
// Escape, then Tab, leaves.

const INDENT = "    ";

function insert(area, text) {
  // Unlike setRangeText, this can be undone.
  if (!document.execCommand("insertText", false, text)) {
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
  }
}

function lineBefore(area) {
  const before = area.value.slice(0, area.selectionStart);
  return before.slice(before.lastIndexOf("\n") + 1);
}

function outdent(area) {
  const { selectionStart: at } = area;
  const start = area.value.lastIndexOf("\n", at - 1) + 1;
  const spaces = area.value.slice(start).match(/^ {0,4}/)[0].length;
  if (!spaces) return;
  area.setSelectionRange(start, start + spaces);
  if (!document.execCommand("delete")) area.setRangeText("");
  const back = Math.max(start, at - spaces);
  area.setSelectionRange(back, back);
}

function pressed(event, area, state, onRun) {
  const leaves = state.escaped && event.key === "Tab";
  if (event.key !== "Shift") state.escaped = event.key === "Escape";
  if (event.key === "Enter" && (event.shiftKey || event.ctrlKey)) {
    event.preventDefault();
    onRun();
  } else if (event.key === "Enter" && !event.isComposing) {
    event.preventDefault();
    const line = lineBefore(area);
    const deeper = line.trimEnd().endsWith(":") ? INDENT : "";
    insert(area, `\n${line.match(/^ */)[0]}${deeper}`);
  } else if (event.key === "Tab" && !leaves) {
    event.preventDefault();
    if (event.shiftKey) outdent(area);
    else insert(area, INDENT);
  }
}

export function makeEditor(element, code, onRun) {
  const area = document.createElement("textarea");
  area.setAttribute("role", "textbox");
  area.setAttribute(
    "aria-label",
    `Code of ${element.dataset.name}. Shift+Enter runs it. Tab indents; ` +
      "press Escape and then Tab to leave.",
  );
  area.className = "run-plain";
  for (const name of ["autocapitalize", "autocomplete", "autocorrect"]) {
    area.setAttribute(name, "off");
  }
  area.spellcheck = false;
  area.value = code;
  const fit = () => (area.rows = area.value.split("\n").length + 1);
  const state = { escaped: false };
  area.addEventListener("input", fit);
  area.addEventListener("keydown", (event) => pressed(event, area, state, onRun));
  element.append(area);
  fit();
  return {
    code: () => area.value,
    focus: () => area.focus(),
    destroy: () => area.remove(),
  };
}

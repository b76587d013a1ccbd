// Which exercises the reader has marked as solved. The marks stay in this browser; a page has no kernel that could tell.
(() => {
  const KEY = "attention-step-by-step.solved";

  function read() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY));
      return new Set(Array.isArray(kept) ? kept : []);
    } catch {
      return new Set();
    }
  }

  function write(solved) {
    try {
      localStorage.setItem(KEY, JSON.stringify([...solved]));
      return true;
    } catch {
      return false;
    }
  }

  function show() {
    const solved = read();
    for (const box of document.querySelectorAll(".exercise-foot input")) box.checked = solved.has(box.value);
    let marked = 0;
    for (const words of document.querySelectorAll(".exercises")) {
      const labels = words.dataset.labels.split(" ");
      const done = labels.filter(label => solved.has(label)).length;
      words.textContent = done ? `${done} of ${labels.length} exercises solved` : `${labels.length} exercises`;
      marked += done;
    }
    const note = document.getElementById("solved");
    if (!note) return;
    note.querySelector("button").hidden = !marked;
    note.querySelector("span").textContent = marked
      ? "The exercises you marked as solved are kept in this browser. "
      : "Mark an exercise as solved in its chapter, and it counts here, in this browser alone.";
  }

  function start() {
    if (!write(read())) return; // the browser keeps nothing: no box that would forget
    for (const foot of document.querySelectorAll(".exercise-foot")) {
      const exercise = foot.closest(".exercise");
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.value = exercise.id;
      box.addEventListener("change", () => {
        const solved = read();
        solved[box.checked ? "add" : "delete"](box.value);
        write(solved);
        show();
      });
      label.append(box, ` I solved exercise ${exercise.querySelector(".caption-number").textContent.match(/[\d.]+/)}`);
      foot.append(label);
    }
    const note = document.getElementById("solved");
    if (note) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Forget them";
      button.addEventListener("click", () => {
        if (!confirm("Forget every exercise that you marked as solved?")) return;
        write(new Set());
        show();
        note.focus();
      });
      note.tabIndex = -1;
      note.setAttribute("role", "status");
      note.append(document.createElement("span"), button);
    }
    show();
    addEventListener("pageshow", show); // back from a chapter, where the page was kept as it was
    addEventListener("storage", show); // marked in another tab
  }

  addEventListener("DOMContentLoaded", start);
})();

// Buttons, editor, and output of each cell that runs in the page. Nothing is loaded
// before the reader acts: Python comes with the first Run or Edit (client.js), and the
// editor with the first Edit.

const page = JSON.parse(document.getElementById("run-page").textContent);
const own = (name) => new URL(`${name}?v=${page.version}`, import.meta.url).href;
const KEY = "attention-step-by-step.code";
const BUTTONS = { edit: "Edit", run: "Run", stop: "Stop", reset: "Start over" };
const BUSY = ["loading", "running"];
const STORE = { version: 1, code: {} };

// What the reader has written, by exercise or cell, in this browser alone: the code as
// it stands in the page, and of exercises the code that passed last.

function kept() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY));
    const fits = found?.version === 1 && typeof found.code === "object";
    return fits && found.code ? found : STORE;
  } catch {
    return STORE;
  }
}

function keep(name, code, part = "code") {
  const found = kept();
  const { [name]: _, ...others } = found[part] ?? {};
  const changed = code === null ? others : { ...others, [name]: code };
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...found, [part]: changed }));
  } catch {
    // The browser keeps nothing; the page still runs.
  }
}

// One engine and one status for the page

let engine;
let running = null; // the cell whose code runs
const status = make("p", { className: "run-status" });
status.dataset.runStatus = "";
status.setAttribute("role", "status");

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

async function getEngine() {
  if (!engine) {
    const { Engine } = await import(own("client.js"));
    engine ??= new Engine(new URL(page.engine, import.meta.url).href, own);
  }
  return engine;
}

// Text of a status, next to the cell that it is about. A screen reader hears of a
// change only in an element that was there before.
function say(cell, text) {
  if (status.parentElement !== cell.bar) cell.bar.append(status);
  clearTimeout(say.later);
  say.later = setTimeout(() => (status.textContent = text), 50);
}

class Cell {
  constructor(element) {
    this.element = element;
    this.exercise = element.dataset.exercise;
    this.number = element.dataset.runCell ?? element.dataset.number;
    this.pre = element.querySelector(".cell_input pre");
    this.original = [...this.pre.childNodes].map((node) => node.cloneNode(true));
    this.start = this.pre.textContent.replace(/\n+$/, "");
    this.key = this.exercise ?? `${page.space}#${hash(this.start)}`;
    this.name = this.findName();
    this.addParts();
    const code = kept().code[this.key];
    if (typeof code === "string" && code !== this.start) this.show(code);
    this.set("idle");
  }

  findName() {
    const box = document.getElementById(this.element.dataset.label ?? "");
    const title = box?.querySelector(".admonition-title")?.textContent;
    return title ? title.trim().replace(/\s+/g, " ") : `Cell ${this.number}`;
  }

  addParts() {
    this.buttons = {};
    this.bar = make("div", { className: "run-bar" });
    if (!this.exercise) {
      this.bar.classList.add("run-quiet");
      this.bar.append(make("span", { textContent: `[${this.number}]` }));
    }
    for (const [action, words] of Object.entries(BUTTONS)) {
      const isCheck = action === "run" && this.exercise;
      const textContent = isCheck ? "Run and check" : words;
      const button = make("button", { type: "button", textContent });
      button.dataset.runAction = action;
      button.setAttribute("aria-description", this.name);
      button.addEventListener("click", () => this[action]());
      this.buttons[action] = button;
      this.bar.append(button);
    }
    this.output = make("div", { className: "run-output", hidden: true });
    this.output.dataset.runOutput = "";
    this.output.setAttribute("role", "region");
    this.output.setAttribute("aria-label", `Output of ${this.name}`);
    this.holder = make("div", { className: "run-editor", hidden: true });
    this.holder.addEventListener("input", () => this.save());
    this.holder.addEventListener("focusout", () => this.save());
    const input = this.element.querySelector(".cell_input");
    input.after(this.holder, this.bar);
    (input.closest("details") ?? this.bar).after(this.output); // seen when folded, too
  }

  get code() {
    return this.editor ? this.editor.code() : this.pre.textContent.replace(/\n+$/, "");
  }

  // Put code into the page as text; it is what is printed, too.
  show(code) {
    this.pre.textContent = `${code}\n`;
  }

  save() {
    if (!this.editor) return;
    const { code } = this;
    this.show(code);
    keep(this.key, code === this.start ? null : code);
    this.buttons.reset.hidden = !this.canReset();
  }

  canReset() {
    const { state } = this.output.dataset;
    return !BUSY.includes(state) && (state !== "idle" || this.code !== this.start);
  }

  set(state) {
    this.output.dataset.state = state;
    if (state !== "idle") this.output.hidden = false;
    this.buttons.edit.hidden = Boolean(this.editor);
    this.buttons.stop.hidden = !BUSY.includes(state);
    this.buttons.reset.hidden = !this.canReset();
    const isFresh = !this.exercise && state !== "idle" && state !== "loading";
    this.element.classList.toggle("run-fresh", isFresh); // hides the stored output
  }

  // The four buttons

  async edit() {
    if (this.editor || this.opening) return;
    this.opening = true;
    try {
      const { makeEditor } = await import(own("editor.js"));
      this.holder.hidden = false;
      const label = `Code of ${this.name}`;
      this.editor = makeEditor(this.holder, this.code, () => this.run(), label);
    } catch {
      say(this, "The editor could not be loaded. Is there a network?");
      return;
    } finally {
      this.opening = false;
    }
    this.element.classList.add("run-edited");
    this.buttons.edit.hidden = true;
    this.editor.focus();
    if (navigator.connection?.saveData) return;
    const { isReady } = await getEngine();
    if (!isReady) this.awaken();
  }

  async awaken() {
    say(this, "Loading Python, 11 MB, once. You can write meanwhile.");
    try {
      await engine.start();
      if (!running) say(this, "Python is ready.");
    } catch (error) {
      if (!running) say(this, `Python has not started: ${error.message}.`);
    }
  }

  async run() {
    if (running) {
      const where = running === this ? "This cell" : `The code of ${running.name}`;
      say(this, `${where} is still running. Wait for it, or press Stop there.`);
      return;
    }
    running = this;
    this.save();
    this.output.replaceChildren();
    this.set(engine?.isReady ? "running" : "loading"); // at once: the old one is over
    try {
      const [python, { runCell }] = await Promise.all([
        getEngine(),
        import(own("running.js")),
      ]);
      await runCell(this, python, {
        ...page,
        cells,
        say,
        solved: kept().solved ?? {},
        solve: (key, code) => keep(key, code, "solved"),
      });
    } catch {
      this.set("error");
      say(this, "Python could not be loaded. Is there a network?");
    } finally {
      running = null;
    }
  }

  stop() {
    if (running !== this) return;
    engine?.stop();
    this.buttons.run.focus();
  }

  reset() {
    keep(this.key, null);
    keep(this.key, null, "solved");
    this.editor?.destroy();
    this.editor = null;
    this.holder.hidden = true;
    this.element.classList.remove("run-edited");
    this.pre.replaceChildren(...this.original.map((node) => node.cloneNode(true)));
    this.output.replaceChildren();
    this.output.hidden = true;
    this.set("idle");
    engine?.ran.delete(this.number);
    engine?.ran.delete(this.exercise);
    say(this, "The first code is back.");
    this.buttons.edit.focus();
  }
}

// Of a cell's first code: its number changes when another cell is added above.
function hash(text) {
  let sum = 0;
  for (let i = 0; i < text.length; i += 1) sum = (sum * 31 + text.charCodeAt(i)) | 0;
  return (sum >>> 0).toString(36);
}

const cells = [];
const canRun =
  typeof WebAssembly === "object" &&
  typeof Worker === "function" &&
  location.protocol !== "file:";
if (canRun) {
  document.documentElement.classList.add("can-run");
  const found = document.querySelectorAll("[data-exercise], [data-run-cell]");
  for (const element of found) cells.push(new Cell(element));
  cells[0]?.bar.append(status);
  addEventListener("attn-call", (event) => {
    event.preventDefault(); // tells the figure that it gets an answer
    import(own("calling.js"))
      .then(({ answer }) => answer(event.detail, getEngine, () => running?.name))
      .catch(() => event.detail.fail("Python could not be loaded. Is there a network?"));
  });
  addEventListener("pagehide", () => cells.forEach((cell) => cell.save()));
}

// One run of a cell, and what it shows: text nodes, and pictures from data, never HTML.

const IMPORTS = "import numpy as np\nfrom attnlib import reference as ref";
const HINT_AFTER = 8000; // milliseconds
const words = (text) => (text ?? "").split(" ").filter(Boolean);

// page: {space, parts, cells, solved, solve, say}
export async function runCell(cell, python, page) {
  const { say } = page;
  try {
    if (!python.isReady) {
      cell.set("loading");
      say(cell, "Loading Python, 11 MB, once.");
      await python.start();
    }
    cell.set("running");
    const needs = words(cell.element.dataset.needs);
    if (needs.includes("matplotlib") && !python.ran.has("matplotlib")) {
      say(cell, "Loading Matplotlib, 6 MB, once.");
    }
    await python.need(needs);
    conclude(cell, await watch(cell, say, ask(cell, python, page, needs)), python, say);
  } catch (error) {
    fail(cell, error, say);
  }
}

// Wait for code that runs from now on, and tell the reader about Stop if it takes long.
async function watch(cell, say, answer) {
  say(cell, "Running.");
  const hint = setTimeout(
    () => say(cell, "Still running. An endless loop? Press Stop."),
    HINT_AFTER,
  );
  try {
    return await answer;
  } finally {
    clearTimeout(hint);
  }
}

// The exercises that code calls by their bare names: this page's, those that its cells
// name, and those that the reader has solved. What the code defines itself is not called.
function calledIn(code, cell, { cells, solved }) {
  const plain = code.replace(/("""|''')[^]*?\1|#.*/g, "");
  const has = (pattern) => new RegExp(pattern, "m").test(plain);
  const known = [
    ...cells.map(({ exercise }) => exercise).filter(Boolean),
    ...cells.flatMap(({ element }) => words(element.dataset.uses)),
    ...Object.keys(solved),
  ];
  const called = new Map(); // of two exercises with one name, the first
  for (const key of known) {
    const name = key.split(".")[1];
    if (called.has(name) || key === cell.exercise) continue;
    if (!has(`(?<![\\w.])${name}\\b`) || has(`^(def|class) +${name}\\b`)) continue;
    called.set(name, key);
  }
  return [...called.values()];
}

// The exercises that a cell uses, and those that the reader's solutions of these use.
function usesOf(cell, page) {
  const named = cell.exercise ? [] : words(cell.element.dataset.uses);
  const found = new Set([...named, ...calledIn(cell.code, cell, page)]);
  for (const key of found) {
    const own = page.solved[key] ?? "";
    calledIn(own, cell, page).forEach((other) => found.add(other));
  }
  return [...found];
}

// What has to run before a cell, unless it has run in this Python: the exercises that
// it uses, with the code with which the reader solved them or else the solution, and the
// cells that it builds on.
function findFirst(cell, python, page) {
  const { parts, cells, solved } = page;
  const first = [];
  const used = { own: [], ours: [] };
  for (const key of usesOf(cell, page)) {
    if (python.ran.has(key)) continue;
    const [module, name] = key.split(".");
    const own = solved[key];
    const solution =
      `from attnlib.exercises import ${module} as _used\n` +
      `${name} = _used.${name}.reference_solution`;
    first.push({ key, name: `exercise ${name}`, code: own ?? solution });
    used[own ? "own" : "ours"].push(name);
  }
  const numbers = words(cell.element.dataset.setup).filter((n) => !python.ran.has(n));
  for (const key of numbers) {
    const code = parts[key] ?? cells.find(({ number }) => number === key)?.code ?? "";
    first.push({ key, name: `cell ${key}`, code });
  }
  return { first, note: describe(numbers.length, used) };
}

function list(names) {
  const last = names.at(-1);
  if (names.length < 3) return names.join(" and ");
  return `${names.slice(0, -1).join(", ")}, and ${last}`;
}

function describe(count, { own, ours }) {
  const solution = ours.length === 1 ? "solution" : "solutions";
  const cells = count === 1 ? "cell above, on which it builds," : "cells above, on which it builds,";
  return [
    ...(count ? [` ${count} ${cells} ran first.`] : []),
    ...(own.length ? [` It used your ${list(own)}.`] : []),
    ...(ours.length ? [` It used the ${solution} of ${list(ours)}.`] : []),
  ].join("");
}

// Run what the cell needs, the cell, and its check.
async function ask(cell, python, page, needs) {
  const run = async (...cells) => {
    const request = { space: page.space, cells };
    const answer = await python.run(request, (part) => print(cell, part));
    await showAnswer(cell, answer, python.own);
    return answer;
  };
  const [module, name] = (cell.exercise ?? "").split(".");
  const setup = [IMPORTS];
  if (cell.exercise) {
    setup.push(`from attnlib.exercises import ${module} as ex`);
    setup.push(`globals().pop("${name}", None);`); // an answer that is no longer there
    if (needs.includes("matplotlib")) setup.push("import matplotlib.pyplot as plt");
  }
  python.ran.delete(cell.exercise);
  const { first, note } = findFirst(cell, python, page);
  const { code } = cell; // the reader may go on writing
  const own = cell.name.replace(/[<>]|\s*\(.*/g, "").toLowerCase();
  const before = first.map(({ name, code }) => [name, code]);
  const ran = await run(["setup", setup.join("\n")], ...before, [own, code]);
  const keys = [...first.map(({ key }) => key), cell.number];
  keys.slice(0, Math.max(0, ran.answer.ran - 1)).forEach((key) => python.ran.add(key));
  const isBefore = ran.answer.error && ran.answer.ran <= first.length;
  if (ran.answer.error || !cell.exercise) return { ...ran, note, isBefore };
  // JSON of a text is a literal of Python, too.
  const check = `ex.${name}.check_in(globals(), ${JSON.stringify(code)})`;
  const checked = await run(["check", check]);
  if (checked.answer.check?.passed) {
    page.solve(cell.exercise, code);
    python.ran.add(cell.exercise);
  }
  return { ...checked, note };
}

function conclude(cell, { answer, memory, note, isBefore }, python, say) {
  const { error, check } = answer;
  const state = error ? "error" : !check || check.passed ? "passed" : "failed";
  cell.set(state);
  const words = {
    error: isBefore
      ? "A cell above, on which this one builds, raised an error."
      : `Your code raised an error.${note}`,
    failed: `Not passed yet.${note}`,
    passed: `${check ? "Passed." : "Done."}${note}`,
  };
  const renewed = python.renewIf(memory)
    ? " Your code used much memory, so Python starts again, without its variables."
    : "";
  say(cell, words[state] + renewed);
  if (!check?.passed) return;
  const box = document.getElementById(cell.element.dataset.label ?? "");
  const mark = box?.querySelector(".exercise-foot input");
  if (mark && !mark.checked) mark.click(); // which keeps and counts it
}

function fail(cell, error, say) {
  const stopped = error.constructor.name === "Stopped";
  const { message } = error;
  let text = `Python has ended (${message}), and starts again without its variables.`;
  if (cell.output.dataset.state === "loading") {
    text = `Python has not started: ${message}.`;
  }
  if (stopped) text = "Stopped. Python starts again, without its variables.";
  cell.set(stopped ? "stopped" : "error");
  addText(cell, text, "run-note");
  say(cell, stopped ? "Stopped." : text);
}

function addText(cell, text, className) {
  const block = document.createElement("pre");
  block.className = className;
  block.textContent = text;
  cell.output.append(block);
  return block;
}

// A check breaks its sentences after WIDTH characters. A narrow page does not: there,
// the break between two lines of one sentence is a space.
const WIDTH = 88;

function addVerdict(cell, text) {
  const block = addText(cell, "", "run-verdict");
  const lines = text.split("\n");
  lines.forEach((line, i) => {
    block.append(line);
    if (i === lines.length - 1) return;
    const [word] = lines[i + 1].split(" ");
    const end = document.createElement("span");
    if (word && line.length + 1 + word.length > WIDTH) end.className = "run-wrap";
    end.textContent = "\n";
    block.append(end);
  });
}

function addFigure(cell, png) {
  const image = document.createElement("img");
  image.src = `data:image/png;base64,${png}`;
  image.alt = "The figure that your code drew";
  image.addEventListener("load", () => {
    image.width = image.naturalWidth / 2; // it has two pixels for each one shown
  });
  cell.output.append(image);
}

function print(cell, { stream, text }) {
  let block = cell.output.lastElementChild;
  if (!block?.classList.contains("run-printed")) {
    block = addText(cell, "", "run-printed");
    block.tabIndex = 0; // it may scroll
    block.setAttribute("role", "group");
    block.setAttribute("aria-label", "What your code printed");
  }
  const part = document.createElement("span");
  part.className = `run-${stream}`;
  part.textContent = text;
  block.append(part);
}

// A figure that our own script draws from data.
async function drawNamed(cell, figure, data, own) {
  try {
    const { drawFigure } = await import(own("figures.js"));
    await drawFigure(cell.output, figure, data);
  } catch {
    addText(cell, `This page cannot draw the figure "${figure}".`, "run-note");
  }
}

async function showAnswer(cell, { answer, cut }, own) {
  if (cut) {
    addText(cell, `... and ${cut.toLocaleString("en-US")} more characters`, "run-note");
  }
  for (const { text, png, figure, data } of answer.outputs) {
    if (typeof text === "string") {
      if (answer.check) addVerdict(cell, text);
      else addText(cell, text, "run-value");
    } else if (figure) {
      await drawNamed(cell, String(figure), data, own);
    } else if (/^[\w+/=]+$/.test(png ?? "")) {
      addFigure(cell, png);
    }
  }
  if (answer.error) addText(cell, answer.error.text, "run-error");
}

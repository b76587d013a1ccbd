// One run of a cell, and what it shows: text nodes, and pictures from data, never HTML.

const IMPORTS = "import numpy as np\nfrom attnlib import reference as ref";

export async function runCell(cell, python, space, say) {
  try {
    if (!python.isReady) {
      cell.set("loading");
      say(cell, "Loading Python, 10 MB, once.");
      await python.start();
    }
    cell.set("running");
    say(cell, "Running.");
    conclude(cell, await ask(cell, python, space), python, say);
  } catch (error) {
    fail(cell, error, say);
  }
}

// Run what the cell needs, the cell, and its check.
async function ask(cell, python, space) {
  const needs = (cell.element.dataset.needs ?? "").split(" ").filter(Boolean);
  const run = async (...cells) => {
    const request = { space, cells, needs };
    const answer = await python.run(request, (part) => print(cell, part));
    await showAnswer(cell, answer, python.own);
    return answer;
  };
  const [module, name] = cell.exercise.split(".");
  const setup = [IMPORTS, `from attnlib.exercises import ${module} as ex`];
  if (needs.includes("matplotlib")) setup.push("import matplotlib.pyplot as plt");
  const own = cell.name.replace(/[<>]|\s*\(.*/g, "").toLowerCase();
  const ran = await run(["setup", setup.join("\n")], [own, cell.code]);
  if (ran.answer.error) return ran;
  return run(["check", `ex.${name}.check(${name})`]);
}

function conclude(cell, { answer, memory }, python, say) {
  const { error, check } = answer;
  const state = error ? "error" : !check || check.passed ? "passed" : "failed";
  cell.set(state);
  const words = {
    error: "Your code raised an error.",
    failed: "Not passed yet.",
    passed: check ? "Passed." : "Done.",
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
      addText(cell, text, answer.check ? "run-verdict" : "run-value");
    } else if (figure) {
      await drawNamed(cell, String(figure), data, own);
    } else if (/^[\w+/=]+$/.test(png ?? "")) {
      addFigure(cell, png);
    }
  }
  if (answer.error) addText(cell, answer.error.text, "run-error");
}

// Answers a figure that asks Python for data on the reader's own input. The answer is
// checked as all data of figures are, before the figure draws it.

// By function: what Python loads for it, and what it then does.
const NEEDS = {
  decoder_steps: ["weights"],
  head_maps: ["weights"],
  word_scores: ["weights"],
};
const DOES = {
  decoder_steps: "Translating.",
  head_maps: "Translating.",
  word_scores: "Classifying.",
};

// asked: {request: {function, args}, figure, say, done, fail}; busy() is the name of the
// cell whose code runs, if any.
export async function answer(asked, getEngine, busy) {
  const { request, figure, say, done, fail } = asked;
  const python = await getEngine();
  const { faultOf } = await import(python.own("figures.js"));
  say(first(python, busy(), DOES[request.function] ?? "Computing."));
  try {
    await python.start();
    await python.need(NEEDS[request.function] ?? []);
    const { answer } = await python.order({ op: "call", request });
    const fault = answer.error ?? faultOf(figure, answer.value);
    if (fault) fail(`${fault[0].toUpperCase()}${fault.slice(1)}.`);
    else done(answer.value);
  } catch (error) {
    const stopped = error.constructor.name === "Stopped";
    fail(
      stopped
        ? "Python was stopped before it could answer. Try again."
        : `Python has ended (${error.message}). Try again.`,
    );
  }
}

function first(python, running, action) {
  if (running) return `Waiting for the code of ${running}.`;
  return python.isReady ? action : "Loading Python, 10 MB, once.";
}

// Buttons that go through steps, one at a time or by themselves.
const pace = 1200;  // milliseconds per step

// `change(step, playing)` is called with a step from 0 to the last one. Arrow keys work
// where the buttons have the focus.
const makePlayer = change => {
  let step = 0, last = 0, timer = null;
  const show = () => {
    for (const {element, idle} of moves) {
      element.setAttribute("aria-disabled", String(idle()));
    }
    play.textContent = timer === null ? "Play" : "Pause";
    count.textContent = `Step ${step} of ${last}`;
    change(step, timer !== null);
  };
  const stop = () => { clearInterval(timer); timer = null; };
  const go = to => {
    stop();
    step = Math.min(Math.max(to, 0), last);
    show();
  };
  const tick = () => {
    step += 1;
    if (step >= last) stop();
    show();
  };
  const moves = [
    ["Restart", () => 0, () => step === 0],
    ["Back", () => step - 1, () => step === 0],
    ["Step", () => step + 1, () => step === last],
  ].map(([name, to, idle]) => ({element: button(name, () => go(to())), idle}));
  const play = button("Play", () => {
    if (timer !== null) { go(step); return; }
    if (step === last) step = 0;
    timer = setInterval(tick, pace);
    tick();
  });
  play.classList.add("pl-play");
  const count = make("span", {class: "pl-count"});
  const box = make("div", {class: "pl-buttons", role: "group", "aria-label": "Steps"},
    ...moves.map(({element}) => element), play, count);
  box.addEventListener("keydown", e => {
    const to = {ArrowLeft: step - 1, ArrowRight: step + 1, Home: 0, End: last}[e.key];
    if (to === undefined || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    e.stopPropagation();
    go(to);
  });
  // Other steps: stay at the same one, or go to the one that is given.
  const reset = (count, to = step) => { last = count; go(to); };
  return {box, reset, step: () => step};
};

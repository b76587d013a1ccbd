// The cueing experiment. First the logic, which needs no page: tests and the console
// reach it as `root.cueing`.
const figure = "cueing";

const logic = ({blocks, counts, onset, early, late}) => {
  const opposite = {left: "right", right: "left"};
  const shuffle = (items, random) => {
    for (let i = items.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [items[i], items[j]] = [items[j], items[i]];
    }
    return items;
  };

  // One block in random order, from counts {valid, invalid, catch}. Both sides get the
  // same number of trials; an odd one goes to the sides in turn.
  const block = (number, counts, random) => {
    const trialsOf = ([validity, count]) => Array.from({length: count}, (_, i) => {
      const cue = (i + number) % 2 ? "left" : "right";
      const target = {valid: cue, invalid: opposite[cue], catch: "none"}[validity];
      const wait = onset[0] + random() * (onset[1] - onset[0]);
      return {block: number, cue, target, validity, onset: wait};
    });
    return shuffle(Object.entries(counts).flatMap(trialsOf), random);
  };
  const schedule = (random = Math.random) =>
    Array.from({length: blocks}, (_, i) => block(i + 1, counts, random));

  // reaction: milliseconds from target to answer; negative before the target, null
  // without an answer.
  const classify = ({validity}, reaction) => {
    if (reaction === null) return validity === "catch" ? "withheld" : "late";
    if (reaction < early) return "early";
    if (validity === "catch") return "false alarm";
    return reaction < late ? "answered" : "late";
  };

  // The median, and an interval that contains the true one at least 95 times in 100,
  // whatever the distribution: from the k-th fastest to the k-th slowest, where k is
  // the largest with P(fewer than k heads in n tosses) at most 1 in 40.
  const median = times => {
    const sorted = [...times].sort((a, b) => a - b), n = sorted.length;
    let k = 0, chance = 2 ** -n, total = chance;
    while (total <= 0.025) {
      k++;
      chance *= (n - k + 1) / k;
      total += chance;
    }
    if (!k) return {n, enough: false};
    const middle = (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2;
    const low = sorted[k - 1], high = sorted[n - k];
    return {n, enough: true, median: middle, low, high, times: sorted};
  };

  // Invalid minus valid; the half-widths of the intervals are combined in quadrature.
  const subtract = (invalid, valid) => {
    if (!valid.enough || !invalid.enough) return {enough: false};
    const middle = invalid.median - valid.median;
    const below = Math.hypot(invalid.median - invalid.low, valid.high - valid.median);
    const above = Math.hypot(invalid.high - invalid.median, valid.median - valid.low);
    return {enough: true, median: middle, low: middle - below, high: middle + above};
  };

  const analyze = trials => {
    const answered = trials.filter(trial => trial.outcome === "answered");
    const medianOf = kind =>
      median(answered.filter(t => t.validity === kind).map(t => t.reaction));
    const valid = medianOf("valid"), invalid = medianOf("invalid");
    const outcomes =
      {early: 0, late: 0, "false alarm": 0, withheld: 0, left: 0, answered: 0};
    for (const trial of trials) outcomes[trial.outcome]++;
    return {valid, invalid, difference: subtract(invalid, valid), outcomes};
  };

  const csv = trials => {
    const head = "trial,block,cue,target,validity,onset_ms,reaction_ms,outcome";
    const rows = trials.map((t, i) => [
      i + 1, t.block, t.cue, t.target, t.validity, t.onset.toFixed(1),
      t.reaction === null ? "" : t.reaction.toFixed(1), t.outcome,
    ].join(","));
    return [head, ...rows].join("\n") + "\n";
  };

  // A trial of the simulated reader, where the sides are -1, 0 (no target), and 1.
  const unpack = ([block, cue, target, onset, reaction]) => {
    const side = number => ({"-1": "left", 0: "none", 1: "right"}[number]);
    const validity = !target ? "catch" : cue === target ? "valid" : "invalid";
    const outcome = classify({validity}, reaction);
    const sides = {cue: side(cue), target: side(target)};
    return {block, ...sides, validity, onset, reaction, outcome};
  };

  return {block, schedule, classify, median, analyze, csv, unpack};
};

const paragraph = (name, ...children) => make("p", {class: name}, ...children);

// The field: two boxes, and in the middle a cross or an arrow.
const makeField = () => {
  const parts = {
    boxes: svg("path", {d: "M12 28h64v64h-64zM404 28h64v64h-64z", class: "cu-box"}),
    cross: svg("path", {d: "M226 60h28M240 46v28"}),
    arrowleft: svg("path", {d: "M264 60h-46m18-18l-18 18l18 18"}),
    arrowright: svg("path", {d: "M216 60h46m-18-18l18 18l-18 18"}),
    left: svg("circle", {cx: 44, cy: 60, r: 17}),
    right: svg("circle", {cx: 436, cy: 60, r: 17}),
  };
  const attributes = {viewBox: "0 0 480 120", "aria-hidden": "true"};
  const picture = svg("svg", attributes, ...Object.values(parts));
  const show = names => {
    for (const name in parts) {
      parts[name].style.visibility = names.includes(name) ? "visible" : "hidden";
    }
  };
  return {picture, show};
};

// The results of the reader and of the simulated one: readers is [[name, analysis], …].
const kinds = {valid: "valid cue", invalid: "invalid cue", difference: "difference"};
const ms = value => minus(Math.round(value));
// The difference of the medians as they are shown, so that the table adds up.
const shownDifference = ({valid, invalid}) =>
  Math.round(invalid.median) - Math.round(valid.median);

const verdict = analysis => {
  const {valid, invalid, difference: {enough, low, high}} = analysis;
  if (!enough) {
    return "Too few answers for a result: it takes 6 of each kind, and you gave " +
      `${valid.n} after a valid cue and ${invalid.n} after an invalid one.`;
  }
  const size = `${Math.abs(shownDifference(analysis))} ms`;
  const interval = `(95% interval of the difference: ${ms(low)} to ${ms(high)} ms)`;
  if (low > 0) return `You answered ${size} faster after a valid cue ${interval}.`;
  if (high < 0) return `You answered ${size} slower after a valid cue ${interval}.`;
  return `Your times do not show whether the cue had an effect ${interval}.`;
};

const makeTable = readers => {
  const shown = (analysis, kind) => kind === "difference" && analysis[kind].enough
    ? {...analysis[kind], median: shownDifference(analysis)} : analysis[kind];
  const cell = ({enough, median, low, high, n}) => {
    if (!enough) return make("td", {}, "too few");
    const interval = ` (${ms(low)} to ${ms(high)})`;
    const answers = n ? make("small", {}, `${n} answers`) : "";
    return make("td", {}, make("b", {}, ms(median)), interval, answers);
  };
  return make("table", {class: "cu-table"},
    make("caption", {}, "Median reaction time in milliseconds, with its 95% interval"),
    make("tr", {}, make("td"),
      ...readers.map(([name]) => make("th", {scope: "col"}, name))),
    ...Object.keys(kinds).map(kind => make("tr", {},
      make("th", {scope: "row"}, kinds[kind]),
      ...readers.map(([, analysis]) => cell(shown(analysis, kind))))));
};

// One line per answer, a bar for the interval, and a mark for the median.
const makeChart = readers => {
  const rows = readers.flatMap(([name, analysis]) =>
    ["valid", "invalid"].map(kind => ({name, kind, ...analysis[kind]})));
  const filled = rows.filter(row => row.enough), all = filled.flatMap(row => row.times);
  const from = Math.floor(Math.min(...all) / 100) * 100;
  const to = Math.floor(Math.max(...all) / 100 + 1) * 100;
  const x = time => 100 * (time - from) / (to - from);
  const line = (d, kind) => svg("path", {d, class: `cu-${kind}`});
  const draw = ({times, median, low, high}) => svg(
    "svg", {viewBox: "0 0 100 24", preserveAspectRatio: "none"},
    ...times.map(time => line(`M${x(time)} 5V19`, "time")),
    line(`M${x(low)} 12H${x(high)}`, "interval"),
    line(`M${x(median)} 1V23`, "median"),
  );
  const labels = [from, "milliseconds", to].map(text => make("span", {}, text));
  const axis = make("div", {class: "cu-axis"}, ...labels);
  // Hidden from screen readers, because the table says the same.
  return make("div", {class: "cu-chart", "aria-hidden": "true"},
    ...filled.map(row => make("div", {class: `cu-row cu-${row.kind}`},
      make("span", {}, `${row.name}, ${kinds[row.kind]}`), draw(row))),
    make("div", {class: "cu-row"}, make("span"), axis));
};

// What the reader is told at the end of a trial; nothing after a good one that counts.
const feedback = (outcome, reaction, practice) => ({
  early: "Too early: wait for the dot.",
  late: "Too late: answer as soon as you see the dot.",
  "false alarm": "There was no dot. Without a dot, do not answer.",
  answered: practice ? `${Math.round(reaction)} milliseconds` : "",
  withheld: practice ? "Correct: no dot, no answer." : "",
}[outcome]);

const start = ({root, live, data: {settings, simulated, minutes, about}}) => {
  const {blocks, counts, practice, late, waits} = settings;
  root.cueing = logic(settings);
  const {block, schedule, classify, analyze, csv, unpack} = root.cueing;
  const count = counts => sum(Object.values(counts)), size = count(counts);

  const field = makeField();
  const message = make("p", {class: "cu-message", "aria-live": "polite"});
  const progress = make("span", {class: "cu-progress"});
  const stage = make("div", {
    class: "cu-stage",
    tabindex: 0,
    role: "application",
    "aria-label": "Field of the experiment: press space when a dot appears",
  }, field.picture, message);
  const bar = make("progress", {max: blocks * size, "aria-label": "trials done"});

  // What is on the screen, since when and for how long, and whether it is there yet.
  let phase = "off", since = 0, wait = 0, stamped = false;
  let trial = null, queue = [], plan = [], done = [], number = 0;

  // A change is drawn in one frame, and its time is taken in the next one, when it is
  // on the screen.
  const enter = (name, milliseconds, ...parts) => {
    [phase, wait, stamped, since] = [name, milliseconds, false, performance.now()];
    stage.dataset.phase = name;
    field.show(parts);
  };
  const running = () => phase !== "off" && phase !== "pause";
  const frame = () => {
    if (!running()) return;
    requestAnimationFrame(frame);
    const now = performance.now();
    if (!stamped) [since, stamped] = [now, true];
    else if (now - since >= wait) leavePhase[phase]();
  };
  const leavePhase = {
    empty: () => enter("cross", waits.cross, "boxes", "cross"),
    cross: () => enter("arrow", trial.onset, "boxes", "arrow" + trial.cue),
    arrow: () => {
      // The onset that was measured, a fraction of a frame later than planned.
      trial.measured = performance.now() - since;
      enter("target", late, "boxes", "arrow" + trial.cue, trial.target);
    },
    target: () => end(null),
    feedback: () => next(),
  };
  const next = () => {
    trial = queue.shift();
    if (!trial) { rest(); return; }
    number++;
    const part = trial.block ? `Block ${trial.block} of ${blocks}` : "Practice";
    progress.textContent = `${part}, trial ${number} of ${number + queue.length}`;
    bar.value = trial.block && (trial.block - 1) * size + Math.min(number, size) - 1;
    message.textContent = "";
    enter("empty", waits.empty, "boxes");
  };
  const answer = () => {
    const elapsed = performance.now() - since;
    if (phase === "arrow") end(elapsed - trial.onset);
    else if (phase === "target") end(stamped ? elapsed : 0);
  };

  // Keep the result of a trial, and return whether the trial is repeated at the end of
  // its block.
  const keep = (reaction, outcome) => {
    if (!trial.block) return false;
    done.push({...trial, onset: trial.measured ?? trial.onset, reaction, outcome});
    const repeats = (trial.repeats || 0) + 1;
    const failed = ["early", "late", "left"].includes(outcome);
    if (!failed || repeats > settings.repeats) return false;
    queue.push({...trial, repeats, measured: undefined});
    return true;
  };
  const end = reaction => {
    const outcome = classify(trial, reaction), repeated = keep(reaction, outcome);
    const text = feedback(outcome, reaction, !trial.block);
    if (!text) { next(); return; }
    message.textContent = text + (repeated ? " This trial will be repeated." : "");
    enter("feedback", waits.feedback, "boxes");
  };

  // Between the blocks, and when the reader turned away.
  const pause = text => {
    enter("pause", 0);
    message.textContent = `${text} Press space, or tap here, to continue.`;
  };
  const rest = () => {
    const finished = blocks - plan.length;
    if (!plan.length) result();
    else if (finished) {
      pause(`Block ${finished} of ${blocks} is done. ` +
        "Rest your eyes as long as you like.");
    } else {
      pause("That was the practice. " +
        "From now on you get feedback only on trials that went wrong.");
    }
  };
  const leave = () => {
    if (!running()) return;
    if (phase !== "feedback") keep(null, "left");
    pause("You turned away, so this trial does not count.");
  };
  const resume = () => {
    if (phase !== "pause") return;
    // A press right after the pause began is an answer that came too late.
    if (performance.now() - since < waits.pause) {
      message.textContent = "That press came right after the pause began, so it does " +
        "not count. Press space, or tap here, once more to continue.";
      return;
    }
    if (!trial) [queue, number] = [plan.shift(), 0];
    next();
    requestAnimationFrame(frame);
  };

  const view = (name, ...children) => {
    root.dataset.view = name;
    live.replaceChildren(...children);
  };
  const begin = () => {
    const first = block(0, practice, Math.random);
    [trial, done, plan] = [null, [], [first, ...schedule()]];
    progress.textContent = "";
    bar.value = 0;
    const end = button("Stop", stop);
    // The field keeps the focus, so that a click stops before the reader turns away.
    end.addEventListener("mousedown", e => e.preventDefault());
    view("field", stage, paragraph("cu-foot", bar, end, progress));
    stage.focus();
    pause("First some practice. " +
      "Keep your eyes on the middle, and answer as soon as you see a dot.");
  };
  const stop = () => {
    leave();
    phase = "off";
    if (done.length) result(); else intro();
  };
  const result = () => {
    phase = "off";
    const mine = analyze(done);
    const readers =
      [["You", mine], ["Simulated reader", analyze(simulated.map(unpack))]];
    const heading = make("p", {class: "cu-verdict", tabindex: -1}, verdict(mine));
    const {early, late, left, withheld, "false alarm": alarms} = mine.outcomes;
    const href = "data:text/csv;charset=utf-8," + encodeURIComponent(csv(done));
    const download = {class: "af-button", download: "cueing.csv", href};
    view("result", heading, makeChart(readers), makeTable(readers),
      paragraph("cu-small",
        `Not included in the medians: ${early} too early, ${late} too late or `,
        `missing, ${left} interrupted. `,
        `Without a dot you answered ${alarms} of ${alarms + withheld} times.`),
      paragraph("cu-small", about),
      paragraph("cu-buttons", make("a", download, "Download CSV"),
        button("Take it again", intro)));
    heading.focus();
  };
  const intro = () => {
    const go = button("Start with practice", begin), again = live.hasChildNodes();
    view("intro",
      paragraph("",
        "Keep your eyes on the cross in the middle. An arrow points to one of two ",
        "boxes; soon a dot appears in one of them. ",
        make("b", {}, "Press the space bar as soon as you see the dot"),
        ", whichever box it is in; without a keyboard, click or tap the field. When ",
        "a dot comes, the arrow is valid 4 times in 5: it points to the box with the ",
        "dot. Sometimes no dot comes: then wait."),
      paragraph("",
        `${count(practice)} trials for practice, then ${blocks} blocks of ${size}: `,
        `about ${minutes} minutes. You end the pauses, and you may stop at any time. `,
        "Nothing leaves this page."),
      paragraph("cu-small",
        "This experiment needs eyesight. If you cannot see the field, open the table ",
        "below: a simulated reader took the same trials."),
      paragraph("cu-buttons", go));
    if (again) go.focus();
  };

  stage.addEventListener("keydown", e => {
    if (e.key !== " ") return;
    e.preventDefault();
    if (e.repeat) return;
    if (phase === "pause") resume(); else answer();
  });
  stage.addEventListener("pointerdown", e => {
    if (e.isPrimary && !e.button) answer();
  });
  stage.addEventListener("click", resume);
  stage.addEventListener("focusout", leave);
  document.addEventListener("visibilitychange", leave);
  root.querySelector(":scope > details").before(live);
  intro();
};

// The cueing experiment. First the logic, without a page: tests and the console reach it as `root.cueing`.
const logic = ({blocks, counts, onset, early, late}) => {
  const opposite = {left: "right", right: "left"};

  // One block in random order, from counts {valid, invalid, catch}: both sides alike; an odd one goes to each in turn.
  const block = (number, counts, random) => {
    const trials = Object.entries(counts).flatMap(([validity, count]) => Array.from({length: count}, (_, i) => {
      const cue = (i + number) % 2 ? "left" : "right";
      const target = {valid: cue, invalid: opposite[cue], catch: "none"}[validity];
      return {block: number, cue, target, validity, onset: onset[0] + random() * (onset[1] - onset[0])};
    }));
    for (let i = trials.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [trials[i], trials[j]] = [trials[j], trials[i]];
    }
    return trials;
  };
  const schedule = (random = Math.random) =>
    Array.from({length: blocks}, (_, i) => block(i + 1, counts, random));

  // reaction: milliseconds from target to answer, below 0 before the target, null without an answer.
  const judge = ({validity}, reaction) => {
    if (reaction === null) return validity === "catch" ? "withheld" : "late";
    if (reaction < early) return "early";
    if (validity === "catch") return "false alarm";
    return reaction < late ? "answered" : "late";
  };

  // The median, and an interval that holds the true one at least 95 times in 100, whatever the distribution: from the
  // k-th fastest to the k-th slowest, k the largest with P(fewer than k heads in n tosses) at most 1 in 40.
  const median = times => {
    const sorted = [...times].sort((a, b) => a - b), n = sorted.length;
    let k = 0, chance = 2 ** -n, sum = chance;
    while (sum <= 0.025) { k++; chance *= (n - k + 1) / k; sum += chance; }
    if (!k) return {n, enough: false};
    const middle = (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2;
    return {n, enough: true, median: middle, low: sorted[k - 1], high: sorted[n - k], times: sorted};
  };

  const analyse = trials => {
    const of = kind => median(trials.filter(t => t.validity === kind && t.outcome === "answered").map(t => t.reaction));
    const valid = of("valid"), invalid = of("invalid"), found = {valid, invalid, difference: {enough: false}};
    if (valid.enough && invalid.enough) {  // half-widths joined like the sides of a right angle
      const middle = invalid.median - valid.median;
      const low = middle - Math.hypot(invalid.median - invalid.low, valid.high - valid.median);
      const high = middle + Math.hypot(invalid.high - invalid.median, valid.median - valid.low);
      found.difference = {enough: true, median: middle, low, high};
    }
    const outcomes = {early: 0, late: 0, "false alarm": 0, withheld: 0, left: 0, answered: 0};
    for (const trial of trials) outcomes[trial.outcome]++;
    return {...found, outcomes};
  };

  const csv = trials => ["trial,block,cue,target,validity,onset_ms,reaction_ms,outcome", ...trials.map((t, i) => [
    i + 1, t.block, t.cue, t.target, t.validity, t.onset.toFixed(1), t.reaction === null ? "" : t.reaction.toFixed(1),
    t.outcome,
  ].join(","))].join("\n") + "\n";

  // Trials of the simulated reader as Python packed them: sides are -1, 0 (no target) and 1.
  const unpack = ([block, cue, target, onset, reaction]) => {
    const side = place => ({"-1": "left", 0: "none", 1: "right"}[place]);
    const validity = !target ? "catch" : cue === target ? "valid" : "invalid";
    const trial = {block, cue: side(cue), target: side(target), validity, onset, reaction};
    return {...trial, outcome: judge(trial, reaction)};
  };

  return {block, schedule, judge, median, analyse, csv, unpack};
};

const start = ({root, live, data: {settings, simulated, minutes, about}}) => {
  const {blocks, counts, practice, late, waits} = settings;
  const {block, schedule, judge, analyse, csv, unpack} = root.cueing = logic(settings);
  const total = counts => Object.values(counts).reduce((a, b) => a + b), size = total(counts);
  const paragraph = (name, ...inside) => make("p", {class: name}, ...inside);
  const draw = (tag, attributes, ...inside) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    element.append(...inside);
    return element;
  };

  // The field: two boxes, and in the middle the cross or an arrow.
  const parts = {
    boxes: draw("path", {d: "M12 28h64v64h-64zM404 28h64v64h-64z", class: "cu-box"}),
    cross: draw("path", {d: "M226 60h28M240 46v28"}),
    arrowleft: draw("path", {d: "M264 60h-46m18-18l-18 18l18 18"}),
    arrowright: draw("path", {d: "M216 60h46m-18-18l18 18l-18 18"}),
    left: draw("circle", {cx: 44, cy: 60, r: 17}),
    right: draw("circle", {cx: 436, cy: 60, r: 17}),
  };
  const picture = draw("svg", {viewBox: "0 0 480 120", "aria-hidden": "true"}, ...Object.values(parts));
  const tell = make("p", {class: "cu-tell", "aria-live": "polite"}), where = make("span", {class: "cu-where"});
  const stage = make("div", {class: "cu-stage", tabindex: 0, role: "application",
    "aria-label": "Field of the experiment: press space when a dot appears"}, picture, tell);
  const bar = make("progress", {max: blocks * size, "aria-label": "trials done"});

  let phase = "off", since = 0, stamped = false, wait = 0;  // what is on the screen, since when, and for how long
  let trial = null, queue = [], plan = [], done = [], count = 0;

  // A change is drawn in one frame, and its time taken in the next, when it is on the screen.
  const enter = (name, milliseconds, ...shown) => {
    [phase, wait, stamped, since] = [name, milliseconds, false, performance.now()];
    stage.dataset.phase = name;
    for (const key in parts) parts[key].style.visibility = shown.includes(key) ? "visible" : "hidden";
  };
  const running = () => phase !== "off" && phase !== "pause";
  const frame = () => {
    if (!running()) return;
    requestAnimationFrame(frame);
    const now = performance.now();
    if (!stamped) [since, stamped] = [now, true];
    else if (now - since >= wait) after[phase]();
  };
  const after = {
    empty: () => enter("cross", waits.cross, "boxes", "cross"),
    cross: () => enter("arrow", trial.onset, "boxes", "arrow" + trial.cue),
    arrow: () => {
      trial.shown = performance.now() - since;  // the onset as it came out, a part of a frame later than planned
      enter("target", late, "boxes", "arrow" + trial.cue, trial.target);
    },
    target: () => end(null),
    told: () => next(),
  };
  const next = () => {
    trial = queue.shift();
    if (!trial) { rest(); return; }
    count++;
    const part = trial.block ? `Block ${trial.block} of ${blocks}` : "Practice";
    where.textContent = `${part}, trial ${count} of ${count + queue.length}`;
    bar.value = trial.block && (trial.block - 1) * size + Math.min(count, size) - 1;
    tell.textContent = "";
    enter("empty", waits.empty, "boxes");
  };
  const answer = () => {
    const gone = performance.now() - since;
    if (phase === "arrow") end(gone - trial.onset);
    else if (phase === "target") end(stamped ? gone : 0);
  };

  // Keep what came of a trial; return whether it comes again, at the end of its block.
  const keep = (reaction, outcome) => {
    if (!trial.block) return false;
    done.push({...trial, onset: trial.shown ?? trial.onset, reaction, outcome});
    const again = (trial.again || 0) + 1;
    if (again > settings.again || !["early", "late", "left"].includes(outcome)) return false;
    queue.push({...trial, again, shown: undefined});
    return true;
  };
  const end = reaction => {
    const outcome = judge(trial, reaction), again = keep(reaction, outcome);
    const message = {
      early: "Too early: wait for the dot.",
      late: "Too late: answer as soon as you see the dot.",
      "false alarm": "There was no dot: then do not answer.",
      answered: trial.block ? "" : `${Math.round(reaction)} milliseconds`,
      withheld: trial.block ? "" : "Right: no dot, no answer.",
    }[outcome];
    if (!message) { next(); return; }
    tell.textContent = message + (again ? " This trial comes again." : "");
    enter("told", waits.told, "boxes");
  };

  // Between the blocks, and when the reader turned away.
  const pause = message => {
    enter("pause", 0);
    tell.textContent = message + " Press space, or tap here, to go on.";
  };
  const rest = () => {
    const number = blocks - plan.length;
    if (!plan.length) result();
    else if (!number) pause("That was the practice. From now on you hear only of trials that went wrong.");
    else pause(`Block ${number} of ${blocks} is done. Rest your eyes as long as you like.`);
  };
  const leave = () => {
    if (!running()) return;
    if (phase !== "told") keep(null, "left");
    pause("You turned away, so this trial does not count.");
  };
  const goOn = () => {
    if (phase !== "pause" || performance.now() - since < waits.pause) return;  // an answer that came late
    if (!trial) [queue, count] = [plan.shift(), 0];
    next();
    requestAnimationFrame(frame);
  };

  // What came out.
  const ms = value => String(Math.round(value)).replace("-", "\u2212");
  const verdict = ({valid, invalid, difference: {enough, median, low, high}}) => {
    if (!enough) {
      return "Too few answers for a result: it takes 6 of each kind, and you gave " +
        `${valid.n} where the arrow was right and ${invalid.n} where it was wrong.`;
    }
    const size = `${ms(Math.abs(median))} ms`, between = `(interval of the difference: ${ms(low)} to ${ms(high)} ms)`;
    if (low > 0) return `You answered ${size} sooner where the arrow was right ${between}.`;
    if (high < 0) return `You answered ${size} later where the arrow was right ${between}.`;
    return `Your times do not tell whether the arrow mattered ${between}.`;
  };
  const kinds = {valid: "arrow right", invalid: "arrow wrong", difference: "difference"};
  const table = readers => make("table", {class: "cu-table"},
    make("caption", {}, "Median reaction time in milliseconds, with its 95 % interval"),
    make("tr", {}, make("td"), ...readers.map(([name]) => make("th", {scope: "col"}, name))),
    ...Object.keys(kinds).map(kind => make("tr", {}, make("th", {scope: "row"}, kinds[kind]),
      ...readers.map(([, {[kind]: {enough, median, low, high, n}}]) => {
        if (!enough) return make("td", {}, "too few");
        const answers = n ? make("small", {}, `${n} answers`) : "";
        return make("td", {}, make("b", {}, ms(median)), ` (${ms(low)} to ${ms(high)})`, answers);
      }))));
  const chart = readers => {
    const rows = readers.flatMap(([name, found]) => ["valid", "invalid"].map(kind => [name, kind, found[kind]]));
    const seen = rows.filter(([, , {enough}]) => enough), all = seen.flatMap(([, , {times}]) => times);
    const from = Math.floor(Math.min(...all) / 100) * 100, to = Math.floor(Math.max(...all) / 100 + 1) * 100;
    const at = time => 100 * (time - from) / (to - from);
    const line = (time, top, bottom, name) => draw("path", {d: `M${at(time)} ${top}V${bottom}`, class: name});
    return make("div", {class: "cu-chart", "aria-hidden": "true"},  // the table says the same
      ...seen.map(([name, kind, {times, median, low, high}]) => make("div", {class: "cu-row cu-" + kind},
        make("span", {}, `${name}, ${kinds[kind]}`),
        draw("svg", {viewBox: "0 0 100 24", preserveAspectRatio: "none"}, ...times.map(t => line(t, 5, 19, "cu-time")),
          draw("path", {d: `M${at(low)} 12H${at(high)}`, class: "cu-interval"}), line(median, 1, 23, "cu-median")))),
      make("div", {class: "cu-row"}, make("span"),
        make("div", {class: "cu-axis"}, ...[from, "milliseconds", to].map(text => make("span", {}, text)))));
  };
  const result = () => {
    phase = "off";
    const mine = analyse(done), readers = [["You", mine], ["Simulated reader", analyse(simulated.map(unpack))]];
    const first = make("p", {class: "cu-verdict", tabindex: -1}, verdict(mine));
    const {early, late, left, withheld, "false alarm": alarms} = mine.outcomes;
    const href = "data:text/csv;charset=utf-8," + encodeURIComponent(csv(done));
    view("result", first, chart(readers), table(readers),
      paragraph("cu-small", `Not in the medians: ${early} too early, ${late} too late or missing, ${left} broken off. `,
        `Without a dot you answered ${alarms} of ${alarms + withheld} times.`),
      paragraph("cu-small", about),
      paragraph("cu-buttons", make("a", {class: "af-button", download: "cueing.csv", href}, "Download CSV"),
        button("Once more", intro)));
    first.focus();
  };

  // The way in, and out.
  const view = (name, ...inside) => {
    root.dataset.view = name;
    live.replaceChildren(...inside);
  };
  const begin = () => {
    [trial, done, plan] = [null, [], [block(0, practice, Math.random), ...schedule()]];
    where.textContent = "";
    bar.value = 0;
    view("field", stage, paragraph("cu-foot", bar, where, button("Stop", stop)));
    stage.focus();
    pause("First some practice. Keep your eyes on the middle, and answer as soon as you see a dot.");
  };
  const stop = () => {
    leave();
    phase = "off";
    if (done.length) result(); else intro();
  };
  const intro = () => {
    const go = button("Start with practice", begin), again = live.hasChildNodes();
    view("intro",
      paragraph("", "Keep your eyes on the cross in the middle. An arrow points to one of two boxes; soon a dot ",
        "appears in one of them. ", make("b", {}, "Press the space bar as soon as you see the dot"), ", whichever box ",
        "it is in; without a keyboard, click or tap the field. When a dot comes, the arrow is right 4 times in 5. ",
        "Sometimes none comes: then wait."),
      paragraph("", `${total(practice)} trials for practice, then ${blocks} blocks of ${size}: about ${minutes} `,
        "minutes. You end the pauses, and may stop at any time. Nothing leaves this page."),
      paragraph("cu-small", "This is an experiment for the eyes. If you cannot see the field, open the table below: a ",
        "simulated reader took the same trials."),
      paragraph("cu-buttons", go));
    if (again) go.focus();
  };

  stage.addEventListener("keydown", e => {
    if (e.key !== " ") return;
    e.preventDefault();
    if (e.repeat) return;
    if (phase === "pause") goOn(); else answer();
  });
  stage.addEventListener("pointerdown", e => { if (e.isPrimary && !e.button) answer(); });
  stage.addEventListener("click", goOn);
  stage.addEventListener("focusout", leave);
  document.addEventListener("visibilitychange", leave);
  root.querySelector(":scope > details").before(live);
  intro();
};

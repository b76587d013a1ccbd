const start = ({root, live, data, say}) => {
  const {words, scores} = data, size = words.length, margin = 2;  // empty places drawn on either side
  const table = root.querySelector("table"), rows = [...table.tBodies[0].rows], sums = table.tFoot.rows[0].cells;
  let center, halfWidth, sigma, tied, gaussian, again;

  const widest = Math.max(size, data.half_width);
  const sub = make("sub", {}, "t");
  const place = control(["center p", sub], {min: 0, max: size, step: 0.1}, x => { center = x; show(); });
  const reach = control(["half width D"], {min: 1, max: widest, step: 1}, x => {
    halfWidth = x;
    if (tied) sigma = x / 2;
    show();
  });
  const spread = control(["σ of the Gaussian"], {min: 0.1, max: Math.max(widest / 2, data.sigma, 5), step: 0.1}, x => {
    sigma = x;
    tied = false;
    show();
  });
  const tie = toggle("σ = D / 2", true, on => {
    tied = on;
    if (on) sigma = halfWidth / 2;
    show();
  });
  const bell = toggle("Gaussian", true, on => { gaussian = on; show(); });
  const norm = toggle("normalise again", false, on => { again = on; show(); });
  const reset = () => {
    ({center, half_width: halfWidth} = data);
    tied = data.sigma === null;
    sigma = data.sigma ?? halfWidth / 2;
    gaussian = true;
    again = false;
    show();
  };

  // The drawing: scores below the words, weights above them, the window behind.
  const part = (tag, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    element.append(...children);
    return element;
  };
  const picture = part("svg", {class: "wi-picture", "aria-hidden": "true"});
  const key = make("div", {class: "wi-key"});
  for (const [kind, text] of [["align", "softmax over the window"], ["bell", "Gaussian, 1 at its peak"], ["weight", "weight"]]) {
    key.append(make("span", {}, make("i", {class: `wi-${kind}`}), text));
  }
  live.append(
    picture, key,
    make("div", {class: "af-controls"}, place.box, reach.box, spread.box),
    make("div", {class: "af-controls wi-buttons"}, tie, bell, norm, button("Start again", reset)),
  );

  const long = Math.max(...words.map(word => Math.min(word.length, 12))), high = 190;
  const slot = () => picture.clientWidth / (size + 2 * margin);
  const x = s => (s + margin + 0.5) * slot();
  const draw = ({first, last, align, bells, weights}) => {
    const width = picture.clientWidth, wide = slot(), turned = long * 8 > wide, line = turned ? 12 + 8 * long : 22;
    const top = 26, low = high + line, bottom = low + 62, most = Math.max(...align, ...weights);
    const scale = [0.25, 0.5, 1].find(step => step >= most - 1e-9), y = w => high - (high - top) * w / scale;
    const ends = [Math.min(0, ...scores), Math.max(0, ...scores)], unit = 34 / (ends[1] - ends[0] || 1);
    const left = Math.max(x(first - 0.5), 0), right = Math.min(x(last + 0.5), width);
    const inside = s => s >= first && s <= last, drawn = [];
    const add = (...given) => drawn.push(part(...given));
    const text = (at, height, size, content, kind = "", turn = "") =>
      add("text", {x: at, y: height, class: kind, "font-size": size, ...(turn && {transform: turn})}, content);

    add("rect", {x: left, y: top - 6, width: right - left, height: bottom - top + 6, class: "wi-window"});
    const bracket = [[first, x(first - 0.5)], [last, x(last + 0.5)]].map(([s, at]) =>
      s < -margin || s >= size + margin ? "" : `M${at} ${top - 6}V${bottom}`).join("");
    add("path", {d: bracket, class: "wi-edge"});
    for (const share of [0, 0.5, 1]) add("path", {d: `M0 ${y(scale * share)}H${width}`, class: "wi-line"});
    for (let s = -margin; s < size + margin; s++) {
      const at = x(s), font = Math.min(Math.max(wide * 0.8, 9), 15);
      if (s < 0 || s >= size) {
        if (inside(s)) text(at, high - 8, font, "×", "wi-none");
        continue;
      }
      const name = words[s].trim() ? words[s].slice(0, 12) : "␣", kind = inside(s) ? "" : "wi-dim";
      if (turned) text(at, high + 8, 13, name, `wi-turned ${kind}`, `rotate(-90 ${at} ${high + 8}) translate(0 4)`);
      else text(at, high + 16, font, name, kind);
      const from = Math.min(scores[s], 0), tall = Math.abs(scores[s]) * unit, base = low + 6 + ends[1] * unit;
      add("rect", {x: at - wide * 0.2, y: base - (from + Math.abs(scores[s])) * unit, width: wide * 0.4,
        height: Math.max(tall, 1), class: `wi-score ${kind}`});
      if (wide >= 16 || s % 5 === 0) text(at, bottom - 4, Math.min(wide * 0.62, 11), s, "wi-place");
      if (!inside(s)) continue;
      add("rect", {x: at - wide * 0.42, y: y(align[s]), width: wide * 0.84, height: high - y(align[s]), class: "wi-align"});
      add("rect", {x: at - wide * 0.28, y: y(weights[s]), width: wide * 0.56, height: high - y(weights[s]), class: "wi-weight"});
      if (wide >= 34) text(at, Math.min(y(align[s]), y(weights[s])) - 4, 11, weights[s].toFixed(2));
    }
    if (gaussian) {
      const points = [];
      for (let at = left; at <= right; at += 2) {
        const s = at / wide - margin - 0.5;
        points.push(`${at} ${high - (high - top) * Math.exp(-((s - center) ** 2) / (2 * sigma ** 2))}`);
      }
      add("path", {d: "M" + points.join("L"), class: "wi-bell"});
    }
    add("path", {d: `M${x(center)} 10V${high}`, class: "wi-center"});
    add("path", {d: `M${x(center)} 20l-8 -12h16z`, class: "wi-handle"});
    text(4, y(scale) - 3, 11, scale, "wi-start");
    text(4, low + 8, 11, "scores", "wi-start");
    text(width - 4, y(scale) - 5, 14, `sum ${sum(weights).toFixed(2)}`, "wi-sum");
    picture.setAttribute("height", bottom);
    picture.replaceChildren(...drawn);
  };

  const show = () => {
    const first = Math.floor(center) - halfWidth, last = Math.floor(center) + halfWidth;
    const inside = words.map((_, s) => s >= first && s <= last), align = softmax(scores, inside);
    const bells = words.map((_, s) => gaussian ? Math.exp(-((s - center) ** 2) / (2 * sigma ** 2)) : 1);
    let weights = align.map((weight, s) => weight * bells[s]);
    if (again) weights = weights.map((weight, _, all) => weight / (sum(all) || 1));
    const range = `places ${minus(first)} to ${minus(last)}`;
    const round = number => String(Number(number.toPrecision(3)));
    place.show(center, round(center));
    reach.show(halfWidth, String(halfWidth));
    spread.show(sigma, round(sigma));
    tie.show(tied);
    bell.show(gaussian);
    norm.show(again);
    rows.forEach(({cells}, s) => {
      cells[3].textContent = inside[s] ? align[s].toFixed(3) : "–";
      cells[4].textContent = inside[s] ? bells[s].toFixed(3) : "–";
      cells[5].firstChild.data = weights[s].toFixed(3);
      cells[5].lastChild.style.width = 96 * weights[s] + "px";
    });
    const total = sum(weights), slots = 2 * halfWidth + 1, missing = slots - sum(inside.map(Number));
    sums[5].textContent = total.toFixed(3);
    const factor = gaussian ? " times the Gaussian" : "", end = again ? ", normalised again" : "";
    table.caption.textContent = `Center ${round(center)}, D = ${halfWidth}, σ = ${round(sigma)}: the window takes ` +
      `${range}. A weight is the softmax over the window${factor}${end}.`;
    root.weights = weights;
    if (picture.clientWidth) draw({first, last, align, bells, weights});
    const largest = weights.indexOf(Math.max(...weights));
    const outside = missing ? `, and ${missing} of its ${slots} slots outside of the sentence` : "";
    say(`The window takes ${range}${outside}. The weights sum to ${total.toFixed(2)}; the largest is ` +
      `${weights[largest].toFixed(2)}, at place ${largest}, “${words[largest]}”.`);
  };

  // The center can be drawn along with a mouse or a finger.
  const follow = e => {
    const s = (e.clientX - picture.getBoundingClientRect().left) / slot() - margin - 0.5;
    center = Math.round(10 * Math.min(Math.max(s, 0), size)) / 10;
    show();
  };
  picture.addEventListener("pointerdown", e => { picture.setPointerCapture(e.pointerId); follow(e); });
  picture.addEventListener("pointermove", e => { if (picture.hasPointerCapture(e.pointerId)) follow(e); });
  new ResizeObserver(() => show()).observe(picture);
  reset();
};

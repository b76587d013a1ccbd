// The window of local attention: sliders, and a drawing with the scores below the
// words, the weights above them, and the window behind.
const figure = "window";
const margin = 2;  // empty positions drawn on either side
const top = 40, baseline = 230;  // of weights 1 and 0, in pixels from the top

const round = number => String(Number(number.toPrecision(3)));
const gaussianAt = (s, center, sigma) =>
  Math.exp(-((s - center) ** 2) / (2 * sigma ** 2));

// The weights for one setting of the sliders, and what they are made of.
const calculate = (scores, {center, halfWidth, sigma, gaussian, renormalize}) => {
  const first = Math.floor(center) - halfWidth, last = Math.floor(center) + halfWidth;
  const inside = scores.map((_, s) => s >= first && s <= last);
  const align = softmax(scores, inside);
  const factors = scores.map((_, s) => gaussian ? gaussianAt(s, center, sigma) : 1);
  let weights = align.map((weight, s) => weight * factors[s]);
  if (renormalize) {
    const total = sum(weights) || 1;
    weights = weights.map(weight => weight / total);
  }
  return {first, last, inside, align, factors, weights};
};

// Sizes and positions in the drawing, which depend on its width. Bars of one height are
// one weight, whatever the sliders say.
const layOut = (width, {words, scores}, {first, last}) => {
  const column = width / (words.length + 2 * margin);
  const longest = Math.max(...words.map(word => Math.min(word.length, 12)));
  const turned = longest * 8 > column;
  const scoreTop = baseline + (turned ? 12 + 8 * longest : 22), bottom = scoreTop + 62;
  const highest = Math.max(0, ...scores), lowest = Math.min(0, ...scores);
  const unit = 34 / (highest - lowest || 1);
  const x = s => (s + margin + 0.5) * column;
  const y = weight => baseline - (baseline - top) * weight;
  const left = Math.max(x(first - 0.5), 0), right = Math.min(x(last + 0.5), width);
  const zero = scoreTop + 6 + highest * unit;
  const sizes = {width, column, turned, scoreTop, bottom, unit, zero};
  return {...sizes, x, y, left, right};
};

const text = (x, y, size, content, kind = "", transform = "") => {
  const attributes = {x, y, class: kind, "font-size": size};
  if (transform) attributes.transform = transform;
  return svg("text", attributes, content);
};

const box = (middle, width, from, to, kind) => svg(
  "rect", {x: middle - width / 2, y: from, width, height: to - from, class: kind},
);

// The window behind everything, its edges where they are in the picture, and the grid.
const drawBackground = (layout, {first, last}, size) => {
  const {width, bottom, x, y, left, right} = layout;
  const edge = (s, at) => s < -margin || s >= size + margin ? ""
    : `M${at} ${top - 6}V${bottom}`;
  const edges = edge(first, x(first - 0.5)) + edge(last, x(last + 0.5));
  return [
    box((left + right) / 2, right - left, top - 6, bottom, "wi-window"),
    svg("path", {d: edges, class: "wi-edge"}),
    ...[0, 0.25, 0.5, 0.75, 1].map(weight =>
      svg("path", {d: `M0 ${y(weight)}H${width}`, class: "wi-line"})),
    ...[0.5, 1].map(weight => text(2, y(weight) - 3, 11, weight, "wi-start")),
  ];
};

const drawWord = (s, word, {column, turned, x}, kind) => {
  const name = word.slice(0, 12), at = x(s), low = baseline + 8;
  if (!turned) return text(at, baseline + 16, fontSize(column), name, kind);
  const turn = `rotate(-90 ${at} ${low}) translate(0 4)`;
  return text(at, low, 13, name, `wi-turned ${kind}`, turn);
};
const fontSize = column => Math.min(Math.max(column * 0.8, 9), 15);

const drawScore = (s, score, {column, unit, zero, bottom, x}, kind) => {
  const from = zero - Math.max(score, 0) * unit;
  const height = Math.max(Math.abs(score) * unit, 1);
  const bar = box(x(s), column * 0.4, from, from + height, `wi-score ${kind}`);
  if (column < 16 && s % 5) return [bar];
  return [bar, text(x(s), bottom - 4, Math.min(column * 0.62, 11), s, "wi-position")];
};

const drawWeight = (s, align, weight, {column, x, y}) => [
  box(x(s), column * 0.84, y(align), baseline, "wi-align"),
  box(x(s), column * 0.56, y(weight), baseline, "wi-weight"),
];

// The weights as numbers, each on the bar of its weight and not on that of its softmax.
// They come last, so that nothing covers them.
const drawNumbers = ({inside, weights}, {column, x, y}) => {
  if (column < 30) return [];
  return weights.flatMap((weight, s) => inside[s]
    ? [text(x(s), y(weight) - 4, 11, weight.toFixed(2), "wi-number")] : []);
};

const drawPosition = (s, {words, scores}, layout, {first, last, align, weights}) => {
  const inside = s >= first && s <= last, kind = inside ? "" : "wi-dim";
  if (s < 0 || s >= words.length) {
    if (!inside) return [];
    return [text(layout.x(s), baseline - 8, fontSize(layout.column), "×", "wi-none")];
  }
  return [
    drawWord(s, words[s], layout, kind),
    ...drawScore(s, scores[s], layout, kind),
    ...inside ? drawWeight(s, align[s], weights[s], layout) : [],
  ];
};

const drawGaussian = (center, sigma, {column, left, right, y}) => {
  const points = [];
  for (let at = left; at <= right; at += 2) {
    points.push(`${at} ${y(gaussianAt(at / column - margin - 0.5, center, sigma))}`);
  }
  return svg("path", {d: "M" + points.join("L"), class: "wi-gaussian"});
};

const draw = ({picture, drawing, handle}, data, settings, result) => {
  const layout = layOut(picture.clientWidth, data, result), size = data.words.length;
  const {x, bottom} = layout, {center, sigma} = settings;
  const positions = Array.from({length: size + 2 * margin}, (_, i) => i - margin);
  picture.setAttribute("height", bottom);
  handle.setAttribute("transform", `translate(${x(center)})`);
  drawing.replaceChildren(
    ...drawBackground(layout, result, size),
    ...positions.flatMap(s => drawPosition(s, data, layout, result)),
    ...settings.gaussian ? [drawGaussian(center, sigma, layout)] : [],
    svg("path", {d: `M${x(center)} 20V${baseline}`, class: "wi-center"}),
    ...drawNumbers(result, layout),
  );
};

// The picture, whose handle stays the same element while it is dragged.
const makePicture = () => {
  const drawing = svg("g");
  const handle = svg("g", {class: "wi-handle"},
    svg("rect", {x: -22, y: 0, width: 44, height: 36}),
    svg("path", {d: "M0 22l-9 -14h18z"}));
  const attributes = {class: "wi-picture", "aria-hidden": "true"};
  return {picture: svg("svg", attributes, drawing, handle), drawing, handle};
};

const makeLegend = total => make("div", {class: "wi-key"}, ...[
  ["align", "softmax over the window"],
  ["gaussian", "Gaussian, 1 at its peak"],
  ["weight", "weight", total],
  ["score", "score, below the words"],
].map(([kind, ...names]) =>
  make("span", {}, make("i", {class: `wi-${kind}`}), ...names)));

const updateTable = (table, settings, result) => {
  const {center, halfWidth, sigma, gaussian, renormalize} = settings;
  const {first, last, inside, align, factors, weights} = result;
  [...table.tBodies[0].rows].forEach(({cells}, s) => {
    cells[3].textContent = inside[s] ? align[s].toFixed(3) : "–";
    cells[4].textContent = inside[s] ? factors[s].toFixed(3) : "–";
    cells[5].firstChild.data = weights[s].toFixed(3);
    cells[5].lastChild.style.width = 96 * weights[s] + "px";
  });
  table.tFoot.rows[0].cells[5].textContent = sum(weights).toFixed(3);
  const times = gaussian ? " times the Gaussian" : "";
  table.caption.textContent =
    `Center ${round(center)}, D = ${halfWidth}, σ = ${round(sigma)}: the window ` +
    `covers positions ${minus(first)} to ${minus(last)}. A weight is the softmax ` +
    `over the window${times}${renormalize ? ", renormalized" : ""}.`;
};

const describe = (words, {first, last, inside, weights}) => {
  const count = last - first + 1, missing = count - sum(inside.map(Number));
  const largest = weights.indexOf(Math.max(...weights));
  const outside = missing ? `, ${missing} of these ${count} outside the sentence` : "";
  return `The window covers positions ${minus(first)} to ${minus(last)}${outside}. ` +
    `The weights sum to ${sum(weights).toFixed(2)}; the largest is ` +
    `${weights[largest].toFixed(2)}, at position ${largest}, “${words[largest]}”.`;
};

// The sliders and buttons. `change(settings)` is called with what the reader set.
const makeControls = (size, data, change) => {
  const widest = Math.max(size, data.half_width);
  const center = control(["center p", make("sub", {}, "t")],
    {min: 0, max: size, step: 0.1, "aria-label": "center p t"},
    value => change({center: value}));
  const halfWidth = control(["half-width D"],
    {min: 1, max: widest, step: 1}, value => change({halfWidth: value}));
  const sigma = control(["σ of the Gaussian"],
    {min: 0.1, max: Math.max(widest / 2, data.sigma, 5), step: 0.1},
    value => change({sigma: value, tied: false}));
  const tied = toggle("σ = D / 2", true, on => change({tied: on}));
  const gaussian = toggle("Gaussian", true, on => change({gaussian: on}));
  const renormalize = toggle("renormalize", false, on => change({renormalize: on}));
  const show = settings => {
    center.show(settings.center, round(settings.center));
    halfWidth.show(settings.halfWidth, String(settings.halfWidth));
    sigma.show(settings.sigma, round(settings.sigma));
    tied.show(settings.tied);
    gaussian.show(settings.gaussian);
    renormalize.show(settings.renormalize);
  };
  const sliders = [center.box, halfWidth.box, sigma.box];
  return {sliders, buttons: [tied, gaussian, renormalize], show};
};

const start = ({root, live, said, data}) => {
  const {words, scores} = data, size = words.length;
  const table = root.querySelector("table"), say = speaker(said);
  const initial = {
    center: data.center,
    halfWidth: data.half_width,
    sigma: data.sigma,
    tied: data.sigma === null,
    gaussian: true,
    renormalize: false,
  };
  let settings = initial;
  const parts = makePicture(), {picture, handle} = parts;
  const total = make("b", {});
  const change = changes => {
    settings = {...settings, ...changes};
    if (settings.tied) settings.sigma = settings.halfWidth / 2;
    show();
  };
  const show = () => {
    const result = calculate(scores, settings);
    root.weights = result.weights;
    controls.show(settings);
    updateTable(table, settings, result);
    total.textContent = ` (sum ${sum(result.weights).toFixed(2)})`;
    if (picture.clientWidth) draw(parts, data, settings, result);
    say(describe(data.names, result));
  };
  const controls = makeControls(size, data, change);
  const reset = button("Reset", () => change(initial));
  live.append(
    picture, makeLegend(total),
    make("div", {class: "af-controls"}, ...controls.sliders),
    make("div", {class: "af-controls wi-buttons"}, ...controls.buttons, reset),
  );

  // The center follows a mouse, and a finger that drags its handle or moves sideways:
  // one that moves up or down scrolls the page past the picture.
  let dragged = null;  // the pointer, and where it began
  const follow = e => {
    const column = picture.clientWidth / (size + 2 * margin);
    const x = e.clientX - picture.getBoundingClientRect().left;
    const s = x / column - margin - 0.5;
    change({center: Math.round(10 * Math.min(Math.max(s, 0), size)) / 10});
  };
  const isSideways = e => {
    const across = Math.abs(e.clientX - dragged.x);
    return across > 6 && across > Math.abs(e.clientY - dragged.y);
  };
  picture.addEventListener("pointerdown", e => {
    if (!e.isPrimary || e.button) return;
    const follows = e.pointerType !== "touch" || handle.contains(e.target);
    dragged = {id: e.pointerId, x: e.clientX, y: e.clientY, follows};
    picture.setPointerCapture(e.pointerId);
    if (e.pointerType !== "touch") follow(e);
  });
  picture.addEventListener("pointermove", e => {
    if (dragged?.id !== e.pointerId) return;
    dragged.follows ||= isSideways(e);
    if (dragged.follows) follow(e);
  });
  // Not every browser heeds touch-action inside of a drawing.
  handle.addEventListener("touchstart", e => e.preventDefault(), {passive: false});
  for (const end of ["pointerup", "pointercancel"]) {
    picture.addEventListener(end, () => { dragged = null; });
  }
  new ResizeObserver(() => show()).observe(picture);
  change({});
};

// One head of self-attention: the query of a word, its scores and weights over all
// words, and its context. The table is drawn anew for each choice.
const figure = "heads";

// One of several, as radio buttons with the looks of chips. `change(index)` is called.
const makeChoice = (legend, texts, names, chosen, change) => {
  const group = `hd-${Math.random()}`;  // one per figure
  const options = texts.map((text, i) => {
    const input = make("input", {type: "radio", name: group, "aria-label": names[i]});
    input.checked = i === chosen;
    input.addEventListener("change", () => change(i));
    return make("label", {class: "hd-option"}, input, make("span", {}, text));
  });
  return make("fieldset", {class: "hd-choice"}, make("legend", {}, legend),
    make("div", {class: "hd-options"}, ...options));
};

// A vector as a strip of cells, from pale (the lowest number) to strong (the highest).
const makeStrip = (kind, vector, largest) => make("div",
  {class: `hd-strip hd-${kind}`, "aria-hidden": "true"},
  ...vector.map(number =>
    make("i", {style: `--v:${Math.round(50 + 50 * number / largest)}%`})));
const largestOf = rows => Math.max(...rows.flat().map(Math.abs)) || 1;

// A number and its bar, from `zero` to the left or to the right; both are shares.
const numberCell = (text, kind, from = 0, to = 0) => {
  const left = 100 * Math.min(from, to), width = 100 * Math.abs(to - from);
  const fill = make("i", {style: `left:${left}%;width:${width}%`});
  const track = make("span", {class: "hd-track", "aria-hidden": "true"}, fill);
  return make("td", {class: `hd-in-${kind}`}, make("div", {class: "hd-cell"},
    make("span", {class: "hd-number"}, text), track));
};
const strips = (kind, ...content) => make("td", {class: `hd-in-${kind}`}, ...content);
const decimal = (number, digits) =>
  minus(number.toFixed(digits).replace(/^-(?=[0.]*$)/, ""));

const columns = [
  ["word", "word"], ["key", "key"], ["score", "score"], ["weight", "weight"],
  ["value", "value"],
];

const drawTable = (table, {words, names, values}, head, {i, causal, weights, context}) => {
  const {queries, keys, scores} = head, all = scores.flat();
  const low = Math.min(0, ...all), high = Math.max(0, ...all), span = high - low || 1;
  const share = score => (score - low) / span;
  const [query, key, value] = [queries, keys, values].map(largestOf);
  table.caption.textContent = `The head “${head.name}”: the query of ${names[i]}` +
    `${causal ? ", with the causal mask" : ""}.`;
  table.tHead.replaceChildren(make("tr", {}, ...columns.map(([name, kind]) =>
    make("th", {scope: "col", class: `hd-in-${kind}`}, name))));
  const rows = words.map((word, j) => {
    const masked = causal && j > i;
    return make("tr", {class: masked ? "hd-masked" : ""},
      make("th", {scope: "row", class: "hd-in-word"}, make("bdi", {}, word),
        ...masked ? [make("small", {}, " (masked)")] : []),
      strips("key", makeStrip("key", keys[j], key)),
      numberCell(decimal(scores[i][j], 1), "score", share(0), share(scores[i][j])),
      numberCell(weights[j].toFixed(3), "weight", 0, weights[j]),
      strips("value", makeStrip("value", values[j], value)));
  });
  const first = make("tr", {class: "hd-first"},
    make("th", {scope: "row", class: "hd-in-word"}, "query of ", make("bdi", {}, words[i])),
    strips("key", makeStrip("query", queries[i], query)),
    strips("score"), strips("weight"), strips("value"));
  const last = make("tr", {class: "hd-last"},
    make("th", {scope: "row", class: "hd-in-word"}, "context of ", make("bdi", {}, words[i])),
    strips("key"), strips("score"),
    make("td", {class: "hd-in-weight"}, `sum ${sum(weights).toFixed(3)}`),
    strips("value", makeStrip("context", context, value)));
  table.tBodies[0].replaceChildren(first, ...rows, last);
};

// What is said of the chosen word: where it attends to, and what its context is made of.
const describe = ({words, names}, {i, causal, weights}) => {
  const order = weights.map((_, j) => j).sort((a, b) => weights[b] - weights[a]);
  const open = causal ? i + 1 : words.length;
  const equal = weights[order[0]] - weights[order[open - 1]] < 0.0005;
  const start = [make("b", {}, make("bdi", {}, names[i])), " attends to "];
  if (equal && open > 1) {
    return [...start, `${open} words alike. Its context is the mean of their values.`];
  }
  const large = order.filter(j => weights[j] >= 0.05).slice(0, 3);
  const rest = 1 - sum(large.map(j => weights[j]));
  const listed = large.flatMap((j, n) =>
    [n ? ", " : "", make("bdi", {}, names[j]), ` ${weights[j].toFixed(2)}`]);
  const parts = large.flatMap((j, n) => [n ? " + " : "",
    `${weights[j].toFixed(2)} × `, make("bdi", {}, names[j])]);
  const more = rest >= 0.005 ? ` + ${rest.toFixed(2)} of the others` : "";
  return [...start, ...listed, ". Its context, in values: ", ...parts, `${more}.`];
};

// What is wrong with a text, in words; empty if nothing is.
const findFault = (text, {longest}) => {
  if (!/[\p{L}\p{N}]/u.test(text)) return "There is no word to read. Enter a short text.";
  const {length} = [...text];
  if (length <= longest) return "";
  return `The text has ${length} characters. At most ${longest} fit here.`;
};

const start = ({root, live, said, data: stored}) => {
  const table = root.querySelector("table"), text = root.querySelector(".hd-text");
  let data = stored, {head, query, causal} = data.start;
  const about = make("p", {class: "hd-about"}), choices = make("div");
  table.classList.add("hd-table");
  const show = () => {
    const chosen = data.heads[head], prefix = causal ? "causal_" : "";
    const weights = chosen[`${prefix}weights`][query];
    const context = chosen[`${prefix}contexts`][query];
    about.textContent = chosen.about;
    drawTable(table, data, chosen, {i: query, causal, weights, context});
    said.replaceChildren(...describe(data, {i: query, causal, weights}));
    Object.assign(root, {weights, context});
  };
  const draw = given => {
    data = given;
    query = Math.min(query, data.words.length - 1);
    const names = data.heads.map(({name}) => name);
    choices.replaceChildren(
      makeChoice("Head", names, names, head, i => { head = i; show(); }),
      about,
      makeChoice("Query", data.words, data.names, query, i => { query = i; show(); }));
    text.textContent = `“${data.text}”`;
    show();
  };
  const form = makeForm(root, {
    label: "Your text", value: stored.text, action: "Attend", findFault:
      written => findFault(written, stored),
    draw: given => { query = given.start.query; draw(given); },
    request: written => ({function: "heads", args: [written]}),
  });
  const mask = toggle("Causal mask", causal, on => { causal = on; show(); });
  const call = 'interactive.heads("the dog saw the cat")';
  live.append(form, makeElsewhere("text", call), choices, mask);
  live.after(said);
  table.after(make("p", {class: "hd-note"},
    "Each cell of a strip is one number, from the faintest color (the lowest) to the " +
    "strongest (the highest). A score is query · key / √16, the weights are the softmax of the scores, and the " +
    "context is the sum of the values, each times its weight."));
  draw(stored);
};

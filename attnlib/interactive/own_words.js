// The words of a sentence, with the attention weight and gradient × input of each. The
// table is drawn anew for each sentence; above it, the sentence stands twice, tinted.
const figure = "own_words";

const signed = number => {
  const text = number.toFixed(2);
  return Number(text) === 0 ? "0.00" : minus(number > 0 ? `+${text}` : text);
};
const largestOf = numbers => Math.max(...numbers.map(Math.abs)) || 1;
const mark = known => known ? [] : [" ", make("span", {class: "ow-mark"}, "<unk>")];

// A line of the sentence, each word in the tint of its number.
const makeStrip = (name, {words, known}, numbers, kind) => {
  const largest = largestOf(numbers);
  const chips = words.map((word, s) => {
    const side = numbers[s] < 0 ? "ow-below" : "ow-above";
    const share = Math.abs(numbers[s]) / largest;
    const sign = kind === "gradients" && share > 0.15 ? (numbers[s] < 0 ? "−" : "+") : "";
    return make("span", {
      class: `ow-word ${side}${known[s] ? "" : " ow-unknown"}`, style: `--w:${share}`,
    }, ...(sign ? [make("sup", {}, sign)] : []), word);
  });
  return make("div", {class: `ow-strip ow-${kind}`, "aria-hidden": "true"},
    make("b", {}, name), make("span", {class: "ow-sentence"}, ...chips));
};

const barCell = (number, text, largest) => {
  const share = Math.abs(number) / largest;
  const fill = make("i", {style: `width:${100 * share}%`});
  const side = number < 0 ? "ow-below" : "ow-above";
  return make("td", {}, make("div", {class: "ow-cell"},
    make("span", {class: "ow-number"}, text),
    make("span", {class: `ow-track ${side}`}, fill)));
};

const drawTable = (table, {words, known, weights, gradients}) => {
  const [most, widest] = [weights, gradients].map(largestOf);
  table.tBodies[0].replaceChildren(...words.map((word, s) => make("tr", {},
    make("th", {scope: "row"}, word, ...mark(known[s])),
    barCell(weights[s], weights[s].toFixed(3), most),
    barCell(gradients[s], signed(gradients[s]), widest))));
  const unknown = known.every(Boolean) ? "" : " The model reads words marked <unk> as " +
    "one and the same word, because it does not know them.";
  table.caption.textContent = `The words of the sentence.${unknown}`;
};

const answerOf = p =>
  `${p >= 0.5 ? "positive" : "negative"}, with probability ${Math.max(p, 1 - p).toFixed(2)}`;

// What a screen reader hears.
const describe = ({names, known, weights, gradients, probability}) => {
  const largest = weights.indexOf(Math.max(...weights));
  const sizes = gradients.map(Math.abs), strongest = sizes.indexOf(Math.max(...sizes));
  const unknown = names.filter((_, s) => !known[s]);
  const listed = unknown.slice(0, 5).join(", ") + (unknown.length > 5 ? ", and more" : "");
  return `The model says ${answerOf(probability)}. The largest weight is ` +
    `${weights[largest].toFixed(3)}, on ${names[largest]}. The largest gradient × input ` +
    `is ${signed(gradients[strongest])}, on ${names[strongest]}.` +
    (unknown.length ? ` The model does not know: ${listed}.` : "");
};

// What is wrong with a sentence, in words; empty if nothing is.
const findFault = (text, {longest}) => {
  if (!/\p{L}/u.test(text)) return "There is no word to read. Enter a sentence.";
  const {length} = [...text];
  if (length <= longest) return "";
  return `The sentence has ${length} characters. At most ${longest} fit here.`;
};

const start = ({root, live, said, data: stored}) => {
  const table = root.querySelector("table"), answer = root.querySelector(".ow-answer");
  const strips = make("div", {class: "ow-strips"});
  table.classList.add("ow-table");
  live.after(said);
  const draw = data => {
    strips.replaceChildren(
      makeStrip("Attention weights", data, data.weights, "weights"),
      makeStrip("Gradient × input", data, data.gradients, "gradients"));
    drawTable(table, data);
    answer.textContent = `“${data.text}” is ${answerOf(data.probability)}.`;
    said.textContent = describe(data);
    Object.assign(root, {weights: data.weights, gradients: data.gradients});
  };
  const form = makeForm(root, {
    label: "Your sentence", value: stored.text, action: "Classify", draw,
    findFault: text => findFault(text, stored),
    request: text => ({function: "word_scores", args: ["reviews", text]}),
  });
  const call = 'own_words(classifier, "The food was great.")';
  live.append(form, makeElsewhere("sentence", call), strips, make("p", {class: "ow-key"},
    "The stronger its color, the larger the number of a word, compared with the largest " +
    "of the sentence. Blue words and a + speak for “positive”, orange words and a − against it."));
  draw(stored);
};

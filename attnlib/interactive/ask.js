// A form for a text of the reader's own. The page answers it where it has Python.
const asked = "attn-call";  // the event with which a figure asks the page's Python

// `findFault(text)` says what is wrong with a text, in words; "" if nothing is. `request`
// is what the page's Python is asked for, {function, args}, and `draw` gets its answer.
// Without `request`, no Python is needed, and `draw` gets the text.
const makeForm = (root, {label, value, action, findFault, request, draw}) => {
  const input = make("input", {
    type: "text", value, autocomplete: "off", autocapitalize: "off",
    spellcheck: "false", enterkeyhint: "go",
  });
  const note = make("p", {class: "ask-note", role: "status"});
  const send = make("button", {class: "af-button"}, action);
  const form = make("form", {class: request ? "ask-form" : "ask-form ask-here"},
    make("label", {}, `${label} `, input), send, note);
  let latest = 0, shown = value;  // the text whose answer is drawn
  const written = () => input.value.normalize("NFC").trim();
  const say = (text, isFault = false) => {
    const isOld = isFault && written() !== shown;
    note.textContent = isOld ? `${text} Below is still “${shown}”.` : text;
    note.classList.toggle("ask-fault", isFault);
    input.setAttribute("aria-invalid", String(isFault));
  };
  const ask = text => {
    if (!request) {
      shown = text;
      draw(text);
      return;
    }
    const number = latest += 1, isLatest = () => number === latest;
    const detail = {
      request: request(text), figure,
      say: words => { if (isLatest()) say(words); },
      done: answer => {
        if (!isLatest()) return;
        shown = text;
        say("");
        draw(answer);
      },
      fail: words => { if (isLatest()) say(words, true); },
    };
    const event = new CustomEvent(asked, {bubbles: true, cancelable: true, detail});
    if (!root.dispatchEvent(event)) return;
    say(`This page has no Python to ${action.toLowerCase()} it.`, true);
  };
  form.addEventListener("submit", e => {
    e.preventDefault();
    const text = written(), fault = findFault(text);
    say(fault, !!fault);
    if (fault) latest += 1; else ask(text);
  });
  return form;
};

// What stands in place of the form where the page has no Python.
const makeElsewhere = (kind, call) => make("p", {class: "ask-elsewhere"},
  `To see a ${kind} of your own, call `, make("code", {}, call), " in a cell.");

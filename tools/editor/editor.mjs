// The editor of a page's code cells: CodeMirror 6 with what Python and a keyboard need.
// build.mjs bundles it to book/_run/editor.js.
import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import {
  defaultKeymap,
  history,
  historyKeymap,
  indentWithTab,
  isolateHistory,
} from "@codemirror/commands";
import { bracketMatching, indentOnInput, indentUnit } from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { StyleModule } from "style-mod";
import { highlightedPython } from "./highlight.mjs";

const KEYS =
  "Tab indents. Escape, then Tab, leaves the editor. Shift+Enter runs the code.";

// Colors and fonts are the theme's, so they follow its light and dark.
const look = EditorView.theme({
  "&": {
    backgroundColor: "var(--pst-color-surface)",
    border: "1px solid var(--pst-color-border)",
    borderRadius: "4px",
    color: "inherit",
    fontSize: "0.84rem",
  },
  "&.cm-focused": {
    outline: "2px solid var(--pst-color-primary)",
    outlineOffset: "1px",
  },
  ".cm-scroller": {
    fontFamily: "var(--pst-font-family-monospace, monospace)",
    lineHeight: "1.55",
  },
  ".cm-content": { caretColor: "var(--pst-color-text-base)", padding: "0.6rem 0" },
  ".cm-line": { padding: "0 0.9rem" },
  "&.cm-focused .cm-matchingBracket": {
    backgroundColor: "transparent",
    outline: "1px solid var(--pst-color-text-muted)",
  },
  "&.cm-focused .cm-nonmatchingBracket": {
    backgroundColor: "transparent",
    textDecoration: "underline wavy",
  },
});
const frame = new StyleModule({
  ".code-editor": { maxWidth: "100%", minWidth: 0 },
  // Only the code has a ground of its own, not the line below it.
  "html[data-theme] .highlight.code-editor": { background: "none" },
  ".code-editor-keys": {
    color: "var(--pst-color-text-muted)",
    fontSize: "0.8rem",
    margin: "0.25rem 0 0",
  },
  // Below 16 pixels, a phone enlarges the page as soon as the reader touches the text.
  "@media (pointer: coarse)": {
    ".code-editor .cm-editor": { fontSize: "16px" },
    ".code-editor-keys": { display: "none" },
  },
  "@media print": {
    ".code-editor .cm-editor": { border: "none" },
    ".code-editor-keys": { display: "none" },
  },
});

// CodeMirror lets Tab leave for two seconds after Escape. That is too short for some
// readers: here it does until they type, move, or have left.
const letTabLeave = {
  key: "Escape",
  run(view) {
    view.setTabFocusMode(true);
    view.dispatch({ effects: EditorView.announce.of("Tab now leaves the editor.") });
    return true;
  },
};
const keepTabAgain = [
  EditorView.updateListener.of(({ docChanged, selectionSet, view }) => {
    if (docChanged || selectionSet) view.setTabFocusMode(false);
  }),
  EditorView.domEventObservers({ blur: (_, view) => view.setTabFocusMode(false) }),
];

function keys(onRun) {
  const run = () => {
    onRun();
    return true;
  };
  return keymap.of([
    ...["Shift-Enter", "Mod-Enter", "Ctrl-Enter"].map((key) => ({ key, run })),
    letTabLeave,
    indentWithTab,
    ...closeBracketsKeymap,
    ...historyKeymap,
    ...defaultKeymap,
  ]);
}

function extensions(onRun, label) {
  const name = `${label.replace(/[.\s]+$/, "")}. ${KEYS}`;
  return [
    keys(onRun),
    keepTabAgain,
    history(),
    closeBrackets(),
    bracketMatching(),
    indentOnInput(),
    indentUnit.of("    "),
    EditorState.tabSize.of(4),
    highlightedPython,
    look,
    // What can be edited takes the focus anyway; axe asks for the attribute.
    EditorView.contentAttributes.of({ "aria-label": name, tabindex: "0" }),
  ];
}

// Around the editor: Pygments' colors hold inside .highlight, and what the reader types
// is no shortcut of the page (Sphinx takes "/" for its search).
function makeFrame() {
  const around = document.createElement("div");
  around.className = "highlight code-editor";
  around.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
  const help = document.createElement("p");
  help.className = "code-editor-keys";
  help.setAttribute("aria-hidden", "true"); // the editor's name says it already
  help.textContent = KEYS;
  around.append(help);
  return around;
}

/**
 * Put an editor at the end of an element.
 *
 * @param {HTMLElement} element where it goes
 * @param {string} code what it holds at first
 * @param {() => void} onRun called on Shift+Enter, Ctrl+Enter, and Cmd+Enter
 * @param {string} label what is edited; the accessible name adds what the keys do
 * @returns {{code: () => string, setCode: (text: string) => void, focus: () => void,
 *   destroy: () => void}} setCode can be undone; destroy removes the editor
 */
export function makeEditor(element, code, onRun, label) {
  StyleModule.mount(document, frame);
  const around = makeFrame();
  const view = new EditorView({ doc: code, extensions: extensions(onRun, label) });
  around.prepend(view.dom);
  element.append(around);
  return {
    code: () => view.state.doc.toString(),
    setCode(text) {
      view.dispatch({
        changes: { from: 0, to: view.state.doc.length, insert: text },
        annotations: isolateHistory.of("full"),
      });
    },
    focus: () => view.focus(),
    destroy() {
      view.destroy();
      around.remove();
    },
  };
}

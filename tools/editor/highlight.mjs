// Python in the classes that Pygments gives, so that the style sheet of the book's
// static code colors the editor too, in the light and in the dark.
import { pythonLanguage } from "@codemirror/lang-python";
import { LanguageSupport, syntaxHighlighting, syntaxTree } from "@codemirror/language";
import { Decoration, ViewPlugin } from "@codemirror/view";
import { styleTags, tagHighlighter, tags } from "@lezer/highlight";

const python = pythonLanguage.configure({
  props: [
    styleTags({
      "ExpressionStatement/String": tags.docString,
      "Decorator/At Decorator/VariableName": tags.annotation,
      'FormatReplacement/"{" FormatReplacement/"}"': tags.special(tags.brace),
      'FormatConversion FormatSpec FormatSpec/":"': tags.special(tags.brace),
      'ImportStatement/"."': tags.namespace,
      Ellipsis: tags.operator,
      "del lambda": tags.keyword,
      "as from": tags.moduleKeyword,
      '"*" "**"': tags.operator,
    }),
  ],
});

const pygments = tagHighlighter([
  { tag: [tags.keyword, tags.modifier, tags.self], class: "k" },
  { tag: tags.moduleKeyword, class: "kn" },
  { tag: tags.operatorKeyword, class: "ow" },
  { tag: [tags.bool, tags.null], class: "kc" },
  { tag: tags.function(tags.definition(tags.variableName)), class: "nf" },
  { tag: tags.definition(tags.className), class: "nc" },
  { tag: tags.annotation, class: "nd" },
  { tag: tags.comment, class: "c1" },
  { tag: tags.number, class: "m" },
  { tag: tags.docString, class: "sd" },
  { tag: tags.special(tags.brace), class: "si" },
  { tag: tags.escape, class: "se" },
  { tag: [tags.string, tags.special(tags.string)], class: "s2" },
  { tag: [tags.operator, tags.derefOperator], class: "o" },
]);

// The names that a parser cannot tell from others.
const NAMES = {
  nb:
    "abs aiter all any bin bool breakpoint bytearray bytes callable chr classmethod " +
    "compile complex delattr dict dir divmod enumerate eval filter float format " +
    "frozenset getattr globals hasattr hash hex id input int isinstance issubclass " +
    "iter len list locals map max memoryview min next object oct open ord pow print " +
    "property range repr reversed round set setattr slice sorted staticmethod str " +
    "sum super tuple type vars zip",
  bp: "self cls Ellipsis NotImplemented",
  ne:
    "ArithmeticError AssertionError AttributeError BaseException EOFError " +
    "Exception FloatingPointError ImportError IndexError KeyError " +
    "KeyboardInterrupt LookupError MemoryError NameError NotImplementedError " +
    "OSError OverflowError RecursionError RuntimeError StopIteration SyntaxError " +
    "SystemExit TypeError UserWarning ValueError Warning ZeroDivisionError",
};
const marks = new Map();
for (const [name, words] of Object.entries(NAMES)) {
  const mark = Decoration.mark({ class: name });
  for (const word of words.split(" ")) marks.set(word, mark);
}

function markNames(view) {
  const found = [];
  for (const { from, to } of view.visibleRanges) {
    const enter = (node) => {
      if (node.name !== "VariableName") return;
      const above = node.node.parent.name;
      if (above === "FunctionDefinition" || above === "ClassDefinition") return;
      const mark = marks.get(view.state.sliceDoc(node.from, node.to));
      if (mark) found.push(mark.range(node.from, node.to));
    };
    syntaxTree(view.state).iterate({ from, to, enter });
  }
  return Decoration.set(found, true);
}

const knownNames = ViewPlugin.define(
  (view) => ({
    marked: markNames(view),
    update(update) {
      const parsed = syntaxTree(update.state) !== syntaxTree(update.startState);
      if (update.docChanged || update.viewportChanged || parsed) {
        this.marked = markNames(update.view);
      }
    },
  }),
  { decorations: (plugin) => plugin.marked },
);

export const highlightedPython = [
  new LanguageSupport(python),
  syntaxHighlighting(pygments),
  knownNames,
];

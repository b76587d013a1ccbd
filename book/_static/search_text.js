// The excerpts of the search show formulas in plain letters: "p_k = e^l_k / ∑_m e^l_m" instead of TeX.
(() => {
  const SYMBOLS = {
    alpha: "α", approx: "≈", ast: "∗", cap: "∩", cdot: "·", circ: "∘", dots: "…", ge: "≥", in: "∈", infty: "∞", le: "≤",
    lfloor: "⌊", mid: "|", Phi: "Φ", pm: "±", quad: " ", qquad: " ", rfloor: "⌋", sigma: "σ", sim: "∼", sqrt: "√",
    subseteq: "⊆", sum: "∑", times: "×", to: "→", top: "ᵀ", varepsilon: "ε",
  };
  const ACCENTS = {bar: "\u0304", hat: "\u0302", tilde: "\u0303", overleftarrow: "\u20d6", overrightarrow: "\u20d7"};
  const UNSEEN = new Set(["left", "right", "big", "Big", "mathrm", "operatorname", "text", "boldsymbol"]);

  function until_nothing_changes(text, pattern, replacement) {
    for (let last; last !== text;) [last, text] = [text, text.replace(pattern, replacement)];
    return text;
  }

  function plain(tex) {
    let text = tex.replace(/\\(begin|end)\{\w+\}/g, "").replace(/\\tag\{(\w+)\}/g, "($1)");
    text = text.replace(/\\(mathrm|operatorname|text)\{([^{}]*)\}/g, "$2");
    text = text.replace(/\\(bar|hat|tilde|over\w+arrow)\s*\{?(\w)\}?/g, (_, accent, letter) => letter + (ACCENTS[accent] ?? ""));
    text = until_nothing_changes(text, /([_^])\{([^{}]*)\}/g, "$1$2");
    text = until_nothing_changes(text, /\\[td]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}/g, "($1) / ($2)");
    text = text.replace(/\\([A-Za-z]+)\s*/g, (_, name) => SYMBOLS[name] ?? (UNSEEN.has(name) ? "" : `${name} `));
    return text.replace(/\\[{}]/g, "").replace(/\\\\|\\.|&amp;|[{}]/g, " ").replace(/\s+/g, " ").trim();
  }

  addEventListener("DOMContentLoaded", () => {
    const {htmlToText} = Search;
    Search.htmlToText = (page, anchor) => htmlToText(
      page.replace(/\\\((.*?)\\\)|\\\[(.*?)\\\]/gs, (_, inline, display) => plain(inline ?? display)), anchor,
    );
  });
})();

"""The attention map that one can touch: plain HTML, style, data and script in one
string, and nothing from a network.

It shows in a page of the book, in JupyterLab and as a file of its own. Where scripts do
not run (a notebook that is not yet trusted, a page with scripts off, paper) a table of
the weights stands in its place.
"""

from html import escape
from pathlib import Path

import numpy as np

from attnlib.interactive.frame import packed, page, shown, tokens


def attention_map(source, target, weights, title=None):
    """Which words of the source each word of the target looked at, to point at, tab
    through, or play.

    source, target: lists of tokens. weights: (len(target), len(source)), between 0 and
    1, rounded to three decimals.
    Returns an object that a notebook shows; `str` of it is the HTML, `.save(path)`
    writes a page of its own. TypeError where tokens are not str; ValueError where
    weights are None (a model without attention), of another shape, not finite, or not
    between 0 and 1.
    """
    source, target = tokens("source", source), tokens("target", target)
    if weights is None:
        raise ValueError(
            "weights is None: a model without attention (attention='none') has no"
            " weights to show"
        )
    weights = np.asarray(weights, dtype=float)
    expected = len(target), len(source)
    if weights.shape != expected:
        raise ValueError(
            f"weights should have shape (len(target), len(source)) = {expected}, got"
            f" {weights.shape}"
        )
    if not np.isfinite(weights).all():
        raise ValueError("weights should be finite, got NaN or infinity")
    if weights.min() < 0 or weights.max() > 1.001:
        raise ValueError(
            f"weights should lie between 0 and 1, got {weights.min():g} to"
            f" {weights.max():g}: are these scores, before the softmax?"
        )
    return AttentionMap(source, target, weights.round(3), title)


class AttentionMap:
    """What `attention_map` returns."""

    def __init__(self, source, target, weights, title):
        self.source, self.target, self.weights, self.title = (
            source,
            target,
            weights,
            title,
        )

    def __repr__(self):
        return (
            f"AttentionMap({len(self.target)} target tokens by {len(self.source)}"
            " source tokens)"
        )

    def __str__(self):
        weights = [
            [weight or 0 for weight in row] for row in self.weights.tolist()
        ]  # 0 is shorter than 0.0
        data = {
            "source": self.source,
            "target": self.target,
            "weights": weights,
            "title": self.title,
        }
        return (
            f'<div class="attention-map"><style>{STYLE}</style>{self._table()}<script'
            ' type="application/json"'
            f' class="am-data">{packed(data)}</script><script>{SCRIPT}</script></div>'
        )

    _repr_html_ = __str__

    def save(self, path):
        """Write a page of its own, which loads nothing and may not."""
        Path(path).write_text(
            page(self.title or "Attention map", str(self)), encoding="utf-8"
        )

    def _table(self):
        """The still form. JupyterLab keeps inline style, and drops style and script
        elements, until a cell was run.
        """
        rows = [
            f"<tr><td>{''.join(f'<th scope=col>{shown(token)}' for token in self.source)}"
        ]
        for token, row in zip(self.target, self.weights, strict=True):
            rows.append(f"<tr><th scope=row>{shown(token)}{''.join(map(_cell, row))}")
        return (
            '<details class="am-still" open><summary>The weights as a table</summary>'
            '<p class="am-note">Run this cell to touch the map.</p>'
            '<div style="overflow-x:auto" role="group" aria-label="The weights as a'
            ' table" tabindex="0">'
            f'<table style="--columns:{len(self.source)}">'
            f"<caption>{escape(self.title or 'Attention weights')}<br>A row for each"
            " output word, a column for each "
            "input word; weights below 0.01 are left"
            f" out.</caption>{''.join(rows)}</table></div></details>"
        )


def _cell(weight):
    """A table cell, shaded towards the green of attention; below 0.05 without shade,
    below 0.01 empty.
    """
    if weight < 0.05:
        return f"<td>{weight:.2f}" if weight >= 0.01 else "<td>"
    shade = "".join(
        f"{round(card + (green - card) * weight):02x}"
        for card, green in ((251, 8), (250, 115), (246, 90))
    )
    ink = (
        "fff" if weight > 0.87 else "000"
    )  # the better of the two has a contrast of 4.5 or more
    return f"<td style=background:#{shade};color:#{ink}>{weight:.2f}"


STYLE = """
.attention-map{color-scheme:light dark;--card:light-dark(#fbfaf6,#1c2128);--ink:light-dark(#1f2937,#e8eaed);
--soft:light-dark(#4b5563,#b3bac4);--edge:light-dark(#d9d5c8,#444c56);--source:light-dark(#1b62a5,#7db7ee);
--source-fill:light-dark(#dbe9f6,#1b344f);--target:light-dark(#b3500c,#f0a060);
--target-fill:light-dark(#fde8d7,#48290f);
--green:light-dark(#08735a,#45c9a4);container-type:inline-size;background:var(--card);color:var(--ink);
border:1px solid var(--edge);border-radius:.9rem;padding:1rem;margin:.5rem 0;line-height:1.4}
[data-theme=light] .attention-map,[data-jp-theme-light=true] .attention-map{color-scheme:light}
[data-theme=dark] .attention-map,[data-jp-theme-light=false] .attention-map{color-scheme:dark}
.text_html:has(>.attention-map){background:none!important;padding:0!important}
.attention-map .am-note{display:none}
.am-foot{display:flex;gap:1rem;align-items:start;justify-content:space-between;margin-bottom:.5rem}
.am-title{font-weight:600;font-size:1.1rem}
.attention-map .am-play{font:inherit;color:var(--ink);background:none;border:1.5px solid var(--soft);border-radius:2rem;
padding:.15rem .9rem;cursor:pointer;min-height:2rem;white-space:nowrap}
.am-play::before{content:"";display:inline-block;margin-right:.5em;border:.38em solid transparent;
border-left:.6em solid var(--green);border-right:0}
.am-play.am-on::before{border:.36em solid var(--green)}
.am-stage{overflow-x:auto;margin:.5rem 0}
.am-board{position:relative;box-sizing:border-box;width:max-content;min-width:100%;padding:4px}
.am-row{display:flex;justify-content:space-evenly;gap:.1rem .35rem}
.am-source{margin-bottom:clamp(6.5rem,24cqw,10rem)}
.am-word{display:flex;flex-direction:column;align-items:center}
.am-source .am-word{flex-direction:column-reverse}
.am-token{font:inherit;font-size:clamp(1rem,3.7cqw,1.5rem);color:var(--ink);border:2px solid transparent;
padding:.1em .4em;min-width:1.75em;min-height:1.75rem;max-width:14em;overflow:hidden;text-overflow:ellipsis;
white-space:pre;unicode-bidi:isolate;cursor:pointer;transition:background-color .2s,opacity .2s}
.am-many .am-token{font-size:1.05rem;padding:.1em .2em}
.am-many .am-row{gap:.1rem}
.am-source .am-token{--tone:var(--source);--fill:var(--source-fill);border-radius:.7em}
.am-target .am-token{--tone:var(--target);--fill:var(--target-fill);border-radius:.15em}
.am-token{background:color-mix(in srgb,var(--green) calc(var(--w,0)*42%),var(--fill))}
.am-lit .am-token{border-color:var(--green)}
.am-chosen .am-token{border-color:var(--tone)}
.am-token[aria-pressed=true]{box-shadow:inset 0 0 0 2px var(--tone)}
.am-token:focus-visible,.am-play:focus-visible{outline:3px solid var(--ink);outline-offset:-1px}
.am-playing .am-later .am-token{opacity:.3}
.am-number{font-size:.85rem;height:1.3rem;font-variant-numeric:tabular-nums;color:var(--soft)}
.am-lit .am-number{color:var(--ink)}
.am-lines{position:absolute;left:0;width:100%;overflow:visible;pointer-events:none}
.am-lines path{fill:none;stroke:var(--green);stroke-linecap:round;stroke-width:calc(1px + 13px*var(--w));
opacity:calc(.12 + .7*var(--w));transition:opacity .25s}
.am-some path{opacity:.05}
.am-some path.am-lit{opacity:calc(.35 + .6*var(--w))}
.am-say{min-height:2.8em;margin:.15rem 0 0!important;color:var(--ink)}
.am-say b{font-weight:600}
.attention-map .am-still{border:0!important;background:none!important;padding:0!important;margin:0!important}
.attention-map .am-still summary{display:list-item;list-style:inside disclosure-closed;cursor:pointer;
color:var(--soft)!important;font-weight:400!important;width:max-content;max-width:100%}
.attention-map .am-still[open] summary{list-style-type:disclosure-open}
.am-still table{border-collapse:collapse;font-size:.85rem;margin:.5rem 0}
.am-still th,.am-still td{padding:.15rem .4rem;text-align:center;min-width:2.2rem;border:1px solid var(--edge)}
.am-still caption{caption-side:top;min-width:min(32rem,85cqw);background:var(--card);color:var(--soft);
text-align:left;font-size:.85rem}
@media(prefers-reduced-motion:reduce){.attention-map *{transition:none!important}}
@media print{.attention-map{color-scheme:light!important;print-color-adjust:exact;border:0;padding:0}
.am-live,.am-still summary{display:none}.am-still th[scope=col]{writing-mode:vertical-rl}
.am-still th,.am-still td{min-width:0;padding:.1em}.am-still table{font-size:min(.8rem,37cqw/(var(--columns) + 3))}}
"""

SCRIPT = """
(() => {
  const names = new Map([[" ", "space"], ["-", "hyphen"], [",", "comma"], [".", "full stop"], ["/", "slash"]]);
  const make = (tag, className, textContent = "") =>
    Object.assign(document.createElement(tag), {className, textContent});
  const start = (root, {source, target, weights, title}) => {
    const live = make("div", "am-live"), foot = make("div", "am-foot"), stage = make("div", "am-stage");
    const board = make("div", "am-board"), say = make("p", "am-say"), play = make("button", "am-play", "Play");
    const lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const still = root.querySelector(".am-still");
    const tokens = {source, target}, other = {source: "target", target: "source"};
    const weight = (side, i, k) => side === "target" ? weights[i][k] : weights[k][i];
    const row = (side, i) => tokens[other[side]].map((_, k) => weight(side, i, k));
    const hint = "Point at a word, tap it, or use Tab and the arrow keys.";
    const many = Math.max(source.length, target.length) > 14;
    let pinned = null, timer = null;

    // The words: buttons in two rows, one tab stop each.
    const words = {};
    for (const side of ["source", "target"]) {
      const box = make("div", "am-row am-" + side);
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", side === "source" ? "input words" : "output words");
      words[side] = tokens[side].map((token, i) => {
        const word = make("div", "am-word"), number = make("span", "am-number");
        const button = make("button", "am-token", token.trim() ? token : "\\u2423");
        button.type = "button";
        button.tabIndex = i ? -1 : 0;
        button.setAttribute("aria-pressed", "false");
        if (names.has(token)) button.setAttribute("aria-label", names.get(token));
        number.setAttribute("aria-hidden", "true");
        button.addEventListener("pointerenter", e => { if (e.pointerType === "mouse") show([side, i]); });
        button.addEventListener("pointerleave", e => { if (e.pointerType === "mouse") rest(); });
        button.addEventListener("focus", () => {
          words[side].forEach((w, k) => { w.button.tabIndex = k === i ? 0 : -1; });
          show([side, i]);
        });
        button.addEventListener("click", () => {
          stop();
          pinned = pinned && pinned[0] === side && pinned[1] === i ? null : [side, i];
          show(pinned);
        });
        word.append(button, number);
        box.append(word);
        return {word, button, number};
      });
      board.append(box);
    }

    const links = [];
    weights.forEach((w, i) => w.forEach((value, j) => {
      if (value < 0.01) return;
      const path = document.createElementNS(lines.namespaceURI, "path");
      path.style.setProperty("--w", value);
      lines.append(path);
      links.push({path, end: 2 + 6.5 * value, source: j, target: i});  // half its width: the end is round
    }));

    const draw = () => {
      const middle = w => w.word.offsetLeft + w.word.offsetWidth / 2;
      const top = words.source[0].button.offsetTop + words.source[0].button.offsetHeight;
      const height = words.target[0].button.offsetTop - top;
      lines.style.top = top + "px";
      lines.style.height = height + "px";
      for (const {path, end, source: j, target: i} of links) {
        const a = middle(words.target[i]), b = middle(words.source[j]), half = height / 2;
        path.setAttribute("d", `M${a} ${height - end}C${a} ${half} ${b} ${half} ${b} ${end}`);
      }
    };

    const name = token => names.get(token) || token;
    const tell = (side, i) => {
      const found = row(side, i).map((w, k) => [w, k]).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
      const some = found.filter(([w]) => w >= 0.05).slice(0, 3);
      const verb = side === "target" ? ": looked at " : ": looked at by ";
      say.replaceChildren(make("b", "", name(tokens[side][i])), verb);
      if (!some.length) say.append(found[0][0] ? "many words, none of them 0.05 or more" : "nothing");
      some.forEach(([w, k], n) => {
        say.append(n ? ", " : "", make("bdi", "", name(tokens[other[side]][k])), " " + w.toFixed(2));
      });
    };

    const show = chosen => {
      const [side, i] = chosen || [null, -1];
      const values = side ? row(side, i) : [];
      for (const here of ["source", "target"]) words[here].forEach(({word, button, number}, k) => {
        const w = side && here !== side ? values[k] : 0;
        word.classList.toggle("am-chosen", here === side && k === i);
        word.classList.toggle("am-lit", w >= 0.05);
        word.classList.toggle("am-later", here === "target" && side === "target" && k > i);
        button.style.setProperty("--w", w);
        number.textContent = w >= (many ? 0.05 : 0.005) ? w.toFixed(2) : "";
        button.setAttribute("aria-pressed", String(!!pinned && here === pinned[0] && k === pinned[1]));
      });
      lines.classList.toggle("am-some", !!side);
      for (const link of links) link.path.classList.toggle("am-lit", link[side] === i);
      if (side) tell(side, i); else say.textContent = hint;
    };
    const find = selector => {
      for (const side of ["source", "target"]) {
        const i = words[side].findIndex(w => w.button.matches(selector));
        if (i >= 0) return [side, i];
      }
      return null;
    };
    const rest = () => { if (timer === null) show(pinned || find(":focus-visible")); };

    board.addEventListener("keydown", e => {
      const at = find(":focus");
      if (!at) return;
      const [side, i] = at, last = tokens[side].length - 1, away = side === "source" ? "ArrowDown" : "ArrowUp";
      const to = {ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: last}[e.key];
      if (e.key === "Escape") { stop(); pinned = null; show(null); }
      else if (to !== undefined) words[side][Math.min(Math.max(to, 0), last)].button.focus();
      else if (e.key === away) {
        const values = row(side, i);
        words[other[side]][values.indexOf(Math.max(...values))].button.focus();
      } else return;
      e.preventDefault();
      e.stopPropagation();
    });
    board.addEventListener("focusout", e => { if (!board.contains(e.relatedTarget)) show(pinned); });

    // Play: one output word after the other, as they were written.
    const stop = () => {
      clearInterval(timer);
      timer = null;
      play.textContent = "Play";
      play.classList.remove("am-on");
      board.classList.remove("am-playing");
      say.setAttribute("aria-live", "polite");
    };
    play.type = "button";
    play.addEventListener("click", () => {
      if (timer !== null) { stop(); show(null); return; }
      let i = 0;
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      const step = () => {
        if (i === target.length) { stop(); show(null); return; }
        show(["target", i]);
        const {word} = words.target[i++];
        const left = word.offsetLeft + word.offsetWidth / 2 - stage.clientWidth / 2;
        stage.scrollTo({left, behavior: calm ? "instant" : "smooth"});
      };
      pinned = null;
      play.textContent = "Stop";
      play.classList.add("am-on");
      board.classList.add("am-playing");
      say.setAttribute("aria-live", "off");
      step();
      timer = setInterval(step, target.length > 14 ? 700 : 1100);
    });

    live.setAttribute("role", "group");
    live.setAttribute("data-lm-suppress-shortcuts", "");  // JupyterLab would take the arrow keys
    live.setAttribute("aria-label", title || "Attention map");
    lines.classList.add("am-lines");
    lines.setAttribute("aria-hidden", "true");
    board.classList.toggle("am-many", many);
    say.setAttribute("aria-live", "polite");
    board.append(lines);
    stage.append(board);
    foot.append(say, play);
    if (title) live.append(make("div", "am-title", title));
    live.append(stage, foot);
    still.before(live);
    still.open = false;
    matchMedia("print").addEventListener("change", e => { still.open = e.matches; });
    show(null);
    new ResizeObserver(draw).observe(board);
  };
  for (const root of document.querySelectorAll(".attention-map:not([data-ready])")) {
    const data = root.querySelector(".am-data");
    if (!data) continue;
    root.dataset.ready = "";
    start(root, JSON.parse(data.textContent));
  }
})();
"""
SCRIPT = "\n".join(
    line.strip() for line in SCRIPT.splitlines()
)  # a kilobyte less in each map

// Paper is white, and cannot be unfolded: what hints, solutions and answers say is printed at the end of the chapter.
(() => {
  let screen_theme, answers;

  // The question that a fold answers, or the exercise that it helps with; undefined for any other.
  function asked(fold) {
    const quiz = fold.closest(".quiz");
    const anchor = fold.parentElement.querySelector(":scope > details[id]")?.id.replace(/-(hint|solution)$/, "");
    return (quiz?.querySelector("strong") ?? document.getElementById(anchor)?.querySelector(".admonition-title"))?.textContent;
  }

  function add(tag, text) {
    const element = document.createElement(tag);
    element.textContent = text;
    answers.append(element);
  }

  addEventListener("beforeprint", () => {
    screen_theme = document.documentElement.dataset.theme;
    document.documentElement.dataset.theme = "light";
    const article = document.querySelector(".bd-article");
    answers = document.createElement("section");
    answers.className = "answers";
    let last;
    for (const fold of article.querySelectorAll(".cell_output details")) {
      const title = asked(fold);
      if (!title) continue;
      if (!last) add("h2", "Answers, hints and solutions");
      if (title !== last) add("h3", title);
      last = title;
      const copy = fold.cloneNode(true);
      copy.removeAttribute("id");
      copy.removeAttribute("name"); // else it would close its neighbours
      copy.open = true;
      answers.append(copy);
    }
    if (last) article.append(answers);
  });

  addEventListener("afterprint", () => {
    document.documentElement.dataset.theme = screen_theme;
    answers.remove();
  });
})();

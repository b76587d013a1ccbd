// A figure opens larger: by a click or a tap on it, or with the button beside it. Escape closes it, and the focus returns.
(() => {
  const ELSEWHERE = "a:not(.image-reference), button, dialog, .attn-figure, .run-output";
  let dialog, box;

  function make() {
    dialog = document.createElement("dialog");
    dialog.className = "enlarged";
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.close());
    box = document.createElement("div");
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    dialog.append(close, box);
    dialog.addEventListener("click", event => {
      if (event.target === dialog || event.target === box) dialog.close();
    });
    document.body.append(dialog);
  }

  function open(pictures, name, button) {
    if (!dialog) make();
    dialog.setAttribute("aria-label", `${name}, enlarged`);
    box.setAttribute("aria-label", name);
    box.replaceChildren(...pictures.map(picture => {
      const copy = picture.cloneNode();
      copy.removeAttribute("style"); // the width on the page
      copy.removeAttribute("id");
      return copy;
    }));
    button.focus({preventScroll: true}); // there the focus returns
    dialog.showModal();
  }

  function offer(picture) {
    // A diagram has a second copy, for dark pages.
    const copy = picture.nextElementSibling?.dataset?.shown;
    const pictures = copy ? [picture, picture.nextElementSibling] : [picture];
    const name = picture.closest("figure")?.querySelector(".caption-number")?.textContent.trim() ?? "Figure";
    const frame = document.createElement("span");
    frame.className = "enlargeable";
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Enlarge";
    button.setAttribute("aria-label", `Enlarge ${name}`);
    button.setAttribute("aria-haspopup", "dialog");
    (picture.closest("a") ?? picture).replaceWith(frame); // Sphinx links a scaled picture to itself
    frame.append(...pictures, button);
    for (const element of frame.children) element.addEventListener("click", () => open(pictures, name, button));
  }

  addEventListener("DOMContentLoaded", () => {
    for (const picture of document.querySelectorAll('.bd-article img:not([data-shown="dark"])')) {
      if (!picture.closest(ELSEWHERE)) offer(picture);
    }
  });
})();

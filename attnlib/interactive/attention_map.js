// The attention map of one model, or of several with a switch between them.
const figure = "attention_map";

// A switch between models, of which one is chosen. `change(index)` is called.
const makeSwitch = (models, change) => {
  const group = `am-${Math.random()}`;  // one per figure
  const options = models.map(({name}, i) => {
    const input = make("input", {type: "radio", name: group});
    input.checked = i === 0;
    input.addEventListener("change", () => change(i));
    return make("label", {}, input, name);
  });
  const legend = make("legend", {}, "Model");
  return make("fieldset", {class: "am-models"}, legend, ...options);
};

const start = ({live, said, data}) => {
  const {models} = data;
  drawMaps(live, said, models ?? [data],
    models && (choose => makeSwitch(models, choose)));
};

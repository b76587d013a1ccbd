// What is wrong with a text for a model that knows some characters, in words; empty if
// nothing is.
const findFault = (text, {known, longest}) => {
  const letters = [...text], unknown = new Set(letters);
  for (const letter of known) unknown.delete(letter);
  if (!letters.length) return "There is no text to translate. Enter a date.";
  if (letters.length > longest) {
    return `The text has ${letters.length} characters. At most ${longest} fit here.`;
  }
  if (!unknown.size) return "";
  const listed = [...unknown].slice(0, 5).map(letter => `“${letter}”`).join(", ");
  const all = [...known].filter(letter => letter !== " ").join(" ");
  return `The model does not know ${listed}${unknown.size > 5 ? ", and more" : ""}. ` +
    `It was trained with the space and these characters: ${all}`;
};

// Tokens of ABC, as the plugin seqgen_tunes has them: they join to the text. Source: the ABC music standard 2.1.
"use strict";

const ABC_LENGTH = "[0-9]*(?:/[0-9]+|/*)";
const ABC_NOTE = `(?:\\^\\^?|__?|=)?[A-Ga-g][,']*${ABC_LENGTH}`;
// Blanks as in Python: \s of JavaScript is with U+FEFF, and without U+0085 and U+001C to U+001F.
const ABC_MARK = "[.~H-Wh-w]|![^!\\p{White_Space}\\x1c-\\x1f|:\\[\\]]+!";
const ABC_BARLINE = "(?::|\\|\\]?|\\[\\|\\]?)(?::|\\|\\]?|\\[\\||\\])*";
const ABC_ENDING = "[1-9](?:[,-][1-9])*";
const ABC_KINDS = {
  field: "(?<![^\\n])[A-Zmrsw]:(?![|:\\]])[^\\n]*\\n?", // at the beginning of a line
  inline: "\\[[A-Zmr]:(?![|:\\]])[^\\]\\n]*\\]",
  quoted: '"[^"\\n]*"',
  grace: "\\{[^{}\\n]*\\}",
  chord: `\\[(?:(?:${ABC_MARK})*${ABC_NOTE}-?)+\\]${ABC_LENGTH}`,
  bar: `${ABC_BARLINE}(?:\\[?${ABC_ENDING})?|\\[${ABC_ENDING}`,
  tuplet: "\\([2-9](?::[1-9]?(?::(?:[1-9][0-9]?)?)?)?",
  note: ABC_NOTE,
  rest: `[xz]${ABC_LENGTH}`,
  bars_rest: "[XZ][0-9]*",
  broken: ">{1,3}|<{1,3}",
  mark: ABC_MARK,
  slur: "[()]",
  tie: "-",
  blank: "[ \\t\\n\\r`]|y[0-9]*|\\\\\\n",
  other: ".",
};
const ABC_TOKEN = new RegExp(
  Object.entries(ABC_KINDS)
    .map(([kind, pattern]) => `(?<${kind}>${pattern})`)
    .join("|"),
  "gsu",
);

// Tokens as [kind, text].
function lexAbc(text) {
  return Array.from(text.matchAll(ABC_TOKEN), (match) => [
    Object.keys(match.groups).find((kind) => match.groups[kind] !== undefined),
    match[0],
  ]);
}

// The parts of a token: a chord's notes; a note's accidental, letter and length; of anything else its characters.
function splitAbc(kind, word) {
  let parts = [];
  if (kind === "chord" || kind === "grace") {
    parts = word.match(new RegExp(`${ABC_NOTE}|[0-9]+(?:/[0-9]+|/*)|/+[0-9]*|.`, "gsu"));
  } else if (kind === "note" || kind === "rest") {
    parts = word
      .match(new RegExp(`^(\\^\\^?|__?|=)?([A-Ga-gxz][,']*)(${ABC_LENGTH})$`))
      .slice(1)
      .filter(Boolean);
  } else if (kind === "bar") {
    parts = [word.replace(/[123456789,-]+$/, ""), word.replace(/^[[\]|:]+/, "")].filter(Boolean);
  }
  return parts.length > 1 ? parts : Array.from(word);
}

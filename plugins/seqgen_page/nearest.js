// Known symbols that are similar to an unknown one, as the run's own tokenizer names them.
"use strict";

const CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn"
  .split(" ")
  .map((name) => new RegExp(`^\\p{${name}}$`, "u"));

// The quotes that a keyboard types, by the typographic ones that word processors put in their place.
const STRAIGHT_QUOTES = Object.fromEntries(
  [..."“”„‟«»″"].map((one) => [one, '"']).concat([..."‘’‚‛′"].map((one) => [one, "'"])),
);

// The most similar characters: by the letter in the other case, the base letter, the category, the code point.
function nearestCharacters(symbol, known) {
  const base = (one) => lowered(Array.from((STRAIGHT_QUOTES[one] ?? one).normalize("NFKD"))[0]);
  const own = { letter: lowered(symbol), base: base(symbol), code: symbol.codePointAt(0) };
  const category = CATEGORIES.find((one) => one.test(symbol));
  return known
    .map((one) => {
      const unlike = [lowered(one) !== own.letter, base(one) !== own.base, !category.test(one)].map(Number);
      return { one, distance: [...unlike, Math.abs(one.codePointAt(0) - own.code)] };
    })
    .sort(({ distance: a }, { distance: b }) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || a[3] - b[3])
    .slice(0, 3)
    .map(({ one }) => one);
}

const lowered = (text) => text.toUpperCase().toLowerCase(); // also "ß", as "ss"

// The symbols with the largest shares of characters in common, at least 0.4 (Ratcliff and Obershelp, as difflib has it).
function nearestSymbols(symbol, known) {
  const letters = Array.from(symbol);
  return known
    .map((one) => [Array.from(one), one])
    .map(([other, one]) => [(2 * matches(other, letters)) / (other.length + letters.length), one])
    .filter(([share]) => share >= 0.4)
    .sort((a, b) => b[0] - a[0] || (a[1] < b[1] ? 1 : -1))
    .slice(0, 3)
    .map(([, one]) => one);
}

// The characters in common: the longest part that both have, the first of several, and so on to its left and right.
function matches(a, b) {
  let best = { size: 0 };
  for (let i = 0; i < a.length; i++)
    for (let j = 0; j < b.length; j++) {
      let size = 0;
      while (i + size < a.length && j + size < b.length && a[i + size] === b[j + size]) size += 1;
      if (size > best.size) best = { i, j, size };
    }
  if (best.size === 0) return 0;
  const { i, j, size } = best;
  return size + matches(a.slice(0, i), b.slice(0, j)) + matches(a.slice(i + size), b.slice(j + size));
}

const SIMILAR = {
  characters: (symbol, known) => nearestCharacters(symbol, known.filter((one) => Array.from(one).length === 1)),
  symbols: nearestSymbols,
  case: (symbol, known) => {
    const other = symbol === symbol.toLowerCase() ? symbol.toUpperCase() : symbol.toLowerCase();
    return other !== symbol && known.includes(other) ? [other] : [];
  },
};

// A symbol in quotes; those that cannot be seen by their codes.
function quoted(symbol) {
  const names = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };
  const code = (one) => {
    const digits = one.codePointAt(0).toString(16), size = [2, 4, 8].find((most) => digits.length <= most);
    return `\\${{ 2: "x", 4: "u", 8: "U" }[size]}${digits.padStart(size, "0")}`;
  };
  const mark = symbol.includes("'") && !symbol.includes('"') ? '"' : "'";
  const shown = symbol.replace(/\\|(?! )[\p{C}\p{Z}]/gu, (one) => names[one] ?? code(one));
  return mark + (mark === "'" ? shown.replaceAll("'", "\\'") : shown) + mark;
}

// What an unknown symbol of a text is answered with. position: of the symbol, in characters. way: a key of SIMILAR.
function unknownSymbol(symbol, position, known, way) {
  const codes = Array.from(symbol, (one) => `U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`);
  const near = SIMILAR[way](symbol, known);
  const others = near.length ? `; the nearest known ones are ${near.map(quoted).join(", ")}` : "";
  const typed = near.includes(STRAIGHT_QUOTES[symbol]) ? "; type straight quotes" : "";
  return new Error(`unknown symbol ${quoted(symbol)} (${codes.join(" ")}) at position ${position}${others}${typed}`);
}

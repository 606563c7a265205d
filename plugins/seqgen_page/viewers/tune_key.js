// A text that is the same for all spellings of a tune: its canonical form, as the validator of the plugin seqgen_tunes
// has it. Bars are not summed here. Source: the ABC music standard 2.1.
"use strict";

const FIELDS_IGNORED = "HINOPQRSTWrsw",
  HEADER_IGNORED = "ABCDFGHINOPQRSTXZ";

function refuse(what) {
  throw new Error(`${what} is not legal`);
}

// A length: "/2" and "/" are "/", "3/" is "3/2", "1" is "".
function spellLength(text) {
  const found = /^(\d*)(\/\d+|\/*)$/.exec(text) ?? refuse(text),
    above = Number(found[1] || 1);
  const below = found[2].length > 1 && found[2][1] !== "/" ? Number(found[2].slice(1)) : 2 ** found[2].length;
  if (!above || !below || text.length > 8) refuse(text);
  if (above === 1 && below === 2) return "/";
  return (above === 1 ? "" : above) + (below === 1 ? "" : `/${below}`);
}

const GRACE = new RegExp(`^\\{/?(?:${ABC_NOTE}|[<>() -])*\\}$`);
const SPELLED_NOTE = new RegExp(`(\\^\\^?|__?|=)?([A-Ga-g])([,']*)(${ABC_LENGTH})`, "gu");

// The notes of a text: "c," is "C", "C'" is "c".
function spellNotes(text) {
  return text.replace(SPELLED_NOTE, (_, sign = "", letter, marks, length) => {
    const count = (mark) => marks.split(mark).length - 1,
      octave = Number(letter > "Z") + count("'") - count(",");
    const name =
      octave > 0 ? letter.toLowerCase() + "'".repeat(octave - 1) : letter.toUpperCase() + ",".repeat(-octave);
    return sign + name + spellLength(length);
  });
}

function spellChord(text) {
  const end = text.lastIndexOf("]");
  return `[${spellNotes(text.slice(1, end))}]${spellLength(text.slice(end + 1))}`;
}

function spellMetre(text) {
  const name = text.trim(),
    sum = /^(\(?)[1-9]\d?(?:\+[1-9]\d?)*(\)?)\/(?:1|2|4|8|16|32|64)$/.exec(name);
  const isLegal = sum !== null && sum[1].length === sum[2].length;
  return isLegal || ["C", "C|", "none"].includes(name) ? name : refuse(text);
}

function spellUnit(text) {
  return /^1(?:\/(?:1|2|4|8|16|32|64|128|256|512))?$/.exec(text.trim())?.[0] ?? refuse(text);
}

// Settings of the staff after a key, which are ignored.
const STAFF = new RegExp(
  "[ \\t]+(?:(?:clef=)?(?:treble|alto|tenor|bass|perc|none)[1-5]?(?:[+-]8)?" +
    "|middle=[A-Ga-g][,']*|(?:transpose|octave|stafflines)=[+-]?[0-9]+)(?![^ \\t])",
  "g",
);

function spellKey(text) {
  const name = text.trim().replace(STAFF, "");
  if (["none", "HP", "Hp"].includes(name)) return name;
  const found = /^([A-G][#b]?) *([A-Za-z]*)((?: *(?:\^\^?|__?|=)[A-Ga-g])*)$/.exec(name) ?? refuse(text);
  const mode = found[2] === "m" ? "m" : found[2].toLowerCase().slice(0, 3);
  if (!(mode in MODES || mode === "") || (mode.length < 3 && !["", "m"].includes(found[2]))) refuse(text);
  if (readKey(name) === null) refuse(text);
  const shown = { maj: "", ion: "", min: "m", aeo: "m" }[mode] ?? mode;
  return [found[1] + shown, ...(found[3].match(/(?:\^\^?|__?|=)[A-Ga-g]/g) ?? [])].join(" ");
}

const PLAIN_LINE = { ends: false, starts: false, double: false, final: false, ending: "", bare: false };

function parseLine(text) {
  const parts = /^([|:[\]]*?)(?:(?:(?<=[|:\]])\[?|(?<![|:\]])\[)([1-9](?:[,-][1-9])*))?$/.exec(text) ?? refuse(text);
  const [, line, ending = ""] = parts,
    inside = line.replace(/^:+|:+$/g, "");
  if (!line) return { ...PLAIN_LINE, ending, bare: true };
  if (!inside) return line.length === 2 ? { ...PLAIN_LINE, ends: true, starts: true, ending } : refuse(text);
  const thick = /[[\]]/.test(inside),
    double = inside.split("|").length > 2 && !thick;
  return {
    ...PLAIN_LINE, ends: line.startsWith(":"), starts: line.endsWith(":"), double,
    final: thick && inside !== "[|]", ending,
  };
}

// Two bar lines with nothing between them.
function joinLines(a, b) {
  const found = { ending: b.ending || a.ending, bare: a.bare && b.bare };
  for (const name of ["ends", "starts", "double", "final"]) found[name] = a[name] || b[name];
  return found;
}

function spellLine({ ends, starts, double, final, ending, bare }) {
  if (bare) return `[${ending}`;
  const line = ends && starts ? "::" : ends ? ":|" : starts ? "|:" : final ? "|]" : double ? "||" : "|";
  return ending ? `${line}${line === "|" || line === ":|" ? "" : "["}${ending}` : line;
}

// The spelling of a tune while it is read: texts and bar lines.
class TuneSpeller {
  constructor() {
    Object.assign(this, { spelled: [PLAIN_LINE], left: 0, isEmpty: true, hasBars: false });
  }

  // Add a note, a chord or a rest.
  sound(text) {
    this.spelled.push(text);
    this.isEmpty = false;
  }

  line(line) {
    const { spelled, left } = this;
    if (this.isEmpty) {
      if (spelled[left].ending || (!this.hasBars && line.ends)) refuse(spellLine(line));
      spelled[left] = joinLines(spelled[left], line);
    } else {
      this.left = spelled.push(line) - 1;
      Object.assign(this, { isEmpty: true, hasBars: true });
    }
  }

  field(name, value) {
    const spell = { M: spellMetre, L: spellUnit, K: spellKey }[name];
    if (spell) this.spelled.push(`[${name}:${spell(value)}]`);
    else if (!FIELDS_IGNORED.includes(name)) refuse(name);
  }

  // A rest of whole bars.
  bars(text) {
    if (!this.isEmpty || text.length > 3) refuse(text);
    for (let left = Number(text.slice(1) || 1) || refuse(text); left > 0; left--) {
      this.sound("Z");
      if (left > 1) this.line(PLAIN_LINE);
    }
  }

  read(kind, word) {
    if (kind === "note") this.sound(spellNotes(word));
    else if (kind === "chord") this.sound(spellChord(word));
    else if (kind === "rest") this.sound(word[0] + spellLength(word.slice(1)));
    else if (kind === "bars_rest") this.bars(word);
    else if (kind === "bar") this.line(parseLine(word));
    else if (kind === "inline") this.field(word[1], word.slice(3, -1));
    else if (kind === "field") this.field(word[0], word.slice(2));
    else if (kind === "grace") this.spelled.push(GRACE.test(word) ? word.replaceAll(" ", "") : refuse(word));
    else if (kind === "other") refuse(word);
    else if (kind !== "blank") this.spelled.push(word);
  }

  finish() {
    const [first, ...others] = this.spelled;
    const lines = first.starts || first.ending ? [first, ...others] : others; // a plain line at the start means nothing
    return lines.map((one) => (typeof one === "string" ? one : spellLine(one))).join("");
  }
}

// The canonical form of a tune. Raises an error where there is none.
function tuneKey(text) {
  const values = {},
    lines = /([A-Za-z]):([^\n]*)(?:\n|$)/y;
  let start = 0;
  while (!("K" in values)) {
    const [whole, name, value] = lines.exec(text) ?? refuse("the header");
    if ("MLK".includes(name)) values[name] = value;
    else if (!HEADER_IGNORED.includes(name)) refuse(name);
    start += whole.length;
  }
  if (!("M" in values && "L" in values)) refuse("the header");
  const unit = spellUnit(values.L),
    speller = new TuneSpeller();
  for (const [kind, word] of lexAbc(text.slice(start))) speller.read(kind, word);
  return `M:${spellMetre(values.M)}\nL:${unit === "1/1" ? "1" : unit}\nK:${spellKey(values.K)}\n${speller.finish()}`;
}

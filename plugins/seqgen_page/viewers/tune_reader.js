// Tunes from ABC: bars of notes and rests, with keys and metres.
"use strict";

const LETTERS = "CDEFGAB",
  SHARPS = "FCGDAEB";
const MODES = { maj: 0, ion: 0, m: -3, min: -3, aeo: -3, mix: -1, dor: -2, phr: -4, loc: -5, lyd: 1 };

// Sharps of a key, flats as a negative number; null if the text is no key.
function readKey(text) {
  const found = /^\s*([A-G])([#b]?)\s*([A-Za-z]*)/.exec(text);
  if (found === null) return /^\s*H[Pp]/.test(text) ? 2 : /^\s*none/.test(text) ? 0 : null; // pipes play D
  const name = found[3].toLowerCase(),
    mode = MODES[name] ?? MODES[name.slice(0, 3)] ?? 0;
  const sharps = SHARPS.indexOf(found[1]) - 1 + (found[2] === "#" ? 7 : found[2] === "b" ? -7 : 0) + mode;
  return Math.abs(sharps) <= 7 ? sharps : null;
}

function readMetre(text) {
  const name = text.trim();
  if (name === "C") return { text: "C", beats: 4, unit: 4 };
  if (name === "C|") return { text: "C|", beats: 2, unit: 2 };
  const found = /^(\d+)\/(\d+)$/.exec(name);
  return found && Number(found[2]) > 0 ? { text: name, beats: Number(found[1]), unit: Number(found[2]) } : null;
}

function readLength(text) {
  const [, above, slashes, below] = /^(\d*)(\/*)(\d*)$/.exec(text) ?? [];
  if (above === undefined) return 1;
  return Number(above || 1) / (below ? Number(below) : 2 ** slashes.length);
}

// A note of a token: {step, accidental, length}; step 0 is middle C, 7 the C above; the length is in unit lengths.
function readNote(word) {
  const [, sign, letter, octave, length] = /^(\^\^?|__?|=)?([A-Ga-g])([,']*)(.*)$/s.exec(word);
  const upper = letter === letter.toUpperCase();
  let step = LETTERS.indexOf(letter.toUpperCase()) + (upper ? 0 : 7);
  for (const mark of octave) step += mark === "'" ? 7 : -7;
  const accidental = sign === undefined ? null : sign === "=" ? 0 : sign[0] === "^" ? sign.length : -sign.length;
  return { step, accidental, length: readLength(length) };
}

const notesIn = (word) => (word.match(new RegExp(`${ABC_NOTE}`, "gu")) ?? []).map(readNote);

// Return {metre, key, bars}. A bar: {events, start, end, ending}, start and end the texts of its bar lines. An event:
// {notes, length, shown, grace, beamed, tied, tuplet} (a rest has no notes; lengths are parts of a whole note, `shown`
// before tuplets), or {key} or {metre}. Raises an error without a key or without notes.
function readTune(text) {
  let unit = null,
    metre = null,
    key = null,
    joined = false,
    broken = null,
    tuplet = null,
    grace = [];
  const bars = [],
    fresh = (start) => ({ events: [], start, end: "", ending: "" });
  let bar = fresh("");
  const field = (name, value) => {
    if (name === "L") unit = readLength(value.trim()) || null;
    if (name === "M") {
      const found = readMetre(value);
      if (found && key !== null) bar.events.push({ metre: found });
      metre = key === null ? found : metre;
    }
    if (name === "K") {
      const found = readKey(value);
      if (found !== null && key !== null) bar.events.push({ key: found });
      if (key === null) key = found;
    }
  };
  const add = (notes, length) => {
    const size = length * (unit ?? (metre && metre.beats / metre.unit < 0.75 ? 1 / 16 : 1 / 8));
    const event = { notes, shown: size, length: size, grace, beamed: joined, tied: false, tuplet: null };
    if (broken !== null) event.shown *= broken;
    event.length = event.shown;
    if (tuplet !== null) {
      event.tuplet = tuplet;
      event.length *= tuplet.factor;
      tuplet.left -= 1;
      if (tuplet.left === 0) tuplet = null;
    }
    broken = null;
    grace = [];
    joined = true;
    bar.events.push(event);
  };
  for (const [kind, word] of lexAbc(text)) {
    if (kind === "field") field(word[0], word.slice(2));
    else if (kind === "inline") field(word[1], word.slice(3, -1));
    else if (kind === "note") {
      const note = readNote(word);
      add([note], note.length);
    } else if (kind === "chord") {
      const notes = notesIn(word.slice(1, word.lastIndexOf("]"))),
        others = notes.filter((note, place) => notes.findIndex((one) => one.step === note.step) === place);
      add(others, notes[0].length * readLength(word.slice(word.lastIndexOf("]") + 1)));
      bar.events[bar.events.length - 1].tied = word.includes("-");
    } else if (kind === "rest") add([], readLength(word.slice(1)));
    else if (kind === "grace") grace = notesIn(word);
    else if (kind === "tuplet") tuplet = readTuplet(word, metre);
    else if (kind === "tie" && bar.events.length > 0) bar.events[bar.events.length - 1].tied = true;
    else if (kind === "broken" && bar.events.length > 0) {
      const last = bar.events[bar.events.length - 1],
        part = 2 ** -word.length,
        longer = word[0] === ">";
      if (last.shown === undefined) continue;
      last.shown *= longer ? 2 - part : part;
      last.length *= longer ? 2 - part : part;
      broken = longer ? part : 2 - part;
    } else if (kind === "bar") {
      const ending = (/\d.*$/.exec(word) ?? [""])[0],
        line = word.replace(/\[?\d.*$/, "") || "|";
      bar.end = line;
      if (bar.events.some((event) => event.notes)) bars.push(bar);
      else if (bars.length > 0 && line !== "|") bars[bars.length - 1].end = line;
      const left = bar.events.filter((event) => !event.notes);
      bar = fresh(line);
      bar.ending = ending;
      bar.events = bars.length > 0 && bars[bars.length - 1].events.includes(left[0]) ? [] : left;
      joined = false;
    } else if (kind === "blank") joined = false;
  }
  if (bar.events.some((event) => event.notes)) bars.push(bar);
  if (key === null) throw new Error("there is no key");
  if (bars.length === 0) throw new Error("there are no notes");
  return { metre, key, bars };
}

function readTuplet(word, metre) {
  const [count, time, size] = word.slice(1).split(":").map(Number),
    compound = metre !== null && metre.unit === 8 && metre.beats % 3 === 0;
  const usual = { 2: 3, 3: 2, 4: 3, 6: 2, 8: 3 }[count] ?? (compound ? 3 : 2);
  return { count, factor: (time || usual) / count, left: size || count };
}

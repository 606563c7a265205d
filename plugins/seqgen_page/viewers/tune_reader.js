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

// A tune while it is read.
class TuneReader {
  constructor() {
    Object.assign(this, { unit: null, metre: null, key: null, bars: [] });
    Object.assign(this, { joined: false, broken: null, tuplet: null, grace: [] }); // for the next note
    this.bar = { events: [], start: "", end: "", ending: "" };
  }

  read(kind, word) {
    if (kind === "field") this.field(word[0], word.slice(2));
    else if (kind === "inline") this.field(word[1], word.slice(3, -1));
    else if (kind === "note") this.add([readNote(word)], readNote(word).length);
    else if (kind === "rest") this.add([], readLength(word.slice(1)));
    else if (kind === "chord") this.chord(word);
    else if (kind === "grace") this.grace = notesIn(word);
    else if (kind === "tuplet") this.tuplet = readTuplet(word, this.metre);
    else if (kind === "tie" && this.last !== undefined) this.last.tied = true;
    else if (kind === "broken") this.breakRhythm(word);
    else if (kind === "bar") this.barLine(word);
    else if (kind === "blank") this.joined = false;
  }

  get last() {
    return this.bar.events[this.bar.events.length - 1];
  }

  // Fields before the key are those of the tune; later ones are changes.
  field(name, value) {
    const { bar, key } = this;
    if (name === "L") this.unit = readLength(value.trim()) || null;
    if (name === "M") {
      const found = readMetre(value);
      if (key === null) this.metre = found;
      else if (found !== null) bar.events.push({ metre: found });
    }
    if (name === "K") {
      const found = readKey(value);
      if (key === null) this.key = found;
      else if (found !== null) bar.events.push({ key: found });
    }
  }

  // length: in unit lengths.
  add(notes, length) {
    const { metre, tuplet } = this,
      usual = metre !== null && metre.beats / metre.unit < 0.75 ? 1 / 16 : 1 / 8;
    const shown = length * (this.unit ?? usual) * (this.broken ?? 1);
    const event = { notes, shown, length: shown, grace: this.grace, beamed: this.joined, tied: false, tuplet };
    if (tuplet !== null) {
      event.length *= tuplet.factor;
      tuplet.left -= 1;
      if (tuplet.left === 0) this.tuplet = null;
    }
    Object.assign(this, { broken: null, grace: [], joined: true });
    this.bar.events.push(event);
  }

  chord(word) {
    const end = word.lastIndexOf("]"),
      notes = notesIn(word.slice(1, end));
    const different = notes.filter((note, place) => notes.findIndex((one) => one.step === note.step) === place);
    this.add(different, notes[0].length * readLength(word.slice(end + 1)));
    this.last.tied = word.includes("-");
  }

  // One note longer and its neighbour shorter: ">" between a dotted note and a short one.
  breakRhythm(word) {
    if (this.last?.shown === undefined) return;
    const part = 2 ** -word.length,
      [first, second] = word[0] === ">" ? [2 - part, part] : [part, 2 - part];
    this.last.shown *= first;
    this.last.length *= first;
    this.broken = second;
  }

  // End a bar; one without notes leaves its changes to the next.
  barLine(word) {
    const ending = (/\d.*$/.exec(word) ?? [""])[0],
      line = word.replace(/\[?\d.*$/, "") || "|";
    const { bar, bars } = this,
      isFull = bar.events.some((event) => event.notes);
    if (isFull) bars.push({ ...bar, end: line });
    else if (bars.length > 0 && line !== "|") bars[bars.length - 1].end = line;
    this.bar = { events: isFull ? [] : bar.events, start: line, end: "", ending };
    this.joined = false;
  }
}

// Return {metre, key, bars}. A bar: {events, start, end, ending}, start and end the texts of its bar lines. An event:
// {notes, length, shown, grace, beamed, tied, tuplet} (a rest has no notes; lengths are parts of a whole note, `shown`
// before tuplets), or {key} or {metre}. Raises an error without a key or without notes.
function readTune(text) {
  const reader = new TuneReader();
  for (const [kind, word] of lexAbc(text)) reader.read(kind, word);
  const { metre, key, bars, bar } = reader;
  if (bar.events.some((event) => event.notes)) bars.push(bar);
  if (key === null) throw new Error("there is no key");
  if (bars.length === 0) throw new Error("there are no notes");
  return { metre, key, bars };
}

function readTuplet(word, metre) {
  const [count, time, size] = word.slice(1).split(":").map(Number);
  const isCompound = metre !== null && metre.unit === 8 && metre.beats % 3 === 0;
  const usual = { 2: 3, 3: 2, 4: 3, 6: 2, 8: 3 }[count] ?? (isCompound ? 3 : 2);
  return { count, factor: (time || usual) / count, left: size || count };
}

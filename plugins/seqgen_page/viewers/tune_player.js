// Tunes as sound, by oscillators of the browser.
"use strict";

const NATURAL = [0, 2, 4, 5, 7, 9, 11]; // semitones of C to B

// The bars in the order in which repeats and endings have them played, as indices; at most 2,000.
function playOrder(bars) {
  const order = [],
    holds = (ending, pass) =>
      ending === "" ||
      ending.split(",").some((part) => {
        const [first, last = first] = part.split("-").map(Number);
        return first <= pass && pass <= last;
      });
  let start = 0,
    pass = 1,
    at = 0;
  while (at < bars.length && order.length < 2000) {
    const bar = bars[at];
    if (bar.start.endsWith(":") && at !== start) {
      start = at;
      pass = 1;
    }
    if (!holds(bar.ending, pass)) {
      const next = bars.findIndex((other, index) => index > at && other.ending !== "" && holds(other.ending, pass));
      if (next < 0) {
        at += 1;
        continue;
      }
      at = next;
      continue;
    }
    order.push(at);
    if (bar.end.startsWith(":") && pass === 1) {
      pass = 2;
      at = start;
      continue;
    }
    at += 1;
    if (bar.end.startsWith(":") || (bar.ending !== "" && pass === 2)) {
      start = at;
      pass = 1;
    }
  }
  return order;
}

// Notes to play: {sounds: [{start, length, pitch}], length}, times in whole notes, pitches as numbers of MIDI. order:
// indices of bars.
function soundsOf(tune, order) {
  const sounds = [],
    tied = new Map();
  let time = 0,
    key = tune.key;
  for (const index of order) {
    const changed = new Map(); // accidentals hold for a bar, in all octaves (ABC 2.1, section 11.3)
    for (const event of tune.bars[index].events) {
      if (event.key !== undefined) key = event.key;
      if (event.notes === undefined) continue;
      for (const { step, accidental } of event.notes) {
        const degree = ((step % 7) + 7) % 7,
          rank = SHARPS.indexOf(LETTERS[degree]);
        const usual = key > rank ? 1 : -key > 6 - rank ? -1 : 0;
        if (accidental !== null) changed.set(degree, accidental);
        const pitch = 60 + 12 * Math.floor(step / 7) + NATURAL[degree] + (changed.get(degree) ?? usual);
        const before = tied.get(pitch);
        if (before !== undefined && Math.abs(before.start + before.length - time) < 1e-6) before.length += event.length;
        else sounds.push({ start: time, length: event.length, pitch });
        if (event.tied) tied.set(pitch, before ?? sounds[sounds.length - 1]);
        else tied.delete(pitch);
      }
      time += event.length;
    }
  }
  return { sounds, length: time };
}

// Schedule a tune on an AudioContext, from now on; returns its length in seconds.
function soundTune(text, context) {
  const tune = readTune(text),
    { sounds, length } = soundsOf(tune, playOrder(tune.bars));
  const compound = tune.metre !== null && tune.metre.unit === 8 && tune.metre.beats % 3 === 0;
  const wholeS = compound ? 1.5 : 2; // seconds of a whole note
  const volume = new GainNode(context, { gain: 0.25 }),
    begin = context.currentTime + 0.1;
  volume.connect(context.destination);
  for (const { start, length: size, pitch } of sounds) {
    const from = begin + start * wholeS,
      until = from + size * wholeS * 0.95;
    const source = new OscillatorNode(context, { type: "triangle", frequency: 440 * 2 ** ((pitch - 69) / 12) });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, from);
    gain.gain.linearRampToValueAtTime(0.9, from + 0.015);
    gain.gain.linearRampToValueAtTime(0.5, Math.max(from + 0.02, until - 0.03));
    gain.gain.linearRampToValueAtTime(0, Math.max(from + 0.03, until));
    source.connect(gain).connect(volume);
    source.start(from);
    source.stop(until + 0.05);
  }
  return length * wholeS + 0.4;
}

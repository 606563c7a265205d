// Rows of samples: the same numbers as seqgen's own sampler, since those of a row are keyed by seed and row.
"use strict";

const PAD = 0, BEGIN = 1, END = 2;
const BLOCK = 1024; // rows that share a stream of random numbers

// -- random numbers: Philox 4x64 with ten rounds, as NumPy has it (doi:10.1145/2063384.2063405)

const WORD = (1n << 64n) - 1n;

function philox(counter, seed, block) {
  let [a, b, c, d] = [BigInt(counter), 0n, 0n, 0n];
  let [k0, k1] = [BigInt(seed), BigInt(block)];
  for (let round = 0; round < 10; round++) {
    const p = 0xd2e7470ee14c6c93n * a, q = 0xca5a826395121157n * c;
    [a, b, c, d] = [(q >> 64n) ^ b ^ k0, q & WORD, (p >> 64n) ^ d ^ k1, p & WORD];
    k0 = (k0 + 0x9e3779b97f4a7c15n) & WORD;
    k1 = (k1 + 0xbb67ae8584caa73bn) & WORD;
  }
  return [a, b, c, d];
}

class Uniforms {
  constructor(seed) {
    this.seed = seed;
    this.known = new Map(); // the numbers of a block of rows at a position
  }

  // A number in [0, 1) with 24 bits for a row and a position.
  at(row, position) {
    const block = Math.floor(row / BLOCK), key = block * 2 ** 24 + position;
    let numbers = this.known.get(key);
    if (numbers === undefined) {
      numbers = new Float32Array(BLOCK);
      for (let place = 0; place < BLOCK; place += 8) {
        const words = philox(1 + (position * BLOCK + place) / 8, this.seed, block);
        for (let w = 0; w < 4; w++) {
          numbers[place + 2 * w] = Number((words[w] & 0xffffffffn) >> 8n) / 16777216;
          numbers[place + 2 * w + 1] = Number(words[w] >> 40n) / 16777216;
        }
      }
      if (this.known.size > 4096) this.known.clear();
      this.known.set(key, numbers);
    }
    return numbers[row % BLOCK];
  }
}

// -- the choice of a symbol

// Change logits (one for each allowed id) by temperature, top-k and top-p, in this order.
function adjust(logits, settings) {
  const n = logits.length;
  if (settings.temperature !== 1) {
    let most = -Infinity;
    for (let i = 0; i < n; i++) if (logits[i] > most) most = logits[i];
    if (settings.temperature < 1e-30) keepLargest(logits, 1);
    else for (let i = 0; i < n; i++) logits[i] = (logits[i] - most) / settings.temperature;
  }
  if (settings.topK && settings.topK < n) keepLargest(logits, settings.topK);
  if (settings.topP && settings.topP < 1) keepShare(logits, settings.topP);
}

function keepLargest(logits, k) {
  const least = Float32Array.from(logits).sort()[logits.length - k];
  for (let i = 0; i < logits.length; i++) if (logits[i] < least) logits[i] = -Infinity;
}

function keepShare(logits, share) {
  const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
  const most = logits[order[0]];
  let total = 0, before = 0;
  for (const value of logits) total += Math.exp(value - most);
  order.forEach((index, place) => {
    const probability = Math.exp(logits[index] - most) / total;
    if (place > 0 && before >= share) logits[index] = -Infinity;
    before += probability;
  });
}

// The first id whose cumulated probability exceeds the number; an id at minus infinity is never chosen.
function choose(logits, uniform, cumulated) {
  const n = logits.length;
  let most = -Infinity, total = 0;
  for (let i = 0; i < n; i++) if (logits[i] > most) most = logits[i];
  for (let i = 0; i < n; i++) cumulated[i] = total += Math.exp(logits[i] - most);
  const wanted = uniform * total;
  for (let i = 0; i < n; i++) if (cumulated[i] > wanted) return i;
  return -1;
}

// -- rows

// Sample rows with given numbers; `found` is called with each when it has ended.
class Sampler {
  // model: see model.js. settings: seed, temperature, topK, topP, forced (ids before the free part), maxLength.
  constructor(model, settings) {
    this.model = model;
    this.settings = settings;
    this.uniforms = new Uniforms(settings.seed);
    this.plain = settings.temperature === 1 && !settings.topK && !(settings.topP && settings.topP < 1);
    this.allowed = Int32Array.from(model.allowed);
    this.logits = new Float32Array(this.allowed.length);
    this.cumulated = new Float64Array(this.allowed.length);
  }

  // Sample rows, at most `width` at a time. Yields after each step, so that a page can draw in between; `found` is
  // called with {row, ids, nats, cut} when a row has ended.
  *sample(rows, width, found) {
    const { model, settings } = this, waiting = rows.slice();
    width = Math.min(width, rows.length);
    let running = 0, batch = null;
    const open = new Array(width).fill(null), ids = new Int32Array(width);
    const begin = (slot) => {
      open[slot] = { row: waiting.shift(), ids: [], nats: [] };
      ids[slot] = BEGIN;
      running += 1;
    };
    while (running > 0 || waiting.length > 0) {
      if (running === 0) {
        batch = model.batch(width);
        for (let slot = 0; slot < width && waiting.length > 0; slot++) begin(slot);
      }
      const logits = batch.step(ids);
      for (let slot = 0; slot < width; slot++) {
        const one = open[slot];
        if (one === null) continue;
        ids[slot] = this.next(one, logits, slot * model.nIds);
        const ended = ids[slot] === END;
        if (!ended && one.ids.length - model.nSlots <= settings.maxLength) continue;
        one.ids.pop();
        if (!ended) one.nats.pop();
        found({ row: one.row, ids: one.ids.slice(model.nSlots), nats: one.nats, cut: !ended });
        open[slot] = null;
        running -= 1;
        if (waiting.length > 0 && !model.grows) {
          batch.restart(slot);
          begin(slot);
        }
      }
      yield;
    }
  }

  // Append the next id of a row and what it costs.
  next(one, logits, start) {
    const { allowed, settings, model } = this;
    const position = one.ids.length, n = allowed.length;
    const forced = position < settings.forced.length;
    let id;
    if (forced) {
      id = settings.forced[position];
    } else {
      for (let i = 0; i < n; i++) this.logits[i] = logits[start + allowed[i]];
      if (!this.plain) adjust(this.logits, settings);
      const place = choose(this.logits, this.uniforms.at(one.row, position), this.cumulated);
      if (place < 0) throw new Error("the logits of the model are not finite");
      id = allowed[place];
    }
    one.ids.push(id);
    if (position >= model.nSlots) one.nats.push(model.nats(logits, start, id));
    return id;
  }
}

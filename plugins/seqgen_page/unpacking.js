// Typed arrays from the text that the page holds; packing.py writes it.
"use strict";

const KINDS = {
  float32: Float32Array, float64: Float64Array, uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array,
};

function bytesOf(text) {
  const characters = atob(text.trim()), bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

// The numbers of 16 bits: a sign, 5 bits of the exponent, 10 of the fraction.
function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function unpacked(text, described) {
  const bytes = bytesOf(text), found = [];
  let start = 0;
  const take = (Kind, size) => {
    const length = size * Kind.BYTES_PER_ELEMENT;
    const array = new Kind(bytes.slice(start, start + length).buffer);
    start += length;
    return array;
  };
  for (const [kind, size, columns] of described) {
    if (kind === "int8") {
      const scales = take(Float32Array, size), whole = take(Int8Array, size * columns);
      found.push(Float32Array.from(whole, (value, place) => value * scales[Math.floor(place / columns)]));
    } else if (kind === "float16") {
      found.push(Float32Array.from(take(Uint16Array, size), halfToNumber));
    } else {
      found.push(take(KINDS[kind], size));
    }
  }
  return found;
}

// The model and the texts of a page. read: from the id of an element to its text.
function loadPage(read) {
  const facts = JSON.parse(read("facts"));
  startKernel(bytesOf(read("kernel")));
  const all = unpacked(read("arrays"), facts.arrays);
  const weights = all.splice(0, facts.nWeights), begin = all.splice(0, facts.nLeaves);
  const tables = Object.fromEntries(facts.tables.map((name, place) => [name, all[place]]));
  const counts = facts.counts && new Counts(tables, facts.counts, facts.nIds);
  const form = (text) => (facts.novelty.keyed ? keyOf(viewer, text) : text);
  const novelty = facts.novelty ? new Novelty(all[facts.tables.length], facts.novelty, form) : null;
  return { facts, model: new Model(facts, weights, begin, counts), texts: new Texts(facts.texts), novelty };
}

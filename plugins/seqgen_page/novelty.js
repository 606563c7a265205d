// Whether a text is one of the training records, by a Bloom filter: no record is missed, other texts seldom match.
"use strict";

const SHA_ROUNDS = (() => {
  const primes = [],
    roots = (power) => primes.map((prime) => Math.floor((prime ** power % 1) * 2 ** 32) | 0);
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime)) primes.push(n);
  return { add: roots(1 / 3), begin: roots(1 / 2).slice(0, 8) };
})();

// SHA-256 of bytes as eight whole numbers of 32 bits (FIPS 180-4).
function sha256(bytes) {
  const size = bytes.length,
    padded = new DataView(new ArrayBuffer(Math.ceil((size + 9) / 64) * 64));
  bytes.forEach((byte, place) => padded.setUint8(place, byte));
  padded.setUint8(size, 0x80);
  padded.setUint32(padded.byteLength - 8, Math.floor(size / 2 ** 29));
  padded.setUint32(padded.byteLength - 4, size * 8);
  const state = [...SHA_ROUNDS.begin],
    w = new Int32Array(64),
    turn = (x, by) => (x >>> by) | (x << (32 - by));
  for (let start = 0; start < padded.byteLength; start += 64) {
    for (let i = 0; i < 64; i++) {
      if (i < 16) {
        w[i] = padded.getInt32(start + 4 * i);
        continue;
      }
      const a = w[i - 15],
        b = w[i - 2];
      w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + w[i - 7] + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const first = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + SHA_ROUNDS.add[i] + w[i];
      const second = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((value, place) => {
      state[place] = (state[place] + value) | 0;
    });
  }
  return state.map((value) => value >>> 0);
}

// The key of a text by a viewer; the text itself where that has none, or cannot read the text.
function keyOf(viewer, text) {
  try {
    return viewer !== null && viewer.key ? viewer.key(text) : text;
  } catch {
    return text;
  }
}

class Novelty {
  // bits: of the filter, eight a byte, the lowest first; facts: {size (in bits), hashes, oneIn, records}. form: from a
  // text to what is compared.
  constructor(bits, facts, form = (text) => text) {
    Object.assign(this, facts, { bits, form });
    this.encoder = new TextEncoder();
  }

  has(text) {
    const [first, second] = sha256(this.encoder.encode(this.form(text).normalize("NFC")));
    for (let i = 0; i < this.hashes; i++) {
      const place = (first + i * second) % this.size;
      if (!(this.bits[Math.floor(place / 8)] & (1 << (place % 8)))) return false;
    }
    return true;
  }
}

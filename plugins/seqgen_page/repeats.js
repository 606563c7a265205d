// What a row repeats of itself, mixed with a model: see seqgen.counting.repeats.
"use strict";

const TINY = 1.1754943508222875e-38; // keeps logarithms finite

class Repeats {
  // facts: see exporting.RepeatGate. scored: ids that can be predicted.
  constructor(facts, scored, nIds) {
    Object.assign(this, facts);
    this.scored = scored;
    this.ends = scored.includes(END);
    this.isSymbol = new Uint8Array(nIds);
    for (let i = 0; i < scored.length; i++) this.isSymbol[scored[i]] = 1;
    this.weightOf = Array.from({ length: this.longest + 1 }, (_, m) => (m >= this.shortest ? this.base ** m : 0));
    this.own = new Float64Array(nIds);
    this.model = new Float64Array(nIds);
  }

  // Of each slot, the last ids, latest first, and the length of the match that ends before each; seen: how many there are.
  start(width) {
    const size = width * this.lookBack;
    return { last: new Int32Array(size), length: new Uint8Array(size), seen: new Int32Array(width) };
  }

  // Take one more id; conditions change nothing.
  advance(state, slot, id) {
    const from = slot * this.lookBack, { last, length, seen } = state;
    if (id === BEGIN) seen[slot] = 0;
    if (!this.isSymbol[id]) return;
    const known = seen[slot];
    for (let at = from; at < from + known; at++) length[at] = last[at] === id ? Math.min(length[at] + 1, this.longest) : 0;
    seen[slot] = Math.min(known + 1, this.lookBack);
    if (seen[slot] > known) length[from + known] = 0;
    last.copyWithin(from + 1, from, from + seen[slot] - 1);
    last[from] = id;
  }

  // Replace the logits of a row by the log probabilities of the mixture.
  mix(logits, start, state, slot) {
    const from = slot * this.lookBack, seen = state.seen[slot], { last, length } = state, { own, scored } = this;
    let longest = 0, matches = 0, total = 0;
    own.fill(0);
    for (let at = from; at < from + seen; at++) {
      const weight = this.weightOf[length[at]];
      if (length[at] > longest) { longest = length[at]; matches = 0; }
      if (length[at] === longest) matches += 1;
      total += weight;
      own[last[at]] += weight;
    }
    let most = -Infinity, sum = 0;
    for (let i = 0; i < scored.length; i++) if (logits[start + scored[i]] > most) most = logits[start + scored[i]];
    for (let i = 0; i < scored.length; i++) sum += Math.exp(logits[start + scored[i]] - most);
    const shift = most + Math.log(sum), { model } = this;
    model.fill(0);
    let largest = 0, agreement = 0, entropy = 0;
    for (let i = 0; i < scored.length; i++) {
      const id = scored[i], cost = logits[start + id] - shift;
      model[id] = Math.exp(cost);
      own[id] /= total || 1;
      if (own[id] > largest) largest = own[id];
      agreement += own[id] * model[id];
      entropy -= model[id] * Math.max(cost, -1e4);
    }
    agreement = Math.max(agreement, TINY);
    const end = this.ends ? model[END] : 0;
    const agreed = agreement / Math.max(1 - end, TINY), repeats = total > 0 && agreed >= this.leastAgreement;
    const share = !repeats ? 0 : this.share(longest, [
      Math.log1p(matches), Math.log(largest), Math.log1p(seen), Math.log(agreed), entropy, most - shift, 1,
    ]);
    for (let id = 0; id < model.length; id++) {
      const mixed = share * (1 - end) / agreement * own[id] * model[id] + (1 - share) * model[id];
      logits[start + id] = Math.log(Math.max(this.ends && id === END ? end : mixed, TINY));
    }
  }

  // The share of what is repeated. numbers: what the gate sees beside the length of the longest match.
  share(longest, numbers) {
    const { weights } = this;
    let place = 0, score = 0;
    for (let length = this.shortest + 1; length <= this.longest; length++, place++) {
      if (longest >= length) score += weights[place];
    }
    for (const value of numbers) score += weights[place++] * value;
    return sigmoid(score);
  }
}

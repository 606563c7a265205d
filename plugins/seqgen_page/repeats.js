// What a row repeats of itself, mixed with a model: see seqgen.counting.repeats.
"use strict";

class Repeats {
  // facts: see exporting.RepeatGate. scored: ids that can be predicted.
  constructor(facts, scored, nIds) {
    Object.assign(this, facts);
    this.scored = scored;
    this.ends = scored.includes(END);
    this.least = this.base ** this.shortest;
    this.most = this.base ** this.longest;
    this.own = new Float64Array(nIds);
    this.model = new Float64Array(nIds);
  }

  start(width) {
    return { last: new Int32Array(width * this.lookBack), weight: new Float64Array(width * this.lookBack) };
  }

  // Take one more id. An id weighs base ** m if those before it match the last m, and 0 if they do not.
  advance(state, slot, id) {
    const from = slot * this.lookBack, to = from + this.lookBack, { last, weight } = state;
    if (id === BEGIN) {
      last.fill(0, from, to);
      weight.fill(0, from, to);
      return;
    }
    for (let at = from; at < to; at++) {
      weight[at] = last[at] === id ? Math.min(Math.max(weight[at], 1) * this.base, this.most) : 0;
    }
    last.copyWithin(from + 1, from, to - 1);
    last[from] = id;
  }

  // Replace the logits of a row by the log probabilities of the mixture.
  mix(logits, start, state, slot) {
    const from = slot * this.lookBack, to = from + this.lookBack, { last, weight } = state, { own, scored } = this;
    let longest = 0, matches = 0, total = 0, seen = 0;
    own.fill(0);
    for (let at = from; at < to; at++) {
      if (last[at] !== 0) seen += 1;
      if (weight[at] < this.least) continue;
      if (weight[at] > longest) { longest = weight[at]; matches = 0; }
      if (weight[at] === longest) matches += 1;
      total += weight[at];
      own[last[at]] += weight[at];
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
    const agreed = Math.log(Math.max(agreement / Math.max(1 - end, TINY), this.leastAgreement));
    const share = longest === 0 ? 0 : this.share(longest, [
      Math.log1p(matches), Math.log(largest), Math.log1p(seen), agreed, entropy, most - shift, 1,
    ]);
    for (let id = 0; id < model.length; id++) {
      const mixed = share * (1 - end) / agreement * own[id] * model[id] + (1 - share) * model[id];
      logits[start + id] = Math.log(Math.max(this.ends && id === END ? end : mixed, TINY));
    }
  }

  // The share of what is repeated. numbers: what the gate sees beside the length of the longest match.
  share(longest, numbers) {
    const { base, weights } = this;
    let place = 0, score = 0;
    for (let length = this.shortest + 1; length <= this.longest; length++, place++) {
      if (longest >= base ** length) score += weights[place];
    }
    for (const value of numbers) score += weights[place++] * value;
    return sigmoid(score);
  }
}

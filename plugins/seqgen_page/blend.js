// A network mixed with the counts of an n-gram: p_network^a p_ngram^b / Z; among the symbols of words with other a and b.
"use strict";

// The logarithm of the sum over some ids, from the logarithms of its terms.
function logSum(terms, ids) {
  let most = -Infinity, sum = 0;
  for (const id of ids) if (terms[id] > most) most = terms[id];
  for (const id of ids) sum += Math.exp(terms[id] - most);
  return most + Math.log(sum);
}

class Counts {
  // tables: typed arrays by name, see exporting.CountTables; facts: begin, ends, words and the weights of the gate.
  constructor(tables, facts, nIds) {
    Object.assign(this, tables, facts);
    this.nIds = nIds;
    this.known = new Map(); // distributions of nodes
    this.others = this.usual ? this.usual.length - 1 : 0;
    this.predicted = Array.from(this.base.keys()).filter((id) => this.base[id] > 0);
    this.mixed = new Float64Array(nIds);
    this.amongWords = new Float64Array(nIds);
  }

  start(width) {
    return { node: new Int32Array(width), position: new Int32Array(width), prefix: new Int32Array(width) };
  }

  // The place of an id among those of an owner, which ascend; -1 if it is not there.
  static find(starts, ids, owner, id) {
    let low = starts[owner], high = starts[owner + 1] - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (ids[middle] === id) return middle;
      if (ids[middle] < id) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  advance(state, slot, id) {
    if (id === BEGIN) {
      state.node[slot] = this.begin;
      state.position[slot] = 0;
      state.prefix[slot] = 0;
      return;
    }
    if (this.base[id] === 0) return; // a condition
    if (this.ends) state.position[slot] += 1;
    let at = state.node[slot], next = 0;
    for (;;) {
      const arc = Counts.find(this.starts, this.ids, at, id);
      if (arc >= 0) { next = this.next[arc]; break; }
      if (at === 0) break;
      at = this.shorter[at];
    }
    state.node[slot] = next;
    if (this.usual) {
      const change = Counts.find(this.changeStarts, this.changeIds, state.prefix[slot], id);
      state.prefix[slot] = change < 0 ? this.others : this.changeNext[change];
    }
  }

  distribution(node) {
    let found = this.known.get(node);
    if (found !== undefined) return found;
    found = Float32Array.from(node === 0 ? this.base : this.distribution(this.shorter[node]));
    const mass = this.mass[node];
    for (let id = 0; id < found.length; id++) found[id] *= mass;
    for (let arc = this.starts[node]; arc < this.starts[node + 1]; arc++) found[this.ids[arc]] += this.probs[arc];
    if (this.known.size * this.nIds > 4194304) this.known.clear();
    this.known.set(node, found);
    return found;
  }

  // Replace the logits of a row by the log probabilities of the mixture.
  mix(logits, start, state, slot) {
    const { base, nIds } = this;
    const counts = this.distribution(state.node[slot]);
    let most = -Infinity, total = 0, entropy = 0;
    for (let id = 0; id < nIds; id++) if (base[id] > 0 && logits[start + id] > most) most = logits[start + id];
    for (let id = 0; id < nIds; id++) if (base[id] > 0) total += Math.exp(logits[start + id] - most);
    const shift = most + Math.log(total);
    for (let id = 0; id < nIds; id++) {
      if (base[id] > 0) entropy -= Math.exp(logits[start + id] - shift) * Math.max(logits[start + id] - shift, -1e4);
    }
    const node = state.node[slot], log1p = Math.log1p(state.position[slot]), { floor } = this;
    const exponent = (which) => {
      const known = this.exponents[this.ofEntropy.length * node + which] + this.ofEntropy[which] * entropy;
      return Math.min(Math.max(known + this.ofLargest[which] * (most - shift) + this.ofPosition[which] * log1p, 0), this.maxExponent);
    };
    const { mixed, predicted, words } = this;
    const product = (ids, first, into) => {
      const ofNetwork = exponent(first), ofCounts = exponent(first + 1);
      for (const id of ids) {
        const own = Math.max(logits[start + id] - shift, floor), counted = Math.max(Math.log(counts[id]), floor);
        into[id] = ofNetwork * own + ofCounts * counted;
      }
    };
    product(predicted, 0, mixed);
    const norm = logSum(mixed, predicted);
    if (words && words.length) {
      product(words, 2, this.amongWords);
      const change = logSum(mixed, words) - logSum(this.amongWords, words);
      for (const id of words) mixed[id] = this.amongWords[id] + change;
    }
    for (let id = 0; id < nIds; id++) logits[start + id] = base[id] > 0 ? Math.max(mixed[id] - norm, floor) : floor;
    if (!this.usual) return;
    const prefix = state.prefix[slot], usual = this.usual[prefix];
    for (let id = 0; id < nIds; id++) logits[start + id] += usual;
    for (let at = this.changeStarts[prefix]; at < this.changeStarts[prefix + 1]; at++) {
      logits[start + this.changeIds[at]] += this.changes[at] - usual;
    }
  }
}

// The model of a run: steps of a batch, scores of texts.
"use strict";

class Model {
  // facts: of the run, from Python. weights and begin: typed arrays. counts: of a blend, or null.
  constructor(facts, weights, begin, counts) {
    Object.assign(this, facts);
    this.weights = weights;
    this.begin = begin;
    this.counts = counts;
    this.nSlots = this.slots.length;
    this.steps = new Map();
    this.scored = Int32Array.from([...Array(this.nIds).keys()].filter((id) => id >= this.offset || (id === END && this.ends)));
    this.repeated = facts.repeats && new Repeats(facts.repeats, this.scored, this.nIds);
  }

  batch(width) {
    if (!this.steps.has(width)) this.steps.set(width, makeStep(this.weights, width));
    return new Batch(this, this.steps.get(width), width);
  }

  // What an id costs, in nats, among the ids that can be predicted.
  nats(logits, start, id) {
    const { scored } = this;
    let most = -Infinity, total = 0;
    for (let i = 0; i < scored.length; i++) if (logits[start + scored[i]] > most) most = logits[start + scored[i]];
    for (let i = 0; i < scored.length; i++) total += Math.exp(logits[start + scored[i]] - most);
    return most + Math.log(total) - logits[start + id];
  }

  // The logits after the mark before a text and after each of some ids.
  replay(ids) {
    const batch = this.batch(1), found = [];
    for (const id of [BEGIN, ...ids]) found.push(Float32Array.from(batch.step(Int32Array.of(id)).subarray(0, this.nIds)));
    return found;
  }

  // The cost of each symbol of a text, in nats; the end last, if texts end. ids: conditions, then symbols.
  score(ids, ends = true) {
    const logits = this.replay(ids), nats = [];
    const all = this.ends && ends ? [...ids, END] : ids;
    all.forEach((id, place) => {
      if (place >= this.nSlots) nats.push(this.nats(logits[place], 0, id));
    });
    return nats;
  }

  // Bits per character; the stop, which a text that was cut lacks, counts as one.
  bits(nats, text, ends = true) {
    const total = nats.reduce((sum, value) => sum + value, 0);
    return total / Math.LN2 / Math.max(1, Array.from(text).length + (this.ends && ends ? 1 : 0));
  }
}

class Batch {
  constructor(model, step, width) {
    this.model = model;
    this.run = step;
    this.width = width;
    this.state = model.begin.map((leaf) => repeated(leaf, width));
    this.after = [];
    this.counted = model.counts && model.counts.start(width);
    this.seen = model.repeated && model.repeated.start(width);
  }

  // Begin a new row in a slot.
  restart(slot) {
    this.model.begin.forEach((leaf, place) => this.state[place].set(leaf, slot * leaf.length));
  }

  // Logits of the next ids of all rows; valid until the next step.
  step(ids) {
    const { model, width } = this;
    const logits = this.run(ids, this.state, this.after);
    [this.state, this.after] = [this.after, this.state];
    if (model.counts) {
      for (let slot = 0; slot < width; slot++) {
        model.counts.advance(this.counted, slot, ids[slot]);
        model.counts.mix(logits, slot * model.nIds, this.counted, slot);
      }
    }
    if (model.repeated) {
      for (let slot = 0; slot < width; slot++) {
        model.repeated.advance(this.seen, slot, ids[slot]);
        model.repeated.mix(logits, slot * model.nIds, this.seen, slot);
      }
    }
    return logits;
  }
}

function repeated(leaf, width) {
  const found = new leaf.constructor(leaf.length * width);
  for (let slot = 0; slot < width; slot++) found.set(leaf, slot * leaf.length);
  return found;
}

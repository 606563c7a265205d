// Notes on a staff: heads, stems, flags, beams, dots.
"use strict";

const STEM = 26,
  HEAD_REACH = 10, // pixels that a head reaches with an accidental
  GRACE_REACH = 16; // and a grace note with its stem

// The look of a length: {base, flags, dots}; base is a power of two.
function lookOf(length) {
  const base = 2 ** Math.floor(Math.log2(length) + 1e-9),
    dots = length / base >= 1.74 ? 2 : length / base >= 1.49 ? 1 : 0;
  return { base, flags: Math.max(0, Math.min(4, Math.round(-Math.log2(base)) - 2)), dots };
}

const isUp = (steps) => steps.reduce((sum, step) => sum + step, 0) / steps.length < 6;

// The space that an event takes: before its place, and after it.
function spaceOf(event) {
  if (event.key !== undefined) return { before: 0, after: 8 * Math.abs(event.key) + 10 };
  if (event.metre !== undefined) return { before: 0, after: 24 };
  const signs = event.notes.filter((note) => note.accidental !== null).length;
  return {
    before: (signs > 1 ? 18 : signs ? 9 : 0) + event.grace.length * 8,
    after: 12 + 34 * Math.sqrt(Math.min(event.shown, 1)) + 5 * lookOf(event.shown).dots,
  };
}

function drawHead(step, x, base, accidental) {
  const y = stepY(step),
    kind = base >= 0.5 ? "head open" : "head solid",
    signs = [];
  for (let line = 0; line >= step; line -= 2) signs.push(stroke(x - 7, stepY(line), x + 7, stepY(line), "ledger"));
  for (let line = 12; line <= step; line += 2) signs.push(stroke(x - 7, stepY(line), x + 7, stepY(line), "ledger"));
  signs.push(
    svg("ellipse", {
      cx: x.toFixed(1),
      cy: y,
      rx: 4.7,
      ry: 3.4,
      transform: `rotate(-18 ${x.toFixed(1)} ${y})`,
      class: kind,
    }),
  );
  if (accidental !== null) signs.push(...accidentalSign(accidental, x - 15, y));
  return signs;
}

// A note or a chord without its stem, or a rest.
function drawEvent(event, x) {
  const { base, flags, dots } = lookOf(event.shown),
    signs = [];
  if (event.notes.length === 0) signs.push(...restSign(flags, base, x - 4));
  for (const { step, accidental } of event.notes) signs.push(...drawHead(step, x, base, accidental));
  const rows = event.notes.length ? event.notes.map((note) => stepY(note.step + (note.step % 2 === 0 ? 1 : 0))) : [12];
  for (let dot = 0; dot < dots; dot++)
    for (const y of rows) signs.push(svg("circle", { cx: x + 9 + 4 * dot, cy: y, r: 1.4, class: "solid" }));
  event.grace.forEach(({ step }, place) => {
    const at =
        x - 8 * (event.grace.length - place) - 5 - (event.notes.some((note) => note.accidental !== null) ? 9 : 0),
      y = stepY(step);
    signs.push(
      svg("ellipse", { cx: at, cy: y, rx: 2.8, ry: 2.1, class: "solid" }),
      stroke(at + 2.5, y, at + 2.5, y - 15, "thin"),
      path(`M${at + 2.5},${y - 15} q1,4 4,5`, "thin"),
    );
  });
  return signs;
}

// Stems of notes that stand together, with a beam or, of one note, its flags. group: [{event, x}], all with notes.
// reach is called with the place of the end of each stem.
function drawStems(group, reach) {
  const looks = group.map(({ event }) => lookOf(event.shown));
  if (looks[0].base >= 1) return [];
  const up = isUp(group.flatMap(({ event }) => event.notes.map((note) => note.step))),
    sign = up ? -1 : 1;
  const ends = group.map(({ event, x }) => {
    const ys = event.notes.map((note) => stepY(note.step));
    return {
      x: x + (up ? 4.4 : -4.4),
      near: up ? Math.max(...ys) : Math.min(...ys),
      far: up ? Math.min(...ys) : Math.max(...ys),
    };
  });
  const last = ends.length - 1,
    run = ends[last].x - ends[0].x || 1;
  const slope = Math.max(-0.2, Math.min(0.2, (ends[last].far - ends[0].far) / run / 2));
  const shift = Math[up ? "min" : "max"](...ends.map((end) => end.far + sign * STEM - slope * (end.x - ends[0].x)));
  const tip = (end) => shift + slope * (end.x - ends[0].x);
  const signs = ends.map((end) => stroke(end.x, end.near, end.x, tip(end), "stem"));
  ends.forEach((end) => reach(tip(end)));
  if (ends.length === 1) {
    for (let flag = 0; flag < looks[0].flags; flag++) {
      const y = tip(ends[0]) - sign * 6 * flag;
      signs.push(path(`M${ends[0].x},${y} c1,${-sign * 6} 9,${-sign * 7} 5,${-sign * 16}`, "flag"));
    }
    return signs;
  }
  const beam = (from, to, level) => {
    const y = (x) => shift + slope * (x - ends[0].x) - sign * 5 * level;
    signs.push(path(`M${from},${y(from)} L${to},${y(to)} l0,${-sign * 3} L${from},${y(from) - sign * 3} z`, "solid"));
  };
  for (let level = 0; level < 4; level++) {
    for (let place = 0; place <= last; place++) {
      if (looks[place].flags <= level) continue;
      if (place < last && looks[place + 1].flags > level) beam(ends[place].x, ends[place + 1].x, level);
      else if (place === 0 || looks[place - 1].flags <= level)
        beam(ends[place].x, ends[place].x + (place < last ? 6 : -6), level);
    }
  }
  return signs;
}

// Groups of notes under one beam.
function beamed(placed) {
  const groups = [];
  for (const one of placed) {
    const { event } = one,
      short = event.notes && event.notes.length > 0 && event.shown < 0.2499,
      last = groups[groups.length - 1];
    if (event.notes === undefined || event.notes.length === 0) {
      groups.push([]);
      continue;
    }
    if (short && event.beamed && last && last.length > 0 && last[0].event.shown < 0.2499) last.push(one);
    else groups.push([one]);
  }
  return groups.filter((group) => group.length > 0);
}

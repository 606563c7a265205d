// Places of the atoms of systems of rings: polygons and arcs with bonds of length 1.
"use strict";

const plusVector = (p, q) => ({ x: p.x + q.x, y: p.y + q.y });
const minusVector = (p, q) => ({ x: p.x - q.x, y: p.y - q.y });
const distance = (p, q) => Math.hypot(p.x - q.x, p.y - q.y);
const towards = (angle, length = 1) => ({ x: length * Math.cos(angle), y: length * Math.sin(angle) });
const angleOf = (v) => Math.atan2(v.y, v.x);
const mean = (points) => ({
  x: points.reduce((sum, p) => sum + p.x, 0) / points.length,
  y: points.reduce((sum, p) => sum + p.y, 0) / points.length,
});

// The point p mirrored at the line through a and b.
function mirrored(p, a, b) {
  const d = minusVector(b, a),
    length = d.x * d.x + d.y * d.y || 1,
    v = minusVector(p, a);
  const along = (v.x * d.x + v.y * d.y) / length,
    across = (v.x * d.y - v.y * d.x) / length;
  return { x: a.x + along * d.x - across * d.y, y: a.y + along * d.y + across * d.x };
}

// Points on an arc from p to q with `count` points between them, all one apart, on the side away from `inside`.
function arcBetween(p, q, count, inside) {
  const chord = distance(p, q),
    pieces = count + 1;
  let low = 1e-6,
    high = (Math.PI * 2) / pieces - 1e-6; // angle of a piece, seen from the centre
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (Math.abs(Math.sin((pieces * middle) / 2)) / Math.sin(middle / 2) > chord) low = middle;
    else high = middle;
  }
  const step = low,
    radius = 0.5 / Math.sin(step / 2),
    half = mean([p, q]);
  const along = angleOf(minusVector(q, p)),
    height = radius * Math.cos((pieces * step) / 2);
  const side = (inside.x - half.x) * -Math.sin(along) + (inside.y - half.y) * Math.cos(along) > 0 ? -1 : 1;
  // The arc bulges to `side`; its centre is on the other side while the arc is less than half a circle.
  const centre = plusVector(half, towards(along + Math.PI / 2, -side * height));
  const first = angleOf(minusVector(p, centre));
  return Array.from({ length: count }, (_, place) =>
    plusVector(centre, towards(first - side * step * (place + 1), radius)),
  );
}

// An arc with equal bonds or, where others lie there already, a flatter one or one on the other side.
function freestArc(p, q, count, inside, places) {
  const outside = minusVector(plusVector(p, q), inside),
    arcs = [];
  for (const from of [inside, outside]) {
    const arc = arcBetween(p, q, count, from);
    arcs.push(
      arc,
      arc.map((point, place) => {
        const share = (place + 1) / (count + 1),
          chord = plusVector(p, { x: share * (q.x - p.x), y: share * (q.y - p.y) });
        return { x: (point.x + 2 * chord.x) / 3, y: (point.y + 2 * chord.y) / 3 };
      }),
    );
  }
  const room = (arc) =>
    Math.min(...arc.map((point) => Math.min(...[...places.values()].map((place) => distance(point, place)))));
  return arcs.find((arc) => room(arc) > 0.45) ?? arcs.sort((one, other) => room(other) - room(one))[0];
}

// Places of the atoms of a system of rings, by atom.
function layoutRings(system) {
  const [first, ...others] = [...system].sort((one, other) => other.length - one.length),
    places = new Map();
  const radius = 0.5 / Math.sin(Math.PI / first.length);
  first.forEach((atom, place) => places.set(atom, towards((2 * Math.PI * place) / first.length + Math.PI / 2, radius)));
  while (others.length > 0) {
    // The ring with most atoms in place comes next.
    others.sort(
      (one, other) => other.filter((atom) => places.has(atom)).length - one.filter((atom) => places.has(atom)).length,
    );
    addRing(others.shift(), places);
  }
  return places;
}

function addRing(ring, places) {
  const known = ring.filter((atom) => places.has(atom)),
    size = ring.length;
  if (known.length === 1) {
    // one atom in common: the ring stands opposite to what is there
    const p = places.get(known[0]),
      away = angleOf(minusVector(p, mean([...places.values()]))),
      start = ring.indexOf(known[0]);
    const radius = 0.5 / Math.sin(Math.PI / size),
      centre = plusVector(p, towards(away, radius));
    for (let place = 1; place < size; place++) {
      places.set(
        ring[(start + place) % size],
        plusVector(centre, towards(away + Math.PI + (2 * Math.PI * place) / size, radius)),
      );
    }
    return;
  }
  const inside = mean([...places.values()]);
  const start = ring.findIndex((atom, place) => places.has(atom) && !places.has(ring[(place + 1) % size]));
  if (start < 0) return;
  let missing = [],
    from = ring[start];
  for (let place = 1; place <= size; place++) {
    const atom = ring[(start + place) % size];
    if (!places.has(atom)) {
      missing.push(atom);
      continue;
    }
    if (missing.length > 0) {
      const arc = freestArc(places.get(from), places.get(atom), missing.length, inside, places);
      missing.forEach((one, index) => places.set(one, arc[index]));
    }
    missing = [];
    from = atom;
  }
}

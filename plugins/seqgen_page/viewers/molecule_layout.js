// Places of atoms in the plane: chains in zigzag between systems of rings, crossings mended by mirroring.
"use strict";

// Angles of further neighbours of an atom, given those of the neighbours in place.
function freeAngles(taken, count, straight, turn) {
  if (taken.length === 0)
    return Array.from({ length: count }, (_, place) => (2 * Math.PI * place) / count + Math.PI / 6);
  if (taken.length === 1 && count === 1) return [taken[0] + (straight ? Math.PI : (turn * 2 * Math.PI) / 3)];
  const sorted = [...taken].map((angle) => (angle + 4 * Math.PI) % (2 * Math.PI)).sort((one, other) => one - other);
  let widest = 0,
    start = 0;
  sorted.forEach((angle, place) => {
    const gap = (place + 1 < sorted.length ? sorted[place + 1] : sorted[0] + 2 * Math.PI) - angle;
    if (gap > widest + 1e-6) {
      widest = gap;
      start = angle;
    }
  });
  return Array.from({ length: count }, (_, place) => start + (widest * (place + 1)) / (count + 1));
}

// Return the place of each atom of a molecule; parts that are not connected stand side by side.
function layoutMolecule(molecule) {
  const { atoms, bonds } = molecule,
    places = new Map(),
    systems = ringSystems(findRings(molecule));
  const systemOf = new Map(systems.flatMap((system) => system.flat().map((atom) => [atom, system])));
  const turns = new Map(); // the side to which a chain turns next
  const grow = (queue) => {
    for (const atom of queue) {
      const here = places.get(atom),
        near = atoms[atom].bonds.map((bond) => otherEnd(bonds[bond], atom));
      const taken = near.filter((one) => places.has(one)).map((one) => angleOf(minusVector(places.get(one), here)));
      const orders = atoms[atom].bonds.map((bond) => bonds[bond].order);
      const straight = orders.includes(3) || orders.filter((order) => order === 2).length > 1;
      const turn = turns.get(atom) ?? 1,
        next = near.filter((one) => !places.has(one));
      const angles = freeAngles(taken, next.length, straight, turn);
      next.forEach((one, index) => {
        if (places.has(one)) return;
        turns.set(one, straight ? turn : -turn);
        const there = plusVector(here, towards(angles[index]));
        if (systemOf.has(one)) attach(systemOf.get(one), one, there, angles[index], queue);
        else {
          places.set(one, there);
          queue.push(one);
        }
      });
    }
  };
  const attach = (system, atom, there, angle, queue) => {
    const own = layoutRings(system),
      p = own.get(atom);
    const turn = angle - angleOf(minusVector(mean([...own.values()]), p));
    for (const [one, q] of own) {
      const v = minusVector(q, p);
      places.set(one, plusVector(there, towards(angleOf(v) + turn, Math.hypot(v.x, v.y))));
      queue.push(one);
    }
  };
  const parts = [];
  for (const start of [...systems.map((system) => system[0][0]), ...chainEnds(atoms), ...atoms.keys()]) {
    if (places.has(start)) continue;
    const queue = [],
      before = new Set(places.keys());
    if (systemOf.has(start)) attach(systemOf.get(start), start, { x: 0, y: 0 }, 0, queue);
    else {
      places.set(start, { x: 0, y: 0 });
      queue.push(start);
    }
    grow(queue);
    const part = [...places.keys()].filter((atom) => !before.has(atom));
    mendCrossings(molecule, part, places, systemOf);
    lieDown(part, places);
    parts.push(part);
  }
  sideBySide(parts, places);
  return atoms.map((_, atom) => places.get(atom));
}

const chainEnds = (atoms) => [...atoms.keys()].filter((atom) => atoms[atom].bonds.length <= 1);

// How much atoms of a part are in one another's way.
function crowding(part, places) {
  let total = 0;
  for (let i = 0; i < part.length; i++) {
    for (let j = i + 1; j < part.length; j++) {
      const d = distance(places.get(part[i]), places.get(part[j]));
      if (d < 0.9) total += (0.95 - d) ** 2;
    }
  }
  return total;
}

// Mirror, or turn a little, what hangs on a bond outside rings, as long as that gives atoms more space.
function mendCrossings({ atoms, bonds }, part, places, systemOf) {
  let best = crowding(part, places);
  for (let round = 0; round < 4 && best > 1e-9; round++) {
    for (const { a, b } of bonds) {
      if (!part.includes(a) || (systemOf.has(a) && systemOf.get(a) === systemOf.get(b))) continue;
      const side = [b];
      for (const atom of side) {
        for (const bond of atoms[atom].bonds) {
          const next = otherEnd(bonds[bond], atom);
          if (next !== a && !side.includes(next)) side.push(next);
        }
      }
      const p = places.get(a),
        q = places.get(b),
        own = angleOf(minusVector(q, p));
      const rotated = (r, turn) => plusVector(p, towards(angleOf(minusVector(r, p)) + turn, distance(r, p)));
      const moves = [
        (r) => mirrored(r, p, q),
        (r) => rotated(r, 0.4),
        (r) => rotated(r, -0.4),
        (r) => mirrored(r, p, plusVector(p, towards(own + 0.5))),
      ];
      for (const move of moves) {
        const kept = side.map((atom) => places.get(atom));
        for (const atom of side) places.set(atom, move(places.get(atom)));
        const found = crowding(part, places);
        if (found < best - 1e-9) best = found;
        else side.forEach((atom, index) => places.set(atom, kept[index]));
      }
    }
  }
}

// Turn a part by a multiple of 30 degrees so that it is as wide as it can be.
function lieDown(part, places) {
  let best = 0,
    turn = 0;
  for (let step = 0; step < 6; step++) {
    const angle = (step * Math.PI) / 6,
      xs = part.map((atom) => places.get(atom)).map((p) => p.x * Math.cos(angle) - p.y * Math.sin(angle));
    const width = Math.max(...xs) - Math.min(...xs);
    if (width > best + 1e-6) {
      best = width;
      turn = angle;
    }
  }
  for (const atom of part) {
    const p = places.get(atom);
    places.set(atom, {
      x: p.x * Math.cos(turn) - p.y * Math.sin(turn),
      y: p.x * Math.sin(turn) + p.y * Math.cos(turn),
    });
  }
}

function sideBySide(parts, places) {
  let right = 0;
  for (const part of parts) {
    const points = part.map((atom) => places.get(atom)),
      left = Math.min(...points.map((p) => p.x)),
      middle = mean(points).y;
    for (const atom of part) places.set(atom, { x: places.get(atom).x - left + right, y: places.get(atom).y - middle });
    right = Math.max(...part.map((atom) => places.get(atom).x)) + 1.5;
  }
}

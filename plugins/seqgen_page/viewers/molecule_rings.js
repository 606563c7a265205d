// Rings of a molecule: a basis of short ones, and the systems of rings that share atoms.
"use strict";

const otherEnd = (bond, atom) => (bond.a === atom ? bond.b : bond.a);

// The shortest ring through a bond, as atoms in order from one end to the other; null if there is none.
function shortestRing({ atoms, bonds }, through) {
  const { a, b } = bonds[through],
    before = new Map([[a, -1]]),
    queue = [a];
  for (const atom of queue) {
    for (const index of atoms[atom].bonds) {
      const next = otherEnd(bonds[index], atom);
      if (index === through || before.has(next)) continue;
      before.set(next, atom);
      if (next === b) {
        const ring = [b];
        while (before.get(ring[ring.length - 1]) !== -1) ring.push(before.get(ring[ring.length - 1]));
        return ring;
      }
      queue.push(next);
    }
  }
  return null;
}

function bondBetween({ atoms, bonds }, a, b) {
  return atoms[a].bonds.find((index) => otherEnd(bonds[index], a) === b);
}

// Short rings that are independent of one another: none is the sum of others.
function findRings(molecule) {
  const candidates = new Map();
  molecule.bonds.forEach((_, index) => {
    const ring = shortestRing(molecule, index);
    if (ring === null) return;
    let mask = 0n;
    ring.forEach((atom, place) => {
      mask |= 1n << BigInt(bondBetween(molecule, atom, ring[(place + 1) % ring.length]));
    });
    candidates.set(mask, ring);
  });
  const kept = [],
    basis = []; // masks with different lowest bits
  for (const [mask, ring] of [...candidates].sort((one, other) => one[1].length - other[1].length)) {
    let left = mask;
    for (const { low, mask: known } of basis) if (left & low) left ^= known;
    if (left === 0n) continue;
    basis.push({ low: left & -left, mask: left });
    kept.push(ring);
  }
  return kept;
}

// Rings that share atoms, together; larger systems first.
function ringSystems(rings) {
  const systems = [];
  for (const ring of rings) {
    const joined = systems.filter((system) => system.some((other) => other.some((atom) => ring.includes(atom))));
    for (const system of joined) systems.splice(systems.indexOf(system), 1);
    systems.push([...joined.flat(), ring]);
  }
  return systems.sort((one, other) => other.length - one.length);
}

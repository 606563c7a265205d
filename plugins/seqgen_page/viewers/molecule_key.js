// A text that is the same for all spellings of a molecule, by refining colours of atoms (Weisfeiler and Leman). Bond
// orders are left to the hydrogens, so that both forms of an aromatic ring have one key. Few molecules share a key,
// but for those that differ only in configuration: chirality, / and \ are not compared.
"use strict";

function moleculeKey(text) {
  const { atoms, bonds } = readSmiles(text),
    rounds = [];
  const near = atoms.map((atom, index) => atom.bonds.map((bond) => otherEnd(bonds[bond], index)));
  let colours = atoms.map(({ element, isotope, charge, hydrogens }) => `${isotope}${element}${hydrogens},${charge}`);
  let before = 0;
  for (;;) {
    const known = [...new Set(colours)].sort();
    rounds.push([...colours].sort());
    if (known.length === before) return JSON.stringify(rounds);
    before = known.length;
    const ranks = new Map(known.map((colour, rank) => [colour, rank])),
      now = colours.map((colour) => ranks.get(colour));
    colours = now.map((rank, index) => `${rank}:${near[index].map((other) => now[other]).sort((a, b) => a - b)}`);
  }
}

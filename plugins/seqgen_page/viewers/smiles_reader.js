// Molecules from SMILES: atoms and bonds, checked for open rings and for valences.
// Source: the OpenSMILES specification 1.0. Chirality, / and \ are read over, since drawings are flat.
"use strict";

const VALENCES = {
  B: [3],
  C: [4],
  N: [3, 5],
  O: [2],
  P: [3, 5],
  S: [2, 4, 6],
  F: [1],
  Cl: [1],
  Br: [1],
  I: [1, 3, 5],
};
const BOND_ORDERS = { "-": 1, "/": 1, "\\": 1, "=": 2, "#": 3, $: 4, ":": 1 };
const AROMATIC = new Set(["b", "c", "n", "o", "p", "s", "se", "as"]);
const ELEMENTS = new Set(
  [
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb",
    "Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au",
    "Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U *",
  ].flatMap((line) => line.split(" ")),
);
const ISOTOPE = "(\\d*)", ELEMENT = "([A-Z][a-z]?|[a-z][a-z]?|\\*)", CHIRALITY = "(?:@{0,2}(?:[A-Z]{2}\\d+)?)";
const SMILES_TOKEN = new RegExp(
  `\\[${ISOTOPE}${ELEMENT}${CHIRALITY}(H\\d*)?([+-]+\\d*)?(?::\\d+)?\\]|` +
    "(Br|Cl|[BCNOPSFI*bcnops])|(%\\d\\d|\\d)|([-=#$:/\\\\])|([().])",
  "uy",
);

// Return {atoms, bonds}. An atom: {element, aromatic, isotope, charge, hydrogens, radicals, bonds}; `radicals` is the
// number of its unpaired electrons, `bonds` are indices. A bond: {a, b, order, aromatic}. Raises an error that says what is wrong.
function readSmiles(text) {
  const atoms = [],
    bonds = [],
    branches = [],
    rings = new Map();
  let last = -1,
    symbol = "",
    at = 0;
  const join = (a, b, sign) => {
    if (a === b || atoms[a].bonds.some((bond) => bonds[bond].a === b || bonds[bond].b === b))
      throw new Error("two atoms are bound twice");
    const aromatic = sign === ":" || (sign === "" && atoms[a].aromatic && atoms[b].aromatic);
    for (const atom of [a, b]) atoms[atom].bonds.push(bonds.length);
    bonds.push({ a, b, order: BOND_ORDERS[sign] ?? 1, aromatic });
  };
  const add = (atom) => {
    atoms.push({ isotope: "", charge: 0, hydrogens: null, bonds: [], ...atom });
    if (last >= 0) join(last, atoms.length - 1, symbol);
    last = atoms.length - 1;
    symbol = "";
  };
  const close = (digit) => {
    if (last < 0) throw new Error("a ring begins before any atom");
    const open = rings.get(digit);
    if (open === undefined) rings.set(digit, { atom: last, symbol });
    else {
      if (open.symbol && symbol && open.symbol !== symbol && !/[/\\]/.test(open.symbol + symbol))
        throw new Error(`ring ${digit} is closed by another bond`);
      join(open.atom, last, open.symbol || symbol);
      rings.delete(digit);
    }
    symbol = "";
  };
  while (at < text.length) {
    SMILES_TOKEN.lastIndex = at;
    const found = SMILES_TOKEN.exec(text);
    if (found === null) throw new Error(`${JSON.stringify(text[at])} is no part of a molecule`);
    const [whole, isotope, bracketed, hydrogens, charge, plain, ring, bond, sign] = found;
    if (bracketed !== undefined) add(bracketAtom(isotope, bracketed, hydrogens, charge));
    else if (plain !== undefined)
      add({ element: plain[0].toUpperCase() + plain.slice(1), aromatic: AROMATIC.has(plain) });
    else if (ring !== undefined) close(ring.replace("%", ""));
    else if (bond !== undefined) {
      if (symbol || last < 0) throw new Error(`the bond ${JSON.stringify(bond)} has no atom before it`);
      symbol = bond;
    } else if (symbol) throw new Error(`the bond ${JSON.stringify(symbol)} has no atom after it`);
    else if (sign === "(") {
      if (last < 0) throw new Error("a branch begins before any atom");
      branches.push(last);
    } else if (sign === ")") {
      if (branches.length === 0) throw new Error("a bracket is closed that was not opened");
      last = branches.pop();
    } else last = -1;
    at += whole.length;
  }
  if (atoms.length === 0) throw new Error("there is no atom");
  if (symbol) throw new Error(`the bond ${JSON.stringify(symbol)} has no atom after it`);
  if (branches.length > 0) throw new Error("a bracket is not closed");
  if (rings.size > 0) throw new Error(`ring ${[...rings.keys()][0]} is not closed`);
  atoms.forEach((atom, index) => addHydrogens(atom, index, bonds));
  return { atoms, bonds };
}

function bracketAtom(isotope, symbol, hydrogens, charge) {
  const aromatic = AROMATIC.has(symbol),
    element = symbol[0].toUpperCase() + symbol.slice(1);
  if (!ELEMENTS.has(element) || (!aromatic && symbol !== element)) throw new Error(`there is no element ${symbol}`);
  const digits = charge ? charge.replace(/[+-]+/, "") : "",
    sign = charge && charge[0] === "-" ? -1 : 1;
  return {
    element,
    aromatic,
    isotope,
    charge: charge ? sign * (digits ? Number(digits) : charge.length) : 0,
    hydrogens: hydrogens ? Number(hydrogens.slice(1) || 1) : 0,
  };
}

// Fill up an atom without brackets with hydrogens, count the unpaired electrons of one within brackets, and refuse more
// bonds than an element without charge has.
function addHydrogens(atom, index, bonds) {
  const valences = VALENCES[atom.element];
  const bound = atom.bonds.reduce((sum, bond) => sum + bonds[bond].order, 0);
  // An electron of an aromatic atom takes part in the ring; such atoms have their lowest valence.
  const missing = (n) => {
    const most = atom.aromatic ? (valences ?? [n])[0] - 1 : (valences ?? []).find((valence) => valence >= n);
    return Math.max(0, (most ?? n) - n);
  };
  atom.hydrogens ??= missing(bound);
  const all = bound + atom.hydrogens;
  atom.radicals = atom.charge === 0 ? missing(all) : 0;
  const perhalic = all === 7 && ["Cl", "Br", "I"].includes(atom.element);
  if (valences && atom.charge === 0 && all > valences[valences.length - 1] && !perhalic) {
    throw new Error(`atom ${index + 1}, ${atom.element}, has ${all} bonds`);
  }
}

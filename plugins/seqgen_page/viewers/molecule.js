// The viewer of molecules: skeletal formulas.
"use strict";

const UNIT = 30,
  MARGIN = 20; // pixels of a bond and around a molecule
const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
const subscript = (number) => String(number).replace(/\d/g, (digit) => SUBSCRIPTS[digit]);

// The directions from an atom in which its hydrogens may stand; y grows downwards.
const SIDES = { right: { x: 1, y: 0 }, left: { x: -1, y: 0 }, below: { x: 0, y: 1 }, above: { x: 0, y: -1 } };
const CLEAR = 0.3; // largest cosine of the angle between hydrogens and a bond, 73 degrees

// The side of an atom that is away from its bonds: right or left where that is clear. near: vectors to its neighbours.
function freeSide(near) {
  const nearest = ({ x, y }) => Math.max(-1, ...near.map((p) => (p.x * x + p.y * y) / (Math.hypot(p.x, p.y) || 1)));
  const sides = Object.entries(SIDES).map(([side, direction]) => ({ side, cosine: nearest(direction) }));
  const beside = sides.slice(0, 2).find(({ cosine }) => cosine <= CLEAR);
  return (beside ?? sides.sort((a, b) => a.cosine - b.cosine)[0]).side;
}

// The text at an atom, with its hydrogens and a dot for each unpaired electron: {text, below, above, ends}. `ends`: the
// text ends with the element, else it begins with it. The texts are "" for a carbon of a skeleton.
function atomLabel(atom, side) {
  const bare =
    atom.element === "C" && atom.bonds.length > 0 && atom.charge === 0 && !atom.isotope && atom.radicals === 0;
  if (bare) return { text: "", below: "", above: "", ends: false };
  const hydrogens = atom.hydrogens ? `H${atom.hydrogens > 1 ? subscript(atom.hydrogens) : ""}` : "";
  const size = Math.abs(atom.charge),
    charge = atom.charge ? `${size > 1 ? size : ""}${atom.charge > 0 ? "⁺" : "⁻"}` : "";
  const superscript = atom.isotope.replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
  const own = superscript + atom.element,
    dots = "•".repeat(atom.radicals);
  if (side === "right") return { text: own + hydrogens + charge + dots, below: "", above: "", ends: false };
  const before = dots + hydrogens;
  if (side === "left") return { text: before + own + charge, below: "", above: "", ends: before !== "" };
  const [near, far] = hydrogens ? [hydrogens, dots] : [dots, ""];
  const [below, above] = side === "below" ? [near, far] : [far, near];
  return { text: own + charge, below, above, ends: false };
}

function drawMolecule(text) {
  const molecule = readSmiles(text),
    { atoms, bonds } = molecule;
  const points = layoutMolecule(molecule).map((p) => ({ x: p.x * UNIT, y: -p.y * UNIT }));
  const labels = atoms.map((atom, index) => {
    const near = atom.bonds.map((bond) => minusVector(points[otherEnd(bonds[bond], index)], points[index]));
    return atomLabel(atom, freeSide(near));
  });
  const xs = points.map((p) => p.x),
    ys = points.map((p) => p.y);
  const widest = Math.max(0, ...labels.map((label) => 8 * (label.text.length - 1))),
    tallest = labels.some((label) => label.below || label.above) ? 10 : 0;
  const left = Math.min(...xs) - MARGIN - widest,
    top = Math.min(...ys) - MARGIN - tallest;
  const width = Math.max(...xs) - left + MARGIN + widest,
    height = Math.max(...ys) - top + MARGIN + tallest;
  const picture = svg("svg", {
    viewBox: [left, top, width, height].map((value) => value.toFixed(1)).join(" "),
    width: width.toFixed(0),
    class: "molecule",
  });
  const rings = findRings(molecule);
  for (const bond of bonds) picture.append(...drawBond(bond, points, labels, rings));
  labels.forEach((label, index) => {
    // The letters of the element stand at the place of the atom, what else there is beside it.
    const shift = 4.7 * Math.min(2, atoms[index].element.length);
    for (const [part, dx, dy] of [
      [label.text, label.ends ? shift : -shift, 5],
      [label.below, -shift, 19],
      [label.above, -shift, -9],
    ]) {
      if (!part) continue;
      const at = { x: (points[index].x + dx).toFixed(1), y: (points[index].y + dy).toFixed(1) };
      const anchor = label.ends ? "end" : "start";
      picture.append(svg("text", { ...at, "text-anchor": anchor, class: `atom ${atoms[index].element}` }, part));
    }
  });
  return picture;
}

// The lines of a bond, cut where there are labels.
function drawBond({ a, b, order, aromatic }, points, labels, rings) {
  const p = points[a],
    q = points[b],
    length = distance(p, q) || 1,
    u = { x: (q.x - p.x) / length, y: (q.y - p.y) / length };
  const n = { x: -u.y, y: u.x },
    cut = (atom) => (labels[atom].text ? 9 : 0);
  const line = (shift, short, kind = "") =>
    svg("line", {
      x1: (p.x + n.x * shift + u.x * Math.max(cut(a), short)).toFixed(1),
      y1: (p.y + n.y * shift + u.y * Math.max(cut(a), short)).toFixed(1),
      x2: (q.x + n.x * shift - u.x * Math.max(cut(b), short)).toFixed(1),
      y2: (q.y + n.y * shift - u.y * Math.max(cut(b), short)).toFixed(1),
      class: kind,
    });
  if (order === 3) return [line(0, 0), line(4, 0), line(-4, 0)];
  const ring = rings
    .filter((one) => one.includes(a) && one.includes(b))
    .sort((one, other) => one.length - other.length)[0];
  if (order === 2 && !ring && (labels[a].text || labels[b].text)) return [line(2, 0), line(-2, 0)];
  if (order === 2 || aromatic) {
    const inside = ring ? mean(ring.map((atom) => points[atom])) : { x: p.x + n.x, y: p.y + n.y };
    const side = (inside.x - p.x) * n.x + (inside.y - p.y) * n.y > 0 ? 4.5 : -4.5;
    return [line(0, 0), line(side, ring ? 4 : 3, aromatic ? "dashed" : "")];
  }
  return order === 4 ? [line(-4.5, 0), line(-1.5, 0), line(1.5, 0), line(4.5, 0)] : [line(0, 0)];
}

const viewer = { name: "molecule", draw: drawMolecule, captioned: true, key: moleculeKey };

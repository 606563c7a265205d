// The viewer of molecules: skeletal formulas.
"use strict";

const UNIT = 30,
  MARGIN = 20; // pixels of a bond and around a molecule
const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
const subscript = (number) => String(number).replace(/\d/g, (digit) => SUBSCRIPTS[digit]);

// The text at an atom, with its hydrogens on the side that is free; "" for a carbon of a skeleton.
function atomLabel(atom, hydrogensFirst) {
  const bare = atom.element === "C" && atom.bonds.length > 0 && atom.charge === 0 && !atom.isotope;
  if (bare) return { text: "", before: "" };
  const hydrogens = atom.hydrogens ? `H${atom.hydrogens > 1 ? subscript(atom.hydrogens) : ""}` : "";
  const size = Math.abs(atom.charge),
    charge = atom.charge ? `${size > 1 ? size : ""}${atom.charge > 0 ? "⁺" : "⁻"}` : "";
  const superscript = atom.isotope.replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
  const own = superscript + atom.element,
    before = hydrogensFirst ? hydrogens : "";
  return { text: before + own + (hydrogensFirst ? "" : hydrogens) + charge, before };
}

function drawMolecule(text) {
  const molecule = readSmiles(text),
    { atoms, bonds } = molecule;
  const points = layoutMolecule(molecule).map((p) => ({ x: p.x * UNIT, y: -p.y * UNIT }));
  const labels = atoms.map((atom, index) => {
    const near = atom.bonds.map((bond) => points[otherEnd(bonds[bond], index)].x - points[index].x);
    return atomLabel(atom, near.length > 0 && near.every((x) => x > -1) && near.some((x) => x > 1));
  });
  const xs = points.map((p) => p.x),
    ys = points.map((p) => p.y);
  const widest = Math.max(0, ...labels.map((label) => 8 * (label.text.length - 1)));
  const left = Math.min(...xs) - MARGIN - widest,
    top = Math.min(...ys) - MARGIN;
  const width = Math.max(...xs) - left + MARGIN + widest,
    height = Math.max(...ys) - top + MARGIN;
  const picture = svg("svg", {
    viewBox: [left, top, width, height].map((value) => value.toFixed(1)).join(" "),
    width: width.toFixed(0),
    class: "molecule",
  });
  const rings = findRings(molecule);
  for (const bond of bonds) picture.append(...drawBond(bond, points, labels, rings));
  labels.forEach(({ text: label, before }, index) => {
    if (!label) return;
    const drawn = svg(
      "text",
      { x: points[index].x.toFixed(1), y: (points[index].y + 5).toFixed(1), class: `atom ${atoms[index].element}` },
      label,
    );
    // The letters of the element stand at the place of the atom, what else there is beside it.
    drawn.setAttribute("text-anchor", before ? "end" : "start");
    drawn.setAttribute("dx", `${(before ? 1 : -1) * 4.7 * Math.min(2, atoms[index].element.length)}`);
    picture.append(drawn);
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

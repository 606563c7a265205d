// Signs of a staff as SVG: its lines are 8 apart, y = 0 is the upper one, and a step of the scale is 4.
"use strict";

const stepY = (step) => 40 - 4 * step; // step 2, the E above middle C, is the lowest line, at y = 32
const path = (d, kind = "") => svg("path", { d, class: kind });
const stroke = (x1, y1, x2, y2, kind = "") =>
  svg("line", { x1: x1.toFixed(1), y1: y1.toFixed(1), x2: x2.toFixed(1), y2: y2.toFixed(1), class: kind });

function trebleClef(x) {
  return path(
    `M${x + 9},24 c-4,0 -4,-7 1,-7 c6,0 8,10 1,14 c-7,3 -14,-3 -12,-11 c2,-9 13,-13 13,-23 ` +
      "c0,-7 -5,-6 -7,0 c-2,8 3,28 4,40 c1,8 -7,8 -8,3",
    "clef",
  );
}

function accidentalSign(value, x, y) {
  if (value === 0) return [path(`M${x},${y - 9} v13 l5,-1.5 M${x + 5},${y + 9} v-13 l-5,1.5`, "thin")];
  if (value < 0) {
    return Array.from({ length: -value }, (_, place) =>
      path(`M${x + 5 * place},${y - 11} v15 c6,-3 6,-9 0,-5`, "thin"),
    );
  }
  if (value === 2) return [path(`M${x},${y - 3} l6,6 m0,-6 l-6,6`, "thick")];
  return [
    path(`M${x + 1},${y - 7} v15 M${x + 4.5},${y - 8} v15`, "thin"),
    path(`M${x - 1},${y - 1.5} l7.5,-2 M${x - 1},${y + 3.5} l7.5,-2`, "thick"),
  ];
}

// The signs of a key, and how wide they are.
function keySignature(sharps, x) {
  const steps = sharps > 0 ? [10, 7, 11, 8, 5, 9, 6] : [6, 9, 5, 8, 4, 7, 3];
  const signs = steps
    .slice(0, Math.abs(sharps))
    .flatMap((step, place) => accidentalSign(Math.sign(sharps), x + 8 * place, stepY(step)));
  return { signs, width: 8 * Math.abs(sharps) + (sharps ? 4 : 0) };
}

function timeSignature(metre, x) {
  if (metre.text[0] === "C") {
    const signs = [path(`M${x + 10},12 c-3,-5 -10,-2 -10,4 c0,7 8,9 10,3`, "thick")];
    if (metre.text === "C|") signs.push(stroke(x + 6, 4, x + 6, 28, "thin"));
    return { signs, width: 18 };
  }
  const size = String(metre.beats).length > 1 || String(metre.unit).length > 1 ? 20 : 12;
  const number = (value, y) =>
    svg("text", { x: x + size / 2, y, class: "metre", "text-anchor": "middle" }, String(value));
  return { signs: [number(metre.beats, 15), number(metre.unit, 31)], width: size + 6 };
}

function restSign(flags, base, x) {
  if (base >= 1) return [svg("rect", { x, y: 8, width: 9, height: 4, class: "solid" })];
  if (base >= 0.5) return [svg("rect", { x, y: 12, width: 9, height: 4, class: "solid" })];
  if (flags === 0) return [path(`M${x + 1},5 l5,7 c-4,3 -3,5 1,9 c-5,-3 -7,1 -3,5`, "thick")];
  const signs = [stroke(x + 7, 10, x + 3, 18 + 4 * flags, "thin")];
  for (let flag = 0; flag < flags; flag++) {
    signs.push(
      svg("circle", { cx: x + 2 - flag, cy: 12 + 6 * flag, r: 1.9, class: "solid" }),
      path(`M${x + 2 - flag},${13 + 6 * flag} q3,2 ${4.6 - flag * 0.4},-2`, "thin"),
    );
  }
  return signs;
}

// A bar line that ends at x, with the dots of repeats.
function barLine(text, x) {
  const signs = [],
    dots = (at) => [12, 20].map((y) => svg("circle", { cx: at, cy: y, r: 1.7, class: "solid" }));
  const from = text.endsWith(":"),
    until = text.startsWith(":");
  if (until) signs.push(...dots(x - 10));
  if (from || until || /\]|\[\|/.test(text)) {
    if (until || text.endsWith("]")) signs.push(stroke(x - 5.5, 0, x - 5.5, 32, "thin"));
    signs.push(stroke(x - 1.5, 0, x - 1.5, 32, "heavy"));
    if (from) signs.push(stroke(x + 2.5, 0, x + 2.5, 32, "thin"), ...dots(x + 7));
  } else {
    signs.push(stroke(x, 0, x, 32, "thin"));
    if (text.includes("||")) signs.push(stroke(x - 4, 0, x - 4, 32, "thin"));
  }
  return signs;
}

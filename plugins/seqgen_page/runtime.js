// What the translated step of a network calls. Numbers are computed in 64 bits and stored in 32.
"use strict";

const tanh = (x) => 1 - 2 / (Math.exp(2 * x) + 1);
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const relu = (x) => (x < 0 ? 0 : x);
const square = (x) => x * x;
const remainder = (a, b) => a - b * Math.floor(a / b);
const leakyRelu = (x, slope) => (x < 0 ? slope * x : x);
const elu = (x, alpha, scale, inputScale) => scale * (x > 0 ? x : alpha * Math.expm1(inputScale * x));

function roundEven(x) {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (low % 2 ? 1 : 0) : Math.round(x);
}

// Abramowitz and Stegun, formula 7.1.26: to 1.5e-7.
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const found = 1 - series * Math.exp(-x * x);
  return x < 0 ? -found : found;
}

const gelu = (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2));
const geluTanh = (x) => 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));

// out (rows, columns) = x (rows, inner) times the transpose of w (columns, inner), plus a bias (columns).
// Four rows and two columns at a time, so that each number read serves several products.
function linear(out, x, xStart, w, wStart, bias, biasStart, rows, inner, columns) {
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const x0 = xStart + row * inner, x1 = x0 + inner, x2 = x1 + inner, x3 = x2 + inner;
    let column = 0;
    for (; column + 2 <= columns; column += 2) {
      const w0 = wStart + column * inner, w1 = w0 + inner;
      let a00 = 0, a01 = 0, a10 = 0, a11 = 0, a20 = 0, a21 = 0, a30 = 0, a31 = 0;
      if (bias !== null) {
        a00 = a10 = a20 = a30 = bias[biasStart + column];
        a01 = a11 = a21 = a31 = bias[biasStart + column + 1];
      }
      for (let k = 0; k < inner; k++) {
        const b0 = w[w0 + k], b1 = w[w1 + k];
        let v = x[x0 + k];
        a00 += v * b0; a01 += v * b1;
        v = x[x1 + k];
        a10 += v * b0; a11 += v * b1;
        v = x[x2 + k];
        a20 += v * b0; a21 += v * b1;
        v = x[x3 + k];
        a30 += v * b0; a31 += v * b1;
      }
      const at = row * columns + column;
      out[at] = a00; out[at + 1] = a01;
      out[at + columns] = a10; out[at + columns + 1] = a11;
      out[at + 2 * columns] = a20; out[at + 2 * columns + 1] = a21;
      out[at + 3 * columns] = a30; out[at + 3 * columns + 1] = a31;
    }
    if (column < columns) product(out, x, xStart, w, wStart, bias, biasStart, row, row + 4, inner, column, columns);
  }
  product(out, x, xStart, w, wStart, bias, biasStart, row, rows, inner, 0, columns);
}

// The same, one entry at a time, for some rows and columns.
function product(out, x, xStart, w, wStart, bias, biasStart, firstRow, rows, inner, firstColumn, columns) {
  for (let row = firstRow; row < rows; row++) {
    for (let column = firstColumn; column < columns; column++) {
      let total = bias === null ? 0 : bias[biasStart + column];
      const xs = xStart + row * inner, ws = wStart + column * inner;
      for (let k = 0; k < inner; k++) total += x[xs + k] * w[ws + k];
      out[row * columns + column] = total;
    }
  }
}

// An array of a kind and size in a list of arrays, made anew if the one there does not fit.
function resized(arrays, place, Kind, size) {
  if (arrays[place] === undefined || arrays[place].length !== size) arrays[place] = new Kind(size);
  return arrays[place];
}

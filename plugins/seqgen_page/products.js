// Products of rows with the weights: by WebAssembly where there is more than a little to do, which is several times
// as fast; else, and where a browser has none, by runtime.js.
"use strict";

const WORTH = 4096; // entries of a matrix from which copying the rows costs less than it saves
const up = (size, multiple) => Math.ceil(size / multiple) * multiple;

// The kernel linear.wasm, with a memory of its own for weights, rows and results.
class Kernel {
  constructor(bytes) {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
    this.linear = exports.linear;
    this.memory = exports.memory;
    this.end = 0; // bytes in use
    this.rows = this.results = null; // places for the arguments, as large as the largest so far
    this.look();
  }

  look() {
    this.numbers = new Float32Array(this.memory.buffer);
  }

  // The index of a place for some numbers.
  take(size) {
    const start = this.end;
    this.end = up(start + 4 * size, 16);
    const missing = this.end - this.memory.buffer.byteLength;
    if (missing > 0) {
      this.memory.grow(Math.ceil(missing / 65536));
      this.look();
    }
    return start / 4;
  }

  place(known, size) {
    return known !== null && known.size >= size ? known : { size, start: this.take(size) };
  }

  // The index of a matrix (inner, columns), wide enough for the kernel, and of its bias after it.
  put({ w, wStart, bias, biasStart, inner, columns }) {
    const wide = up(columns, 8), start = this.take((inner + 1) * wide);
    for (let column = 0; column < columns; column++) {
      for (let k = 0; k < inner; k++) this.numbers[start + k * wide + column] = w[wStart + column * inner + k];
      if (bias !== null) this.numbers[start + inner * wide + column] = bias[biasStart + column];
    }
    return start;
  }

  multiply(out, x, xStart, matrix, rows) {
    const { inner, columns } = matrix, wide = up(columns, 8), many = up(rows, 4);
    if (matrix.start === null) matrix.start = this.put(matrix);
    this.rows = this.place(this.rows, many * inner);
    this.results = this.place(this.results, many * wide);
    const { numbers } = this, from = this.rows.start, to = this.results.start;
    numbers.set(x.subarray(xStart, xStart + rows * inner), from);
    this.linear(4 * to, 4 * from, 4 * matrix.start, 4 * (matrix.start + inner * wide), many, inner, wide);
    for (let row = 0; row < rows; row++) {
      const start = to + row * wide;
      out.set(numbers.subarray(start, start + columns), row * columns);
    }
  }
}

let kernel = null;

function startKernel(bytes) {
  try {
    kernel = new Kernel(bytes);
  } catch {
    kernel = null;
  }
}

// Weights (columns, inner) and a bias or null, as `multiply` takes them.
function matrix(w, wStart, bias, biasStart, inner, columns) {
  return { w, wStart, bias, biasStart, inner, columns, start: null };
}

function multiply(out, x, xStart, m, rows) {
  if (kernel !== null && rows >= 4 && m.inner * m.columns >= WORTH) kernel.multiply(out, x, xStart, m, rows);
  else linear(out, x, xStart, m.w, m.wStart, m.bias, m.biasStart, rows, m.inner, m.columns);
}

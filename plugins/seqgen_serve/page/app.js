"use strict";

const find = (id) => document.getElementById(id);
const state = { models: [], columns: [], curves: [], key: "", request: null, timer: 0 };

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function say(text, isError = false) {
  find("status").textContent = text;
  find("status").classList.toggle("error", isError);
}

// -- the server

async function call(path, options = {}) {
  const headers = { "Content-Type": "application/json" };
  if (state.key) headers.Authorization = `Bearer ${state.key}`;
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server does not answer");
  }
  if (answer.status === 401) {
    showKeyForm(true);
    throw new Error(state.key ? "the key is not accepted" : "a key is needed");
  }
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error.message);
  return body;
}

function showKeyForm(isNeeded) {
  find("key-form").hidden = !isNeeded;
  for (const id of ["sample-form", "training"]) find(id).hidden = isNeeded;
  find(isNeeded ? "key" : "prefix").focus();
}

async function loadModels() {
  state.models = (await call("v1/models")).data;
  find("model").replaceChildren(...state.models.map((one) => new Option(one.id, one.id)));
  showKeyForm(false);
  showModel();
}

function chosen() {
  const names = [find("model").value, find("other").value];
  return names.filter((name, place) => name && names.indexOf(name) === place)
    .map((name) => state.models.find((one) => one.id === name));
}

function offerOthers() {
  const before = find("other").value, others = state.models.filter((one) => one.id !== find("model").value);
  find("other").replaceChildren(new Option("nothing", ""), ...others.map((one) => new Option(one.id, one.id)));
  if (others.some((one) => one.id === before)) find("other").value = before;
}

function showModel() {
  offerOthers();
  const models = chosen();
  for (const id of ["model", "other"]) find(id).title = find(id).value; // which a narrow list cuts off
  if (!models.length) return;
  find("about").textContent = models.map((one) =>
    `${one.id}: ${one.seqgen.corpus}, ${one.seqgen.parameters.toLocaleString("en")} parameters`).join("; ");
  const labels = models[0].seqgen.conditions.label || [];
  find("label-field").hidden = !labels.length;
  find("label").replaceChildren(new Option("any", ""), ...labels.map((value) => new Option(value, value)));
  find("valid-field").hidden = !models.every((one) => one.seqgen.has_validator);
  loadCurves();
}

// -- rows

function prefixFor(model) {
  const text = find("prefix").value;
  return model.seqgen.multiline ? text : text.replace(/\n$/, ""); // the end of a line that was pasted
}

function wanted(model, seed) {
  const body = {
    model: model.id, prompt: prefixFor(model), n: Number(find("n").value), seed,
    temperature: Number(find("temperature").value), logprobs: 0, echo: true,
  };
  for (const name of ["contains", "length", "regex"]) if (find(name).value) body[name] = find(name).value;
  for (const name of ["top_p", "max_tokens"]) if (find(name).value) body[name] = Number(find(name).value);
  for (const name of ["unique", "novel"]) if (find(name).checked) body[name] = true;
  if (find("valid").checked && model.seqgen.has_validator) body.valid = true;
  if (find("label").value && model.seqgen.conditions.label) body.label = find("label").value;
  return body;
}

async function sample(event) {
  event.preventDefault();
  stop();
  const request = state.request = new AbortController();
  const seed = find("seed").value ? Number(find("seed").value) : Math.floor(Math.random() * 2 ** 31);
  const models = chosen(), started = performance.now();
  find("stop").hidden = false;
  say("Sampling …");
  try {
    const columns = [];
    for (const model of models) {
      const answer = await call("v1/completions", {
        method: "POST", body: JSON.stringify(wanted(model, seed)), signal: request.signal,
      });
      columns.push({ model, seed, answer });
    }
    state.columns = columns;
    find("results").replaceChildren(...columns.map(showColumn));
    find("csv").disabled = false;
    const n = columns.reduce((sum, column) => sum + column.answer.choices.length, 0);
    say(`${n} rows with seed ${seed} in ${((performance.now() - started) / 1000).toFixed(2)} s.`);
  } catch (error) {
    if (state.request !== request) return; // another one has begun
    if (error.name === "AbortError") say(state.columns.length ? "Stopped. The rows are those of the request before." : "Stopped.");
    else {
      clearRows(); // those of the request before
      say(error.message, true);
    }
  } finally {
    if (state.request === request) {
      state.request = null;
      find("stop").hidden = true;
    }
  }
}

function clearRows() {
  state.columns = [];
  find("results").replaceChildren();
  find("csv").disabled = true;
}

function stop() {
  if (state.request) state.request.abort();
}

function bitsOf(choice) {
  const found = choice.logprobs;
  if (!found) return null;
  const nats = -found.token_logprobs.reduce((sum, value) => sum + (value || 0), 0);
  const ends = found.tokens.length && found.tokens[found.tokens.length - 1] === "" ? 1 : 0;
  const chars = [...choice.text].length + ends;
  return chars ? nats / Math.LN2 / chars : null;
}

function heat(choice, start) {
  const found = choice.logprobs;
  if (!found) return [choice.text];
  const parts = found.tokens.map((token, place) => {
    if (token === "") return "";
    const bits = -found.token_logprobs[place] / Math.LN2;
    const level = bits < 1 ? 0 : bits < 2.5 ? 1 : bits < 4.5 ? 2 : bits < 7 ? 3 : 4;
    const isGiven = found.text_offset[place] < start;
    const made = element("span", { class: `heat h${level}${isGiven ? " given" : ""}`, title: `${bits.toFixed(2)} bits` });
    made.textContent = token;
    return made;
  });
  const shown = found.tokens.join("");
  return shown === choice.text ? parts : [choice.text];
}

function showColumn({ model, answer }) {
  const start = [...prefixFor(model)].length;
  const rows = answer.choices.map((choice) => {
    const text = element("td", { class: "text" });
    if (choice.text) text.append(...heat(choice, start));
    else text.append(element("span", { class: "empty" }, "(empty)"));
    if (choice.finish_reason === "length") text.append(element("span", { class: "cut", title: "cut" }, "…"));
    const bits = bitsOf(choice);
    return element("tr", {}, element("td", { class: "row" }, String(choice.index)), text,
      element("td", { class: "number" }, bits === null ? "" : bits.toFixed(2)));
  });
  const all = answer.choices.map(bitsOf).filter((bits) => bits !== null);
  const mean = all.reduce((sum, bits) => sum + bits, 0) / all.length;
  const head = element("tr", {}, element("th", { scope: "col" }, "#"), element("th", { scope: "col" }, "Row"),
    element("th", { scope: "col", class: "number" }, "bits/char"));
  const card = element("section", { class: "card" }, element("h2", {}, model.id),
    element("table", { class: "rows" }, element("thead", {}, head), element("tbody", {}, ...rows)));
  const distinct = new Set(answer.choices.map((choice) => choice.text)).size;
  const notes = [`${answer.choices.length} rows, ${distinct} different` + (all.length ? `, ${mean.toFixed(2)} bits/char on average` : "")];
  for (const line of [...notes, ...answer.warnings]) card.append(element("p", { class: "note" }, line));
  return card;
}

// -- a table for other programs

function download() {
  const quote = (value) => /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  const lines = [["model", "seed", "row", "text", "cut", "bits_per_char"]];
  for (const { model, seed, answer } of state.columns) {
    for (const choice of answer.choices) {
      const bits = bitsOf(choice);
      lines.push([model.id, String(seed), String(choice.index), choice.text, String(choice.finish_reason === "length"),
        bits === null ? "" : String(bits)]);
    }
  }
  const text = lines.map((line) => line.map(quote).join(",")).join("\r\n") + "\r\n";
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "rows.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// -- curves

async function loadCurves() {
  clearTimeout(state.timer);
  const models = chosen();
  try {
    const all = await Promise.all(models.map((one) => call(`v1/models/${encodeURIComponent(one.id)}/curves`)));
    if (models.map((one) => one.id).join() !== chosen().map((one) => one.id).join()) return;
    state.curves = all;
    showCurves();
    if (all.some((one) => !one.ended)) state.timer = setTimeout(loadCurves, 5000); // it is still being trained
  } catch (error) {
    find("curves").replaceChildren(element("p", { class: "note" }, error.message));
  }
}

function showCurves() {
  find("curves").replaceChildren(...drawCurves(state.curves, chosen().map((one) => one.seqgen.step)));
}

// sampled: the step of each run that rows are sampled from. Returns elements.
function drawCurves(all, sampled) {
  const curves = [];
  all.forEach((one, place) => {
    const alone = one.valid_network_bits_per_char || [];
    const blended = alone.some((value, at) => Number.isFinite(value) && value !== one.valid_bits_per_char[at]);
    for (const [part, title] of [["valid", "held-out"], ["train", blended ? "training (network alone)" : "training"]]) {
      const values = one[`${part}_bits_per_char`];
      if (!one.step || !Array.isArray(one.step) || !values) continue;
      const points = one.step.map((step, at) => [step, values[at]]).filter(([, value]) => Number.isFinite(value));
      if (!points.length) continue;
      const dot = points.reduce((a, b) => Math.abs(b[0] - sampled[place]) < Math.abs(a[0] - sampled[place]) ? b : a);
      const value = `${dot[1].toFixed(3)} at step ${dot[0].toLocaleString("en")}`;
      const single = points.length === 1 && (part === "train" || dot[0] !== sampled[place]); // no line tells it apart
      curves.push({ points, dot, single, part, title: `${one.id}, ${title}: ${value}`, order: place ? "second" : "first" });
    }
  });
  if (!curves.length) return [element("p", { class: "note" }, "This run has no evaluations yet.")];
  const wide = Math.max(280, find("curves").clientWidth), high = 240, left = 40, bottom = 26, top = 10, right = 22;
  const xs = curves.flatMap((curve) => curve.points.map(([x]) => x)), ys = curves.flatMap((curve) => curve.points.map(([, y]) => y));
  const [x0, x1, y0, y1] = [0, Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const pad = (y1 - y0 || 1) * 0.05;
  const x = (value) => left + (value - x0) / (x1 - x0 || 1) * (wide - left - right);
  const y = (value) => high - bottom - (value - y0 + pad) / (y1 - y0 + 2 * pad || 1) * (high - bottom - top);
  const title = `Bits per character by step: ${curves.map((curve) => curve.title).join("; ")}`;
  const chart = svg("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": title });
  for (const value of ticks(y0, y1, 5)) {
    chart.append(svg("line", { class: "axis", x1: left, x2: wide - right, y1: y(value), y2: y(value) }),
      svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, String(Number(value.toPrecision(6)))));
  }
  for (const value of ticks(x0, x1, wide < 500 ? 4 : 8)) {
    chart.append(svg("text", { x: x(value), y: high - 8, "text-anchor": "middle" }, value.toLocaleString("en")));
  }
  for (const { points, dot, single, part, order } of curves) {
    const [cx, cy] = [x(dot[0]), y(dot[1])];
    chart.append(single ? svg("rect", { class: `single ${order}`, x: cx - 4, y: cy - 4, width: 8, height: 8 }) : svg("circle", { class: `dot ${order}`, cx, cy, r: 3 }));
    chart.append(svg("polyline", { class: `curve ${order} ${part}`, points: points.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ") }));
  }
  const legend = element("ul", { class: "legend" }, ...curves.map((curve) =>
    element("li", {}, element("span", { class: `swatch ${curve.order} ${curve.single ? "single" : curve.part}` }), curve.title)));
  return [chart, legend, element("p", { class: "note" }, "Bits per character by step; less is better. A dot marks the step that is sampled.")];
}

function ticks(low, high, most) {
  const rough = (high - low || 1) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) found.push(value);
  return found;
}

// -- events

find("sample-form").addEventListener("submit", sample);
find("prefix").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return; // with shift, a line of the prefix begins
  event.preventDefault();
  find("sample-form").requestSubmit();
});
find("stop").addEventListener("click", stop);
find("csv").addEventListener("click", download);
find("model").addEventListener("change", showModel);
find("other").addEventListener("change", showModel);
find("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  state.key = find("key").value;
  loadModels().then(() => say(""), (error) => say(error.message, true));
});
window.addEventListener("resize", () => {
  if (state.curves.length) showCurves();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") stop();
});
loadModels().catch((error) => say(error.message, true));

// The page itself: settings, sampling, scoring.
"use strict";

const WIDTH = 64, AT_ONCE = 30; // rows sampled together; milliseconds of work before the page draws again
const SHOWN = 200; // rows drawn at first
const TOLERANCE = 1e-3; // of the page's comparison of itself with its run, nats a symbol

function startPage() {
  const at = (id) => document.getElementById(id);
  const { facts, model, texts } = loadPage((id) => at(id).textContent);
  let rows = [], wanted = 0, shown = SHOWN, order = { by: "row", up: true };

  // -- what the page is

  at("lead").textContent = `Trained on ${facts.settings.corpus}. Runs in this browser, without a network.`;
  for (const [name, value] of facts.about) at("about").append(element("dt", {}, name), element("dd", {}, value));
  for (const slot of facts.slots) {
    const values = facts.conditions.filter((one) => one.startsWith(`${slot}=`)).map((one) => one.slice(slot.length + 1));
    const select = element("select", { id: `given-${slot}` }, element("option", { value: "" }, "any"));
    for (const value of values) select.append(element("option", { value }, value));
    at("conditions").append(element("label", {}, slot, select));
  }
  if (facts.multiline) {
    const lines = element("textarea", { id: "prefix", rows: 2, spellcheck: false });
    at("prefix").replaceWith(lines);
  }
  if (texts.read === null) {
    at("prefix").closest("label").hidden = true;
    at("scoring").hidden = true;
  }
  const given = () => facts.slots.map((slot) => {
    const value = at(`given-${slot}`).value;
    return value ? 3 + facts.conditions.indexOf(`${slot}=${value}`) : PAD;
  });

  function say(line, failed = false) {
    at("status").textContent = line;
    at("status").classList.toggle("failed", failed);
  }

  // Other browsers have other exponentials; none may be far from the run.
  const cost = model.score(facts.check.ids);
  const worst = Math.max(0, ...facts.check.nats.map((nats, place) => Math.abs(nats - cost[place])));
  if (!(worst <= TOLERANCE)) {
    say(`This browser computes other numbers than the run (by ${worst.toPrecision(3)} nats), so it cannot sample here.`, true);
    at("run").disabled = true;
    return;
  }

  // -- samples

  function draw() {
    const sign = order.up ? 1 : -1;
    rows.sort((a, b) => sign * (a[order.by] - b[order.by]) || a.row - b.row);
    at("body").replaceChildren(...rows.slice(0, shown).map((one) => tableRow(texts, one, look)));
    at("table").hidden = rows.length === 0;
    at("further").hidden = rows.length <= shown;
    at("save").disabled = rows.length === 0;
  }

  function readSettings() {
    const number = (id) => (at(id).value === "" ? null : Number(at(id).value));
    const prefix = texts.read === null ? [] : texts.encode(at("prefix").value);
    const settings = {
      seed: number("seed"), temperature: number("temperature"), topK: number("top-k"), topP: number("top-p"),
      forced: [...given(), ...prefix], maxLength: facts.maxLength,
    };
    const contains = at("contains").value, shortest = number("shortest") ?? 0, longest = number("longest") ?? Infinity;
    if (prefix.length > facts.maxLength) throw new Error(`a row has at most ${facts.maxLength} symbols`);
    if (shortest > longest) throw new Error("the shortest length is above the longest");
    const plain = !contains && !shortest && longest === Infinity;
    const keep = (one) => {
      const length = Array.from(one.text).length;
      return plain || (!(facts.ends && one.cut) && one.text.includes(contains) && length >= shortest && length <= longest);
    };
    return { settings, keep, plain, n: number("rows") };
  }

  // The symbols that a text is read as: a row may consist of others, as of letters where there is a symbol for a word.
  function spelled(one) {
    if (texts.read === null || one.text.includes("\ufffd")) return one.ids;
    const ids = texts.encode(one.text);
    return ids.length === one.ids.length && ids.every((id, place) => id === one.ids[place]) ? one.ids : ids;
  }

  // Rows in the order of their numbers; those that break a constraint are left out, which keeps the model's distribution.
  function* sampled({ settings, keep, plain, n }, found) {
    const sampler = new Sampler(model, settings), effort = plain ? n : Math.max(20000, 200 * n);
    let first = 0, kept = 0;
    while (kept < n && first < effort) {
      const size = Math.min(plain ? n : Math.max(256, Math.min(4096, 2 * n)), effort - first, 4096);
      const numbers = Array.from({ length: size }, (_, place) => first + place), part = [];
      yield* sampler.sample(numbers, WIDTH, (one) => part.push({ ...one, text: texts.decode(one.ids) }));
      part.sort((a, b) => a.row - b.row);
      for (const one of part) if (kept < n && keep(one)) { found(one); kept += 1; }
      first += size;
    }
    return first;
  }

  function run(event) {
    event.preventDefault();
    const number = (wanted += 1), began = performance.now();
    let asked;
    try {
      asked = readSettings();
    } catch (error) {
      say(`${error.message[0].toUpperCase()}${error.message.slice(1)}.`, true);
      return;
    }
    rows = [];
    shown = SHOWN;
    order = { by: "row", up: true };
    markOrder();
    const conditions = given();
    const work = sampled(asked, (one) => {
      const ids = spelled(one), again = one.cut || ids !== one.ids;
      const nats = again ? model.score([...conditions, ...ids]) : one.nats;
      rows.push({ ...one, ids, nats, bits: model.bits(nats, one.text) });
    });
    at("stop").disabled = false;
    say("Sampling …");
    const go = () => {
      if (number !== wanted) return;
      const until = performance.now() + AT_ONCE;
      let step;
      try {
        do step = work.next(); while (!step.done && performance.now() < until);
      } catch (error) {
        finish(`Sampling failed: ${error.message}.`, true);
        return;
      }
      if (step.done) {
        const seconds = (performance.now() - began) / 1000, speed = Math.round(step.value / seconds);
        const few = rows.length < asked.n ? ` Only ${rows.length} of ${step.value.toLocaleString("en")} rows fit.` : "";
        finish(`${rows.length.toLocaleString("en")} rows in ${seconds.toFixed(2)} s (${speed.toLocaleString("en")} a second).${few}`);
      } else {
        say(`Sampling … ${rows.length.toLocaleString("en")} rows`);
        setTimeout(go);
      }
    };
    go();
  }

  function finish(line, failed) {
    at("stop").disabled = true;
    draw();
    say(line, failed);
  }

  function markOrder() {
    for (const button of document.querySelectorAll("[data-by]")) {
      const head = button.closest("th");
      if (button.dataset.by === order.by) head.setAttribute("aria-sort", order.up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
  }

  // -- scores

  function score() {
    const text = at("text").value;
    at("symbols").replaceChildren();
    at("score").classList.remove("failed");
    if (!text) { at("score").textContent = ""; return; }
    try {
      const ids = texts.encode(text);
      if (ids.length > facts.maxLength) throw new Error(`a text has at most ${facts.maxLength} symbols`);
      const nats = model.score([...given(), ...ids]), total = nats.reduce((sum, value) => sum + value, 0);
      at("score").textContent = `${model.bits(nats, text).toFixed(3)} bits per character, ${bitsText(total)} in all`;
      at("symbols").replaceChildren(...symbolList(texts, ids, nats));
    } catch (error) {
      at("score").textContent = `Cannot score this text: ${error.message}.`;
      at("score").classList.add("failed");
    }
  }

  function look(text) {
    at("text").value = text;
    score();
    at("text").focus();
    at("scoring").scrollIntoView();
  }

  at("settings").addEventListener("submit", run);
  at("stop").addEventListener("click", () => { wanted += 1; finish(`Stopped after ${rows.length.toLocaleString("en")} rows.`); });
  at("save").addEventListener("click", () => saveRows(rows, facts.title));
  at("further").addEventListener("click", () => { shown += 5 * SHOWN; draw(); });
  at("text").addEventListener("input", score);
  for (const button of document.querySelectorAll("[data-by]")) {
    button.addEventListener("click", () => {
      order = { by: button.dataset.by, up: order.by === button.dataset.by ? !order.up : true };
      markOrder();
      draw();
    });
  }
  // Settings may stand in the address, as in page.html#rows=5&prefix=Ma.
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    const input = document.querySelector(`#settings [id="${CSS.escape(name)}"]`);
    if (input !== null && "value" in input) input.value = value;
  }
  at("settings").requestSubmit();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { draw(); score(); });
}

if (typeof document !== "undefined") startPage();

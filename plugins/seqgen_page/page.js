// The page itself: settings, sampling, scoring.
"use strict";

const WIDTH = 64,
  AT_ONCE = 30; // rows sampled together; milliseconds of work before the page draws again
const TOLERANCE = 1e-3; // of the page's comparison of itself with its run, nats a symbol
const whole = (value) => value.toLocaleString("en");
const counted = (n) => `${whole(n)} ${n === 1 ? "row" : "rows"}`;
const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

// The symbols that a text is read as: a row may consist of others, as of letters where there is a symbol for a word.
function spelled(texts, one) {
  if (texts.read === null || one.text.includes("\ufffd")) return one.ids;
  const ids = texts.encode(one.text);
  return ids.length === one.ids.length && ids.every((id, place) => id === one.ids[place]) ? one.ids : ids;
}

// Rows in the order of their numbers, each as soon as it and those before it have ended: were they found as they end,
// short ones would come first. Those that break a constraint are left out, which keeps the model's distribution.
// Returns the number of rows tried.
function* sampled(model, texts, { settings, keep, plain, n }, found, tried) {
  const sampler = new Sampler(model, settings),
    effort = plain ? n : Math.max(20000, 200 * n);
  let first = 0,
    kept = 0;
  while (kept < n && first < effort) {
    const size = Math.min(plain ? n : Math.max(256, Math.min(4096, 2 * n)), effort - first, 4096);
    const numbers = Array.from({ length: size }, (_, place) => first + place),
      ended = new Map();
    let next = first;
    yield* sampler.sample(numbers, WIDTH, (row) => {
      ended.set(row.row, row);
      for (; ended.has(next); next++) {
        const one = { ...ended.get(next), text: texts.decode(ended.get(next).ids) };
        ended.delete(next);
        if (kept < n && keep(one)) {
          found(one);
          kept += 1;
        }
        tried(next + 1);
      }
    });
    first += size;
  }
  return first;
}

function startPage() {
  const at = (id) => document.getElementById(id);
  const { facts, model, texts, novelty } = loadPage((id) => at(id).textContent);
  const settings = new Settings(facts, texts, at),
    given = () => settings.given();
  let wanted = 0,
    soFar = () => ""; // the rows of the sampling that goes on, and those tried for them

  at("lead").textContent = `Trained on ${facts.settings.corpus}. Runs in this browser, without a network.`;
  for (const [name, value] of facts.about) at("about").append(element("dt", {}, name), element("dd", {}, value));
  if (novelty !== null) {
    at("novelty").hidden = false;
    at("novelty").textContent =
      `“In training” is wrong for about 1 new text in ${whole(novelty.oneIn)}, “new” for none.${facts.novelty.note}`;
  }

  function say(line, failed = false) {
    at("status").textContent = line;
    at("status").classList.toggle("failed", failed);
  }

  // Other browsers have other exponentials; none may be far from the run.
  const cost = model.score(facts.check.ids);
  const worst = Math.max(0, ...facts.check.nats.map((nats, place) => Math.abs(nats - cost[place])));
  if (!(worst <= TOLERANCE)) {
    say(
      `This browser computes other numbers than the run (by ${worst.toPrecision(3)} nats), so it cannot sample here.`,
      true,
    );
    at("run").disabled = true;
    return;
  }

  const score = startScoring({ facts, model, texts, at, given });
  const results = new Results({
    texts,
    at,
    novelty,
    look(text) {
      at("text").value = text;
      score();
      at("text").focus();
      at("scoring").scrollIntoView();
    },
  });

  function run(event) {
    event.preventDefault();
    const number = (wanted += 1),
      began = performance.now();
    results.clear();
    let asked;
    try {
      asked = settings.read();
    } catch (error) {
      finish(sentence(error.message), true);
      return;
    }
    const conditions = given();
    let tried = 0;
    soFar = () => counted(results.rows.length) + (asked.plain ? "" : ` of ${whole(tried)} tried`);
    const keep = (one) => {
      const ids = spelled(texts, one);
      const nats = ids === one.ids ? one.nats : model.score([...conditions, ...ids], !one.cut);
      results.rows.push({
        ...one,
        ids,
        nats,
        bits: model.bits(nats, one.text, !one.cut),
        known: novelty !== null && novelty.has(one.text),
      });
    };
    const work = sampled(model, texts, asked, keep, (number) => (tried = number));
    at("stop").disabled = false;
    say("Sampling …");
    const go = () => {
      if (number !== wanted) return;
      const until = performance.now() + AT_ONCE;
      let step;
      try {
        do step = work.next();
        while (!step.done && performance.now() < until);
      } catch (error) {
        finish(`Sampling failed: ${error.message}.`, true);
        return;
      }
      if (step.done) {
        finish(summary(results.rows, asked, step.value, (performance.now() - began) / 1000));
      } else {
        say(`Sampling … ${soFar()}`);
        setTimeout(go);
      }
    };
    go();
  }

  function summary(rows, asked, tried, seconds) {
    const speed = whole(Math.round(tried / seconds)),
      time = `in ${seconds.toFixed(2)} s`,
      few = rows.length < asked.n ? "Only " : "";
    const line = asked.plain
      ? `${counted(rows.length)} ${time} (${speed} a second).`
      : `${few}${counted(rows.length)} kept of ${whole(tried)} tried ${time} (${speed} tried a second).`;
    return novelty === null
      ? line
      : `${line} New: ${whole(rows.filter((one) => !one.known).length)} of ${whole(rows.length)}.`;
  }

  function finish(line, failed) {
    at("stop").disabled = true;
    results.draw();
    say(line, failed);
  }

  at("settings").addEventListener("submit", run);
  at("stop").addEventListener("click", () => {
    wanted += 1;
    finish(`Stopped after ${soFar()}.`);
  });
  at("save").addEventListener("click", () => saveRows(results.rows, facts.title, novelty !== null));
  const unused = settings.takeAddress(location.hash);
  at("address").hidden = unused.length === 0;
  at("address").textContent = `The address has settings or values that this page does not know: ${unused.join(", ")}`;
  at("settings").requestSubmit();
  addEventListener("hashchange", () => {
    if (location.hash.includes("=")) location.reload(); // an address given to the open page
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    results.draw();
    score();
  });
}

if (typeof document !== "undefined") startPage();

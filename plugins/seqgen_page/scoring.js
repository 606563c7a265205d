// The costs of texts that somebody types.
"use strict";

const MOST_LINES = 200,
  PAUSE = 150; // lines that are scored; milliseconds after the last key

// given: returns the ids of conditions. Returns `score`, which scores what is in the box.
function startScoring({ facts, model, texts, at, given }) {
  at("scoring").hidden = texts.read === null;
  if (facts.multiline) at("score-title").textContent = "Score a text";
  at("text-label").textContent = facts.multiline ? "One text: records of this run have several lines" : "Texts, one a line";

  const costs = (text) => {
    const ids = texts.encode(text);
    const { longestScored } = facts; // null: any
    if (longestScored !== null && ids.length > longestScored)
      throw new Error(`it has ${ids.length} symbols, and this model reads at most ${longestScored}`);
    const nats = model.score([...given(), ...ids]);
    return { ids, nats, total: nats.reduce((sum, value) => sum + value, 0), bits: model.bits(nats, text) };
  };
  const say = (line, failed) => {
    at("score").textContent = line;
    at("score").classList.toggle("failed", failed);
  };

  function scoreOne(text) {
    try {
      const { ids, nats, total, bits } = costs(text);
      say(`${bits.toFixed(3)} bits per character, ${bitsText(total)} in all`, false);
      at("symbols").replaceChildren(...symbolList(texts, ids, nats));
    } catch (error) {
      say(`Cannot score this text: ${error.message}.`, true);
    }
    if (viewer === null) return;
    const picture = drawn(text, "this text", at("scoring").clientWidth);
    at("drawing").className = viewer.name;
    at("drawing").append(picture.element);
    if (picture.fine && viewer.sound) at("drawing").append(playButton(text, "this text"));
  }

  function scoreSeveral(lines) {
    let failed = 0;
    const rows = lines.slice(0, MOST_LINES).map((line) => {
      try {
        const { ids, nats, total, bits } = costs(line),
          number = (value) => element("td", { className: "number" }, value);
        return element(
          "tr",
          {},
          element("td", { className: "text" }, ...heatMap(texts, ids, nats)),
          number(bits.toFixed(3)),
          number((total / BITS).toFixed(2)),
        );
      } catch (error) {
        failed += 1;
        return element(
          "tr",
          {},
          element("td", { className: "text" }, line),
          element("td", { colSpan: 2, className: "failed" }, `${error.message}`),
        );
      }
    });
    at("scored").replaceChildren(...rows);
    at("scores").hidden = false;
    const cut = lines.length > MOST_LINES ? ` of ${lines.length.toLocaleString("en")}` : "";
    say(`${rows.length}${cut} lines${failed ? `, ${failed} of them without a score` : ""}`, failed > 0);
  }

  function score() {
    const text = at("text").value,
      lines = facts.multiline ? [text] : text.split("\n").filter((line) => line !== "");
    if (at("drawing").querySelector(".play")) stopPlaying();
    at("symbols").replaceChildren();
    at("drawing").replaceChildren();
    at("scores").hidden = true;
    if (!text || lines.length === 0) say("", false);
    else if (lines.length === 1) scoreOne(lines[0]);
    else scoreSeveral(lines);
  }

  let timer = 0;
  at("text").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(score, PAUSE);
  });
  return score;
}

// Elements of the page: heat maps, tables, files.
"use strict";

const BITS = Math.LN2;
const MOST_BITS = 8; // a symbol that costs as much has the darkest shade

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// An element of SVG with attributes.
function svg(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) if (value !== "") made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Shade an element by what its symbol costs.
function shade(target, nats) {
  const strength = Math.min(nats / BITS / MOST_BITS, 1) * 0.75;
  target.style.backgroundColor = `rgba(${getComputedStyle(document.documentElement).getPropertyValue("--heat")}, ${strength.toFixed(3)})`;
}

const bitsText = (nats) => `${(nats / BITS).toFixed(2)} bits`;

// A text with each symbol shaded. What is a part of a character only is shown as its bytes.
function heatMap(texts, ids, nats) {
  return ids.map((id, place) => {
    const symbol = element("span", { className: "symbol", title: `${texts.show(id)}: ${bitsText(nats[place])}` }, texts.show(id));
    shade(symbol, nats[place]);
    return symbol;
  });
}

// The symbols of a text one beside another, each with its cost; the end last.
function symbolList(texts, ids, nats) {
  return nats.map((cost, place) => {
    const shown = place < ids.length ? texts.show(ids[place]).replaceAll("\n", "⏎").replaceAll(" ", "␣") : "end";
    const symbol = element("span", {}, shown);
    shade(symbol, cost);
    return element("li", {}, symbol, element("small", {}, (cost / BITS).toFixed(1)));
  });
}

function tableRow(texts, one, look, novelty) {
  const shown = one.ids.length ? heatMap(texts, one.ids, one.nats) : [element("i", {}, "(empty)")];
  const text = texts.read
    ? element("button", { type: "button", title: "Score this text", onclick: () => look(one.text) }, ...shown)
    : element("span", {}, ...shown);
  return element(
    "tr", {},
    element("td", { className: "number" }, String(one.row)),
    element("td", { className: one.cut ? "text cut" : "text" }, text),
    ...(novelty === null ? [] : [element("td", {}, one.known ? "in training" : "new")]),
    element("td", { className: "number" }, one.bits.toFixed(2)),
  );
}

// A text as a field of CSV; one that a spreadsheet would take for a formula stays a text.
function field(text) {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function saveRows(rows, name, withNovelty) {
  const novelty = (value) => (withNovelty ? [value] : []);
  const lines = [
    ["row", "text", "bits_per_char", "cut", ...novelty("where")],
    ...rows.map((one) => [one.row, field(one.text), one.bits.toFixed(4), one.cut, ...novelty(one.known ? "train" : "new")]),
  ].map((line) => line.join(","));
  const address = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
  const link = element("a", { href: address, download: `${name}.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

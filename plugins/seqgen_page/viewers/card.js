// The viewer of cards: lines of name=value laid out as a card.
"use strict";

const CARD_LINE = /^(name|cost|type|class|rarity|race|attack|health|durability|armor|text)=(.*)$/;

// As in seqgen_cards/rules.py.
const CARD_TYPES = ["minion", "spell", "weapon", "hero", "location"];
const CARD_RANGES = { cost: [0, 100], attack: [0, 100], health: [1, 100], durability: [1, 100], armor: [0, 100] };

// Fields by name. Raises an error for a text that is no card.
function readCard(text) {
  const fields = new Map();
  text.split("\n").forEach((line, place) => {
    const found = CARD_LINE.exec(line);
    if (found === null) throw new Error(`line ${place + 1} is no field of a card`);
    if (fields.has(found[1])) throw new Error(`the field ${found[1]} stands there twice`);
    fields.set(found[1], found[2]);
  });
  for (const name of ["name", "cost", "type"]) if (!fields.has(name)) throw new Error(`there is no field ${name}`);
  return fields;
}

// Raise an error for a card with an unknown type, or with a field that is not a whole number within its range.
function checkCard(card) {
  const type = card.get("type");
  if (!CARD_TYPES.includes(type)) throw new Error(`the type ${JSON.stringify(type.slice(0, 20))} is unknown`);
  for (const [name, [low, high]] of Object.entries(CARD_RANGES)) {
    const value = card.get(name);
    if (value === undefined || (/^(0|[1-9]\d{0,2})$/.test(value) && low <= value && value <= high)) continue;
    const shown = JSON.stringify(value.slice(0, 20));
    throw new Error(`${name} is not a whole number from ${low} to ${high}: ${shown}`);
  }
  return card;
}

function drawCard(text) {
  const card = checkCard(readCard(text)),
    value = (name) => card.get(name) ?? "";
  const number = (name, sign) =>
    element(
      "span",
      { className: `gem ${name}`, title: name },
      element("span", { className: "unseen" }, `${name} `),
      sign,
      value(name),
    );
  const foot = element("p", { className: "strength" });
  if (card.has("attack")) foot.append(number("attack", "⚔ "));
  for (const name of ["health", "durability", "armor"])
    if (card.has(name)) foot.append(number(name, name === "health" ? "♥ " : "◈ "));
  const keywords = value("text")
    .split(/(\b[A-Z][a-z]+(?: (?:[A-Z][a-z]+|and|One))*(?=:| -))/)
    .map((part, place) => (place % 2 ? element("b", {}, part) : part));
  return element(
    "div",
    { className: `card ${CSS.escape(value("rarity"))}` },
    element("p", { className: "title" }, number("cost", ""), element("b", {}, value("name"))),
    element("p", { className: "kind" }, [value("rarity"), value("type")].filter(Boolean).join(" ")),
    element("p", { className: "kind" }, [value("class"), value("race")].filter(Boolean).join(" · ")),
    element("p", { className: "words" }, ...keywords),
    foot,
  );
}

// Cards are equal whatever the order of their fields.
const viewer = { name: "card", draw: drawCard, key: (text) => [...readCard(text)].sort().join("\n") };

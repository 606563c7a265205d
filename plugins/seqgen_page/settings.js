// The settings of the form and of the address.
"use strict";

const labelOf = (input) => input.closest("label").firstChild.textContent.trim();

class Settings {
  // at: from the id of an element to the element.
  constructor(facts, texts, at) {
    Object.assign(this, { facts, texts, at });
    for (const slot of facts.slots) {
      const values = facts.conditions
        .filter((one) => one.startsWith(`${slot}=`))
        .map((one) => one.slice(slot.length + 1));
      const select = element("select", { id: `given-${slot}` }, element("option", { value: "" }, "any"));
      for (const value of values) select.append(element("option", { value }, value));
      at("conditions").append(element("label", {}, slot[0].toUpperCase() + slot.slice(1), select));
    }
    if (facts.multiline) at("prefix").replaceWith(element("textarea", { id: "prefix", rows: 2, spellcheck: false }));
    if (texts.read === null) at("prefix").closest("label").hidden = true;
    at("settings").addEventListener("input", () => this.showInUse());
  }

  // Take settings from an address such as page.html#rows=5&prefix=Ma; return those that are not known or not possible.
  takeAddress(hash) {
    const unused = [];
    for (const [name, value] of new URLSearchParams(hash.slice(1))) {
      const input = document.querySelector(`#settings [id="${CSS.escape(name)}"]`);
      const isSetting = input !== null && "value" in input && input.type !== "submit" && input.type !== "button";
      if (!isSetting || input.closest("label[hidden]") !== null) {
        unused.push(name);
        continue;
      }
      const before = input.value;
      input.value = value;
      if (input.value.replaceAll("\r", "") === value.replaceAll("\r", "")) continue;
      input.value = before;
      unused.push(`${name}=${value}`);
    }
    this.at("more").open = this.showInUse() > 0;
    return unused;
  }

  // Write how many settings of the closed panel are in use beside its title; return it.
  showInUse() {
    const n = [...this.at("more").querySelectorAll("input")].filter((input) => input.value !== "").length;
    this.at("in-use").textContent = n ? ` (${n} in use)` : "";
    return n;
  }

  // The ids of the conditions before a text.
  given() {
    return this.facts.slots.map((slot) => {
      const value = this.at(`given-${slot}`).value;
      return value ? 3 + this.facts.conditions.indexOf(`${slot}=${value}`) : PAD;
    });
  }

  // The ids of the text in an input. Raises an error that names the input and an unknown symbol.
  symbolsOf(id) {
    try {
      return this.texts.encode(this.at(id).value);
    } catch (error) {
      throw new Error(`${labelOf(this.at(id))}: ${error.message}`);
    }
  }

  // Return {settings (of Sampler), keep, plain, n}. Raises an error that names the input with a value that cannot be.
  read() {
    const { at, facts, texts } = this,
      bad = at("settings").querySelector("input:invalid");
    if (bad !== null) {
      at("more").open ||= at("more").contains(bad);
      bad.focus();
      throw new Error(`${labelOf(bad)}: ${bad.validationMessage.replace(/\.$/, "")}`);
    }
    const number = (id) => (at(id).value === "" ? null : Number(at(id).value));
    const prefix = texts.read === null ? [] : this.symbolsOf("prefix");
    const settings = {
      seed: number("seed"),
      temperature: number("temperature"),
      topK: number("top-k"),
      topP: number("top-p"),
      forced: [...this.given(), ...prefix],
      maxLength: facts.maxLength,
    };
    const contains = at("contains").value,
      shortest = number("shortest") ?? 0,
      longest = number("longest") ?? Infinity;
    if (texts.read === "char") this.symbolsOf("contains"); // a row that has an unknown character is never found
    if (prefix.length > facts.maxLength) throw new Error(`a row has at most ${facts.maxLength} symbols`);
    if (settings.topP === 0) throw new Error("top p is above 0: leave it empty for all symbols");
    if (shortest > longest) throw new Error("the shortest length is above the longest");
    const plain = !contains && !shortest && longest === Infinity;
    const keep = (one) => {
      const length = Array.from(one.text).length;
      return (
        plain || (!(facts.ends && one.cut) && one.text.includes(contains) && length >= shortest && length <= longest)
      );
    };
    return { settings, keep, plain, n: number("rows") };
  }
}

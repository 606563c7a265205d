// Texts to symbols and back. Each way to read gives the ids that the run's own tokenizer gives.
"use strict";

class Texts {
  // facts: {read, near, pieces (the bytes of each symbol in base 64), offset, and what that way of reading needs}; see
  // texts.py.
  constructor(facts) {
    Object.assign(this, facts);
    this.decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    this.bytes = facts.pieces.map((piece) => Uint8Array.from(atob(piece), (c) => c.charCodeAt(0)));
    this.symbols = this.bytes.map((bytes) => this.decoder.decode(bytes));
    this.inParts = this.symbols.some((symbol) => symbol.includes("\ufffd")); // symbols are parts of characters
    this.idOf = new Map(this.symbols.map((symbol, index) => [symbol, index]));
    this.most = this.symbols.reduce((most, symbol) => Math.max(most, symbol.length), 1);
    this.merges = new Map((facts.merges || []).map((pair, rank) => [pair.join("\u0000"), rank]));
  }

  decode(ids) {
    if (!this.inParts) return ids.map((id) => this.symbols[id - this.offset]).join("");
    return this.decoder.decode(Uint8Array.from(ids.flatMap((id) => [...this.bytes[id - this.offset]])));
  }

  // The text of a symbol by itself; of bytes that are no character, their numbers.
  show(id) {
    if (id === 2) return "⏹";
    const symbol = this.symbols[id - this.offset];
    return symbol.includes("\ufffd") ? [...this.bytes[id - this.offset]].map((b) => `\\x${b.toString(16)}`).join("") : symbol;
  }

  // Raises an error that names an unknown symbol, its position and similar ones.
  encode(text) {
    if (this.read === "byte") return Array.from(new TextEncoder().encode(text), (index) => index + this.offset);
    const found = [];
    let position = 0;
    for (const piece of this.split(text))
      for (const symbol of this.idOf.has(piece) ? [piece] : this.spell(piece)) {
        const id = this.idOf.get(symbol);
        if (id === undefined) throw unknownSymbol(symbol, position, this.symbols, this.near);
        found.push(id + this.offset);
        position += Array.from(symbol).length;
      }
    return found;
  }

  split(text) {
    if (this.read === "char") return Array.from(text);
    if (this.read === "longest") return this.longest(text);
    if (this.read === "abc") return lexAbc(text).flatMap(([kind, word]) => this.tokensOf(kind, word));
    if (this.read === "bpe") return this.divided(text).flatMap((piece) => this.merged(piece));
    return text.match(new RegExp(this.pattern, "gsu")) || [];
  }

  spell(piece) {
    return this.read === "word" ? Array.from(piece) : [piece];
  }

  // A token of ABC, or its parts if it is not known.
  tokensOf(kind, word) {
    if (this.idOf.has(word) || Array.from(word).length === 1) return [word];
    return splitAbc(kind, word).flatMap((part) => {
      const [[own, whole]] = lexAbc(part);
      return this.tokensOf(whole === part ? own : "other", part);
    });
  }

  longest(text) {
    const found = [], most = this.most;
    for (let at = 0; at < text.length; ) {
      let size = Math.min(most, text.length - at);
      while (size > 1 && !this.idOf.has(text.slice(at, at + size))) size -= 1;
      if (!this.idOf.has(text.slice(at, at + size))) size = String.fromCodePoint(text.codePointAt(at)).length;
      found.push(text.slice(at, at + size));
      at += size;
    }
    return found;
  }

  // -- byte pairs

  divided(text) {
    if (!this.pattern) return text ? [text] : [];
    const found = [];
    let end = 0;
    for (const match of text.matchAll(new RegExp(this.pattern, "gu"))) {
      if (match.index > end) found.push(text.slice(end, match.index));
      if (match[0]) found.push(match[0]);
      end = match.index + match[0].length;
    }
    if (end < text.length) found.push(text.slice(end));
    return found;
  }

  // Join the pair that was learned first, again and again.
  merged(piece) {
    const parts = Array.from(piece);
    for (;;) {
      let best = Infinity;
      for (let i = 0; i + 1 < parts.length; i++) {
        best = Math.min(best, this.merges.get(`${parts[i]}\u0000${parts[i + 1]}`) ?? Infinity);
      }
      if (best === Infinity) return parts;
      for (let i = 0; i + 1 < parts.length; i++) {
        if (this.merges.get(`${parts[i]}\u0000${parts[i + 1]}`) === best) parts.splice(i, 2, parts[i] + parts[i + 1]);
      }
    }
  }
}

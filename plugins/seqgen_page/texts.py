"""The facts by which a page reads and writes texts."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import seqgen
from seqgen import exporting

_PYTHON_LETTER = r"[^\W\d_]"
_LETTER = r"[\p{L}\p{Nl}\p{No}]"
_WORDS = rf"{_LETTER}+(?:(?:['’](?={_LETTER})|(?:(?=[^\x00-\u02ff])\p{{M}})+){_LETTER}*)*|\p{{Nd}}+|."
# Blanks are named by their property, since \s of JavaScript is with U+FEFF and without U+0085.
_BLANK, _NO_BLANK = r"\p{White_Space}", r"\P{White_Space}"
_BLANKS = rf"|\r?\n|[^{_NO_BLANK}\r\n]+(?!{_NO_BLANK})|{_BLANK}"
_BPE = {
    "words": rf" ?[\p{{L}}\p{{M}}]+(?:['’][\p{{L}}\p{{M}}]+)*| ?\p{{N}}+| ?[^{_BLANK}\p{{L}}\p{{M}}\p{{N}}]+{_BLANKS}",
    "blanks": rf" ?{_NO_BLANK}+{_BLANKS}",
    "none": "",
}
_PATTERNS = {
    "seqgen_smiles:smiles": r"\[[^\[\]]*\]|Br|Cl|%[0-9]{2}|.",
    "seqgen_smiles:selfies": r"\[[^\[\]]*\]|.",
}

_SIMILAR = {"seqgen_smiles:smiles": "symbols", "seqgen_smiles:selfies": "symbols", "seqgen_tunes:abc": "case"}
"""How similar known symbols are found, by tokenizer; see ``nearest.js``."""


def text_facts(symbols: exporting.Symbols) -> dict[str, Any]:
    """Return what the script ``texts.js`` needs.

    Raises:
        ExportRefused: the text of a row is more than the texts of its symbols one after another.
    """
    if symbols.pieces is None:
        raise seqgen.ExportRefused(
            f"cannot export this run as a page: its tokenizer {symbols.tokenizer} writes texts that are not its "
            "symbols one after another"
        )
    pieces = [base64.b64encode(piece).decode() for piece in symbols.pieces]
    near = _SIMILAR.get(symbols.tokenizer, "characters")
    return {"pieces": pieces, "offset": symbols.offset, "near": near, **_reading(symbols.tokenizer, symbols.data)}


def _reading(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return how texts are split into symbols."""
    if name in ("seqgen:char", "seqgen:byte"):
        return {"read": name.partition(":")[2]}
    if name in _PATTERNS:
        return {"read": "pattern", "pattern": _PATTERNS[name]}
    if name == "seqgen_cards:fields":  # names of fields are symbols at the beginning of a line
        names = "|".join(f"{field}=" for field in data["fields"])
        return {"read": "pattern", "pattern": rf"^(?:{names})|\n(?:{names})|." if names else "."}
    if name == "seqgen_text:bpe":
        return {"read": "bpe", "merges": data["merges"], "pattern": _BPE[data["split"]]}
    if name == "seqgen_text:word" and data["pattern"].startswith(f"{_PYTHON_LETTER}+(?:(?:['’]"):  # the usual one
        return {"read": "word", "pattern": _WORDS}
    if name == "seqgen_tunes:abc":
        return {"read": "abc"}
    return {"read": "longest"}


def longest_symbols(text: str, known: Sequence[str]) -> list[str]:
    """Return the symbols of a text, the longest each time, as ``texts.js`` reads where it knows no better."""
    symbols, most = set(known), max(map(len, known), default=1)
    found, at = [], 0
    while at < len(text):
        size = next((size for size in range(min(most, len(text) - at), 1, -1) if text[at : at + size] in symbols), 1)
        found.append(text[at : at + size])
        at += size
    return found

"""Tokenizer of records: characters, and one symbol per field name, so a model learns the format in a few steps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field

import seqgen

_LINE = re.compile(r"[a-z][a-z0-9_]*=", re.ASCII)
_RARE = 0.001  # share of texts; rarer names are left as characters
_MAX_NAMES = 100_000  # kept while counting; beyond, those seen once are forgotten
_PRIVATE = 0xE000  # first code point tried as a placeholder for a field; texts may not contain placeholders


class FieldsTokenizer(seqgen.Tokenizer):
    r"""A tokenizer whose ids are characters by code point, then fields at the start of a text, then of a line.

    A field has two ids, "cost=" and "\ncost=", so that decoding is concatenation: the first is used at the start of a
    text, the second includes the line end before it. ``cost=`` elsewhere is spelled with characters.

    Args:
        characters: the known characters.
        fields: the names of fields.
    """

    def __init__(self, characters: Iterable[str], fields: Iterable[str] = ()) -> None:
        self.characters, self.fields = sorted(set(characters)), sorted(set(fields))
        self._known = set(self.characters)
        opening = [f"{name}=" for name in self.fields]
        fields = [*opening, *(f"\n{name}" for name in opening)]
        self.symbols = [*self.characters, *fields]
        free = (chr(code) for code in range(_PRIVATE, 0x110000) if chr(code) not in self._known)
        placeholders = [mark for _, mark in zip(fields, free, strict=False)]
        self._placeholder = dict(zip(fields, placeholders, strict=True))
        self._field_of = {ord(mark): symbol for symbol, mark in self._placeholder.items()}
        names = "|".join(map(re.escape, opening)) or "(?!)"
        self._at_line = re.compile(rf"\A(?:{names})|\n(?:{names})")
        self._forbidden = re.compile("[" + "".join(map(re.escape, placeholders)) + "]" if placeholders else "(?!)")
        self._codes = np.array([ord(mark) for mark in [*self.characters, *placeholders]], dtype=np.int64)
        self._id_of_code = np.full(int(self._codes.max(initial=0)) + 2, -1, dtype=np.int32)
        self._id_of_code[self._codes] = np.arange(len(self._codes))

    @classmethod
    def fit(  # type: ignore[override]
        cls,
        texts: Iterable[str],
        *,
        min_share: Annotated[
            float, Field(gt=0, le=1, description="learn field names if this share of the texts has name= on every line")
        ] = 0.5,
    ) -> Self:
        """Learn all characters and, if enough texts consist of name=value lines, the field names."""
        characters: set[str] = set()
        counts: Counter[str] = Counter()
        n_texts = n_fielded = 0
        for text in texts:
            characters.update(text)
            n_texts += 1
            found = [_LINE.match(line) for line in text.split("\n")]
            if all(found):
                n_fielded += 1
                counts.update({match[0][:-1] for match in found if match})
                if len(counts) > _MAX_NAMES:
                    counts = Counter({name: n for name, n in counts.items() if n > 1})
        if not n_fielded or n_fielded < min_share * n_texts:
            return cls(characters)
        return cls(characters, (name for name, n in counts.items() if n >= _RARE * n_texts))

    @property
    def n_symbols(self) -> int:
        """Return the number of characters and fields."""
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text.

        Raises:
            UnknownSymbol: a character is not known.
        """
        flat, _ = self.encode_many([text])
        ids: list[int] = flat.tolist()
        return ids

    def encode_many(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """Return the concatenated ids of the texts, and each text's number of ids, by one table lookup."""
        forbidden = self._forbidden.search("".join(texts))
        marked = [self._at_line.sub(lambda match: self._placeholder[match[0]], text) for text in texts]
        lengths = np.fromiter((len(text) for text in marked), dtype=np.int64, count=len(marked))
        codes = np.frombuffer("".join(marked).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        ids = self._id_of_code[np.minimum(codes, len(self._id_of_code) - 1)]
        if forbidden or (ids.size and ids.min() < 0):
            unknown = ((c, at) for text in texts for at, c in enumerate(text) if c not in self._known)
            raise seqgen.UnknownSymbol(*(first := next(unknown)), seqgen.nearest(first[0], sorted(self._known)))
        return ids, lengths

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of the ids."""
        return "".join([self.symbols[index] for index in ids])

    def decode_many(self, flat: Any, lengths: Any) -> list[str]:
        """Return the texts of many rows of ids, by one table lookup and a split at each row's end."""
        joined = self._codes[flat].astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
        ends = np.cumsum(lengths).tolist()
        rows = (joined[start:end] for start, end in zip([0, *ends], ends, strict=False))
        return [row.translate(self._field_of) for row in rows]

    def to_json(self) -> dict[str, Any]:
        """Return the characters and the field names."""
        return {"characters": self.characters, "fields": self.fields}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build the tokenizer from the output of ``to_json``."""
        return cls(data["characters"], data["fields"])

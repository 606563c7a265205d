"""The ids that a model sees: pad, begin, end, conditions, then the tokenizer's symbols.

Specials are ids and never text: a corpus that contains "<eos>" is plain characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seqgen.protocols import Tokenizer

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.protocols import Ids, Lengths

PAD, BOS, EOS = 0, 1, 2


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer's symbols, framed.

    Attributes:
        tokenizer: knows the symbols.
        conditions: names of condition tokens, whose ids follow ``EOS``.
    """

    tokenizer: Tokenizer
    conditions: tuple[str, ...] = ()

    @property
    def first(self) -> int:
        """The id of the tokenizer's symbol 0."""
        return EOS + 1 + len(self.conditions)

    @property
    def size(self) -> int:
        """V: every id, the specials too."""
        return self.first + self.tokenizer.n_symbols

    def allowed_V(self, *, line_ends: bool = True) -> npt.NDArray[np.bool_]:
        """Which ids may be predicted: ``EOS`` and the symbols, not pad, begin or conditions.

        Args:
            line_ends: False forbids symbols that hold a line end too, for records that are one line.
        """
        allowed = np.ones(self.size, dtype=bool)
        allowed[[PAD, BOS, *range(EOS + 1, self.first)]] = False
        if not line_ends:
            for symbol in range(self.tokenizer.n_symbols):
                text = self.tokenizer.decode([symbol])
                allowed[self.first + symbol] &= "\n" not in text and "\r" not in text
        return allowed

    def encode(self, text: str) -> Ids:
        """The ids of a text, without frame.

        Raises:
            UnknownSymbol: the text holds a symbol that the tokenizer does not know.
        """
        return np.asarray(self.tokenizer.encode(text), dtype=np.int32) + self.first

    def frame_many(self, texts: Sequence[str]) -> tuple[Ids, Lengths]:
        """``BOS symbols EOS`` of many texts one after another, and the length of each with its frame.

        Raises:
            UnknownSymbol: a text holds a symbol that the tokenizer does not know.
        """
        flat, lengths = self.tokenizer.encode_many(texts)
        framed_lengths = lengths + 2
        ends = np.cumsum(framed_lengths)
        framed = np.empty(int(framed_lengths.sum()), dtype=np.int32)
        is_symbol = np.ones(len(framed), dtype=bool)
        is_symbol[ends - 1] = False
        is_symbol[ends - framed_lengths] = False
        framed[ends - framed_lengths] = BOS
        framed[ends - 1] = EOS
        framed[is_symbol] = flat + self.first
        return framed, framed_lengths

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids without frame."""
        first = self.first
        return self.tokenizer.decode([index - first for index in ids])

    def decode_many(self, flat: Ids, lengths: Lengths) -> list[str]:
        """The texts of many rows of ids without frame, one after another in ``flat``."""
        return self.tokenizer.decode_many(flat - self.first, lengths)

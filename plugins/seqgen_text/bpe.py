"""A symbol is a character, or characters that often stand together: byte-pair encoding (arXiv:1508.07909).

The pairs are of characters, not of bytes, so that any ids in any order are a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

import numpy as np

import seqgen
from seqgen_text.library import learn, make_engine
from seqgen_text.options import MinFrequency, Split, SplitChoice, VocabSize

if TYPE_CHECKING:
    import numpy.typing as npt

_TOGETHER = 2048  # texts handed over in one go: what comes back is far larger than they are


class BPETokenizer(seqgen.Tokenizer):
    """Ids of all characters of the corpus, in the order of code points, then of the merges, in theirs.

    Nothing is normalised, added or dropped: every text of known characters comes back as it was.

    Args:
        symbols: characters and merged ones, in the order of their ids.
        merges: pairs of symbols, the first learned first.
        split: where nothing is merged across.
    """

    def __init__(self, symbols: Sequence[str], merges: Sequence[Sequence[str]], split: Split) -> None:
        self.symbols, self.merges, self.split = list(symbols), [list(pair) for pair in merges], split
        self._known = {symbol for symbol in self.symbols if len(symbol) == 1}

    @classmethod
    def fit(  # type: ignore[override]
        cls,
        texts: Iterable[str],
        *,
        vocab_size: VocabSize = 1000,
        min_frequency: MinFrequency = 2,
        split: SplitChoice = "words",
    ) -> Self:
        """Learn characters and merges from the same texts, in one pass."""
        return cls(*learn((), texts, vocab_size, min_frequency, split), split)

    @classmethod
    def fit_parts(
        cls,
        texts: Iterable[str],
        training: Iterable[str],
        *,
        vocab_size: VocabSize = 1000,
        min_frequency: MinFrequency = 2,
        split: SplitChoice = "words",
    ) -> Self:
        """Learn the characters from all texts and the merges from those of the training part.

        Each is iterated once; memory grows with the number of different pieces, which are whole texts with ``none``.

        Raises:
            MissingExtra: the library tokenizers is not installed.
            CorpusError: a text holds half of a surrogate pair.
        """
        return cls(*learn(set(chain.from_iterable(texts)), training, vocab_size, min_frequency, split), split)

    @cached_property
    def _engine(self) -> Any:  # made when a text is to be encoded: decoding does without the library
        return make_engine(self.symbols, self.merges, self.split)

    @property
    def n_symbols(self) -> int:
        """How many characters and merges have an id."""
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """The ids of a text.

        Raises:
            UnknownSymbol: a character never stood in the corpus.
            MissingExtra: the library tokenizers is not installed.
        """
        if not self._known.issuperset(text):
            position = next(at for at, symbol in enumerate(text) if symbol not in self._known)
            raise seqgen.UnknownSymbol(text[position], position, seqgen.nearest(text[position], sorted(self._known)))
        return list(self._engine.encode(text).ids)

    def encode_many(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """All ids of many texts one after another, and how many each has; raises what :meth:`encode` does."""
        parts, lengths = [np.empty(0, np.int32)], [np.empty(0, np.int64)]
        for rows in self._encode_some(texts):
            parts.append(np.fromiter(chain.from_iterable(rows), np.int32))
            lengths.append(np.fromiter(map(len, rows), np.int64))
        return np.concatenate(parts), np.concatenate(lengths)

    def _encode_some(self, texts: Sequence[str]) -> Iterator[list[list[int]]]:
        for start in range(0, len(texts), _TOGETHER):
            some = list(texts[start : start + _TOGETHER])
            if not self._known.issuperset("".join(some)):
                for text in some:
                    self.encode(text)  # raises with the symbol and its place
            yield [encoding.ids for encoding in self._engine.encode_batch_fast(some)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        return "".join([self.symbols[index] for index in ids])

    def to_json(self) -> dict[str, Any]:
        """The symbols in the order of their ids, the merges in theirs, and where nothing is merged across."""
        return {"symbols": self.symbols, "merges": self.merges, "split": self.split}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The tokenizer that ``to_json`` described."""
        return cls(data["symbols"], data["merges"], data["split"])

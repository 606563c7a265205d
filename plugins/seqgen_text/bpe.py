"""Byte-pair encoding (arXiv:1508.07909): symbols are characters and frequent character sequences.

Pairs are of characters, not bytes, so that any sequence of ids decodes to a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

import numpy as np

import seqgen
from seqgen_text.bpe_library import make_encoder, train_bpe
from seqgen_text.options import MinFrequency, Split, SplitChoice, VocabSize

if TYPE_CHECKING:
    import numpy.typing as npt

_BATCH_SIZE = 2048  # texts per call: the library's results are far larger than the texts


class BPETokenizer(seqgen.Tokenizer):
    """A byte-pair tokenizer; ids are all characters by code point, then the merges in the order learned.

    Nothing is normalized, added or dropped: every text of known characters decodes to itself.

    Args:
        symbols: characters and merged symbols, in the order of their ids.
        merges: pairs of symbols, in the order learned.
        split: boundaries that merges do not cross.
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
        return cls(*train_bpe((), texts, vocab_size, min_frequency, split), split)

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
        """Learn the characters from all texts and the merges from the training texts.

        Each is iterated once; memory grows with the number of different words, or of texts with ``split="none"``.

        Raises:
            MissingExtra: the package tokenizers is not installed.
            CorpusError: a text contains a lone surrogate.
        """
        return cls(*train_bpe(set(chain.from_iterable(texts)), training, vocab_size, min_frequency, split), split)

    @cached_property
    def _encoder(self) -> Any:  # built on the first encode, since decoding does not need the library
        return make_encoder(self.symbols, self.merges, self.split)

    @property
    def n_symbols(self) -> int:
        """Return the number of characters and merges."""
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text.

        Raises:
            UnknownSymbol: a character did not occur in the corpus.
            MissingExtra: the package tokenizers is not installed.
        """
        if not self._known.issuperset(text):
            position = next(at for at, symbol in enumerate(text) if symbol not in self._known)
            raise seqgen.UnknownSymbol(text[position], position, seqgen.nearest(text[position], sorted(self._known)))
        return list(self._encoder.encode(text).ids)

    def encode_many(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Return the concatenated ids of the texts, and each text's number of ids; raises as :meth:`encode`."""
        parts, lengths = [np.empty(0, np.int32)], [np.empty(0, np.int64)]
        for rows in self._encode_batches(texts):
            parts.append(np.fromiter(chain.from_iterable(rows), np.int32))
            lengths.append(np.fromiter(map(len, rows), np.int64))
        return np.concatenate(parts), np.concatenate(lengths)

    def _encode_batches(self, texts: Sequence[str]) -> Iterator[list[list[int]]]:
        for start in range(0, len(texts), _BATCH_SIZE):
            batch = list(texts[start : start + _BATCH_SIZE])
            if not self._known.issuperset("".join(batch)):
                for text in batch:
                    self.encode(text)  # raises, with the symbol and its position
            yield [encoding.ids for encoding in self._encoder.encode_batch_fast(batch)]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of the ids."""
        return "".join([self.symbols[index] for index in ids])

    def to_json(self) -> dict[str, Any]:
        """Return the symbols in id order, the merges in the order learned, and the split."""
        return {"symbols": self.symbols, "merges": self.merges, "split": self.split}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Build the tokenizer from the output of ``to_json``."""
        return cls(data["symbols"], data["merges"], data["split"])

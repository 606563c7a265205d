"""Augmentation: records rewritten anew in each epoch."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import numpy as np

from seqgen.batches.encoded import Encoded
from seqgen.batches.order import derive_seed
from seqgen.errors import UnknownSymbol
from seqgen.protocols import Augmentation
from seqgen.tokenizers import Vocabulary

if TYPE_CHECKING:
    from seqgen.batches.order import Order


class Rewriter:
    """An augmentation applied to records, as a pure function of (seed, epoch, record).

    Args:
        augment: maps a text to an equivalent text.
        vocabulary: the vocabulary of the records.
        seed: the seed of the run.
    """

    def __init__(self, augment: Augmentation, vocabulary: Vocabulary, seed: int) -> None:
        self._augment, self._vocabulary, self._seed = augment, vocabulary, seed

    def rewrite(self, encoded: Encoded, rows_B: Order, epoch: int) -> Encoded:
        """Return some records rewritten; a record that would get an unknown symbol stays as it is."""
        vocabulary = self._vocabulary
        texts = []
        for row, start, length in zip(
            rows_B.tolist(), encoded.starts_N[rows_B].tolist(), encoded.lengths_N[rows_B].tolist(), strict=True
        ):
            text = vocabulary.decode(encoded.flat[start + 1 : start + length - 1].tolist())
            written = self._augment(text, Random(derive_seed("rewrite", self._seed, epoch, row)))
            try:
                vocabulary.encode(written)
            except UnknownSymbol:
                written = text
            texts.append(written)
        flat, lengths_B = vocabulary.frame_many(texts)
        chars_B = np.fromiter(map(len, texts), np.int64, len(texts))
        conditions = encoded.conditions_NC
        given_BC = None if conditions is None else conditions[rows_B]
        return Encoded(flat, np.cumsum(lengths_B) - lengths_B, lengths_B, chars_B, given_BC)

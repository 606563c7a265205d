"""The symbols of a run: ids, texts, conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Symbols:
    """The ids of a run and their texts.

    Ids are 0 pad, 1 the mark before a text, 2 the end, then the conditions, then the symbols of the tokenizer.

    Attributes:
        n_ids: V.
        offset: the id of the tokenizer's symbol 0.
        conditions: the conditions "name=value" in the order of their ids, from 3 on.
        slots: the names of the conditions, in the order in which their ids stand before a text.
        ends: whether texts end with id 2; windows of one long text do not.
        allowed: the ids that may be sampled.
        pieces: the UTF-8 bytes that each symbol writes; None if decoding is not concatenation.
        tokenizer: the qualified name of the tokenizer, such as "seqgen:char".
        data: the tokenizer's JSON.
        max_length: the number of symbols at which a row is cut.
    """

    n_ids: int
    offset: int
    conditions: Sequence[str]
    slots: Sequence[str]
    ends: bool
    allowed: Sequence[int]
    pieces: Sequence[bytes] | None
    tokenizer: str
    data: Mapping[str, Any]
    max_length: int


def symbols_of(run: Any) -> Symbols:
    """Return the symbols of a run.

    Args:
        run: a :class:`seqgen.Run`.
    """
    vocabulary = run.vocabulary
    allowed_V = vocabulary.allowed_V(line_ends=run.settings.corpus.multiline)
    return Symbols(
        n_ids=vocabulary.size,
        offset=vocabulary.symbol_offset,
        conditions=vocabulary.conditions,
        slots=vocabulary.slots,
        ends=vocabulary.ends,
        allowed=[index for index, is_allowed in enumerate(allowed_V.tolist()) if is_allowed],
        pieces=vocabulary.pieces(),
        tokenizer=run.settings.tokenizer.name,
        data=vocabulary.tokenizer.to_json(),
        max_length=run.settings.max_length,
    )

"""Tokenizers for any text: words, and byte pairs."""

from __future__ import annotations

from collections.abc import Callable

import seqgen


@seqgen.hookimpl
def register_tokenizers(register: Callable[[seqgen.TokenizerSpec], None]) -> None:
    """Hand in ``word`` and ``bpe``."""
    register(
        seqgen.TokenizerSpec(
            name="word",
            summary="words, numbers, marks and blanks; rare words are spelled",
            source="pieces by a regular expression, counted",
            load="seqgen_text.word:WordTokenizer",
        )
    )
    register(
        seqgen.TokenizerSpec(
            name="bpe",
            summary="byte-pair merges of characters (extra: bpe)",
            source="arXiv:1508.07909, by the library tokenizers (Apache-2.0)",
            load="seqgen_text.bpe:BPETokenizer",
        )
    )

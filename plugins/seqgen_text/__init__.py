"""Tokenizers for any text: words and byte-pair encoding."""

from __future__ import annotations

from collections.abc import Callable

import seqgen


@seqgen.hookimpl
def register_tokenizers(register: Callable[[seqgen.TokenizerSpec], None]) -> None:
    """Register ``word`` and ``bpe``."""
    register(
        seqgen.TokenizerSpec(
            name="word",
            summary="words, numbers, punctuation and whitespace; rare words are spelled out",
            source="frequent matches of a regular expression",
            load="seqgen_text.word:WordTokenizer",
        )
    )
    register(
        seqgen.TokenizerSpec(
            name="bpe",
            summary="byte-pair encoding of characters (extra: bpe)",
            source="arXiv:1508.07909, with the package tokenizers (Apache-2.0)",
            load="seqgen_text.bpe:BPETokenizer",
        )
    )

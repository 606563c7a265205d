"""Byte-pair encoding with the package tokenizers (Apache-2.0), which is imported on first use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import seqgen
from seqgen_text.options import Split

_BLANKS = r"|\r?\n|[^\S\r\n]+(?!\S)|\s"  # the last space of a run belongs to the word after it
_PIECES: dict[Split, str | None] = {
    "words": r" ?[\p{L}\p{M}]+(?:['’][\p{L}\p{M}]+)*| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+" + _BLANKS,
    "blanks": r" ?\S+" + _BLANKS,
    "none": None,
}


def _tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError:
        raise seqgen.MissingExtra("bpe", "tokenizer bpe") from None
    return tokenizers


def make_encoder(symbols: Sequence[str], merges: Iterable[Sequence[str]], split: Split) -> Any:
    """Build the library's tokenizer, which normalizes, adds and drops nothing but silently skips unknown characters.

    Args:
        symbols: characters and merged symbols, in the order of their ids.
        merges: pairs of symbols, in the order learned.
        split: boundaries that merges do not cross.

    Raises:
        MissingExtra: the package tokenizers is not installed.
    """
    library = _tokenizers()
    ids = {symbol: index for index, symbol in enumerate(symbols)}
    encoder = library.Tokenizer(library.models.BPE(ids, [tuple(pair) for pair in merges]))
    pattern = _PIECES[split]
    if pattern is not None:  # "isolated" also keeps the text between matches
        encoder.pre_tokenizer = library.pre_tokenizers.Split(library.Regex(pattern), "isolated")
    return encoder


def train_bpe(
    characters: Iterable[str], training: Iterable[str], vocab_size: int, min_frequency: int, split: Split
) -> tuple[list[str], list[list[str]]]:
    """Learn merges from the training texts.

    Args:
        characters: get ids even if they do not occur in the training texts.
        training: the texts; iterated once.
        vocab_size: maximum number of characters and merges; characters are always kept.
        min_frequency: occurrences a pair needs to be merged.
        split: boundaries that merges do not cross.

    Returns:
        The symbols in id order, characters first, by code point; and the merges in the order learned.

    Raises:
        MissingExtra: the package tokenizers is not installed.
        CorpusError: a text contains a lone surrogate.
    """
    encoder = make_encoder([], [], split)
    try:
        trainer = _tokenizers().trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            initial_alphabet=sorted(characters),
            special_tokens=[],
            show_progress=False,
        )
        encoder.train_from_iterator(iter(training), trainer)
    except UnicodeEncodeError as error:
        surrogate = error.object[error.start]
        raise seqgen.CorpusError(
            f"cannot learn tokenizer bpe from {surrogate!r}: a lone surrogate is not a character; remove it"
        ) from None
    model = json.loads(encoder.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].__getitem__), [list(pair) for pair in model["merges"]]

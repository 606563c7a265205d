"""What is asked of the library tokenizers (Apache-2.0), which is loaded when a text is met."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import seqgen
from seqgen_text.options import Split

_BLANKS = r"|\r?\n|[^\S\r\n]+(?!\S)|\s"  # a run of blanks leaves its last one to the word behind it
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


def make_engine(symbols: Sequence[str], merges: Iterable[Sequence[str]], split: Split) -> Any:
    """The library's tokenizer: it normalises, adds and drops nothing, but leaves out unknown characters in silence.

    Args:
        symbols: characters and merged ones, in the order of their ids.
        merges: pairs of symbols, the first learned first.
        split: where nothing is merged across.

    Raises:
        MissingExtra: the library is not installed.
    """
    library = _tokenizers()
    ids = {symbol: index for index, symbol in enumerate(symbols)}
    engine = library.Tokenizer(library.models.BPE(ids, [tuple(pair) for pair in merges]))
    pattern = _PIECES[split]
    if pattern is not None:  # "isolated" keeps what the pattern does not match as pieces too
        engine.pre_tokenizer = library.pre_tokenizers.Split(library.Regex(pattern), "isolated")
    return engine


def learn(
    characters: Iterable[str], training: Iterable[str], vocab_size: int, min_frequency: int, split: Split
) -> tuple[list[str], list[list[str]]]:
    """Learn merges.

    Args:
        characters: get ids even if they do not stand in the training texts.
        training: the texts; iterated once.
        vocab_size: characters and merges together at most; characters are kept in any case.
        min_frequency: how often a pair must stand there to be merged.
        split: where nothing is merged across.

    Returns:
        Symbols in the order of their ids, characters first, by code point; and the merges in theirs.

    Raises:
        MissingExtra: the library is not installed.
        CorpusError: a text holds half of a surrogate pair.
    """
    engine = make_engine([], [], split)
    try:
        trainer = _tokenizers().trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            initial_alphabet=sorted(characters),
            special_tokens=[],
            show_progress=False,
        )
        engine.train_from_iterator(iter(training), trainer)
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise seqgen.CorpusError(
            f"tokenizer bpe cannot take {half!r}: half of a surrogate pair is no character"
        ) from None
    model = json.loads(engine.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].__getitem__), [list(pair) for pair in model["merges"]]

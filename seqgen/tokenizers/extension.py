"""A vocabulary that learns further symbols and keeps those it has."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seqgen.errors import SeqgenError
from seqgen.protocols import Tokenizer
from seqgen.tokenizers.vocabulary import EOS, Vocabulary


def extend_tokenizer(known: Tokenizer, texts: Iterable[str], options: Mapping[str, Any]) -> Tokenizer:
    """A tokenizer for further texts that has every symbol of a known one, or the known one where there is none.

    It is fitted anew, on the known symbols and the texts; merges, which depend on counts, would not come out again,
    so a tokenizer with ``fit_parts`` stays as it is.

    Args:
        known: the tokenizer.
        texts: the further texts; not all of them may be looked at.
        options: of the tokenizer's ``fit``.
    """
    make, symbols = type(known), _symbols(known)
    if symbols is None or hasattr(make, "fit_parts"):
        return known
    try:
        again = make.fit(symbols, **options)
    except SeqgenError:
        return known
    if _symbols(again) != symbols:
        return known
    wider = make.fit(itertools.chain(symbols, texts), **options)
    return wider if set(symbols) < set(_symbols(wider) or ()) else known


def extend_conditions(known: Sequence[str], found: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Condition tokens, ``name=value``, with the values that were found beside the known ones, name by name."""
    names = dict.fromkeys(token.partition("=")[0] for token in known)
    tokens = {name: [token for token in known if token.startswith(f"{name}=")] for name in names}
    for name, values in found.items():
        tokens[name] = [*dict.fromkeys([*tokens.get(name, ()), *(f"{name}={value}" for value in values)])]
    return tuple(itertools.chain.from_iterable(tokens.values()))


def map_ids(wider: Vocabulary, known: Vocabulary) -> list[int]:
    """For each id of a vocabulary the id of the same symbol in one that was grown from it.

    Raises:
        KeyError: a symbol or condition is not there: it was grown from another.
    """
    of_condition = {token: index for index, token in enumerate(wider.conditions, EOS + 1)}
    frame = [*range(EOS + 1), *(of_condition[token] for token in known.conditions)]
    symbols, before = _symbols(wider.tokenizer), _symbols(known.tokenizer)
    if symbols == before and wider.tokenizer.n_symbols == known.tokenizer.n_symbols:
        return [*frame, *range(wider.symbol_offset, wider.size)]
    if symbols is None or before is None:
        raise KeyError(known.symbol_offset)
    of_symbol = {symbol: index for index, symbol in enumerate(symbols, wider.symbol_offset)}
    return [*frame, *(of_symbol[symbol] for symbol in before)]


def new_tokens(wider: Vocabulary, known: Vocabulary) -> list[str]:
    """What a vocabulary has beside the one it was grown from: conditions, then symbols."""
    kept = set(map_ids(wider, known))
    return [
        wider.conditions[index - EOS - 1] if index < wider.symbol_offset else wider.decode([index])
        for index in range(wider.size)
        if index not in kept
    ]


def _symbols(tokenizer: Tokenizer) -> list[str] | None:
    """The text of each symbol, where a text is what its symbols write one after another and no two write the same."""
    pieces = Vocabulary(tokenizer).pieces()
    if pieces is None or len(set(pieces)) < len(pieces):
        return None
    try:
        return [piece.decode("utf-8", "surrogatepass") for piece in pieces]
    except UnicodeDecodeError:  # bytes, all of which are known
        return None

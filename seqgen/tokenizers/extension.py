"""Extending a fitted tokenizer and its conditions by new symbols."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seqgen.errors import SeqgenError
from seqgen.protocols import Tokenizer
from seqgen.tokenizers.vocabulary import EOS, Vocabulary


def extend_tokenizer(known: Tokenizer, texts: Iterable[str], options: Mapping[str, Any]) -> Tokenizer:
    """Return a tokenizer that has every symbol of ``known`` and those of the texts; ``known`` if there are no new ones.

    It is fitted again, on the known symbols and the texts. A tokenizer with ``fit_parts`` is returned unchanged, since
    its merges depend on counts and would come out differently.

    Args:
        known: the fitted tokenizer.
        texts: the new texts; they may not be consumed completely.
        options: the options of the tokenizer's ``fit``.
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
    """Return the condition tokens ``name=value`` extended by the values found, grouped by name."""
    names = dict.fromkeys(token.partition("=")[0] for token in known)
    tokens = {name: [token for token in known if token.startswith(f"{name}=")] for name in names}
    for name, values in found.items():
        tokens[name] = [*dict.fromkeys([*tokens.get(name, ()), *(f"{name}={value}" for value in values)])]
    return tuple(itertools.chain.from_iterable(tokens.values()))


def map_ids(wider: Vocabulary, known: Vocabulary) -> list[int]:
    """Return, for each id of ``known``, the id of the same symbol in the extended vocabulary ``wider``.

    Raises:
        KeyError: a symbol or condition is missing: ``wider`` does not extend ``known``.
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
    """Return the conditions, then the symbols, of ``wider`` that ``known`` lacks."""
    kept = set(map_ids(wider, known))
    return [
        wider.conditions[index - EOS - 1] if index < wider.symbol_offset else wider.decode([index])
        for index in range(wider.size)
        if index not in kept
    ]


def _symbols(tokenizer: Tokenizer) -> list[str] | None:
    """Return the text of each symbol; None unless decoding is concatenation and all texts differ."""
    pieces = Vocabulary(tokenizer).pieces()
    if pieces is None or len(set(pieces)) < len(pieces):
        return None
    try:
        return [piece.decode("utf-8", "surrogatepass") for piece in pieces]
    except UnicodeDecodeError:  # symbols that are parts of characters, such as bytes
        return None

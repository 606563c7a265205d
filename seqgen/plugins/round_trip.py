"""Preflight checks of a tokenizer and a corpus: a round trip of a few records, and a second pass."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence, Set
from numbers import Integral
from typing import TYPE_CHECKING, Any

from seqgen.errors import PluginError, SeqgenError, UnknownSymbol, find_plugin_frame, one_line, short_repr
from seqgen.plugin_guards import defined_at
from seqgen.protocols import fits_parts
from seqgen.registry import Entry, attribute_errors

if TYPE_CHECKING:
    from seqgen.corpus import Corpus
    from seqgen.protocols import Tokenizer
    from seqgen.tokenizers import Vocabulary

_MAX_CHARS = 20_000  # of all texts together; a longer single text is cut only if it is a piece of a long text
_MAX_SYMBOLS = 2**31


def check_order(entry: Entry, corpus: Corpus, texts: Sequence[str]) -> None:
    """Refuse a corpus that yields other records when it is iterated again.

    Args:
        entry: the entry of the corpus, for the message.
        corpus: the corpus, after a first pass.
        texts: the first texts of that pass.

    Raises:
        PluginError: the second pass starts with other texts.
    """
    with attribute_errors(entry, "fails when it is iterated again"):
        again = [getattr(record, "text", record) for record in itertools.islice(corpus, len(texts))]
    for number, (first, then) in enumerate(itertools.zip_longest(texts, again), 1):
        if first != then:
            place = defined_at(corpus.source, "__iter__") or defined_at(entry.load())
            raise PluginError(
                f"{entry.full_label} gives other records when it is iterated again: record {number} is "
                f"{short_repr(first)}, then {short_repr(then)}; give the same order each time{place}"
            )


def check_tokenizer(entry: Entry, vocabulary: Vocabulary, texts: Sequence[str]) -> str:
    """Encode and decode some texts, before and after storing the tokenizer as JSON.

    Args:
        entry: the entry of the tokenizer, for messages.
        vocabulary: the vocabulary with the fitted tokenizer.
        texts: records of the corpus; those with unknown symbols are skipped.

    Returns:
        A warning if decoding changes texts, else "".

    Raises:
        PluginError: ``fit`` did not return a tokenizer; ``encode`` or ``decode`` returned something invalid;
            ``encode_many`` differs from ``encode``; or the tokenizer does not survive ``to_json`` and ``from_json``, so
            that the run could not be opened.
    """
    tokenizer = vocabulary.tokenizer
    _check_fitted(entry, tokenizer, "fit_parts" if fits_parts(entry.load()) else "fit")
    texts, rows = _encoded(entry, vocabulary, _first_texts(texts, whole=vocabulary.ends))
    if any(texts) and not any(rows):
        raise _error(entry, tokenizer, "encode", f"encode gives no ids, of {short_repr(texts[0])} too")
    back = [_decoded(entry, tokenizer, row) for row in rows]
    _check_many(entry, tokenizer, texts, rows, back)
    again = _rebuilt(entry, tokenizer)
    _check_fitted(entry, again, "from_json")
    if again.n_symbols != tokenizer.n_symbols:
        what = f"has {short_repr(again.n_symbols)} symbols, not {tokenizer.n_symbols}"
        raise _error(entry, again, "from_json", f"what from_json makes of to_json {what}")
    for text, row, known in zip(texts, rows, back, strict=True):
        try:
            same = list(again.encode(text)) == row and (not row or again.decode(row) == known)
        except (Exception, SystemExit) as error:
            problem = f"after to_json and from_json {short_repr(text)} raises {type(error).__name__}: {one_line(error)}"
            raise _error(entry, again, "from_json", problem) from error
        if not same:
            problem = f"after to_json and from_json {short_repr(text)} has other ids, or they another text"
            raise _error(entry, again, "from_json", problem)
    other = [(text, known) for text, known in zip(texts, back, strict=True) if text != known]
    if not other:
        return ""
    first, then = other[0]
    return (
        f"{entry.full_label}: encode and decode change {len(other)} of the first {len(texts)} records, "
        f"{short_repr(first)} to {short_repr(then)}; samples will be changed so too{defined_at(tokenizer, 'decode')}"
    )


def _check_fitted(entry: Entry, tokenizer: Any, method: str) -> None:
    """Refuse the result of ``fit`` or another method unless it is a tokenizer with a number of symbols."""
    lacking = [name for name in ("n_symbols", "encode", "decode", "to_json") if not hasattr(tokenizer, name)]
    if lacking:
        problem = f"{method} gave {short_repr(tokenizer)}, which has no {lacking[0]}"
        raise PluginError(f"{entry.full_label}: {problem}{defined_at(entry.load(), method)}")
    found: Any = tokenizer.n_symbols
    if not isinstance(found, Integral) or not 0 <= int(found) < _MAX_SYMBOLS:
        hint = "; mark it with @property" if callable(found) else ""
        raise _error(
            entry, tokenizer, "n_symbols", f"n_symbols is {short_repr(found)}, not a whole number below 2**31{hint}"
        )


def _error(entry: Entry, tokenizer: Any, method: str, problem: str) -> PluginError:
    """Return an error that names the part and the line where the method is defined."""
    return PluginError(f"{entry.full_label}: {problem}{defined_at(tokenizer, method)}")


def _first_texts(texts: Sequence[str], *, whole: bool) -> list[str]:
    """Return the first texts up to a total length, at least one."""
    if not whole:
        return [text[:_MAX_CHARS] for text in texts[:1]]
    ends = list(itertools.accumulate(map(len, texts)))
    return [text for text, end in zip(texts, ends, strict=True) if end <= _MAX_CHARS] or list(texts[:1])


def _encoded(entry: Entry, vocabulary: Vocabulary, texts: Sequence[str]) -> tuple[list[str], list[list[int]]]:
    """Return the texts without unknown symbols, and the ids of each."""
    tokenizer, known, rows = vocabulary.tokenizer, list[str](), list[list[int]]()
    for text in texts:
        try:
            ids = tokenizer.encode(text)
            if isinstance(ids, Mapping | Set):
                raise TypeError("it has no order")
            row = list(ids)
        except UnknownSymbol:  # reported, with the part, when the whole corpus is encoded
            continue
        except TypeError as error:
            if find_plugin_frame(error, (entry.package,)) is not None:
                raise
            raise _error(
                entry, tokenizer, "encode", f"encode({short_repr(text)}) gave {short_repr(ids)}, not ids"
            ) from error
        wrong = [index for index in row if not isinstance(index, Integral)]
        if wrong:
            problem = f"encode({short_repr(text)}) gave {short_repr(wrong[0])} as an id, which is not a whole number"
            raise _error(entry, tokenizer, "encode", problem)
        low, high = min(row, default=0), max(row, default=0)
        if low < 0 or high >= max(1, tokenizer.n_symbols):
            problem = f"encode gave the ids {low} to {high}, and n_symbols is {tokenizer.n_symbols}"
            raise _error(entry, tokenizer, "encode", problem)
        known.append(text)
        rows.append(row)
    return known, rows


def _decoded(entry: Entry, tokenizer: Tokenizer, row: list[int]) -> str:
    text: Any = tokenizer.decode(row)
    if not isinstance(text, str):
        problem = f"decode gave {short_repr(text)}, not a text"
        raise _error(entry, tokenizer, "decode", problem)
    return text


def _check_many(
    entry: Entry, tokenizer: Tokenizer, texts: list[str], rows: list[list[int]], back: Sequence[str]
) -> None:
    """Refuse an ``encode_many`` or ``decode_many`` whose results differ from ``encode`` or ``decode``."""
    import numpy as np

    found: Any = tokenizer.encode_many(texts)
    flat, lengths = [index for row in rows for index in row], [len(row) for row in rows]
    same = isinstance(found, tuple) and len(found) == 2 and all(isinstance(part, np.ndarray) for part in found)
    if not same or found[0].tolist() != flat or found[1].tolist() != lengths:
        raise _error(entry, tokenizer, "encode_many", "encode_many gives something else than encode, text by text")
    given: Any = tokenizer.decode_many(*found)
    if not isinstance(given, list | tuple) or list(given) != list(back):
        raise _error(entry, tokenizer, "decode_many", "decode_many gives something else than decode, row by row")


def _rebuilt(entry: Entry, tokenizer: Tokenizer) -> Any:
    """Return the tokenizer rebuilt from its JSON."""
    stored: Any = tokenizer.to_json()
    try:
        data = json.loads(json.dumps(stored, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise _error(entry, tokenizer, "to_json", f"to_json gave what is no JSON: {one_line(error)}") from error
    try:
        return entry.load().from_json(data)
    except SeqgenError:
        raise
    except (Exception, SystemExit) as error:
        problem = f"from_json cannot load what to_json gave: {type(error).__name__}: {one_line(error)}"
        raise _error(entry, tokenizer, "from_json", problem) from error

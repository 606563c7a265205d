"""Checks of tokenizers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import numpy as np

from seqgen.errors import CorpusError, SeqgenError, UnknownSymbol, short_repr
from seqgen.protocols import fits_parts, has_corpus_warning, has_symbol_bytes, joins
from seqgen.testing.check import Subject, is_one_line
from seqgen.testing.exercise import HOSTILE
from seqgen.testing.other_processes import NOT_TRIED, results
from seqgen.tokenizers.vocabulary import bytes_fault

_UNKNOWN = "☃"
_N_RANDOM = 200  # random texts of known characters, and random sequences of ids
_LONGEST = 20


def _fitted(subject: Subject) -> Any:
    return subject.spec.resolve().fit(subject.texts, **subject.entry.options(subject.options))


def _random_texts(texts: Sequence[str]) -> Iterator[str]:
    """Yield random texts of the characters of given texts."""
    random, characters = Random(0), sorted(set("".join(texts)))
    for _ in range(_N_RANDOM):
        yield "".join(random.choices(characters, k=random.randint(1, _LONGEST)))


def round_trip(subject: Subject) -> str:
    """Check that decoding reverses encoding; a text that cannot be encoded must raise UnknownSymbol."""
    tokenizer, refused = _fitted(subject), 0
    for text in subject.texts:
        found = tokenizer.decode(tokenizer.encode(text))
        assert found == text, f"{text!r} comes back as {found!r}"
    for text in _random_texts(subject.texts):
        try:
            found = tokenizer.decode(tokenizer.encode(text))
        except UnknownSymbol:
            refused += 1
        else:
            assert found == text, f"{text!r} comes back as {found!r}"
    return f"{refused} of {_N_RANDOM} random texts of known characters are refused" if refused else ""


def n_symbols(subject: Subject) -> None:
    """Check that ids are integers from 0 to n_symbols - 1."""
    tokenizer = _fitted(subject)
    for text in subject.texts:
        for index in tokenizer.encode(text):
            assert isinstance(index, int | np.integer), f"an id of {text!r} is {index!r}, not an integer"
            assert 0 <= index < tokenizer.n_symbols, f"an id of {text!r} is {index}, not below {tokenizer.n_symbols}"


def any_ids(subject: Subject) -> None:
    """Check that any sequence of ids can be decoded."""
    tokenizer, random = _fitted(subject), Random(0)
    for _ in range(_N_RANDOM if tokenizer.n_symbols else 0):
        ids = random.choices(range(tokenizer.n_symbols), k=random.randint(0, _LONGEST))
        text = tokenizer.decode(ids)
        assert isinstance(text, str), f"the ids {ids} are decoded to {text!r}, not a text"


def unknown_symbols(subject: Subject) -> str:
    """Check that an unknown symbol raises UnknownSymbol with its position, in one text or many, and is not added."""
    tokenizer, prefix = _fitted(subject), max(subject.texts, key=lambda text: (text.isascii(), len(text)))
    text, before = f"{prefix}{_UNKNOWN}", tokenizer.n_symbols
    for encode in (tokenizer.encode, lambda one: tokenizer.encode_many([prefix, one])):
        try:
            encode(text)
        except UnknownSymbol as error:
            symbol, position = error.symbol, error.position
            is_named = _UNKNOWN in symbol and text[position : position + len(symbol)] == symbol
            assert is_named, f"for {text!r} UnknownSymbol has the wrong symbol or position: {symbol!r} at {position}"
        else:
            ids = list(tokenizer.encode(text))
            found = tokenizer.decode(ids)
            assert found == text, f"a text with an unknown symbol comes back as {found!r}; raise UnknownSymbol"
            assert tokenizer.n_symbols == before and max(ids) < before, (
                f"encode adds symbols to the {before} that it was fitted to; raise UnknownSymbol"
            )
    same = json.dumps(tokenizer.to_json()) == json.dumps(_fitted(subject).to_json())
    assert same, "a text with an unknown symbol changes what to_json returns; raise UnknownSymbol"
    return ""


def hostile_strings(subject: Subject) -> None:
    """Check that any string is encoded and restored, or raises UnknownSymbol."""
    tokenizer = _fitted(subject)
    for text in HOSTILE:
        try:
            found = tokenizer.decode(tokenizer.encode(text))
        except UnknownSymbol:
            continue
        except Exception as error:
            raise AssertionError(f"{short_repr(text)} raises {type(error).__name__}, not UnknownSymbol") from error
        assert found == text, f"{short_repr(text)} comes back as {short_repr(found)}"


def to_json(subject: Subject) -> None:
    """Check that a tokenizer restored from JSON gives the same ids, and that storing it changes nothing."""
    tokenizer = _fitted(subject)
    before, stored = tokenizer.n_symbols, json.dumps(tokenizer.to_json())
    assert tokenizer.n_symbols == before, f"to_json changes n_symbols from {before} to {tokenizer.n_symbols}"
    assert json.dumps(tokenizer.to_json()) == stored, "to_json gives something else when it is called again"
    restored = subject.spec.resolve().from_json(json.loads(stored))
    assert restored.n_symbols == tokenizer.n_symbols, "after JSON it has a different number of symbols"
    for text in subject.texts:
        ids = list(tokenizer.encode(text))
        assert list(restored.encode(text)) == ids, f"after JSON {text!r} has different ids"
        assert restored.decode(ids) == text, f"after JSON {text!r} comes back as {restored.decode(ids)!r}"


def stable_ids(subject: Subject) -> None:
    """Check that fitting twice to the same texts gives the same ids, and that fitting others between changes none."""
    tokenizer = _fitted(subject)
    rows = [list(tokenizer.encode(text)) for text in subject.texts]
    assert _fitted(subject).to_json() == tokenizer.to_json(), "ids are not stable: they differ when fitted again"
    with contextlib.suppress(SeqgenError):  # too few texts for it
        subject.spec.resolve().fit(subject.texts[1::2], **subject.entry.options(subject.options))
    same = [list(tokenizer.encode(text)) for text in subject.texts] == rows
    assert same and _fitted(subject).to_json() == tokenizer.to_json(), (
        "ids are not stable: they differ when another one was fitted to other texts"
    )


def one_pass(subject: Subject) -> None:
    """Check that ``fit``, and ``fit_parts`` if there is one, need to go over their texts only once."""
    make, options = subject.spec.resolve(), subject.entry.options(subject.options)
    for name, n_arguments in {"fit": 1, **({"fit_parts": 2} if fits_parts(make) else {})}.items():
        fit = getattr(make, name)
        wanted = fit(*[subject.texts] * n_arguments, **options).to_json()
        try:
            found = fit(*(_once(subject.texts) for _ in range(n_arguments)), **options).to_json()
        except TypeError as error:
            raise AssertionError(f"{name} fails on texts that are read once, of a generator: {error}") from error
        assert found == wanted, f"{name} gives another tokenizer for texts that are read once, of a generator"


def _once(texts: Sequence[str]) -> Iterator[str]:
    yield from texts


def across_processes(subject: Subject) -> str:
    """Check that fitting gives the same ids in processes whose sets have another order."""
    _fitted(subject)  # here, where a missing package has its own error
    found = results("fitted", subject, list(subject.texts))
    assert all(one == found[0] for one in found), (
        "ids differ from process to process: sort what comes from a set, as in sorted(set(text))"
    )
    return "" if found else NOT_TRIED


def encode_many(subject: Subject) -> None:
    """Check that ``encode_many`` gives the concatenated results of ``encode``, and their lengths."""
    tokenizer, rows = _fitted(subject), [list(_fitted(subject).encode(text)) for text in subject.texts]
    given = list(subject.texts)
    flat, lengths = tokenizer.encode_many(given)
    assert given == list(subject.texts), "encode_many modifies its argument"
    assert np.asarray(flat).tolist() == [index for row in rows for index in row], "encode_many differs from encode"
    assert np.asarray(lengths).tolist() == list(map(len, rows)), "encode_many's lengths differ"
    for text, row in zip(subject.texts, rows, strict=True):
        assert np.asarray(tokenizer.encode_many([text])[0]).tolist() == row, f"encode_many of {text!r} alone differs"
    assert np.asarray(tokenizer.encode_many([])[0]).size == 0, "encode_many of no texts gives ids"


def decode_many(subject: Subject) -> None:
    """Check that ``decode_many`` gives the results of ``decode``."""
    tokenizer = _fitted(subject)
    rows = [list(tokenizer.encode(text)) for text in subject.texts]
    flat = np.array([index for row in rows for index in row], dtype=np.int64)
    found = tokenizer.decode_many(flat, np.array(list(map(len, rows)), dtype=np.int64))
    assert list(found) == list(map(tokenizer.decode, rows)), "decode_many differs from decode"


def symbol_bytes(subject: Subject) -> str:
    """Check that ``symbol_bytes()``, if there is one, gives the bytes that each symbol decodes to."""
    tokenizer = _fitted(subject)
    pieces = tokenizer.symbol_bytes() if has_symbol_bytes(tokenizer) else None
    if pieces is None:
        return "" if has_symbol_bytes(tokenizer) else "no symbol_bytes(): core finds the bytes by decoding"
    assert not (fault := bytes_fault(pieces, tokenizer.n_symbols)), fault
    for text in subject.texts:
        written = b"".join(pieces[index] for index in tokenizer.encode(text))
        assert written == text.encode("utf-8", "surrogatepass"), f"by symbol_bytes() {text!r} is {written!r}"
    return ""


def join(subject: Subject) -> str:
    """Check that ``join``, if there is one, gives what ``fit`` gives of all texts."""
    make, options = subject.spec.resolve(), subject.entry.options(subject.options)
    if not joins(make):
        return "no join(): one process fits it to all texts"
    half = len(subject.texts) // 2
    parts = [make.fit(texts, **options).to_json() for texts in (subject.texts[:half], subject.texts[half:])]
    joined = make.join([make.from_json(json.loads(json.dumps(part))) for part in parts])
    assert joined.to_json() == _fitted(subject).to_json(), "join gives another tokenizer than fit of all texts"
    return ""


def corpus_warning(subject: Subject) -> str:
    """Check that ``corpus_warning(texts)``, if there is one, returns one line, "" or None, or raises CorpusError."""
    make = subject.spec.resolve()
    if not has_corpus_warning(make):
        return ""
    for texts in (list(subject.texts), []):
        shown = f"{len(texts)} texts" if texts else "no texts"
        try:
            line: object = make.corpus_warning(texts)
        except CorpusError:
            continue
        fit = line is None or is_one_line(line)
        assert fit, f"corpus_warning of {shown} returns {short_repr(line)}, not one line of text"
    return ""

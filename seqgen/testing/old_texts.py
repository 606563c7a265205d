"""Checks of everything that deals with texts: corpora, tokenizers, validators, metrics, renderers, processors."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import torch

from seqgen.corpus import Record
from seqgen.errors import UnknownSymbol
from seqgen.protocols import Verdict
from seqgen.specs import (
    AugmentationSpec,
    CorpusSpec,
    MetricSpec,
    ProcessorSpec,
    RendererSpec,
    TokenizerSpec,
    ValidatorSpec,
)
from seqgen.testing.build import build
from seqgen.testing.check import TEXTS


def check_corpus(spec: CorpusSpec, **options: Any) -> None:
    """A corpus says where it comes from and gives the same records, in the same order, each time.

    Raises:
        AssertionError: a promise is not kept; the message says which.
    """
    assert spec.licence and spec.source, f"{spec.name}: licence and source must be said"
    source = build(spec, **options)
    first = list(source)
    assert first, f"{spec.name}: no records"
    assert first == list(source), f"{spec.name}: iterating again gives other records"
    assert first == list(build(spec, **options)), f"{spec.name}: loading again gives other records"
    for record in first:
        assert isinstance(record, Record), f"{spec.name}: {record!r} is not a seqgen.Record"
        assert record.text.strip(), f"{spec.name}: a blank record"
        if not spec.multiline:
            assert "\n" not in record.text and "\r" not in record.text, f"{spec.name}: {record.text!r} has a line end"
        if spec.labels:
            assert record.label in spec.labels, f"{spec.name}: the label {record.label!r} is not declared"


def check_tokenizer(spec: TokenizerSpec, texts: tuple[str, ...] = TEXTS, **options: Any) -> None:
    """A tokenizer gives texts back, refuses unknown symbols with their place, and survives JSON.

    Raises:
        AssertionError: a promise is not kept; the message says which.
    """
    name, tokenizer = spec.name, spec.resolve().fit(texts, **options)
    again = spec.resolve().from_json(json.loads(json.dumps(tokenizer.to_json())))
    for text in texts:
        ids = list(tokenizer.encode(text))
        assert all(0 <= index < tokenizer.n_symbols for index in ids), f"{name}: an id of {text!r} is out of range"
        assert tokenizer.decode(ids) == text, f"{name}: {text!r} comes back as {tokenizer.decode(ids)!r}"
        assert list(again.encode(text)) == ids, f"{name}: after JSON {text!r} has other ids"
    flat, lengths = tokenizer.encode_many(texts)
    assert flat.tolist() == [index for text in texts for index in tokenizer.encode(text)], (
        f"{name}: encode_many differs"
    )
    assert lengths.tolist() == [len(tokenizer.encode(text)) for text in texts], f"{name}: encode_many's lengths differ"
    assert tokenizer.decode_many(flat, lengths) == list(texts), f"{name}: decode_many differs from decode"
    assert spec.resolve().fit(texts, **options).to_json() == tokenizer.to_json(), f"{name}: ids are not stable"
    begun = next(text for text in texts if text)
    try:
        known = tokenizer.decode(tokenizer.encode(f"{begun}☃"))
        assert known == f"{begun}☃", (
            f"{name}: a text with an unknown symbol comes back as {known!r}; raise UnknownSymbol"
        )
    except UnknownSymbol as error:
        found = "☃" in error.symbol and error.position <= len(begun)
        assert found, f"{name}: the wrong symbol or position is named"


def check_validator(spec: ValidatorSpec, **options: Any) -> None:
    """A validator gives a verdict on any string, the same one on the canonical form, and never raises.

    Raises:
        AssertionError: a promise is not kept; the message says which.
    """
    validator = build(spec, **options)
    for text in TEXTS:
        verdict = validator.validate(text)
        assert isinstance(verdict, Verdict), f"{spec.name}: {verdict!r} is not a seqgen.Verdict"
        assert verdict.ok or verdict.reason, f"{spec.name}: no reason why {text!r} is not valid"
        if verdict.ok and verdict.canonical is not None:
            again = validator.validate(verdict.canonical)
            assert again.ok and again.canonical == verdict.canonical, f"{spec.name}: canonical of {text!r} is not final"


def check_metric(spec: MetricSpec, **options: Any) -> None:
    """A metric gives named numbers, also of an empty list.

    Raises:
        AssertionError: a promise is not kept; the message says which.
    """
    metric = build(spec, **options)
    for samples in (list(TEXTS), []):
        figures = metric(samples, list(TEXTS))
        for name, value in figures.items():
            assert isinstance(name, str) and isinstance(value, int | float), f"{spec.name}: {name!r} is {value!r}"


def check_renderer(spec: RendererSpec, **options: Any) -> None:
    """A renderer gives something rich can print, of any text.

    Raises:
        AssertionError: a promise is not kept; the message says which.
    """
    from rich.protocol import is_renderable

    render = build(spec, **options)
    for text in TEXTS:
        assert is_renderable(render(text)), f"{spec.name}: {text!r} becomes something rich cannot print"


def check_processor(spec: ProcessorSpec, **options: Any) -> None:
    """A processor keeps the shape, treats rows apart, leaves its arguments alone and something to draw.

    Raises:
        AssertionError: a promise is not kept; the message says which.
    """
    process = build(spec, **options)
    logits_BV = torch.randn(4, 9).log_softmax(-1)
    for length in (0, 5):
        ids_BT = torch.randint(3, 9, (4, length))
        before = logits_BV.clone(), ids_BT.clone()
        result_BV = process(logits_BV, ids_BT)
        assert result_BV.shape == logits_BV.shape, f"{spec.name}: changes the shape of the logits"
        unchanged = torch.equal(logits_BV, before[0]) and torch.equal(ids_BT, before[1])
        assert unchanged, f"{spec.name}: modifies its arguments"
        assert torch.isfinite(result_BV).any(-1).all(), f"{spec.name}: leaves a row nothing to draw"
        for row in range(4):
            alone_1V = process(logits_BV[row : row + 1], ids_BT[row : row + 1])
            assert torch.allclose(alone_1V[0], result_BV[row]), f"{spec.name}: a row depends on the others"


def check_augmentation(spec: AugmentationSpec, texts: tuple[str, ...] = TEXTS, **options: Any) -> None:
    """An augmentation gives a text for any text, and the same one for the same random numbers.

    Raises:
        AssertionError: a promise is not kept; the message says which.
    """
    augment = build(spec, **options)
    for text in texts:
        written = augment(text, Random(1))
        assert isinstance(written, str), f"{spec.name}: {text!r} becomes {written!r}"
        assert bool(written) == bool(text), f"{spec.name}: {text!r} becomes {written!r}"
        assert augment(text, Random(1)) == written, f"{spec.name}: {text!r} differs for the same random numbers"


def check_accepts(validator: ValidatorSpec, corpus: CorpusSpec, *, most: int = 5000, **options: Any) -> float:
    """A validator accepts at least 99 % of its own corpus.

    Args:
        validator: of the corpus's domain.
        corpus: the corpus.
        most: records looked at, evenly spaced.
        options: of the corpus.

    Returns:
        The share it accepts, for the datasheet.

    Raises:
        AssertionError: it accepts fewer; the message has an example.
    """
    judge, texts = build(validator), [record.text for record in build(corpus, **options)]
    looked_at = texts[:: -(-len(texts) // most)]
    refused = [(text, verdict.reason) for text in looked_at if not (verdict := judge.validate(text)).ok]
    share = 1 - len(refused) / len(looked_at)
    assert share >= 0.99, f"{validator.name} accepts {share:.1%} of {corpus.name}; it refuses {refused[0]!r}"
    return share

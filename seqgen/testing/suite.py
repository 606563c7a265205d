"""Functions that run all checks of one spec, one per kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from seqgen.errors import UsageError, short_repr
from seqgen.specs import (
    AugmentationSpec,
    CellSpec,
    CorpusSpec,
    DomainSpec,
    ExecutorSpec,
    ExporterSpec,
    MetricSpec,
    ModelSpec,
    ProcessorSpec,
    ReaderSpec,
    RendererSpec,
    ReportSpec,
    Spec,
    TokenizerSpec,
    ValidatorSpec,
)
from seqgen.testing.catalog import checks_of
from seqgen.testing.check import TEXTS, Subject
from seqgen.testing.validators import MIN_ACCEPTED, refusals


def _check_all(spec: Spec, texts: Sequence[str] = TEXTS, **options: Any) -> None:
    for check in checks_of(spec, texts=texts, **options):
        check()


def check_corpus(spec: CorpusSpec, **options: Any) -> None:
    """Run all checks of a corpus; raise AssertionError at the first violation."""
    _check_all(spec, **options)


def check_tokenizer(spec: TokenizerSpec, texts: Sequence[str] = TEXTS, **options: Any) -> None:
    """Run all checks of a tokenizer fitted to ``texts``; raise AssertionError at the first violation."""
    _check_all(spec, texts, **options)


def check_cell(spec: CellSpec, **options: Any) -> None:
    """Run all checks of a cell; raise AssertionError at the first violation."""
    _check_all(spec, **options)


def check_model(spec: ModelSpec, **options: Any) -> None:
    """Run all checks of a model; raise AssertionError at the first violation."""
    _check_all(spec, **options)


def check_validator(spec: ValidatorSpec, **options: Any) -> None:
    """Run all checks of a validator; raise AssertionError at the first violation."""
    _check_all(spec, **options)


def check_metric(spec: MetricSpec, **options: Any) -> None:
    """Run all checks of a metric; raise AssertionError at the first violation."""
    _check_all(spec, **options)


def check_renderer(spec: RendererSpec, **options: Any) -> None:
    """Run all checks of a renderer; raise AssertionError at the first violation."""
    _check_all(spec, **options)


def check_processor(spec: ProcessorSpec, **options: Any) -> None:
    """Run all checks of a processor; raise AssertionError at the first violation."""
    _check_all(spec, **options)


def check_augmentation(spec: AugmentationSpec, texts: Sequence[str] = TEXTS, **options: Any) -> None:
    """Run all checks of an augmentation, on ``texts``; raise AssertionError at the first violation."""
    _check_all(spec, texts, **options)


def check_report(spec: ReportSpec, **options: Any) -> None:
    """Run all checks of a report; raise AssertionError at the first violation."""
    _check_all(spec, **options)


def check_exporter(spec: ExporterSpec, **options: Any) -> None:
    """Run all checks of an exporter, on a small run; raise AssertionError at the first violation."""
    _check_all(spec, **options)


def check_executor(spec: ExecutorSpec, **options: Any) -> None:
    """Run all checks of an executor, with two workers; raise AssertionError at the first violation."""
    _check_all(spec, **options)


def check_reader(spec: ReaderSpec, **options: Any) -> None:
    """Run all checks of a reader; raise AssertionError at the first violation."""
    _check_all(spec, **options)


def check_domain(spec: DomainSpec, siblings: Sequence[Spec] = ()) -> None:
    """Run all checks of a domain; ``siblings`` are the other specs of its plugin."""
    _check_all(spec, siblings=siblings)


CHECKS: dict[str, Callable[..., None]] = {
    "corpus": check_corpus,
    "tokenizer": check_tokenizer,
    "cell": check_cell,
    "model": check_model,
    "validator": check_validator,
    "metric": check_metric,
    "renderer": check_renderer,
    "processor": check_processor,
    "augmentation": check_augmentation,
    "report": check_report,
    "exporter": check_exporter,
    "executor": check_executor,
    "reader": check_reader,
    "domain": check_domain,
}
"""The functions above, by kind."""


def check_accepts(validator: ValidatorSpec, corpus: CorpusSpec, *, most: int = 5000, **options: Any) -> float:
    """Check that a validator accepts at least 99% of its corpus, with valid and final canonical forms.

    Args:
        validator: of the corpus's domain.
        corpus: the corpus.
        most: limit on the records checked, evenly spaced.
        options: of the corpus.

    Returns:
        The share of accepted records, for the datasheet.

    Raises:
        AssertionError: it accepts fewer, or a canonical form is invalid or not final; the message has an example.
        UsageError: an argument is not a spec.
    """
    for value, wanted in ((validator, ValidatorSpec), (corpus, CorpusSpec)):
        if not isinstance(value, wanted):
            raise UsageError(f"cannot check {short_repr(value)}: it is not a seqgen.{wanted.__name__}; pass the spec")
    checker, texts = Subject(validator, {}).build(), [record.text for record in Subject(corpus, options).build()]
    checked = texts[:: -(-len(texts) // most)]
    refused = refusals(checker, checked)
    share = 1 - len(refused) / len(checked)
    assert share >= MIN_ACCEPTED, f"{validator.name} accepts {share:.1%} of {corpus.name}; it refuses {refused[0]!r}"
    return share

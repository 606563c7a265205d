"""All checks of one spec in turn, a function a kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from seqgen.errors import UsageError
from seqgen.specs import (
    AugmentationSpec,
    CellSpec,
    CorpusSpec,
    DomainSpec,
    MetricSpec,
    ModelSpec,
    ProcessorSpec,
    RendererSpec,
    ReportSpec,
    Spec,
    TokenizerSpec,
    ValidatorSpec,
)
from seqgen.testing.catalog import checks_of
from seqgen.testing.check import TEXTS, Subject
from seqgen.testing.validators import check_form


def _check_all(spec: Spec, texts: Sequence[str] = TEXTS, **options: Any) -> None:
    for check in checks_of(spec, texts=texts, **options):
        check()


def check_corpus(spec: CorpusSpec, **options: Any) -> None:
    """Run all checks of a corpus; AssertionError says which promise is not kept."""
    _check_all(spec, **options)


def check_tokenizer(spec: TokenizerSpec, texts: Sequence[str] = TEXTS, **options: Any) -> None:
    """Run all checks of a tokenizer that is fitted to ``texts``; AssertionError says which promise is not kept."""
    _check_all(spec, texts, **options)


def check_cell(spec: CellSpec, **options: Any) -> None:
    """Run all checks of a cell; AssertionError says which promise is not kept."""
    _check_all(spec, **options)


def check_model(spec: ModelSpec, **options: Any) -> None:
    """Run all checks of a model; AssertionError says which promise is not kept."""
    _check_all(spec, **options)


def check_validator(spec: ValidatorSpec, **options: Any) -> None:
    """Run all checks of a validator; AssertionError says which promise is not kept."""
    _check_all(spec, **options)


def check_metric(spec: MetricSpec, **options: Any) -> None:
    """Run all checks of a metric; AssertionError says which promise is not kept."""
    _check_all(spec, **options)


def check_renderer(spec: RendererSpec, **options: Any) -> None:
    """Run all checks of a renderer; AssertionError says which promise is not kept."""
    _check_all(spec, **options)


def check_processor(spec: ProcessorSpec, **options: Any) -> None:
    """Run all checks of a processor; AssertionError says which promise is not kept."""
    _check_all(spec, **options)


def check_augmentation(spec: AugmentationSpec, texts: Sequence[str] = TEXTS, **options: Any) -> None:
    """Run all checks of an augmentation, on ``texts``; AssertionError says which promise is not kept."""
    _check_all(spec, texts, **options)


def check_report(spec: ReportSpec, **options: Any) -> None:
    """Run all checks of a report; AssertionError says which promise is not kept."""
    _check_all(spec, **options)


def check_domain(spec: DomainSpec, siblings: Sequence[Spec] = ()) -> None:
    """Run all checks of a domain; ``siblings`` are the other specs of its plugin."""
    for check in checks_of(spec, siblings=siblings):
        check()


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
    "domain": check_domain,
}
"""The functions above by kind."""


def check_accepts(validator: ValidatorSpec, corpus: CorpusSpec, *, most: int = 5000, **options: Any) -> float:
    """A validator accepts at least 99 % of its own corpus, and its canonical forms of them are valid and final.

    Args:
        validator: of the corpus's domain.
        corpus: the corpus.
        most: records looked at, evenly spaced.
        options: of the corpus.

    Returns:
        The share it accepts, for the datasheet.

    Raises:
        AssertionError: it accepts fewer, or gives a canonical form that is not valid or not final; the message has an
            example.
        UsageError: they are no specs, but what specs load.
    """
    for given, wanted in ((validator, ValidatorSpec), (corpus, CorpusSpec)):
        if not isinstance(given, wanted):
            raise UsageError(
                f"cannot check {given!r:.60}: check_accepts takes a seqgen.{wanted.__name__}; give the spec"
            )
    judge, texts = Subject(validator, {}).build(), [record.text for record in Subject(corpus, options).build()]
    looked_at = texts[:: -(-len(texts) // most)]
    refused = []
    for text in looked_at:
        verdict = judge.validate(text)
        if verdict.ok:
            check_form(judge, text, verdict)
        else:
            refused.append((text, verdict.reason))
    share = 1 - len(refused) / len(looked_at)
    assert share >= 0.99, f"{validator.name} accepts {share:.1%} of {corpus.name}; it refuses {refused[0]!r}"
    return share

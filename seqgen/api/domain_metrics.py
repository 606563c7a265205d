"""Metrics of a run's domain, and those that a user names: their values, their labels, and why others are left out."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

from seqgen.corpus import Corpus, Record
from seqgen.render import counted
from seqgen.specs import DomainSpec

if TYPE_CHECKING:
    from seqgen.api.open_run import OpenRun

_MAX_CHECKED = 1000  # records of a reference of which is said how many are not valid
_MAX_HELD_OUT = 10_000  # held-out records that metrics compare with, where no reference is named


def domain_figures(
    run: OpenRun,
    texts: list[str],
    corpus: Corpus | None,
    metrics: Mapping[str, Any],
    reference: str | None,
    notes: list[str],
    log: Callable[[str], None],
) -> dict[str, Any]:
    """Return the metrics of the domain by ``metric.name``, and published values on the reference corpus.

    A note is added where records of the reference are not valid, which metrics of a domain may leave out, and for each
    reason for which a metric has omitted values.
    """
    if not metrics:
        return {}
    result: dict[str, Any] = {}
    parts = run.settings.corpus.parts
    every = max(1, -(-(parts["valid"] + parts["test"]) // _MAX_HELD_OUT)) if run.vocabulary.ends else 1
    held_out = itertools.islice(_Texts(run, training=False), 0, every * _MAX_HELD_OUT, every)
    compared = list(held_out) if corpus is None else [record.text for record in corpus]
    notes += [] if corpus is None else _of_reference(run, compared[:_MAX_CHECKED])
    log(f"metrics: {', '.join(metrics)}, of {counted(len(texts), 'sample')} beside {counted(len(compared), 'record')}")
    for name, metric in metrics.items():
        figures = _measure(metric, texts, compared, _Texts(run, training=True))
        result |= {f"{name}.{figure}": value for figure, value in figures.items()}
        notes += _omitted_notes(name, metric)
    published = {
        name: dict(metric.published) for name, metric in metrics.items() if _is_published_on(metric, reference)
    }
    return result | ({"published": published} if published else {})


def notes_on_foreign(run: OpenRun, domain: DomainSpec, metrics: Iterable[str]) -> list[str]:
    """Return a note for each metric that belongs to other domains than that of the run."""
    notes = []
    for metric in metrics:
        of = [entry.spec.name for entry in run.plugins.registry.entries("domain") if _has_metric(entry.spec, metric)]
        if of and not _has_metric(domain, metric):
            domains = f"the domain{'s' * (len(of) > 1)} {', '.join(of)}"
            notes.append(f"the metric {metric} is for {domains}, not for {domain.name}: its values may mean nothing")
    return notes


def _has_metric(domain: Any, metric: str) -> bool:
    return metric in (name.rpartition(":")[2] for name in domain.metrics)


def _of_reference(run: OpenRun, texts: list[str]) -> list[str]:
    """Return a note on the first records of a reference that are not valid, if there are any."""
    from seqgen.evaluation import verdicts

    judged = zip(texts, verdicts(texts, run.validator_here), strict=True)
    refused = [f"{text[:60]!r}: {verdict.reason[:120]}" for text, verdict in judged if not verdict.ok]
    if not refused:
        return []
    return [f"{len(refused)} of the first {len(texts):,} records of the reference are not valid, such as {refused[0]}"]


def labels_of(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of metrics by ``metric.name``, as far as the metrics have them."""
    return {
        f"{name}.{figure}": f"{name}: {label}"
        for name, metric in metrics.items()
        if isinstance(labels := getattr(metric, "labels", None), Mapping)
        for figure, label in labels.items()
        if isinstance(label, str)
    }


def _omitted_notes(name: str, metric: Any) -> list[str]:
    """Return why a metric has omitted values, as far as it says: a line for each reason."""
    omitted = getattr(metric, "omitted", None)
    if not isinstance(omitted, Mapping):
        return []
    by_reason: dict[str, list[str]] = {}
    for figure, reason in omitted.items():
        if isinstance(reason, str):
            by_reason.setdefault(reason, []).append(f"{name}.{figure}")
    return [f"left out: {', '.join(figures)}, since {reason}" for reason, figures in by_reason.items()]


def _is_published_on(metric: Any, reference: str | None) -> bool:
    """Return whether there are published values of a metric on this reference corpus."""
    if reference is None or not getattr(metric, "published", None):
        return False
    on = getattr(metric, "published_on", None)
    return on is None or reference.rpartition(":")[2] in ((on,) if isinstance(on, str) else on)


@dataclass(frozen=True)
class _Texts:
    """The texts of a run's training or held-out records, as a restartable iterable."""

    run: OpenRun
    training: bool

    @property
    def canonical(self) -> bool:
        """Whether each training text is its own canonical form, as the corpus declares."""
        return self.run.corpus.canonical

    def __iter__(self) -> Iterator[str]:
        splitter = self.run.settings.splitter

        def wanted(record: Record) -> bool:
            return (splitter.part(record) == "train") is self.training

        return (record.text for record in self.run.corpus if wanted(record))


def _measure(
    metric: Callable[..., Mapping[str, float]], texts: list[str], reference: list[str], training: _Texts
) -> Any:
    """Return the values of a metric; it also gets the training records if it has a parameter for them."""
    figures = metric(texts, reference, training=training) if _takes_training(metric) else metric(texts, reference)
    return {name: int(value) if isinstance(value, Integral) else float(value) for name, value in figures.items()}


def _takes_training(metric: Callable[..., Any]) -> bool:
    try:
        return "training" in inspect.signature(metric).parameters
    except (ValueError, TypeError):  # of what is not written in Python nothing is known
        return False

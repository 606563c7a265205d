"""Metrics of a run's domain, and those that a user names: their values, their labels, and why others are left out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from seqgen.corpus import Corpus, Splitter
from seqgen.errors import Interrupted, one_line
from seqgen.evaluation.novelty import verdicts
from seqgen.plugin_guards import takes_training
from seqgen.specs import DomainSpec


@dataclass(frozen=True)
class PartTexts:
    """The texts of a corpus that are trained on, or those that are held out, as a restartable iterable.

    Attributes:
        corpus: the corpus.
        splitter: assigns each record to a part.
        training: whether they are those that are trained on.
    """

    corpus: Corpus
    splitter: Splitter
    training: bool

    @property
    def canonical(self) -> bool:
        """True if each training text is its own canonical form, as the corpus declares."""
        return self.corpus.canonical

    def __iter__(self) -> Iterator[str]:
        """Iterate over the texts."""
        for record in self.corpus:
            if (self.splitter.part(record) == "train") is self.training:
                yield record.text


def domain_metrics(
    metrics: Mapping[str, Any], texts: list[str], compared: list[str], training: PartTexts, reference: str | None
) -> tuple[dict[str, Any], list[str], list[BaseException]]:
    """Return the values of metrics by ``metric.name``, notes, and the errors of metrics that failed.

    Args:
        metrics: metrics by name.
        texts: the samples.
        compared: the texts with which they are compared.
        training: those of the training records.
        reference: the name of the corpus that ``compared`` are of; None: they are held out.

    Returns:
        The values, with published ones on the reference; a note for each reason for which values are omitted; and the
        errors.
    """
    result, notes, failures = dict[str, Any](), list[str](), list[BaseException]()
    for name, metric in metrics.items():
        more = {"training": training} if takes_training(metric) else {}
        try:
            values = _by_name(metric(texts, compared, **more))
        except Interrupted:
            raise
        except (Exception, SystemExit) as error:  # the other values are worth showing
            notes.append(f"left out: the metric {name}, which failed: {one_line(error)}")
            failures.append(error)
            continue
        result |= {f"{name}.{one}": value for one, value in values.items() if value is not None}
        notes += _omitted_notes(name, metric, [one for one, value in values.items() if value is None])
    published = {
        name: {model: _by_name(values) for model, values in metric.published.items()}
        for name, metric in metrics.items()
        if _is_published_on(metric, reference)
    }
    return result | ({"published": published} if published else {}), notes, failures


def notes_on_foreign(domain: DomainSpec, others: Iterable[DomainSpec], metrics: Iterable[str]) -> list[str]:
    """Return a note for each metric that belongs to other domains than that of a run."""
    others, notes = list(others), []
    for metric in metrics:
        of = [other.name for other in others if _has_metric(other, metric)]
        if of and not _has_metric(domain, metric):
            domains = f"the domain{'s' * (len(of) > 1)} {', '.join(of)}"
            notes.append(f"the metric {metric} is for {domains}, not for {domain.name}: its values may mean nothing")
    return notes


def _has_metric(domain: Any, metric: str) -> bool:
    return metric in (name.rpartition(":")[2] for name in domain.metrics)


def notes_on_reference(texts: list[str], validator: Any) -> list[str]:
    """Return a note on the first records of a reference that are not valid, if there are any."""
    judged = zip(texts, verdicts(texts, validator), strict=True)
    refused = [f"{text[:60]!r}: {verdict.reason[:120]}" for text, verdict in judged if not verdict.ok]
    if not refused:
        return []
    return [f"{len(refused)} of the first {len(texts):,} records of the reference are not valid, such as {refused[0]}"]


def labels_of(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of metrics by ``metric.name``, as far as the metrics have them."""
    return {
        f"{name}.{one}": f"{name}: {label}"
        for name, metric in metrics.items()
        if isinstance(labels := getattr(metric, "labels", None), Mapping)
        for one, label in labels.items()
        if isinstance(label, str)
    }


def _omitted_notes(name: str, metric: Any, missing: Iterable[str]) -> list[str]:
    """Return why a metric has omitted values: a line for each reason.

    Args:
        name: of the metric.
        metric: the metric, which may say why.
        missing: the values that are None.
    """
    omitted = getattr(metric, "omitted", None)
    reasons = dict.fromkeys(missing, "there is nothing to compute it from")
    by_reason: dict[str, list[str]] = {}
    for one, reason in (reasons | dict(omitted if isinstance(omitted, Mapping) else {})).items():
        if isinstance(reason, str):
            by_reason.setdefault(reason, []).append(f"{name}.{one}")
    return [f"left out: {', '.join(names)}, since {reason}" for reason, names in by_reason.items()]


def _is_published_on(metric: Any, reference: str | None) -> bool:
    """Return whether there are published values of a metric on this reference corpus."""
    if reference is None or not getattr(metric, "published", None):
        return False
    on = getattr(metric, "published_on", None)
    return on is None or reference.rpartition(":")[2] in ((on,) if isinstance(on, str) else on)


def _by_name(values: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> float | None:
    """Return a number of any library as one of Python, and None for NaN and infinity."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if isinstance(value, Integral) else float(value)

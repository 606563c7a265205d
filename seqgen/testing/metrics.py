"""Checks of metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqgen.errors import short_repr
from seqgen.plugin_guards import metric_fault, published_fault, signature_fault, value_fault
from seqgen.testing.check import Subject, is_one_line
from seqgen.testing.exercise import compute_metric, few_records_of, must_not_raise


def _compute(metric: Any, samples: list[str], reference: list[str]) -> set[str]:
    """Return the names of the values of a metric, of those too that it cannot compute; check them."""
    found = compute_metric(metric, samples, reference)
    assert not (fault := metric_fault(found)), fault
    omitted = getattr(metric, "omitted", {})
    assert isinstance(omitted, Mapping), f"omitted is {short_repr(omitted)}, not a mapping"
    for name, reason in omitted.items():
        assert not (fault := value_fault(name, 0)), f"in omitted {fault}"
        assert found.get(name) is None, f"{name!r} is in omitted and among the values"
        assert reason and is_one_line(reason), f"omitted[{name!r}] is {short_repr(reason)}, not one line of text"
    return {*found, *omitted}


def values(subject: Subject) -> None:
    """Check that it returns named numbers or None, and why others are omitted, also without samples or a reference."""
    metric, texts, records = subject.build(), list(subject.texts), few_records_of(subject)
    assert not (fault := signature_fault(metric)), fault
    pairs: tuple[tuple[list[str], list[str]], ...] = (
        (texts, texts),
        ([], texts),
        (texts, []),
        ([], []),
        (records, texts),
        (records, records),
    )
    for samples, reference in pairs:
        _compute(metric, samples, reference)


def hostile_strings(subject: Subject) -> None:
    """Check that it raises on no string."""
    metric = subject.build()
    must_not_raise(lambda text: _compute(metric, [text, "a"], ["a", text]))


def untouched(subject: Subject) -> None:
    """Check that it does not modify its arguments."""
    samples, reference = list(subject.texts), list(subject.texts[::-1])
    _compute(subject.build(), samples, reference)
    assert samples == list(subject.texts) and reference == list(subject.texts[::-1]), "modifies the lists it is given"


def published(subject: Subject) -> str:
    """Check that ``published``, if there is one, maps models to named numbers."""
    metric = subject.build()
    on = getattr(metric, "published_on", None)
    assert not isinstance(on, str), f"published_on is {short_repr(on)}, not a tuple"
    assert not (fault := published_fault(metric)), fault
    declared = getattr(metric, "published", None)
    return f"{len(declared)} published" if declared else ""


def labels(subject: Subject) -> str:
    """Check that ``labels``, if there are any, map names of values to single lines."""
    metric, texts = subject.build(), [*subject.texts, *few_records_of(subject)]
    declared = getattr(metric, "labels", None)
    if declared is None:
        return ""
    assert isinstance(declared, Mapping), f"labels is {short_repr(declared)}, not a mapping"
    for name, label in declared.items():
        is_valid = isinstance(name, str) and is_one_line(label) and label.strip()
        assert is_valid, f"labels[{name!r}] is {short_repr(label)}, not one line of text"
    computed = _compute(metric, texts, texts)
    others = [name for name in declared if name not in computed]
    of_others = f", of which it has no values here: {', '.join(others)}" if others else ""
    return f"{len(declared)} labels{of_others}"

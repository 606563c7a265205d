"""What metrics promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqgen.testing.check import Subject
from seqgen.testing.exercise import measure, must_not_raise


def _figures(metric: Any, samples: list[str], reference: list[str]) -> Mapping[str, float]:
    found = measure(metric, samples, reference)
    assert isinstance(found, Mapping), f"it gives {found!r:.60}, not figures by name"
    for name, value in found.items():
        assert isinstance(name, str) and isinstance(value, int | float), f"the figure {name!r} is {value!r:.60}"
    return found


def figures(subject: Subject) -> None:
    """It gives named numbers, also of no samples and against no reference."""
    metric, texts = subject.build(), list(subject.texts)
    for samples, reference in ((texts, texts), ([], texts), (texts, []), ([], [])):
        _figures(metric, samples, reference)


def hostile_strings(subject: Subject) -> None:
    """It never raises, whatever strings it is given."""
    metric = subject.build()
    must_not_raise(lambda text: _figures(metric, [text, "a"], ["a", text]))


def untouched(subject: Subject) -> None:
    """It leaves the lists that it is given as they are."""
    samples, reference = list(subject.texts), list(subject.texts[::-1])
    _figures(subject.build(), samples, reference)
    assert samples == list(subject.texts) and reference == list(subject.texts[::-1]), "modifies the lists it is given"


def published(subject: Subject) -> str:
    """``published``, if there is one, holds numbers by model and figure."""
    metric = subject.build()
    stated = getattr(metric, "published", None)
    if not stated:
        return ""
    assert isinstance(stated, Mapping), f"published is {stated!r:.60}, not a mapping"
    for model, row in stated.items():
        assert isinstance(model, str) and isinstance(row, Mapping) and row, f"published[{model!r}] is {row!r:.60}"
        for name, value in row.items():
            right = isinstance(name, str) and isinstance(value, int | float) and not isinstance(value, bool)
            assert right, f"published[{model!r}][{name!r}] is {value!r:.60}, not a number"
    return f"{len(stated)} published"


def labels(subject: Subject) -> str:
    """``labels``, if there are any, are one line each, by the name of a figure."""
    stated = getattr(subject.build(), "labels", None)
    if stated is None:
        return ""
    assert isinstance(stated, Mapping), f"labels is {stated!r:.60}, not a mapping"
    for name, label in stated.items():
        right = isinstance(name, str) and isinstance(label, str) and label.strip() and len(label.splitlines()) == 1
        assert right, f"labels[{name!r}] is {label!r:.60}, not one line of text"
    return f"{len(stated)} labels"

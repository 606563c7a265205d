"""Checks of every kind: options, recommended settings, and an unchanged process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from seqgen.config import TrainSettings, build_options, describe_options
from seqgen.errors import BadOption
from seqgen.process_state import record_changes
from seqgen.testing.check import Subject
from seqgen.testing.exercise import exercise, unseen_texts

_NONSENSE = "an-option-that-nobody-has"


def options(subject: Subject) -> str:
    """Check that unknown options and values outside a declared range are refused, and that defaults are accepted."""
    model = subject.entry.options_model
    refused = f"the options accept the unknown name {_NONSENSE!r}: subclass seqgen.Options, or leave options out"
    assert _is_refused(subject, {**subject.options, _NONSENSE: 1}), refused
    for name, field in model.model_fields.items():
        if not field.is_required() and field.default_factory is None:
            values = {**subject.options, name: field.default}
            assert not _is_refused(subject, values), (
                f"the default of the option {name!r}, {field.default!r}, is refused"
            )
    for name, value in _out_of_range(model):
        assert _is_refused(subject, {**subject.options, name: value}), (
            f"the option {name!r} accepts {value!r}, which is outside its declared range"
        )
    missing = [row["name"] for row in describe_options(model) if not row["description"]]
    notes = [f"without description: {', '.join(missing)}"] if missing else []
    notes += [f"{name} is not an option: {reason}" for name, reason in getattr(model, "no_options", {}).items()]
    return "; ".join(notes)


def _is_refused(subject: Subject, values: dict[str, Any]) -> bool:
    try:
        subject.entry.options(values)
    except BadOption:
        return True
    return False


def _out_of_range(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield names of options with values outside their ranges."""
    beyond = {"ge": -1, "gt": 0, "le": 1, "lt": 0}  # added to the bound
    for name, field in model.model_fields.items():
        for item in field.metadata:
            for sign, step in beyond.items():
                if isinstance(bound := getattr(item, sign, None), int | float):
                    yield name, bound + step


def recommended(subject: Subject) -> None:
    """Check that recommended options of the part and recommended training settings exist."""
    advice = subject.spec.recommended
    settings = {"steps": 1, **advice.get("train", {})}
    try:
        subject.entry.options({**dict(advice.get(subject.spec.kind, {})), **subject.options})
        build_options(TrainSettings, settings, "train")
    except BadOption as error:
        raise AssertionError(f"a recommended value is refused: {error}") from None


def source(subject: Subject) -> None:
    """Check that the source of the data is stated."""
    assert subject.spec.source.strip(), "source is empty: say where the data comes from"


def global_state(subject: Subject) -> None:
    """Check that use leaves random states, torch's settings and the current folder unchanged."""
    changed: list[str] = []
    with record_changes(changed):
        exercise(subject)
    assert not changed, f"it changes {' and '.join(changed)} for the whole process"


def deterministic(subject: Subject) -> None:
    """Check that two instances, and one that is used again, give the same results on the same input.

    Texts that no earlier check has used are among it: a class may remember those that its instances have seen.
    """
    subject = replace(subject, texts=(*subject.texts, *unseen_texts(subject)))
    found = exercise(subject)
    assert exercise(subject) == found, "two instances give different results on the same input"
    again = exercise(subject, times=2)
    assert again == found, "an instance that is used again gives different results on the same input"

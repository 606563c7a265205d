"""What every kind promises: options that are checked, and a process that is left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqgen.config import TrainSettings, build_options, describe_options
from seqgen.errors import BadOption
from seqgen.testing.check import Subject
from seqgen.testing.exercise import exercise
from seqgen.testing.process_state import record_changes

_NONSENSE = "an-option-that-nobody-has"


def options(subject: Subject) -> str:
    """An option that does not exist is refused, and each value outside the range that is said; defaults are not."""
    model = subject.entry.options_model()
    refused = f"the options take {_NONSENSE!r}: subclass seqgen.Options, or leave options out"
    assert _is_refused(subject, {**subject.options, _NONSENSE: 1}), refused
    for name, field in model.model_fields.items():
        if not field.is_required() and field.default_factory is None:
            asked = {**subject.options, name: field.default}
            assert not _is_refused(subject, asked), f"the default of the option {name!r}, {field.default!r}, is refused"
    for name, value in _outside(model):
        assert _is_refused(subject, {**subject.options, name: value}), (
            f"the option {name!r} is said to have a range and takes {value!r}"
        )
    missing = [row["name"] for row in describe_options(model) if not row["description"]]
    notes = [f"not described: {', '.join(missing)}"] if missing else []
    notes += [f"{name} is no option: {reason}" for name, reason in getattr(model, "no_options", {}).items()]
    return "; ".join(notes)


def _is_refused(subject: Subject, values: dict[str, Any]) -> bool:
    try:
        subject.entry.options(values)
    except BadOption:
        return True
    return False


def _outside(model: Any) -> Iterator[tuple[str, Any]]:
    """Values that are outside the ranges of the options."""
    beyond = {"ge": -1, "gt": 0, "le": 1, "lt": 0}  # added to the bound
    for name, field in model.model_fields.items():
        for item in field.metadata:
            for sign, step in beyond.items():
                if isinstance(bound := getattr(item, sign, None), int | float):
                    yield name, bound + step


def recommended(subject: Subject) -> None:
    """What is recommended exists: options of the thing itself, and settings of training."""
    advice = subject.spec.recommended
    settings = {"steps": 1, **advice.get("train", {})}
    try:
        subject.entry.options({**dict(advice.get(subject.spec.kind, {})), **subject.options})
        build_options(TrainSettings, settings, "train")
    except BadOption as error:
        raise AssertionError(f"what is recommended is refused: {error}") from None


def source(subject: Subject) -> None:
    """It says where its data comes from."""
    assert subject.spec.source.strip(), "source is empty: say where the data comes from"


def global_state(subject: Subject) -> None:
    """Being used leaves random numbers, torch's settings and the current folder as they were."""
    changed: list[str] = []
    with record_changes(changed):
        exercise(subject)
    assert not changed, f"it changes {' and '.join(changed)} for the whole process"


def deterministic(subject: Subject) -> None:
    """Built twice and used on the same, it gives the same."""
    assert exercise(subject) == exercise(subject), "built and used twice it gives something else"

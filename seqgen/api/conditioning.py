"""What rows are asked to be: the values of conditions, and of fields that they begin with."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seqgen.api.corpus_checks import splitter_of
from seqgen.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from seqgen.api.run import Run

_LOOKED_AT = 1000  # records, for the names of fields
_MAX_CHARS = 20_000_000  # of a corpus that is read through for a value


@dataclass(frozen=True)
class Wishes:
    """What rows are asked to be, in the terms of a sampler.

    Attributes:
        conditions: values of conditions by name.
        prefix: the fields that every row begins with.
    """

    conditions: Mapping[str, str]
    prefix: str

    @classmethod
    def of(cls, run: Run, label: str | None, given: Mapping[str, Any]) -> Wishes:
        """Sort out what was asked of a run.

        Args:
            run: the run.
            label: the label, if one is asked for.
            given: values of conditions or of fields, by name.

        Raises:
            UsageError: the run was not trained to be asked for this.
        """
        wanted = as_conditions(given if label is None else {**given, "label": label})
        slots = run.vocabulary.slots if wanted else ()
        fields = {name: value for name, value in wanted.items() if name not in slots}
        if "label" in fields:
            title = run.settings.corpus.options.get("path", run.settings.corpus.title)
            labelled = any(record.value("label") for record in itertools.islice(run.corpus, _LOOKED_AT))
            train = f"train with --corpus {title} --condition label" if labelled else "train on records that have one"
            none = "" if labelled else ", and its records have none"
            told = f" but {slots[0]}: --given {slots[0]}=VALUE" if slots else ""
            raise UsageError(f"this run was not told labels{none}{told}; to ask for a label, {train}")
        lines = [f"{name}={value}\n" for name, value in fields.items()]
        if fields and tuple(fields.items()) not in run.granted:
            _check_fields(run, list(fields))
            _tell_unseen(run, [f"{name}={value}" for name, value in fields.items()])
            run.granted.add(tuple(fields.items()))
        conditions = {name: value for name, value in wanted.items() if name in slots}
        return cls(conditions, "".join(lines))


def as_conditions(given: Mapping[str, Any]) -> dict[str, str]:
    """Values as conditions have them, which is as text."""
    return {name: str(value) for name, value in given.items()}


def _check_fields(run: Run, wanted: list[str]) -> None:
    """Refuse fields that records do not have, or do not begin with in a run that always saw them in one order."""
    known: dict[str, None] = {}
    begins = False
    for record in itertools.islice(run.corpus, _LOOKED_AT):
        names = [line.partition("=")[0] for line in record.text.split("\n") if "=" in line]
        known.update(dict.fromkeys(name for name in names if name in record.fields))
        begins = begins or names[: len(wanted)] == wanted
    for name in wanted:
        if name not in known:
            have = f"; known: {', '.join(known)}" if known else "; the records of this run have no fields"
            have += f"; it was told {', '.join(run.vocabulary.slots)}" if run.vocabulary.slots else ""
            near = did_you_mean(name, known) or have
            raise UsageError(f"no field {name!r} to give{near}; --condition NAME trains with a condition")
    if not begins and run.settings.augmentation is None:
        raise UsageError(
            f"this run saw fields in one order only, so rows cannot begin with {', '.join(wanted)}; "
            f"give them as the records begin ({', '.join(known)}), or train with an --augment that shuffles them"
        )


def _tell_unseen(run: Run, wanted: list[str]) -> None:
    """Warn of each ``name=value`` that no training record has as a line: the run can only guess how rows go on."""
    if run.settings.corpus.n_chars > _MAX_CHARS:
        return
    splitter, unseen = splitter_of(run.settings), set(wanted)
    for record in run.corpus:
        found = unseen.intersection(record.text.split("\n"))
        if found and splitter.part(record) == "train":
            unseen -= found
            if not unseen:
                return
    for line in wanted:
        if line in unseen:
            run.warn(f"no training record has {line!r:.80}: how rows go on from it is a guess")

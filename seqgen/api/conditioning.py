"""Conditioning: the values of conditions, and of fields that rows begin with."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seqgen.config import values_by_name
from seqgen.errors import UsageError, nearest_names, short_repr

if TYPE_CHECKING:
    from seqgen.api.open_run import OpenRun
    from seqgen.corpus import Record
    from seqgen.sampling import Decoder

    FirstFields = list[tuple[list[str], Record]]

_FIRST_RECORDS = 1000  # read for the names of fields
_MOST_LEFT_OUT = 0.05  # share of the rows with a prefix of which nothing is said
_MAX_CHARS = 20_000_000  # of a corpus that is read through for a value


@dataclass(frozen=True)
class Conditioning:
    """The conditions and the prefix of rows, as a sampler takes them.

    Attributes:
        conditions: values of conditions by name.
        prefix: the fields that every row begins with.
    """

    conditions: Mapping[str, str]
    prefix: str

    @classmethod
    def of(cls, run: OpenRun, label: str | None, given: Mapping[str, Any]) -> Conditioning:
        """Return the conditioning of a run by some values.

        Args:
            run: the run.
            label: the label, or None.
            given: values of conditions or of fields, by name.

        Raises:
            UsageError: the run was not trained with such a condition or field.
        """
        conditions, fields = split_conditions(run, label, given, "sample")
        lines = [f"{name}={value}\n" for name, value in fields.items()]
        if fields and tuple(fields.items()) not in run.checked_fields:
            first = first_fields(run)
            _check_order(run, fields, first, check_fields(run, fields, first))
            _warn_of_unseen(run, [f"{name}={value}" for name, value in fields.items()])
            run.checked_fields.add(tuple(fields.items()))
        warn_of_untrained(run, conditions)
        return cls(conditions, "".join(lines))


def split_conditions(
    run: OpenRun, label: str | None, given: Mapping[str, Any], verb: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Return those of some values that are of conditions of a run, and the rest, which may be of fields.

    Args:
        run: the run.
        label: the label, or None.
        given: values by name.
        verb: the purpose of the values, for messages: "sample" or "score".

    Raises:
        UsageError: the run has no labels, or has them as a condition by another name.
    """
    wanted = as_conditions(given, label)
    slots = run.vocabulary.slots if wanted else ()
    fields = {name: value for name, value in wanted.items() if name not in slots}
    if "label" in fields:
        title = run.settings.corpus.options.get("path") or run.settings.corpus.title
        labelled = any(record.value("label") for record in itertools.islice(run.corpus, _FIRST_RECORDS))
        title = title if isinstance(title, str) else " --corpus ".join(title)
        field = run.settings.corpus.options.get("label_field")
        how = f"--corpus {title} --condition label" + (f" --label-field {field}" if field else "")
        train = f"train with {how}" if labelled else "train on records that have one"
        none = "" if labelled else ", and its records have none"
        instead = f"; it is conditioned on {', '.join(slots)}: --given {slots[0]}=VALUE" if slots else ""
        raise UsageError(f"this run is not conditioned on labels{none}{instead}; to {verb} by label, {train}")
    options = run.settings.corpus.options
    column, of_text = options.get("label_field"), str(options.get("fields") or "").split(",")
    if column in fields and column not in of_text and "label" in slots:
        asked = f"--label {shlex.quote(fields[column])}"
        raise UsageError(f"{column!r} is the label of this run: ask for it by {asked}")
    return {name: value for name, value in wanted.items() if name in slots}, fields


def as_conditions(given: Mapping[str, Any], label: str | None = None) -> dict[str, str]:
    """Return the values of conditions, a label among them, as texts.

    Raises:
        BadOption: ``given`` is no mapping.
        UsageError: two labels are given.
    """
    values_by_name(given)
    if label is not None and str(given.get("label", label)) != label:
        raise UsageError(f"cannot condition on two labels, {label!r} and {given['label']!r}: give one of them")
    values = given if label is None else {**given, "label": label}
    return {name: str(value) for name, value in values.items()}


def warn_of_untrained(run: OpenRun, conditions: Mapping[str, str]) -> None:
    """Warn of each value of a condition that held-out records have and no training record: its weights are random.

    Warn of values that no training record has together, as far as the run knows them.
    """
    corpus, wanted = run.settings.corpus, {"=".join(pair) for pair in conditions.items()}
    unseen = set[str]().union(*corpus.unseen.values())
    for pair in conditions.items():
        if "=".join(pair) in unseen and (pair,) not in run.checked_fields:
            run.checked_fields.add((pair,))
            run.warn(f"no training record has the {pair[0]} {short_repr(pair[1], 80)}: the model has not learned it")
    together = tuple(sorted(conditions.items()))
    if (
        len(wanted) < 2
        or corpus.combinations is None
        or wanted & unseen
        or any(map(wanted.issubset, corpus.combinations))
    ):
        return
    if together not in run.checked_fields:
        run.checked_fields.add(together)
        shown = " and ".join(f"the {name} {short_repr(value)}" for name, value in together)
        run.warn(f"no training record has {shown}: the model has not learned them together")


def check_fields(run: OpenRun, wanted: Iterable[str], first: FirstFields) -> list[str]:
    """Return the fields that the first records have; refuse others.

    Raises:
        UsageError: records do not have one of the fields.
    """
    known = dict.fromkeys(name for names, record in first for name in names if name in record.fields)
    for name in wanted:
        if name not in known:
            slots = run.vocabulary.slots
            have = f"; known: {', '.join(known)}" if known else ""
            have += f"; it is conditioned on {', '.join(slots)}" if slots else ""
            have = have or "; the records of this run have no fields"
            near = nearest_names(name, [*known, *slots])
            more = near or f"{have}; --condition NAME trains with a condition"
            raise UsageError(f"no field {name!r} to give{more}")
    return list(known)


def _check_order(run: OpenRun, wanted: Iterable[str], first: FirstFields, known: list[str]) -> None:
    """Refuse fields with which no record begins, in a run that saw them in one order only."""
    wanted = list(wanted)
    begins = any(names[: len(wanted)] == wanted for names, _ in first)
    if not begins and run.settings.augmentation is None:
        shuffling = "an --augment that shuffles them (seqgen list augmentations)"
        raise UsageError(
            f"this run saw fields in one order only, so rows cannot begin with {', '.join(wanted)}; "
            f"give them as the records begin ({', '.join(known)}), or train with {shuffling}"
        )


def first_fields(run: OpenRun) -> FirstFields:
    """Return the first records, each with the names of its lines ``name=value``."""
    return [
        ([line.partition("=")[0] for line in record.text.split("\n") if "=" in line], record)
        for record in itertools.islice(run.corpus, _FIRST_RECORDS)
    ]


def _warn_of_unseen(run: OpenRun, wanted: list[str]) -> None:
    """Warn of each line ``name=value`` that no training record has: the rows after it are unreliable."""
    if run.settings.corpus.n_chars > _MAX_CHARS:
        return
    splitter, unseen = run.settings.splitter, set(wanted)
    for record in run.corpus:
        found = unseen.intersection(record.text.split("\n"))
        if found and splitter.part(record) == "train":
            unseen -= found
            if not unseen:
                return
    for line in wanted:
        if line in unseen:
            run.warn(f"no training record has {short_repr(line, 80)}: rows that begin with it are unreliable")


def prefix_warning(decoder: Decoder) -> str:
    """Return the warning of a prefix whose text the symbols of many rows divide otherwise, so that none is found."""
    from seqgen.sampling import share_across

    prefix = decoder.settings.prefix
    if not prefix or not (share := share_across(decoder)) > _MOST_LEFT_OUT:
        return ""
    template = "".join(f"\\{char}" if char in "*\\" else char for char in prefix) + "*"
    line = f"--prefix {short_repr(prefix)}: {share:.1%} of the rows that begin so are left out, since their symbols"
    hint = "" if decoder.settings.template else f"; --template {shlex.quote(template)} in its place finds all of them"
    return f"{line} divide it otherwise{hint}"

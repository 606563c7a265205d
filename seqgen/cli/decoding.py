"""The flags of all commands that sample from a model, and their values as ``Run.sample`` takes them."""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from seqgen.cli.common import Flags, as_flag, configured, session, split_executor
from seqgen.errors import BadOption, CorpusError, UsageError

_FILES: dict[str, Any] = {
    "avoid_file": Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="File of texts, one per line, that no row contains.",
            rich_help_panel="Constraints on every row",
        ),
    ],
    "option": Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--option",
            metavar="PROCESSOR.NAME=VALUE",
            help="Option of a processor; may be repeated.",
            rich_help_panel="Decoding",
        ),
    ],
}


def decoding(command: str, config: str, *, without: Container[str] = ()) -> Flags:
    """Return the flags of a decoding configuration for a command, their values as ``Run.sample`` takes them.

    Args:
        command: name of the command.
        config: "SampleConfig" or "DecodeConfig".
        without: names of settings that the command has no flag for.
    """
    flags = configured(command, config, without=without)
    added = [as_flag(name, annotation) for name, annotation in _FILES.items() if session.parses(command)]

    def take(values: dict[str, Any]) -> dict[str, Any]:
        avoid_files, assignments = values.pop("avoid_file") or (), values.pop("option") or ()
        apart, assignments = split_executor(assignments) if command == "sample" else ({}, assignments)
        converted = _converted(flags.take(values), avoid_files, assignments)
        return converted | ({"executor": apart} if command == "sample" else {})

    return Flags([*flags.parameters, *added], take)


def _converted(settings: dict[str, Any], avoid_files: Iterable[Path], assignments: Iterable[str]) -> dict[str, Any]:
    """Return the values of flags as ``Run.sample`` takes them: files read, pairs split, processors with options."""
    texts = (*(settings["avoid"] or ()), *_texts_of(avoid_files))
    return settings | {
        "given": parse_fields(settings["given"] or ()),
        "contains": tuple(settings["contains"] or ()),
        "contains_any": _texts_of(map(Path, settings["contains_any"] or ())),
        "avoid": texts,
        "processors": _processors(settings["processors"] or (), assignments),
    }


def parse_fields(assignments: Iterable[str]) -> dict[str, str]:
    """Return the values of ``--given FIELD=VALUE`` options by field.

    Raises:
        BadOption: one is not of that form, or a field is given twice.
    """
    fields: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name:
            raise BadOption(f"--given {assignment!r} is not of the form FIELD=VALUE, like cost=3")
        if fields.setdefault(name, value) != value:
            raise BadOption(f"--given {assignment!r}: {name!r} is {fields[name]!r} already; give one value")
    return fields


def _texts_of(files: Iterable[Path]) -> tuple[str, ...]:
    """Return the lines of files, without blank ones.

    Raises:
        NoSuchFile, UsageError, CorpusError: a file cannot be read, or has no text.
    """
    from seqgen.corpus import read_lines

    found: list[str] = []
    for path in files:
        try:
            texts = [record.text for record in read_lines(path)]
        except CorpusError as error:  # without the options by which a corpus is read in another way
            raise CorpusError(f"{str(error).partition(';')[0]}; save it as UTF-8, a text a line") from None
        if not texts:
            raise UsageError(f"cannot use the texts of {str(path)!r}: it has none; write one a line")
        found += texts
    return tuple(dict.fromkeys(found))


def _processors(names: Iterable[str], assignments: Iterable[str]) -> dict[str, dict[str, Any]]:
    from seqgen.config import assign, parse_assignments

    registry = session.plugins.registry
    fields = {name: registry.get("processor", name).option_names() for name in names}
    return {name: {} for name in fields} | assign(parse_assignments(assignments), fields)

"""Assignments on the command line: ``FIELD=VALUE`` and ``PART.NAME=VALUE``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from seqgen.errors import BadOption


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


def parse_options(assignments: Iterable[str]) -> dict[str, Any]:
    """Return the values of ``-o PART.NAME=VALUE`` options by ``"part.name"``, or ``"name"`` where no part is given.

    Raises:
        BadOption: one is not of that form.
    """
    from seqgen.config import parse_assignments

    return {f"{part}.{name}" if part else name: value for part, name, value in parse_assignments(assignments)}


def split_executor(assignments: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the options of ``-o executor.NAME=VALUE`` by name, and the other assignments.

    Raises:
        BadOption: one of them is not of that form.
    """
    from seqgen.config import parse_assignments

    given = list(assignments)
    apart = [one for one in given if one.startswith("executor.")]
    return {name: value for _, name, value in parse_assignments(apart)}, [one for one in given if one not in apart]

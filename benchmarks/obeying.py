"""What constraints and filters cost when rows are drawn from trained runs."""

from __future__ import annotations

import importlib
import tempfile
import unittest.mock
from pathlib import Path
from typing import Any

import seqgen
from report import COMPARED, Compare, Section, table
from timing import Done, Setting, Work, interleave

CAPTION = """Rows a second, decoded, from runs of `names` (default cell, 25 s of training) and `smiles` (60 s), as
`Run.sample` gives them, filters and all; 10,000 rows a round. Where at least 20 of 1,000 trial rows satisfy a
constraint, rows are sampled freely and those that break it are rejected, so its rates count what is kept; `guided` rows
are masked symbol by symbol instead, as they are where a constraint is rarer. A filter continues until there are enough.
Rows that must hold something are longer than others, and the longer the rarer it is. `valid` asks RDKit for every
molecule. Symbols are characters, and the stop."""
WISHES: dict[str, dict[str, dict[str, Any]]] = {
    "names": {
        "plain": {},
        "regex [A-Z][a-z]+a": {"regex": "[A-Z][a-z]+a"},
        "contains an, length 4-9": {"contains": "an", "length": "4-9"},
        "unique, novel": {"unique": True, "novel": True},
    },
    "smiles": {
        "plain": {},
        "regex [^.]*C1=CC=CC=C1[^.]*": {"regex": r"[^.]*C1=CC=CC=C1[^.]*"},
        "contains N, avoid Cl, length -60": {"contains": "N", "avoid": "Cl", "length": "-60"},
        "unique, novel": {"unique": True, "novel": True},
        "valid": {"valid": True},
    },
}
GOAL = 0.7  # of the plain rate


def measure(setting: Setting) -> Section:
    """The tables."""
    blocks = []
    with tempfile.TemporaryDirectory() as folder:
        for corpus, seconds in (("names", 25), ("smiles", 60)):
            run = seqgen.train(corpus, time=setting.pick(seconds, 1), out=Path(folder) / corpus)
            n, wishes = setting.pick(10_000, 40), WISHES[corpus]
            works = {what: rows_of(run, n, wished) for what, wished in wishes.items()}
            limited = {what: wished for what, wished in wishes.items() if what.startswith(("regex", "contains"))}
            works |= {f"{what}, guided": guided(rows_of(run, n, wished)) for what, wished in limited.items()}
            rounds = interleave(works, setting.rounds)
            rows = [
                Compare(what, unit, "plain" if what != "plain" else None, goal_of(what, unit))
                for what in works
                for unit in ("symbols", "rows")
            ]
            blocks += [f"### {corpus}", table(COMPARED, [row.row(rounds) for row in rows])]
    return Section("obeying", "constraints and filters", CAPTION, blocks)


def goal_of(what: str, unit: str) -> float | None:
    """What is promised: of guided rows, since none is thrown away; and of symbols, since what is asked may be long."""
    return GOAL if what.endswith("guided") and unit == "symbols" else None


def guided(work: Work) -> Work:
    """The same rows, guided however often the model satisfies the constraint: a trial of one row tells too little."""

    def patched() -> Done:
        with unittest.mock.patch.object(importlib.import_module("seqgen.api.sample"), "PILOT", 1):
            return work()

    return patched


def rows_of(run: seqgen.Run, n: int, wished: dict[str, Any]) -> Work:
    """Draw rows."""

    def work() -> Done:
        rows = run.sample(n, **wished)
        return {"rows": len(rows), "symbols": sum(len(row.text) + 1 for row in rows)}

    return work

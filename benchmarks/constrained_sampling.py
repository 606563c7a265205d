"""Speed of sampling from trained runs under constraints and filters."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import seqgen
from report import COMPARED, Compare, Section, table
from timing import Done, Setting, Work, interleave

CAPTION = """Rows per second, decoded, from runs of `names` (default cell, 25 s of training) and `smiles` (60 s), with
`Run.sample`, filters included; 10,000 rows per round. Under a constraint that at least a tenth of the rows satisfy,
rows are sampled freely and rejected if they violate it; under a rarer one they are sampled with look-ahead and
corrected; the rates count accepted rows, trials included. `fast` rows are masked symbol by symbol instead. A filter
continues until there are enough rows. `valid` checks every molecule with RDKit. Symbols are
characters and the end."""
SAMPLE_OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
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
    """Return the section, with one table per corpus."""
    blocks = []
    with tempfile.TemporaryDirectory() as folder:
        for corpus, seconds in (("names", 25), ("smiles", 60)):
            run = seqgen.train(corpus, time=setting.pick(seconds, 1), blend="none", out=Path(folder) / corpus)
            n, cases = setting.pick(10_000, 40), SAMPLE_OPTIONS[corpus]
            works = {what: rows_of(run, n, options) for what, options in cases.items()}
            constrained_cases = {k: v for k, v in cases.items() if k.startswith(("regex", "contains"))}
            works |= {
                f"{what}, fast": rows_of(run, n, options | {"fast": True})
                for what, options in constrained_cases.items()
            }
            rounds = interleave(works, setting.rounds)
            rows = [
                Compare(what, unit, "plain" if what != "plain" else None, goal_of(what, unit))
                for what in works
                for unit in ("symbols", "rows")
            ]
            blocks += [f"### {corpus}", table(COMPARED, [row.row(rounds) for row in rows])]
    return Section("constrained_sampling", "constraints and filters", CAPTION, blocks)


def goal_of(what: str, unit: str) -> float | None:
    """Return the goal: only of fast rows, as none is rejected, and of symbols, as constrained rows may be longer."""
    return GOAL if what.endswith("fast") and unit == "symbols" else None


def rows_of(run: seqgen.Run, n: int, options: dict[str, Any]) -> Work:
    """Return work that samples n rows."""

    def work() -> Done:
        rows = run.sample(n, **options)
        return {"rows": len(rows), "symbols": sum(len(row.text) + 1 for row in rows)}

    return work

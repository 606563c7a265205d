"""Valid rows of weak and of finished runs: by rejection, with look-ahead by the domain's grammar, and guided by it.

    python benchmarks/valid_rows.py [--rows N] [--work DIR]

Each run samples N valid rows (500) in three ways, or as many as there are among 100,000 rows or in a minute: "rejected"
samples freely and keeps what the validator accepts, as without an automaton of the domain; "default" is ``--valid``;
"guided" is ``--valid --fast``. "first" is the time to the first row, trial rows and tables included, and rows a second
are those after it. "valid" is the share of 1,000 freely sampled rows; "looks ahead" whether the default did. Characters
and bits per character of the rows show how near they are to those by rejection: the mean, and in brackets how many
standard errors of the difference it is from theirs. "Alone" is a run without counts. With --work, runs are kept there.
The table is stored in benchmarks/results/valid_rows.md.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import seqgen
from report import number, table, write_page

RUNS: dict[str, dict[str, Any]] = {
    "smiles, 60 steps, alone": {"corpus": "smiles", "steps": 60, "blend": "none"},
    "smiles, 60 steps": {"corpus": "smiles", "steps": 60},
    "smiles, 120 steps": {"corpus": "smiles", "steps": 120},
    "smiles": {"corpus": "smiles"},
    "cards, 60 steps": {"corpus": "cards", "steps": 60},
    "cards, 200 steps": {"corpus": "cards", "steps": 200},
    "tunes, 750 steps": {"corpus": "tunes", "steps": 750},
    "tunes": {"corpus": "tunes"},
}
_SEED, _EFFORT, _MOST_S = 1, 100_000, 60
_ENOUGH = 20  # rows with which others are compared
_COLUMNS = ["run", "way", "valid", "looks ahead", "rows", "first (s)", "rows/s", "characters", "bits per character"]
_CAPTION = (
    """Written by `python benchmarks/valid_rows.py --rows {rows}`, which says how, while other programs used a core."""
)


class Measured(NamedTuple):
    """Rows and what they took.

    Attributes:
        rows: their texts.
        first_s: until the first row, trial rows and tables included.
        rows_per_s: after the first row.
        lines: the warnings.
    """

    rows: list[str]
    first_s: float
    rows_per_s: float
    lines: list[str]


def measure(run: seqgen.Run, n: int, **settings: Any) -> Measured:
    """Sample valid rows until there are enough, or until the time is over."""
    lines: list[str] = []
    texts: list[str] = []
    start = time.perf_counter()
    first_s = elapsed_s = 0.0
    with contextlib.suppress(seqgen.TooFewRows):
        for row in run.iter_samples(n, valid=True, seed=_SEED, effort=_EFFORT, warn=lines.append, **settings):
            elapsed_s = time.perf_counter() - start
            first_s = first_s or elapsed_s
            texts.append(row.text)
            if elapsed_s > _MOST_S:
                break
    return Measured(texts, first_s, (len(texts) - 1) / max(elapsed_s - first_s, 1e-9), lines)


def compared(values: list[float], others: list[float]) -> str:
    """Return a mean, and how many standard errors of the difference it is from another one."""
    mean = statistics.mean(values)
    if values is others or len(others) < _ENOUGH:
        return f"{mean:.2f}"
    error = sum(statistics.variance(some) / len(some) for some in (values, others)) ** 0.5
    return f"{mean:.2f} ({(mean - statistics.mean(others)) / error:+.1f})"


def rows_of(name: str, run: seqgen.Run, n: int) -> list[list[str]]:
    """Return the rows of the table for a run."""
    free = run.sample(1000, seed=_SEED)
    valid = statistics.mean(run.verdict(row.text).ok for row in free)
    automaton = run.automaton
    vars(run)["automaton"] = None
    found = {"rejected": measure(run, n)}
    vars(run)["automaton"] = automaton
    found |= {"default": measure(run, n), "guided": measure(run, n, fast=True)}
    lengths = {way: [float(len(text)) for text in one.rows] for way, one in found.items()}
    bits = {way: [score.bits_per_char for score in run.score(one.rows)] for way, one in found.items()}
    return [
        [
            name if way == "rejected" else "",
            way,
            f"{valid:.1%}" if way == "rejected" else "",
            "" if way != "default" else "yes" if any("look-ahead" in line for line in one.lines) else "no",
            f"{len(one.rows):,}",
            f"{one.first_s:.1f}",
            number(one.rows_per_s) if len(one.rows) > 1 else "",
            compared(lengths[way], lengths["rejected"]) if one.rows else "",
            compared(bits[way], bits["rejected"]) if one.rows else "",
        ]
        for way, one in found.items()
    ]


def main() -> None:
    """Measure all runs and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        body = []
        for name, settings in RUNS.items():
            out = work / name.replace(", ", "-").replace(" ", "-")
            run = seqgen.load(out) if out.exists() else seqgen.train(**settings, out=out)
            body += rows_of(name, run, given.rows)
            print(*body[-3:], sep="\n", flush=True)
    text = table(_COLUMNS, body)
    write_page("valid_rows", "Valid rows", _CAPTION.format(rows=given.rows).strip(), 1, text)


if __name__ == "__main__":
    main()

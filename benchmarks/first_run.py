"""The first minutes of a newcomer, timed: commands that only look around, and the first training.

    python benchmarks/first_run.py [--rounds N]

Every figure is the wall time of a whole process. The rows of a round are measured one after another, and what is
printed is the median over the rounds with the smallest and the largest; the column "x" divides by the row that the
table compares with, round by round. The table is stored in benchmarks/results/first_run.md.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PYTHON = [sys.executable]
SEQGEN = [sys.executable, "-m", "seqgen"]
BARE = "python -c pass"
LOOKING = {
    BARE: [*PYTHON, "-c", "pass"],
    "python -c 'import torch'": [*PYTHON, "-c", "import torch"],
    "seqgen --help": [*SEQGEN, "--help"],
    "seqgen list": [*SEQGEN, "list"],
    "seqgen list cells": [*SEQGEN, "list", "cells"],
    "seqgen show cell lstm": [*SEQGEN, "show", "cell", "lstm"],
    "seqgen plugins": [*SEQGEN, "plugins"],
    "seqgen runs": [*SEQGEN, "runs"],
}
TRAINING = {
    "seqgen train --corpus names --cell vanilla": [*SEQGEN, "train", "--corpus", "names", "--cell", "vanilla"],
    "seqgen sample -n 1000": [*SEQGEN, "sample", "-n", "1000"],
    "seqgen sample -n 10000": [*SEQGEN, "sample", "-n", "10000"],
}


def wall_s(command: list[str], cwd: Path) -> float:
    """Seconds of a whole process; it must succeed."""
    started = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - started


def measure(commands: dict[str, list[str]], rounds: int, cwd: Path, against: str) -> list[str]:
    """Rows of a Markdown table."""
    times = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(wall_s(command, cwd))
    rows = ["| command | median s | min | max | x |", "|---|---|---|---|---|"]
    for name, values in times.items():
        ratio = statistics.median(value / base for value, base in zip(values, times[against], strict=True))
        rows.append(
            f"| `{name}` | {statistics.median(values):.2f} | {min(values):.2f} | {max(values):.2f} | {ratio:.2f} |"
        )
    return rows


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        cwd = Path(folder)
        looking = measure(LOOKING, rounds, cwd, BARE)
        training = measure(TRAINING, max(1, rounds // 2), cwd, next(iter(TRAINING)))
    machine = f"{platform.machine()}, Python {platform.python_version()}, {rounds} rounds"
    text = "\n".join([f"# The first run\n\n{machine}; x is the ratio to the first row.\n", *looking, "", *training, ""])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "first_run.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()

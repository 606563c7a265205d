"""Wall time of the first commands of a new user: light commands, and the first training and sampling.

    python benchmarks/first_run.py [--rounds N]

Every value is the wall time of a whole process. The rows of a round are measured one after another; printed are the
median over the rounds, the smallest and the largest; "x" is the median per-round ratio to the reference row. The table
is stored in benchmarks/results/first_run.md.
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
EMPTY = "python -c pass"
LIGHT_COMMANDS = {
    EMPTY: [*PYTHON, "-c", "pass"],
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
    """Return the wall time of a process, seconds; it must succeed."""
    started = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - started


def measure(commands: dict[str, list[str]], rounds: int, cwd: Path, against: str) -> list[str]:
    """Measure the commands and return a Markdown table."""
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
    """Measure, print and store the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        cwd = Path(folder)
        light = measure(LIGHT_COMMANDS, rounds, cwd, EMPTY)
        training = measure(TRAINING, max(1, rounds // 2), cwd, next(iter(TRAINING)))
    machine = f"{platform.machine()}, Python {platform.python_version()}, {rounds} rounds"
    written = "Written by `python benchmarks/first_run.py`."
    head = f"# The first run\n\n{written}\n\n{machine}; x is the ratio to the first row.\n"
    text = "\n".join([head, *light, "", *training, ""])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "first_run.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()

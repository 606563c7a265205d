"""The engine against plain torch: speed, memory, and share of the machine's matrix-product rate.

    python benchmarks/engine.py [--only A,B] [--rounds N] [--quick]

Every table is measured in one process, in interleaved rounds; a row's "x" is the median of the per-round ratios to
another row. The tables are printed and stored in benchmarks/results/engine.md; --only replaces some of them. --quick
uses tiny sizes, as a smoke test, and stores the tables in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # silence torch's profiler

import classic_cells
import constrained_sampling
import cpu_contention
import custom_cell
import engine_choice
import full_command
import molecule_sampling
import molecule_training
import name_sampling
import notebook_training
import plugin_file
import scaling
import step_profile
from report import RESULTS, store
from seqgen.compute import keeping_memory
from timing import Setting

TABLES = {
    "notebook_training": notebook_training.measure,
    "classic_cells": classic_cells.measure,
    "molecule_training": molecule_training.measure,
    "custom_cell": custom_cell.measure,
    "plugin_file": plugin_file.measure,
    "engine_choice": engine_choice.measure,
    "scaling": scaling.measure,
    "step_profile": step_profile.measure,
    "name_sampling": name_sampling.measure,
    "molecule_sampling": molecule_sampling.measure,
    "constrained_sampling": constrained_sampling.measure,
    "full_command": full_command.measure,
    "cpu_contention": cpu_contention.measure,
}
HEADING = """# The engine

Written by `python benchmarks/engine.py`. "x" is the median of the per-round ratios to the row under "against", with the
smallest and the largest; "goal" is the required ratio. seqgen's training (since 2026-11-26) and its sampling of names
run with the allocator settings of a run, which keep freed memory in the process.
"""


def main() -> None:
    """Measure, print and store the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(TABLES), help=f"tables, comma-separated, of {','.join(TABLES)}")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of timing")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, as a smoke test")
    args = parser.parse_args()
    setting = Setting(2 if args.quick else args.rounds, args.quick)
    wanted = args.only.split(",")
    if unknown := set(wanted) - set(TABLES):
        parser.error(f"unknown table {', '.join(sorted(unknown))}: choose from {', '.join(TABLES)}")
    path = (Path(tempfile.mkdtemp()) if args.quick else RESULTS) / "engine.md"
    for name in wanted:
        started = time.monotonic()
        with keeping_memory():  # as in a run, for all variants
            section = TABLES[name](setting)
        text = section.text(setting)
        store(path, HEADING, {name: text}, list(TABLES))
        print(text, flush=True)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    print(f"stored in {path}", file=sys.stderr)


if __name__ == "__main__":
    main()

"""The engine, beside what one would write with torch alone: speed, memory, and shares of the machine.

    python benchmarks/engine.py [--only A,B] [--rounds N] [--quick]

Every table is measured in one process, in interleaved rounds; a row's "x" is the median of the ratios to another row,
round by round. The tables are printed and kept in benchmarks/results/engine.md, of which --only writes some anew.
--quick makes everything tiny, to see that it runs, and keeps the tables in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler would write on the terminal

import auto
import busy
import growth
import molecules
import obeying
import one_file
import profiles
import recurrent
import sampling
import small
import smiles
import stranger
import whole
from report import RESULTS, store
from seqgen.compute import keeping_memory
from timing import Setting

TABLES = {
    "small": small.measure,
    "recurrent": recurrent.measure,
    "smiles": smiles.measure,
    "stranger": stranger.measure,
    "one_file": one_file.measure,
    "auto": auto.measure,
    "growth": growth.measure,
    "profile": profiles.measure,
    "sampling": sampling.measure,
    "molecules": molecules.measure,
    "obeying": obeying.measure,
    "whole": whole.measure,
    "busy": busy.measure,
}
HEADING = """# The engine

Written by `python benchmarks/engine.py`, which says how. "x" is the median of the ratios to the row named under
"against", taken round by round, with the smallest and the largest; "goal" is what was promised of it. Our training
(since 2026-11-26), and our sampling of names, run as a run does: what memory they free stays with the process.
"""


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(TABLES), help=f"some of {','.join(TABLES)}")
    parser.add_argument("--rounds", type=int, default=7, help="how often everything is timed")
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it runs")
    given = parser.parse_args()
    setting = Setting(2 if given.quick else given.rounds, given.quick)
    wanted = given.only.split(",")
    if unknown := set(wanted) - set(TABLES):
        parser.error(f"no table {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
    path = (Path(tempfile.mkdtemp()) if given.quick else RESULTS) / "engine.md"
    for name in wanted:
        started = time.monotonic()
        with keeping_memory():  # as seqgen does; it serves everything that is measured
            section = TABLES[name](setting)
        text = section.text(setting)
        store(path, HEADING, {name: text}, list(TABLES))
        print(text, flush=True)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    print(f"kept in {path}", file=sys.stderr)


if __name__ == "__main__":
    main()

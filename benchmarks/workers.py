"""Two workers of one thread beside one: a bench of some cells, and many names sampled in shards.

    python benchmarks/workers.py [--rows 1e7] [--cells lstm,gru] [--seeds 1] [--steps 4000] [--rounds 1]

Both counts of workers follow one another in each round, the order changes from round to round, and "x" is the median
of the ratios of the times. The files of the rows have to be equal, and the losses of the benches too. The tables are
stored in benchmarks/results/workers.md; with --quick they are printed only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import seqgen
from report import table, write_page
from seqgen.commands import counted

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_WORKERS = (1, 2)


def timed(arguments: list[str], folder: Path) -> tuple[float, str]:
    """Return the seconds and the output of a command, each of whose processes has one thread."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "seqgen", *arguments, "-q"]
    result = subprocess.run(
        command, cwd=folder, env={**os.environ, **_ONE_THREAD}, check=True, stdout=subprocess.PIPE, text=True
    )
    return time.perf_counter() - started, result.stdout


def bench_s(arguments: argparse.Namespace, workers: int, out: str, folder: Path) -> tuple[float, str]:
    """Return the seconds of a bench, and its losses as one string."""
    settings = ["--cells", arguments.cells, "--seeds", str(arguments.seeds), "--steps", str(arguments.steps)]
    command = ["bench", "--corpus", "names", *settings, "--workers", str(workers), "--out", out, "--json"]
    seconds, output = timed(command, folder)
    runs = json.loads(output)["runs"]
    return seconds, repr(sorted((run["cell"], run["seed"], run["bits_per_char"]) for run in runs))


def sampling_s(arguments: argparse.Namespace, workers: int, out: str, folder: Path) -> tuple[float, str]:
    """Return the seconds of sampling names, and the SHA-256 of the file."""
    one_thread = ["-o", "executor.threads=1"]  # the run was trained with more
    command = ["sample", "names", "-n", arguments.rows, "--workers", str(workers), *one_thread, "--out", out]
    seconds, _ = timed(command, folder)
    return seconds, hashlib.sha256((folder / out).read_bytes()).hexdigest()


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default="1e7")
    parser.add_argument("--cells", default="vanilla,indrnn,ugrnn,rhn,gru,mgu,lstm,cifg,mingru,minlstm,sru,cfn")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="print the table and do not store it")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seqgen.train("names", steps=500, out=folder / "names")
        n_cells = len(arguments.cells.split(","))
        what = f"bench: {n_cells} cells, {counted(arguments.seeds, 'seed')}, {arguments.steps:,} steps"
        for title, measure in ((what, bench_s), (f"{arguments.rows} names in shards", sampling_s)):
            seconds: dict[int, list[float]] = {workers: [] for workers in _WORKERS}
            found = set()
            for number in range(arguments.rounds):
                for workers in _WORKERS if number % 2 else reversed(_WORKERS):
                    elapsed_s, same = measure(arguments, workers, f"{measure.__name__}-{number}-{workers}", folder)
                    seconds[workers].append(elapsed_s)
                    found.add(same)
            ratio = statistics.median(one / two for one, two in zip(seconds[1], seconds[2], strict=True))
            equal = "yes" if len(found) == 1 else "NO"
            times = [f"{statistics.median(seconds[workers]):.1f}" for workers in _WORKERS]
            rows.append([title, *times, f"{ratio:.2f}", equal])
    head = ["work", "1 worker, s", "2 workers, s", "x", "same results"]
    text = table(head, rows)
    if not arguments.quick:
        caption = "Written by `python benchmarks/workers.py`, which says how."
        write_page("workers", "Two workers beside one", caption, arguments.rounds, text)
    print(text)


if __name__ == "__main__":
    main()

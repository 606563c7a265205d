"""Large corpora of other kinds than one text file: peak memory of a process that trains on them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import in_tiers

TRAIN = (
    "--text-field", "name", "--cell", "vanilla", "--hidden", "4", "--steps", "5", "--split", "98/1/1", "--out", "run",
)  # fmt: skip
PEAK = (
    "import re, sys, torch, pyarrow.parquet; from seqgen.cli import main; "
    "peak_mb = lambda: int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]) // 1024; "
    "before_mb = peak_mb(); code = main(sys.argv[1:]); print(code, before_mb, peak_mb())"
)
"""Prints the exit code of a command, the memory of its libraries and its peak, MB; ``ru_maxrss`` would hold that of the
process before it."""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak memory in /proc")
@pytest.mark.parametrize("rows_of_a_group", in_tiers([1_000_000, 50_000], lambda n: n == 50_000, ("slow", "release")))
def test_a_million_rows_of_parquet_are_read_in_bounded_memory(rows_of_a_group, in_tmp, record_property):
    pytest.importorskip("pyarrow")
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    n = 1_000_000
    names, notes = [f"name {k % 9973}" for k in range(n)], [f"a longer note {k:,}" for k in range(n)]
    table = arrow.table({"id": range(n), "name": names, "note": notes})
    parquet.write_table(table, "a.parquet", row_group_size=rows_of_a_group)
    del table
    command = [sys.executable, "-c", PEAK, "train", "--corpus", "a.parquet", *TRAIN]
    environment = {**os.environ, "XDG_CACHE_HOME": "c"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    code, before_mb, peak_mb = map(int, done.stdout.split()[-3:])
    record_property("peak_mb", peak_mb)
    assert code == 0 and "training records" in done.stderr, done.stderr
    assert peak_mb - before_mb < 310, (before_mb, peak_mb)
    assert Path("a.parquet").stat().st_size > 5_000_000

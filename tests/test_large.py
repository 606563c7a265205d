"""Training on a corpus much larger than the memory it may take."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import finish, in_tiers, run_seqgen

N_LINES = 3_000_000


def peak_anonymous_mb(folder: Path, corpus: Path, *more: object) -> tuple[float, float]:
    """Return the peak anonymous memory of a training run, MB, and its time, s."""
    folder.mkdir()
    started, peak = time.monotonic(), 0.0
    process = run_seqgen(
        "train", "--corpus", corpus, "--cell", "vanilla", "--steps", 5, "-o", "samples=0", *more, cwd=folder,
        env={"XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    while process.poll() is None:
        found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        peak = max(peak, int(found[1]) / 1024 if found else 0.0)
        time.sleep(0.05)
    result = finish(process)
    assert result.code == 0, result.err
    return peak, time.monotonic() - started


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A corpus of a hundred megabytes of lines."""
    path = tmp_path_factory.mktemp("large") / "lines.txt"
    script = (
        "import random, sys; random.seed(0); out = open(sys.argv[1], 'w')\n"
        "words = [''.join(random.choices('abcdefghij', k=random.randint(2, 9))) for _ in range(999)]\n"
        f"for _ in range({N_LINES} // 1000):\n"
        "    out.write(''.join(' '.join(random.choices(words, k=5)) + '\\n' for _ in range(1000)))\n"
    )
    subprocess.run([sys.executable, "-c", script, path], check=True)
    return path


def third_of(path: Path) -> Path:
    """Return the first third of a file of lines, beside it."""
    third = path.with_name("third.txt")
    with path.open() as lines:
        third.write_text("".join(itertools.islice(lines, N_LINES // 3)))
    return third


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize("layout", in_tiers(["lines", "stream"], lambda layout: layout == "lines", ("slow", "release")))
def test_memory_does_not_grow_with_the_corpus(large, words, tmp_path, capsys, layout):
    more = ("--layout", layout, "-o", "window=16")
    small, _ = peak_anonymous_mb(tmp_path / "small", words, *more, "--blend", "none")
    alone, _ = peak_anonymous_mb(tmp_path / "alone", large, *more, "--blend", "none")
    assert alone < small + 150
    # The counts take memory that is bounded: a third of the corpus takes as much as all of it.
    third, _ = peak_anonymous_mb(tmp_path / "third", third_of(large), *more)
    peak, took_s = peak_anonymous_mb(tmp_path / "large", large, *more)
    size_mb = large.stat().st_size / 1e6
    with capsys.disabled():
        print(
            f" {size_mb:.0f} MB, {layout}: {peak:.0f} MB anonymous, {alone:.0f} MB without counts, {third:.0f} MB of a "
            f"third, {small:.0f} MB of forty words without counts; {took_s:.0f} s"
        )
    assert peak < third + 50
    assert peak < alone + 250
    again, _ = peak_anonymous_mb(tmp_path / "again", large, *more)
    assert abs(again - peak) < 100

"""R8: of several processes that start in one run folder, one gets it, and the others name the holder."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

N = 20
HOLDER = re.compile(r"process (\d+) on \S+ since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


def together(mode: str, folder: Path, words: Path) -> list[dict]:
    script = Path(__file__).parent.parent / "start_together.py"
    done = subprocess.run(
        [sys.executable, str(script), mode, str(folder), str(words), str(N)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.promise("R8")
@pytest.mark.parametrize(
    "mode", [pytest.param("train", marks=pytest.mark.slow), pytest.param("resume", marks=pytest.mark.full)]
)
def test_of_twenty_starts_in_one_folder_one_wins(mode, in_memory, words, record_property):
    """20 processes train into one new folder, or resume one run, at once: one goes on, 19 end with 2 and name it."""
    starts = together(mode, in_memory / "run", words)
    assert len(starts) == N
    winners = [start for start in starts if start["code"] == 0]
    assert len(winners) == 1, [start["line"] for start in starts]
    for start in starts:
        if start is not winners[0]:
            assert start["code"] == 2 and start["processor_s"] < 1, start
            found = HOLDER.search(start["line"])
            assert found and int(found[1]) == winners[0]["process"], start["line"]
    record_property("cases", N)

"""R2: a process killed at any moment leaves a run that resumes to the same bytes, and no partial files."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import finish, run_seqgen
from resuming import digests

KILLS = 34  # of each of three cells


def waited_s(process: subprocess.Popen[bytes], path: Path | None = None, limit_s: float | None = None) -> float:
    """Wait until the process has ended, a path exists or a time is over, and return the seconds it took."""
    started = time.monotonic()
    while process.poll() is None and not (path is not None and path.exists()):
        if limit_s is not None and time.monotonic() - started >= limit_s:
            break
        time.sleep(0.002)
    return time.monotonic() - started


@pytest.mark.slow
@pytest.mark.promise("R2")
@pytest.mark.parametrize("cell", ["vanilla", "gru", "lstm"])
def test_kill_9_at_random_moments(cell, words, tmp_path, record_property):
    """34 SIGKILLs a cell at random moments of a training; resumed, or begun again where there was no run yet."""
    arguments = (
        "--corpus", words, "--cell", cell, "--hidden", 24, "--layers", 2, "--dropout", 0.3, "--steps", 240,
        "--batch-size", 16, "-o", "patience=0", "-o", "eval_every=20",
    )  # fmt: skip
    env = {"OMP_NUM_THREADS": "1"}

    def train(out):
        return run_seqgen("train", *arguments, "--out", out, cwd=tmp_path, env=env)

    straight = tmp_path / "straight"
    process = train(straight)
    assert finish(process).code == 0
    expected = digests(straight)
    shutil.rmtree(straight)
    process = train(straight)
    begun_s, rest_s = waited_s(process, straight / "run.json"), waited_s(process)
    assert finish(process).code == 0
    random.seed(f"kill {cell}")
    survived = 0
    for number in range(KILLS):
        out = tmp_path / f"killed-{number}"
        process, share = train(out), random.uniform(-0.05, 1)
        # Moments of the training are counted from its begin: how long that takes varies with what others compute.
        waited_s(process, out / "run.json", begun_s * (1 + share) if share < 0 else None)
        ended_s = waited_s(process, limit_s=max(share, 0) * rest_s)
        if process.poll() is not None:
            survived, rest_s = survived + 1, min(rest_s, ended_s)
        process.kill()
        process.communicate()
        if not (out / "run.json").exists():  # killed before there was a run
            assert not out.exists()
            assert finish(train(out)).code == 0
        else:
            result = finish(run_seqgen("resume", out, cwd=tmp_path, env=env))
            assert result.code == 0, result.err
        assert digests(out) == expected, f"kill {number}"
        assert not list(out.rglob(".tmp-*"))
    assert survived <= 0.4 * KILLS, "most kills must hit a living run"
    record_property("cases", KILLS)


def fault_points(folder: Path, words: Path, *more: str) -> dict[str, object]:
    """Run the script of that name in a process of its own, which forks, and return its results."""
    script = Path(__file__).parent.parent / "fault_points.py"
    done = subprocess.run(
        [sys.executable, str(script), str(folder), str(words), *more], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def held(found: dict[str, object]) -> int:
    """Return the number of points tested; at each the process must have been killed, and resumed to the same bytes."""
    assert found["wrong"] == []
    assert found["killed"] == found["points"]
    return int(str(found["points"]))


@pytest.mark.full
@pytest.mark.promise("R2")
def test_a_kill_at_some_operations(in_memory, words, record_property):
    """The process ends at every ninth file operation of a training with two checkpoints, amid its writes too."""
    found = fault_points(in_memory, words, "9")
    assert found["operations"] >= 50
    record_property("cases", held(found))


@pytest.mark.slow
@pytest.mark.promise("R2")
def test_a_kill_at_every_operation(in_memory, words, record_property):
    """The process ends before each file operation of a training, the making of its folder too, and amid each write."""
    record_property("cases", held(fault_points(in_memory, words)))

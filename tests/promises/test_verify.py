"""``seqgen checkpoint verify`` finds the damage that loading a checkpoint would refuse, and no other."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import signal
import subprocess
import sys
import time

import pytest

from seqgen.checkpoint import find_run
from seqgen.checkpoint.snapshot import MANIFEST, MODEL
from seqgen.files import dump_checksummed


@pytest.fixture
def steps(tiny_run, tmp_path):
    """A copy of a run, and its checkpoints by step."""
    copy = tmp_path / "copy"
    shutil.copytree(tiny_run.path, copy)
    folder = find_run(copy, tmp_path)
    known = folder.steps()
    if len(known) < 2:  # a second one, whose folder says another step
        shutil.copytree(folder.checkpoint(known[0]), folder.checkpoint(known[0] + 1))
    return folder


def _verify(cli, folder):
    result = cli("checkpoint", "verify", folder.path, "--json")
    return result.code, {row["step"]: row for row in json.loads(result.out)}


@pytest.mark.promise("R5")
def test_swapped_checkpoints_are_found(steps, cli):
    one, two = (steps.checkpoint(step) for step in steps.steps()[-2:])
    between = one.with_name("between")
    one.rename(between), two.rename(one), between.rename(two)
    code, rows = _verify(cli, steps)
    assert code == 4 and any("is of step" in row["problem"] for row in rows.values()), rows


@pytest.mark.promise("R5")
def test_a_step_that_no_run_has_reached_is_found(steps, cli):
    last = steps.steps()[-1]
    shutil.copytree(steps.checkpoint(last), steps.path / "checkpoints" / "step-999999999999")
    code, rows = _verify(cli, steps)
    assert code == 4 and "is of step" in rows[999999999999]["problem"], rows


@pytest.mark.promise("R13")
def test_a_pickle_with_a_fitting_manifest_is_found(steps, cli):
    folder = steps.checkpoint(steps.steps()[-1])
    data = pickle.dumps({"weights": [1.0]})
    (folder / MODEL).write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest.pop("sha256", None)
    manifest["files"][MODEL] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (folder / MANIFEST).write_bytes(dump_checksummed(manifest))
    code, rows = _verify(cli, steps)
    assert code == 4 and rows[max(rows)]["state"] == "damaged", rows


@pytest.mark.slow
@pytest.mark.promise("R5")
def test_verify_beside_a_run_that_saves_reports_no_damage(words, tmp_path, record_property):
    """The checkpoints of a run that saves all the time are verified again and again."""
    out, command = tmp_path / "run", [sys.executable, "-m", "seqgen"]
    settings = [
        "--cell",
        "vanilla",
        "--hidden",
        "8",
        "--steps",
        "1000000",
        "-o",
        "save_every_s=0.01",
        "-o",
        "samples=0",
    ]
    training = subprocess.Popen(
        [*command, "train", "--corpus", str(words), *settings, "--out", str(out), "-q"], stderr=subprocess.DEVNULL
    )
    try:
        while not list(out.glob("checkpoints/step-*")):
            time.sleep(0.05)
        for _ in range(15):
            done = subprocess.run([*command, "checkpoint", "verify", str(out)], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
    finally:
        training.send_signal(signal.SIGINT)
        training.wait(60)
    record_property("cases", 15)

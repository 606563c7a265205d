"""R5: a flipped bit or a missing end is found in every file that a run rests on, and an older checkpoint is used."""

from __future__ import annotations

import json
import random
import shutil

import pytest

import seqgen
from seqgen.checkpoint import RunFolder
from seqgen.errors import CheckpointError

CHECKPOINT = ("model.safetensors", "train.safetensors", "state.json", "MANIFEST.json")
RUN = ("run.json", "tokenizer.json")


@pytest.fixture
def run(tiny_run, in_memory):
    return RunFolder(shutil.copytree(tiny_run.path, in_memory / "copy"))


def damage(run: RunFolder, path, content: bytes) -> None:
    """Put other content into a file, find it out by loading, and put the file back."""
    good, (older, newest) = path.read_bytes(), run.steps()[-2:]
    path.write_bytes(content)
    try:
        if path.name in RUN:  # what all checkpoints rest on
            with pytest.raises(CheckpointError, match=path.name) as caught:
                seqgen.load(run.path).sample(1)
            assert "\n" not in str(caught.value)
            return
        said: list[str] = []
        found = run.load_latest(said.append)
        assert found.state["step"] == older
        (line,) = said
        assert str(path) in line or path.name == "MANIFEST.json"  # then: the file that it no longer fits
        assert line.endswith(f"using step {older} instead") and "\n" not in line
        with pytest.raises(CheckpointError):
            run.load(newest)
    finally:
        path.write_bytes(good)


def files(run: RunFolder) -> list:
    newest = run.checkpoint(run.steps()[-1])
    return [*(newest / name for name in CHECKPOINT), *(run.path / name for name in RUN)]


@pytest.mark.full
@pytest.mark.promise("R5")
def test_a_thousand_flipped_bits_are_detected(run, record_property):
    """1,000 random single-bit flips over all files: each is found, the file named, the older checkpoint used."""
    rng, paths = random.Random(0), files(run)
    for number in range(1000):
        path = paths[number % len(paths)]
        bad = bytearray(path.read_bytes())
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        damage(run, path, bytes(bad))
    record_property("cases", 1000)
    assert run.load_latest(pytest.fail).state["step"] == run.steps()[-1]


@pytest.mark.promise("R5")
def test_two_hundred_truncations_are_detected(run, record_property):
    """200 truncations over all files, at random lengths and at 0, 1 and all but one byte."""
    rng, paths, n_cases = random.Random(1), files(run), 0
    while n_cases < 200:
        path = paths[n_cases % len(paths)]
        whole = path.read_bytes()
        edges = (0, 1, len(whole) - 1)
        length = edges[n_cases // len(paths)] if n_cases < 3 * len(paths) else rng.randrange(len(whole))
        damage(run, path, whole[:length])
        n_cases += 1
    record_property("cases", n_cases)


@pytest.mark.promise("R5")
def test_with_no_valid_checkpoint_left_the_command_line_ends_with_4(run, cli):
    """All checkpoints damaged: commands end with 4 and a line; the table of verify says which and why."""
    for step in run.steps():
        path = run.checkpoint(step) / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-1])
    for command in (("sample", run.path), ("score", "anna", "--run", run.path), ("resume", run.path)):
        result = cli(*command)
        assert result.code == 4 and "Traceback" not in result.err
        assert "no usable checkpoint" in result.err.splitlines()[-1]
    verified = cli("checkpoint", "verify", run.path)
    assert verified.code == 4
    assert f"{len(run.steps())} of {len(run.steps())} checkpoints are damaged" in verified.err
    rows = json.loads(cli("checkpoint", "verify", run.path, "--json").out)
    assert [row["step"] for row in rows] == run.steps()
    assert all(row["state"] == "damaged" and "model.safetensors" in row["problem"] for row in rows)


@pytest.mark.promise("R5")
@pytest.mark.parametrize("name", [*CHECKPOINT, *RUN])
def test_a_file_that_is_gone_or_is_no_file(run, name):
    """A file that is missing, a folder, or a pipe that would never end is found out."""
    import os

    path = run.path / name if name in RUN else run.checkpoint(run.steps()[-1]) / name
    for make in (lambda: None, path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/zero")):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        make()
        with pytest.raises((CheckpointError, seqgen.NoSuchRun)):
            seqgen.load(run.path, checkpoint=run.steps()[-1]).sample(1)

"""R4: a disk that refuses at any moment costs the step under way, never a checkpoint."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import signal
from dataclasses import replace

import pytest
import torch

import seqgen
from conftest import finish, run_seqgen
from resuming import SMALL, Stopper, digests
from seqgen.checkpoint import RunFolder, Snapshot, read_verified
from seqgen.errors import DiskError, Interrupted
from seqgen.files import safe_path
from watched import Disk, Operation

REFUSALS = {errno.ENOSPC: "No space left", errno.EDQUOT: "quota exceeded", errno.EIO: "Input/output error"}
NEEDS_ROOM = ("open", "write", "fsync", "mkdir", "replace")


def refusing(at: int, number: int, *, for_good: bool):
    """A hook: the disk refuses the operation ``at``, after half of it, and, if it is full, all that need room after."""

    def hook(n: int, operation: Operation) -> None:
        if n == at or (for_good and n > at and operation.kind in NEEDS_ROOM):
            operation.tear()
            raise OSError(number, os.strerror(number))

    return hook


def snapshot(step: int) -> Snapshot:
    state = {"step": step, "best_step": None, "ended": ""}
    return Snapshot({"w": torch.full((5000,), float(step))}, {"m": torch.zeros(9)}, state)


@pytest.mark.promise("R4")
@pytest.mark.parametrize("number", REFUSALS, ids=errno.errorcode.get)
def test_a_save_that_is_refused_anywhere_leaves_what_there_was(number, in_memory, record_property):
    """Each file operation of a save is refused (ENOSPC, EDQUOT, EIO), once or from then on; older ones verify."""
    run = RunFolder.create(in_memory / "run", {"run.json": b"{}", "tokenizer.json": b"{}"})
    for step in (100, 200):
        run.save(snapshot(step))
    shutil.copytree(run.path, in_memory / "copy")
    with Disk(run.path) as disk:
        run.save(snapshot(300))
    points = [n for n, operation in enumerate(disk.done) if operation.kind in NEEDS_ROOM]
    published, removal = (n for n in points if disk.done[n].kind == "replace")
    assert len(points) >= 15
    n_cases = 0
    for at in points:
        for for_good in (False, True):
            shutil.rmtree(run.path)
            shutil.copytree(in_memory / "copy", run.path)
            n_cases += 1
            if at >= removal:  # of an old checkpoint: it stays, or goes as a whole
                with Disk(run.path, refusing(at, number, for_good=for_good)):
                    run.save(snapshot(300))
                assert run.steps()[-2:] == [200, 300] and all(run.load(step) for step in run.steps())
                assert not list(run.path.rglob(".tmp-*"))
                continue
            with pytest.raises(DiskError) as caught, Disk(run.path, refusing(at, number, for_good=for_good)):
                run.save(snapshot(300))
            line = str(caught.value)
            assert caught.value.exit_code == 7 and "\n" not in line and REFUSALS[number].lower() in line.lower()
            assert "step-00000300" in line
            assert (" bytes needed, " in line and " bytes free)" in line) == (number != errno.EIO)
            assert [step for step in run.steps() if read_verified(run.checkpoint(step))][:2] == [100, 200]
            assert (300 in run.steps()) == (at > published)
            assert not list(run.path.rglob(".tmp-*"))
            run.save(snapshot(400))
            assert run.load_latest(pytest.fail).state["step"] == 400
    record_property("cases", n_cases)


@pytest.mark.promise("R4")
@pytest.mark.parametrize("swaps", [True, False])
def test_the_only_checkpoint_is_kept_until_the_one_that_replaces_it_is_there(
    in_memory, monkeypatch, record_property, swaps
):
    """A run that was stopped in an evaluation saves its step again; each file operation of that is refused."""
    if not swaps:
        monkeypatch.setattr(safe_path.Directory, "exchange", lambda self, one, other: False)
    run = RunFolder.create(in_memory / "run", {"run.json": b"{}", "tokenizer.json": b"{}"})
    run.save(snapshot(100))
    shutil.copytree(run.path, in_memory / "copy")
    evaluated = replace(snapshot(100), state={"step": 100, "best_step": 100, "ended": ""})
    with Disk(run.path) as disk:
        run.save(evaluated)
    assert run.load(100).state["best_step"] == 100
    points = [n for n, operation in enumerate(disk.done) if operation.kind in NEEDS_ROOM]
    published = [n for n in points if disk.done[n].kind == "replace"][1:]
    for at in points:
        for for_good in (False, at not in published):  # with the first one aside, a second refusal cannot be met
            shutil.rmtree(run.path)
            shutil.copytree(in_memory / "copy", run.path)
            with contextlib.suppress(DiskError), Disk(run.path, refusing(at, errno.ENOSPC, for_good=for_good)):
                run.save(evaluated)
            assert run.load(100).state["best_step"] in (None, 100), disk.done[at]
    record_property("cases", 2 * len(points))


def stopped_run(words, path):
    """A run of twelve steps that was stopped at the sixth; what it should come to."""
    common = {**SMALL, "cell": "gru", "dropout": 0.3, "steps": 12, "options": {"eval_every": 3}}
    expected = digests(seqgen.train(words, out=path / "straight", **common).path)
    with pytest.raises(Interrupted):
        seqgen.train(words, out=path / "stopped", listener=Stopper(6, signal.SIGTERM), **common)
    return path / "stopped", expected


@pytest.mark.slow
@pytest.mark.promise("R4")
def test_a_training_ends_at_any_refusal_and_goes_on_when_there_is_room(words, in_memory, record_property):
    """A training meets a disk that is full from its n-th operation on, for each n; with space again, the same bytes."""
    stopped, expected = stopped_run(words, in_memory)
    shutil.copytree(stopped, in_memory / "copy")
    with Disk(stopped) as disk:
        seqgen.resume(stopped)
    saved = max(
        n for n, operation in enumerate(disk.done) if operation.target.startswith(f"{stopped}/checkpoints/step-")
    )
    points = [n for n, operation in enumerate(disk.done) if operation.kind in NEEDS_ROOM and n <= saved + 1]
    assert len(points) >= 40
    for at in points:
        shutil.rmtree(stopped)
        shutil.copytree(in_memory / "copy", stopped)
        with pytest.raises(DiskError) as caught, Disk(stopped, refusing(at, errno.ENOSPC, for_good=True)):
            seqgen.resume(stopped)
        assert str(stopped) in str(caught.value) and "bytes free" in str(caught.value)
        if len(disk.done) > at and "checkpoints/step-" in str(caught.value):
            assert f"is saved, continue with: seqgen resume {stopped}" in str(caught.value)
        run = RunFolder(stopped)
        assert all(read_verified(run.checkpoint(step)) for step in run.steps())
        assert digests(seqgen.resume(stopped).path) == expected, disk.done[at]
        assert not list(stopped.rglob(".tmp-*"))
    record_property("cases", len(points))


@pytest.mark.full
@pytest.mark.promise("R4")
def test_a_real_limit_of_the_system_is_met_in_the_same_way(words, in_memory):
    """A process that may write no file beyond 20 kB (RLIMIT_FSIZE) ends with 7 and one line; without, it goes on."""
    train = ("train", "--corpus", words, "--cell", "gru", "--hidden", 64, "--steps", 4, "--out", in_memory / "run")
    limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))}
    unwritten = {"PYTHONDONTWRITEBYTECODE": "1"}  # Python would cut its own files at the limit, and read them later
    refused = finish(run_seqgen(*train, cwd=in_memory, env=unwritten, **limit))
    assert refused.code == 7 and "Traceback" not in refused.err
    assert "step-00000004" in refused.err.splitlines()[-1] and "bytes needed" in refused.err.splitlines()[-1]
    assert "ulimit -f" in refused.err and "continue with" not in refused.err  # nothing is saved yet
    assert not list((in_memory / "run").rglob(".tmp-*")) and RunFolder(in_memory / "run").steps() == []
    assert seqgen.resume(in_memory / "run").state["ended"] == "steps"


@pytest.mark.promise("R4")
def test_little_room_is_told_before_the_first_step(words, in_memory, monkeypatch):
    """A disk with room for less than three checkpoints is warned of, with the bytes needed and free, at the start."""
    said: list[str] = []
    common = {**SMALL, "cell": "gru", "steps": 2, "warn": said.append}
    run = seqgen.train(words, out=in_memory / "a", **common)
    assert said == []
    size = sum(path.stat().st_size for path in max((run.path / "checkpoints").iterdir()).iterdir())
    monkeypatch.setattr("seqgen.api.preflight.free_bytes", lambda path: 2 * size)
    started: list[object] = []
    seqgen.train(words, out=in_memory / "b", listener=lambda folder, event: started.append(len(said)), **common)
    assert len(said) == 1 and f"the disk has {2 * size:,} free" in said[0] and "3 checkpoints" in said[0]
    assert size < int(said[0].split(" need ")[1].split(" bytes")[0].replace(",", "")) < 3 * size
    assert started[1:] == [1] * (len(started) - 1), "told before the first step"

"""R3: after a power loss during a save, the run has its old or its new checkpoint."""

from __future__ import annotations

import random
import shutil

import pytest
import torch

from power import Power
from seqgen.checkpoint import RunFolder, Snapshot
from seqgen.errors import SeqgenError
from seqgen.files import atomic_write, safe_path
from watched import Disk

MAX = 20  # states a point


def snapshot(run: RunFolder, step: int) -> Snapshot:
    """A checkpoint whose logs are synced, as a training does before it saves."""
    run.metrics.append({"step": step, "train_loss_nats": 1.0})
    logs = {log.path.name: log.sync() for log in (run.metrics, run.samples)}
    return Snapshot(
        {"w": torch.full((700,), float(step))}, {"m": torch.zeros(9)},
        {"step": step, "best_step": 100, "ended": "", "log_bytes": logs},
    )  # fmt: skip


def what_is_wrong(run: RunFolder, allowed: set[int | None]) -> str:
    """Return the reason why a folder after a power loss breaks the promise; "" if it does not.

    Args:
        run: the folder.
        allowed: the steps that its newest checkpoint may have; None: there is no folder, or no checkpoint in it.
    """
    if not run.path.exists():
        return "" if None in allowed else "the run is gone"
    try:
        assert run.settings and run.read_json("run.json") == {"a": 1} and run.read_json("tokenizer.json") == {}
        run.clean()
        newest = run.load_latest(lambda line: None)
        step = None if newest is None else newest.state["step"]
        if newest is not None:
            assert torch.equal(newest.model["w"], torch.full((700,), float(newest.state["step"])))
            for log in (run.metrics, run.samples):
                log.truncate(newest.state["log_bytes"][log.path.name])
            assert [row["step"] for row in run.metrics.rows()] == list(range(100, newest.state["step"] + 1, 100))
        assert [run.load(step).state["step"] for step in run.steps()[:-1]] == run.steps()[:-1]
    except (SeqgenError, AssertionError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return "" if step in allowed else f"the newest is {step}"


def violations(in_memory, saves: int) -> tuple[int, list[str]]:
    """Make a run and save in it, lose power at every point, and look: states looked at, and what was wrong with them.

    What a call has returned from is there for good: the checkpoint that was saved last, or the folder itself.
    """
    base = in_memory / "disk"
    base.mkdir()
    before, marks = Power.look(base), []
    with Disk(base) as disk:
        run = RunFolder.create(base / "runs" / "r", {"run.json": b'{"a": 1}', "tokenizer.json": b"{}"})
        marks.append((len(disk.done), None))
        for number in range(1, saves + 1):
            run.save(snapshot(run, 100 * number))
            marks.append((len(disk.done), 100 * number))
    power, wrong, n_states, rng = Power(before, base, disk.done), [], 0, random.Random(0)
    for at in range(len(disk.done) + 1):
        sure = [step for end, step in marks if end <= at]
        coming = next((step for end, step in marks if end > at), None)
        for which, nodes in power.states(at, MAX, rng):
            n_states += 1
            nodes.write(in_memory / "after")
            found = RunFolder(in_memory / "after" / "runs" / "r")
            allowed = {sure[-1] if sure else None, coming if coming or not sure else sure[-1]}
            problem = what_is_wrong(found, allowed)
            if not problem and sure and not found.path.exists():
                problem = "the folder is gone"
            if problem:
                wrong.append(f"{which}: {problem}")
            shutil.rmtree(in_memory / "after")
    return n_states, wrong


@pytest.mark.full
@pytest.mark.promise("R3")
def test_after_a_power_loss_the_old_or_the_new_checkpoint_is_there(in_memory, record_property):
    """A run is made and saved in four times; at every operation, states of what was not synced are rebuilt and read."""
    n_states, wrong = violations(in_memory, 4)
    assert wrong == []
    assert n_states > 500
    record_property("cases", n_states)


@pytest.mark.full
@pytest.mark.promise("R3")
@pytest.mark.parametrize("without", ["files", "folders", "new parents"])
def test_the_model_finds_what_a_missing_fsync_breaks(without, in_memory, monkeypatch):
    """The model of power loss can fail: without one of the syncs it finds a state that breaks the promise."""

    def unsynced(path, data):
        with path.open("xb") as file:
            file.write(data)

    def enter(directory, name, *, make=False):
        with monkeypatch.context() as patch:
            patch.setattr(safe_path.Directory, "sync", lambda directory: None)
            return plain_enter(directory, name, make=make)

    plain_enter = safe_path.Directory.enter

    if without == "files":
        monkeypatch.setattr(atomic_write, "write_synced", unsynced)
    elif without == "folders":
        monkeypatch.setattr(safe_path.Directory, "sync", lambda directory: None)
    else:
        monkeypatch.setattr(safe_path, "make_folder", lambda folder: folder.mkdir(parents=True, exist_ok=True))
        monkeypatch.setattr(safe_path.Directory, "enter", enter)
    assert violations(in_memory, 1)[1] != []

"""A step, an evaluation or a save that fails: what is saved is the state before it, and the message says so."""

from __future__ import annotations

import random
import time

import pytest

import seqgen
from conftest import WORDS
from resuming import SMALL, digests
from seqgen.checkpoint import checkpoints
from seqgen.errors import UsageError
from seqgen.training import train_step

SETTINGS = {**SMALL, "cell": "gru", "steps": 40}
OPTIONS = {"eval_every": 20, "samples": 0, "blend": "none", "repeats": "none"}


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(" ".join(random.Random(0).choices(WORDS, k=800)))
    return path


def failing_at(number):
    """The differentiation of a piece, which runs out of memory at one call."""
    plain, calls = train_step.TrainStep._differentiate, iter(range(1, 10**9))

    def differentiate(self, batch, carried):
        if next(calls) == number:
            raise MemoryError("out of memory")
        return plain(self, batch, carried)

    return differentiate


@pytest.mark.parametrize("number", [103, *(pytest.param(n, marks=pytest.mark.full) for n in (102, 104, 105))])
def test_a_text_goes_on_from_before_a_step_of_which_a_piece_failed(text, tmp_path, monkeypatch, number):
    """Each piece carries a state from window to window."""
    given = {**SETTINGS, "layout": "stream", "options": {**OPTIONS, "pieces": 4, "window": 16}}
    expected = digests(seqgen.train(text, out=tmp_path / "straight", **given).path)
    with monkeypatch.context() as patched:
        patched.setattr(train_step.TrainStep, "_differentiate", failing_at(number))
        with pytest.raises(UsageError, match=r"memory ran out: .*; step 2\d is saved, continue with"):
            seqgen.train(text, out=tmp_path / "failed", **given)
    assert digests(seqgen.resume(tmp_path / "failed").path) == expected


def test_a_checkpoint_that_could_not_be_written_is_not_called_saved(words, tmp_path, monkeypatch):
    plain = checkpoints.pack

    def pack(snapshot, files):
        if snapshot.state["step"] == 40:
            raise MemoryError("no room for it")
        return plain(snapshot, files)

    monkeypatch.setattr(checkpoints, "pack", pack)
    with pytest.raises(UsageError, match="memory ran out: no room for it; step 40 could not be saved: no room for it"):
        seqgen.train(words, out=tmp_path / "run", **SETTINGS, options=OPTIONS)


@pytest.mark.full
def test_a_first_process_that_fails_saves_the_run_though_the_others_wait(words, tmp_path, monkeypatch):
    """Records carry no state, so that the others are not asked for it; they would not answer within 60 seconds."""
    monkeypatch.setattr(train_step.TrainStep, "_differentiate", failing_at(30))
    started = time.monotonic()
    with pytest.raises(UsageError, match=r"memory ran out: .*; step \d+ is saved, continue with"):
        seqgen.train(words, out=tmp_path / "run", **SETTINGS, workers=2, options={**OPTIONS, "timeout_s": 60})
    assert time.monotonic() - started < 50
    monkeypatch.undo()
    assert digests(seqgen.resume(tmp_path / "run").path) == digests(
        seqgen.train(words, out=tmp_path / "straight", **SETTINGS, workers=2, options=OPTIONS).path
    )


@pytest.mark.full
def test_a_first_process_that_fails_in_a_text_says_why_nothing_is_saved(text, tmp_path, monkeypatch):
    monkeypatch.setattr(train_step.TrainStep, "_differentiate", failing_at(30))
    with pytest.raises(UsageError, match=r"step \d+ could not be saved: the other processes have a part of its state"):
        seqgen.train(
            text,
            out=tmp_path / "run",
            **SETTINGS,
            layout="stream",
            workers=2,
            options={**OPTIONS, "timeout_s": 60, "window": 16},
        )

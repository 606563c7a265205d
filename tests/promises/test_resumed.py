"""R1: a run that is stopped at any step and resumed equals, byte for byte, the run that was never stopped."""

from __future__ import annotations

import functools
import random
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

import seqgen
from conftest import WORDS, one_in
from resuming import Stopper, digests
from seqgen.errors import Interrupted

STEPS = 40
CELLS = {
    "vanilla": {"cell": "vanilla", "layers": 2},
    "gru": {"cell": "gru"},
    "lstm": {"cell": "lstm", "layers": 2},
    "transformer": {"cell": "transformer", "layers": 2},
    "mingru": {"cell": "mingru"},
    "sru": {"cell": "sru"},
    "gru on one long text": {"cell": "gru", "layout": "stream", "options": {"window": 8}},
    "transformer on one long text": {
        "cell": "transformer",
        "layers": 2,
        "layout": "stream",
        "options": {"window": 8, "context": 20},
    },
    "ngram": {"model": "ngram"},
}


def train(out: Path, name: str, eval_every: int, **more):
    given = dict(CELLS[name])
    options = {"eval_every": eval_every, "samples": 2, "patience": 0, **given.pop("options", {})}
    if "cell" in given:
        given |= {"hidden": 8, "embedding": 4, "dropout": 0.3}
    words = out.parent / "words.txt"
    words.write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return seqgen.train(
        words, **given, batch_size=8, steps=STEPS, split="80/10/10", options=options, out=out, **more
    )  # fmt: skip


@functools.cache
def straight(name: str, eval_every: int) -> dict[str, str]:
    """Return the result of a run that is never stopped."""
    with tempfile.TemporaryDirectory() as folder:
        return digests(train(Path(folder) / "straight", name, eval_every).path)


def check(name: str, eval_every: int, at: int, folder: Path, monkeypatch) -> None:
    """Stop a run at a step, resume it, and compare."""
    monkeypatch.setattr("seqgen.training.trainer._PROGRESS_EVERY_S", 0.0)  # an event a step
    path = folder / "stopped"
    if at < STEPS:
        with pytest.raises(Interrupted):
            train(path, name, eval_every, listener=Stopper(at, signal.SIGTERM))
    else:
        train(path, name, eval_every)
    assert digests(seqgen.resume(path).path) == straight(name, eval_every), f"{name} stopped at {at}"
    shutil.rmtree(path)


@pytest.mark.full
@pytest.mark.promise("R1")
@pytest.mark.parametrize(
    "name", one_in(2, ["ngram", "transformer", "gru on one long text", "transformer on one long text"])
)
def test_one_stop_of_each_kind_of_state(name, in_memory, monkeypatch):
    """A key-value cache, a state carried from window to window, and counts come back as they were."""
    check(name, 7, 11, in_memory, monkeypatch)


@pytest.mark.slow
@pytest.mark.promise("R1")
def test_a_hundred_stops(in_memory, monkeypatch, record_property):
    """100 draws of (9 models, evaluations every 5, 7 or 40 steps, a stop at step 0 to 40), dropout 0.3: equal bytes."""
    rng = random.Random(0)
    draws = [(name, rng.choice((5, 7, STEPS)), rng.randint(0, STEPS)) for _ in range(11) for name in CELLS][:96]
    draws += [("gru", 7, 0), ("gru", 7, STEPS), ("ngram", 5, 0), ("lstm", STEPS, 39)]
    for name, eval_every, at in draws:
        check(name, eval_every, at, in_memory, monkeypatch)
    record_property("cases", len(draws))

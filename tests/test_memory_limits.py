"""Memory that runs out is told as that, whoever's code asked for it; and a device that is gone ends no run."""

from __future__ import annotations

import json
import shutil
import sys

import pytest
import torch

import seqgen
from over_time import B, Plain, T, batch, build, one, results
from seqgen.engine.plan_runner import traced_step

HUNGRY = """
import torch
import seqgen


class Hungry(seqgen.Cell):
    asked = 0

    def __init__(self, input_size, hidden_size, *, at: int = 0, gpu: bool = False):
        super().__init__(input_size, hidden_size)
        self.input = torch.nn.Linear(input_size, hidden_size)
        self.at, self.gpu = at, gpu

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def forward(self, x_BTI, state):
        Hungry.asked += self.training
        if self.training and Hungry.asked > self.at:
            if self.gpu:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            torch.empty(1 << 60)
        return self.input(x_BTI), state


@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="hungry", summary="s", source="t", load=Hungry))
"""
TRAIN = ("--cell", "hungry", "--plugin", "hungry.py", "--hidden", 4, "--steps", 20, "-o", "eval_every=2")


@pytest.fixture
def hungry(in_tmp):
    (in_tmp / "hungry.py").write_text(HUNGRY)
    yield
    sys.modules.pop("hungry", None)


@pytest.mark.parametrize("where", ["cpu", "gpu"])
def test_a_first_batch_that_does_not_fit(where, cli, words, in_tmp, hungry):
    refused = cli("train", "--corpus", words, *TRAIN, "-o", f"cell.gpu={where == 'gpu'}", "--out", "run")
    assert refused.code == 2 and refused.err.count("\n") == 1 and not (in_tmp / "run").exists()
    assert "cell hungry does not fit into memory: a smaller --hidden, --batch-size" in refused.err
    assert ("CUDA out of memory" if where == "gpu" else "allocate memory") in refused.err


@pytest.mark.full
def test_memory_that_runs_out_later_leaves_a_run_that_goes_on(cli, words, in_tmp, hungry):
    stopped = cli("train", "--corpus", words, *TRAIN, "-o", "cell.gpu=true", "-o", "cell.at=12", "--out", "run", "-q")
    assert stopped.code == 2 and stopped.err.count("\n") == 1
    assert "memory ran out: CUDA out of memory" in stopped.err and "plugins check" not in stopped.err
    assert stopped.err.endswith("is saved, continue with: seqgen resume run --plugin hungry.py\n")
    sys.modules.pop("hungry")
    (in_tmp / "hungry.py").write_text(HUNGRY.replace("Hungry.asked > self.at", "False"))
    assert cli("resume", "run", "--plugin", "hungry.py").code == 0
    assert seqgen.load("run", checkpoint="latest", plugins=["hungry.py"]).state["step"] == 20


def test_memory_that_runs_out_in_the_first_step_says_what_needs_less(cli, words, in_tmp, hungry):
    """After the trials before a run, which call the model some times."""
    for at in range(30):
        refused = cli("train", "--corpus", words, *TRAIN, "-o", "cell.gpu=true", "-o", f"cell.at={at}", "--out", "run")
        sys.modules.pop("hungry")
        if "memory ran out: " in refused.err:
            break
    message = refused.err.splitlines()[-1]
    assert refused.code == 2 and "CUDA out of memory" in message
    assert message.endswith("; a smaller --hidden, --batch-size or -o window= needs less")


def test_a_step_that_runs_out_of_memory_while_it_is_recorded_may_be_recorded_later():
    full = True

    def equation(cell, p, q, h):
        if full:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return Plain.equation(cell, p, q, h)

    cell = build(one(equation))
    with pytest.raises(torch.OutOfMemoryError):
        results(cell, "scan", batch(B, T))
    assert traced_step(cell).problem == ""
    full = False
    results(cell, "scan", batch(B, T))
    assert traced_step(cell).problem == ""


@pytest.mark.full
@pytest.mark.skipif(torch.cuda.is_available(), reason="for a machine without a GPU")
def test_a_run_whose_device_is_gone_goes_on_with_a_word(cli, words, in_tmp):
    train = ("train", "--corpus", words, "--cell", "gru", "--hidden", 4, "--steps", 4, "-o", "eval_every=2", "-q")
    assert cli(*train, "--out", "here").code == cli(*train, "--out", "run").code == 0
    settings = json.loads((in_tmp / "run" / "run.json").read_text())
    settings["engine"]["device"] = "cuda:1"
    (in_tmp / "run" / "run.json").write_text(json.dumps(settings))
    shutil.rmtree(in_tmp / "run" / "checkpoints")  # which vouch for run.json
    for name in ("metrics.jsonl", "samples.jsonl"):
        (in_tmp / "run" / name).unlink(missing_ok=True)
    resumed = cli("resume", "run", "-q")
    assert resumed.code == 0 and resumed.err.count("\n") == 1
    assert (
        "the device 'cuda:1' of the run is not available: it continues on 'cpu', and its result will differ"
        in resumed.err
    )
    weights = [seqgen.load(name, checkpoint="latest").model.state_dict() for name in ("here", "run")]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "mps"])
def test_a_device_that_is_not_there_is_refused(device, cli, words, in_tmp):
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    refused = cli("train", "--corpus", words, "--device", device, "--out", "run")
    assert (
        refused.code == 2
        and refused.err
        == f"seqgen: cannot use device {device!r}: it is not available on this machine; use --device cpu\n"
    )
    assert not (in_tmp / "run").exists()

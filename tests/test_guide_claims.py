"""What the guide says of models that learn by themselves, and of what core puts around a cell of a plugin."""

from __future__ import annotations

import json
import math
import sys

import pytest

import seqgen
from conftest import ROOT
from resuming import Stopper, digests

EXAMPLES = ROOT / "docs" / "examples"
OWN = EXAMPLES / "ownstep.py"


@pytest.fixture(autouse=True)
def forgotten():
    yield
    for name in ("ownstep", "mycell"):
        sys.modules.pop(name, None)


def test_a_model_with_its_own_loss_and_optimizer_learns_and_resumes_exactly(words, tmp_path):
    common = {"model": "ownstep", "plugins": [OWN], "split": "80/10/10", "batch_size": 8, "seed": 3}
    common |= {"options": {"eval_every": 10}, "steps": 80}
    whole = seqgen.train(words, out=tmp_path / "whole", **common)
    assert whole.settings.n_parameters == 0, "all is in buffers"
    lines = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    losses = [line["valid_loss_nats"] for line in lines if line.get("valid_loss_nats") is not None]
    assert len(losses) >= 8 and min(losses) < math.log(len(whole.model.table_VV)) - 0.3, "better than a guess"
    assert whole.model.squares_VV.any(), "what its optimizer keeps is saved with the model"
    with pytest.raises(seqgen.Interrupted):
        seqgen.train(words, out=tmp_path / "parts", listener=Stopper(25), **common)
    assert not (tmp_path / "parts" / "checkpoints" / "step-000080").exists()
    seqgen.resume(tmp_path / "parts", plugins=[OWN])
    assert digests(tmp_path / "parts") == digests(tmp_path / "whole")


def test_a_rate_of_training_does_not_reach_it(words, tmp_path):
    common = {"model": "ownstep", "plugins": [OWN], "split": "80/10/10", "steps": 5, "seed": 3}
    one, other = (seqgen.train(words, out=tmp_path / f"lr-{lr}", lr=lr, **common) for lr in (0.001, 0.1))
    assert one.model.table_VV.equal(other.model.table_VV)
    slower = seqgen.train(words, out=tmp_path / "slower", options={"model.rate": 0.1}, **common)
    assert not one.model.table_VV.equal(slower.model.table_VV)


@pytest.mark.parametrize(
    "around",
    [
        {"norm": "before"},
        {"norm": "after", "skip": "residual"},
        {"skip": "highway"},
        {"zoneout": 0.1},
        {"recurrent_dropout": 0.1},
        {"attention": 4},
        {"norm": "before", "skip": "residual", "zoneout": 0.1, "recurrent_dropout": 0.1, "attention": 4},
    ],
    ids=lambda around: "-".join(around),
)
def test_core_puts_wrappers_around_the_cell_of_a_plugin(words, tmp_path, around):
    run = seqgen.train(
        words, cell="onegate", plugins=[EXAMPLES / "mycell.py"], hidden=6, embedding=5, layers=2, steps=3,
        options=around, out=tmp_path / "run", warn=pytest.fail,
    )  # fmt: skip
    assert len(run.sample(3)) == 3

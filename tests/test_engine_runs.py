"""Runs under each engine: resumed to the last bit, told in run.json, and never ended by a type that does not work."""

from __future__ import annotations

import itertools
import json

import pytest
import torch

import seqgen
from broken import Good, LimitsItsState
from conftest import cells_in_tiers, in_tiers, registered
from over_time import assert_agree, results
from seqgen import Interrupted
from seqgen.cells import StepCell
from seqgen.training import engine_choice
from seqgen.training.engine_choice import choose_threads
from test_training import Stopper, digests

SMALL = {"hidden": 10, "embedding": 5, "batch_size": 8, "split": "80/10/10"}
CELLS = cells_in_tiers(pytest.param(entry, id=entry.qualified) for entry in registered("cell"))
STEP_CELLS = [cell for cell in CELLS if isinstance(cell.values[0].build({}, 5, 6), StepCell)]


@pytest.fixture
def event_a_step(monkeypatch):
    monkeypatch.setattr("seqgen.training.trainer._PROGRESS_EVERY_S", 0.0)


def engine_of(run):
    return json.loads((run.path / "run.json").read_text())["engine"]


# -- resumed


def check_resumed(words, folder, stops, **common):
    """A run that is stopped at some step and resumed ends as the one that never was."""
    straight = seqgen.train(words, out=folder / "straight", **common)
    expected = digests(straight.path)
    for at in stops:
        with pytest.raises(Interrupted):
            seqgen.train(words, out=folder / f"stopped-{at}", listener=Stopper(at), **common)
        assert digests(folder / f"stopped-{at}") != expected
        resumed = seqgen.resume(folder / f"stopped-{at}")
        assert digests(resumed.path) == expected, f"stopped at {at}"
        assert engine_of(resumed) == engine_of(straight)
    return straight


RESUMED = itertools.product(["lstm", "lnlstm", "mingru", "sru", "transformer"], ["fused", "scan", "eager"])
BY_DEFAULT = [("lstm", "fused"), ("lnlstm", "scan"), ("transformer", "eager")]


@pytest.mark.full
@pytest.mark.parametrize(
    ("cell", "engine"), in_tiers(itertools.starmap(pytest.param, RESUMED), lambda *pair: pair in BY_DEFAULT)
)
def test_a_resumed_run_is_the_straight_one_under_each_engine(words, tmp_path, event_a_step, cell, engine):
    options = {"eval_every": 8, "samples": 1}
    if cell in ("lstm", "lnlstm", "mingru"):
        options |= {"model.zoneout": 0.1} | ({} if cell == "mingru" else {"model.recurrent_dropout": 0.1})
    run = check_resumed(
        words, tmp_path, (5, 16), **SMALL, cell=cell, layers=2, dropout=0.2, steps=24, engine=engine, options=options
    )
    assert engine_of(run)["name"] == engine


def test_engines_learn_the_same(words, tmp_path):
    losses = []
    for engine in ("fused", "scan", "eager"):
        run = seqgen.train(
            words, **SMALL, cell="lstm", layers=2, dropout=0.2, steps=30, lr=0.01, engine=engine,
            options={"eval_every": 10, "model.skip": "residual"}, out=tmp_path / engine,
        )  # fmt: skip
        losses.append([row[name] for row in run.metrics for name in ("train_loss_nats", "valid_loss_nats")])
    assert losses[1] == pytest.approx(losses[0], abs=1e-4) and losses[2] == pytest.approx(losses[0], abs=1e-4)
    assert losses[0][0] > losses[0][-2]


@pytest.mark.full
def test_run_json_says_how(words, tmp_path):
    hows = {}
    for cell in ("lstm", "gru", "transformer"):
        for engine in ("auto", "fused", "scan", "eager"):
            run = seqgen.train(words, **SMALL, cell=cell, steps=1, engine=engine, out=tmp_path / f"{cell}-{engine}")
            assert engine_of(run)["name"] == ("fused" if engine == "auto" else engine)
            hows[cell, engine] = engine_of(run)["how"]
    assert hows["lstm", "auto"] == hows["lstm", "fused"] == "LSTMCell by its own form for whole sequences"
    assert hows["lstm", "scan"] == "LSTMCell by its traced step"
    assert hows["gru", "auto"] == hows["gru", "scan"] == "GRUCell by its traced step"
    assert hows["gru", "eager"] == "GRUCell step by step under autograd"
    assert {hows["transformer", engine] for engine in ("auto", "scan", "eager")} == {""}


@pytest.mark.parametrize(
    ("cell", "settings", "compiles"),
    [
        ("gru", {"time": "2h"}, True),
        ("gru", {"time": "5m"}, False),
        ("gru", {"steps": 10_000_000}, True),
        ("gru", {"steps": 1_000}, False),
        ("gru", {"epochs": 1}, False),
        ("vanilla", {"time": "2h"}, False),  # too few operations
        ("mogrifier", {"time": "2h"}, False),  # too many
        ("transformer", {"time": "2h"}, False),
        ("lstm,mgu", {"time": "2h"}, False),  # the first layer would lose its own form
    ],
)
def test_the_engine_follows_from_sizes_alone(words, monkeypatch, cell, settings, compiles):
    said: list[str] = []
    monkeypatch.setattr(engine_choice, "has_compiler", lambda: True)
    monkeypatch.setattr(engine_choice, "_compile", lambda model, report: said.append("compiled") is None)
    planned = seqgen.plan(words, **SMALL, cell=cell, blend="none", **settings)
    for _ in range(2):
        chosen, _ = planned._built(said.append)
        assert chosen.engine.name == ("compiled" if compiles else "fused")
    assert said == ["compiled"] * 2 * compiles


def test_a_step_that_cannot_be_recorded_trains_and_says_why(words, in_tmp):
    (in_tmp / "branching.py").write_text(
        "import torch, seqgen\n"
        "class Branching(seqgen.StepCell):\n"
        "    def __init__(self, i, h):\n"
        "        super().__init__(i, h)\n"
        "        self.w = torch.nn.Linear(i, h)\n"
        "    def initial_state(self, b): return self.zeros(b)\n"
        "    def project(self, x): return self.w(x)\n"
        "    def step(self, p, h):\n"
        "        h = torch.tanh(p + h) if self.w.bias.sum() < 99 else torch.relu(p)\n"
        "        return h, h\n"
        "@seqgen.hookimpl\n"
        "def register_cells(register): register(seqgen.CellSpec(name='branching', summary='s', load=Branching))\n"
    )
    said: list[str] = []
    run = seqgen.train(
        words, **SMALL, cell="branching", steps=20, lr=0.01, plugins=["branching.py"], out="r", warn=said.append
    )
    reason = "it reads the values of a tensor (aten._local_scalar_dense.default)"
    assert f"cannot be traced: {reason}" in engine_of(run)["how"]
    slower = "steps that cannot be traced run one by one under autograd, which is slower"
    assert said == [f"{slower}: Branching: {reason} (step, line 8 of branching.py)"]
    assert len(run.sample(3)) == 3


def test_a_step_that_mixes_rows_once_numbers_are_large_is_refused(words, in_tmp):
    with pytest.raises(seqgen.PluginError, match="mixes rows: what step gives for one depends on the others"):
        seqgen.train(words, **SMALL, cell=LimitsItsState, steps=2, out="r")


def test_a_number_that_a_step_changes_is_named(words, in_tmp):
    said: list[str] = []
    seqgen.train(words, **SMALL, cell=CountsItsSequences, steps=2, out="r", warn=said.append)
    line = next(line for line in said if "changed from" in line)
    assert line.startswith("CountsItsSequences.n changed from ") and "belongs in its state, or in a buffer" in line
    said.clear()
    seqgen.train(words, **SMALL, cell=Good, steps=2, out="s", warn=said.append)
    assert not any("changed from" in line for line in said)


def test_numbers_that_note_a_size_or_none_are_not_named(words, in_tmp):
    said: list[str] = []
    seqgen.train(words, **SMALL, cell=NotesItsSize, steps=2, out="r", warn=said.append)
    assert not any("changed from" in line for line in said)


class NotesItsSize(Good):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.limit, self.rows = float("nan"), 0

    def step(self, p_BP, state):
        self.rows = len(p_BP)
        return super().step(p_BP, state)


class CountsItsSequences(Good):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.n = 0

    def initial_state(self, batch_size):
        self.n += self.training
        return super().initial_state(batch_size)


@pytest.mark.parametrize("engine", ["fast", "", "SCAN"])
def test_an_engine_that_does_not_exist_is_one_line(cli, words, engine):
    result = cli("train", "--corpus", words, "--steps", 1, "--engine", engine)
    assert result.code == 2 and result.err.count("\n") == 1 and "'compiled'" in result.err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # within torch, when its compiler is imported
def test_a_resumed_run_is_the_straight_one_in_compiled_chunks(words, tmp_path, event_a_step, compiler):
    said: list[str] = []
    run = check_resumed(
        words, tmp_path, (5, 16), **SMALL, cell="ugrnn", dropout=0.2, steps=24, engine="compiled",
        options={"eval_every": 8, "samples": 1}, warn=said.append,
    )  # fmt: skip
    assert engine_of(run)["name"] == "compiled"
    assert engine_of(run)["how"] == "UGRNNCell by its traced step, compiled in chunks of 8"
    assert said and all(line.startswith("compiling the steps: ") for line in said)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_compiled_is_what_the_run_computes_with(words, tmp_path, compiler):
    """And not the type that was tried just before and refused."""
    said: list[str] = []
    run = seqgen.train(
        words, **SMALL, cell="gru", steps=3, engine="compiled", options={"precision": "bfloat16", "samples": 0},
        warn=said.append, out=tmp_path / "run",
    )  # fmt: skip
    if engine_of(run)["precision"] == "float32":
        assert engine_of(run)["name"] == "compiled", said


# -- bfloat16


@pytest.mark.full
@pytest.mark.parametrize("entry", CELLS)
def test_bfloat16_never_fails(words, tmp_path, entry):
    """It is used, or refused in one line; run.json says which, and the steps run as they would without it."""
    hows = {}
    for precision in ("float32", "bfloat16"):
        said: list[str] = []
        run = seqgen.train(
            words, **SMALL, cell=entry.qualified, layers=2, steps=3, options={"precision": precision, "samples": 0},
            warn=said.append, out=tmp_path / precision,
        )  # fmt: skip
        chosen = engine_of(run)["precision"]
        assert (chosen, len(said)) in (("float32", precision == "bfloat16"), (precision, 0))
        assert all(line.startswith("precision: bfloat16 ") and line.endswith("; training in float32") for line in said)
        assert not any("\n" in line for line in said)
        hows[precision] = engine_of(run)["how"]
        assert torch.isfinite(torch.tensor([row["train_loss_nats"] for row in run.metrics])).all()
    assert chosen == "bfloat16" or hows["bfloat16"] == hows["float32"]


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [("fpu avx512_bf16 avx2", "bfloat16"), ("fpu avx512bw avx2 not_bf16", "float32"), (None, "float32")],
)
def test_the_cpu_decides_on_bfloat16(words, tmp_path, monkeypatch, flags, chosen):
    """Not the time that a step takes, which is another one on a busy machine; a resumed run keeps what was chosen."""
    info, said = tmp_path / "cpuinfo", list[str]()
    if flags is not None:
        info.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr("seqgen.engine.processor._CPU_INFO", info)
    settings = {"cell": "gru", "steps": 4, "options": {"precision": "bfloat16", "samples": 0, "save_every_s": 1e-9}}
    with pytest.raises(Interrupted):
        seqgen.train(words, **SMALL, **settings, warn=said.append, listener=Stopper(2), out=tmp_path / "run")
    assert engine_of(seqgen.load(tmp_path / "run", checkpoint="latest"))["precision"] == chosen
    assert [line.partition(" needs ")[0] for line in said] == ["precision: bfloat16"] * (chosen == "float32")
    info.unlink(missing_ok=True)
    assert engine_of(seqgen.resume(tmp_path / "run"))["precision"] == chosen


@pytest.mark.parametrize("entry", STEP_CELLS)
def test_where_bfloat16_works_step_by_step_it_works_recorded(entry):
    """After float32, as in the trial before a run."""
    cell = entry.build({}, 5, 6)
    x, found = torch.randn(4, 7, 5), {}
    results(cell, "scan", x)
    for engine in ("eager", "scan"):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            try:
                found[engine] = results(cell, engine, x)
            except RuntimeError as error:
                found[engine] = str(error)
    if isinstance(found["eager"], str):
        assert isinstance(found["scan"], str)
        return
    assert not isinstance(found["scan"], str), found["scan"]
    for name, tensor in found["eager"].items():
        other = found["scan"][name]
        assert other.dtype == tensor.dtype, name
        assert (other - tensor).abs().max() <= 0.05 * tensor.abs().max(), name
    assert_agree(results(cell, "scan", x), results(cell, "eager", x))


def test_the_sizes_choose_the_number_of_threads():
    """A small model or batch has too little to share out; what is asked for is used, and no more than torch would."""
    assert choose_threads(50_000, 128, None, 16) == 1 and choose_threads(199_000, 128, None, 16) == 1
    assert choose_threads(200_000, 128, None, 16) == 2 and choose_threads(200_000, 128, None, 1) == 1
    assert choose_threads(200_000, 16, None, 16) == 1 and choose_threads(50_000, 512, None, 16) == 2
    assert choose_threads(400_000, 128, None, 16) == 4 and choose_threads(10**8, 512, None, 16) == 16
    assert choose_threads(10, 1, 3, 2) == 3


@pytest.mark.full
def test_the_number_of_threads_is_recorded_and_kept(words, tmp_path):
    """A run with a large batch computes with two, also when it is resumed where torch would take one."""
    seen, said = [], []
    before = torch.get_num_threads()

    def listener(folder, event):
        seen.append(torch.get_num_threads())
        if isinstance(event, seqgen.training.Saved) and event.step == 1:
            raise ValueError("stop here")

    common = {"hidden": 96, "batch_size": 1000, "steps": 2, "options": {"eval_every": 1}, "split": "none"}
    torch.set_num_threads(2)
    try:
        with pytest.raises(ValueError, match="stop here"):
            seqgen.train(words, cell="gru", out=tmp_path / "run", listener=listener, warn=said.append, **common)
        torch.set_num_threads(1)
        run = seqgen.resume(tmp_path / "run", listener=lambda *_: seen.append(torch.get_num_threads()))
    finally:
        torch.set_num_threads(before)
    assert run.settings.engine.threads == 2 and set(seen) == {2} and said == []

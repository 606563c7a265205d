"""A GPU beside the CPU, by real runs: `pytest -m gpu` where there is one.

Each test also runs on the CPU in the tier "full", so that the tests themselves are known to work.
"""

from __future__ import annotations

import contextlib
import copy
import functools

import pytest
import torch

import seqgen
from conftest import FAMILIES, finish, registered, run_seqgen
from resuming import SMALL, digests
from seqgen.cells import compile_steps, use_engine
from seqgen.engine.processor import computes_in_bfloat16
from seqgen.training.train_step import TrainStep
from test_engine_runs import check_resumed, engine_of
from test_manual_backward import V, batch_of, model_of

CELLS = {entry.spec.name: functools.partial(entry.build, {}) for entry in registered("cell")}
DEVICES = [pytest.param("cpu", marks=pytest.mark.full), pytest.param("cuda", marks=pytest.mark.gpu)]
ON_GPU = [pytest.param("cuda", marks=pytest.mark.gpu)]
BY_CUDNN = {"vanilla", "gru", "lstm"}
"""Cells whose own form is a layer of cuDNN, which by default multiplies in TF32, with a mantissa of 10 bits."""
TOLERANCES = {torch.float64: 1e-9, torch.float32: 5e-4}
"""Largest difference between devices, as a share of the largest gradient and of the loss."""
TF32_TOLERANCE = 1e-2
on_each_device = pytest.mark.parametrize("device", DEVICES)


@pytest.fixture
def event_a_step(monkeypatch):
    monkeypatch.setattr("seqgen.training.trainer._PROGRESS_EVERY_S", 0.0)


def train_on(words, device):
    """Return a command that trains 12 steps by the traced step, which has the same bits in every run."""
    train = ["train", "--corpus", words, "--cell", "gru", "--steps", 12, "--engine", "scan", "--device", device]
    return [*train, "--quiet"]


def allow_bytes(n_bytes):
    """Let this process use so much memory of the GPU."""
    torch.cuda.set_per_process_memory_fraction(n_bytes / torch.cuda.get_device_properties(0).total_memory)


def differentiated(model, engine, batch, compiled=False):
    """Return the loss of a batch and all gradients in one tensor, on the CPU in float64."""
    use_engine(model, engine)
    first = next(model.parameters())
    penalty_V = torch.zeros(V, dtype=first.dtype, device=first.device)
    step = TrainStep(model, penalty_V, weight_decay=0.0, clip_norm=0.0, precision="float32")
    model.zero_grad()
    if compiled:
        step.differentiate(batch.to(first.device))
        compile_steps(model)
        model.zero_grad()
    nats = step.differentiate(batch.to(first.device))
    flat = torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])
    return nats.double().cpu(), flat.double().cpu()


def assert_equal_within(found, expected, tolerance):
    (nats, flat), (expected_nats, expected_flat) = found, expected
    assert flat.shape == expected_flat.shape
    assert abs(nats - expected_nats) <= tolerance * abs(expected_nats)
    assert (flat - expected_flat).abs().max() <= tolerance * expected_flat.abs().max()


@on_each_device
@pytest.mark.parametrize("dtype", TOLERANCES, ids=["float64", "float32"])
@pytest.mark.parametrize("cell", sorted(FAMILIES))
def test_all_engines_agree_with_eager_steps_on_the_cpu(cell, dtype, device):
    """Loss and gradients of two layers, on a batch with padding."""
    model, batch = model_of(CELLS[cell], dtype, layers=2), batch_of(16, 13)
    expected = differentiated(copy.deepcopy(model), "eager", batch)
    for engine in ("eager", "scan", "fused"):
        exact = dtype == torch.float64 or device == "cpu" or engine != "fused" or cell not in BY_CUDNN
        found = differentiated(copy.deepcopy(model).to(device), engine, batch)
        assert_equal_within(found, expected, TOLERANCES[dtype] if exact else TF32_TOLERANCE)


@pytest.mark.parametrize("device", ON_GPU)
@pytest.mark.parametrize("cell", ["gru", "lnlstm", "vanilla"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # within torch, when its compiler is imported
def test_compiled_chunks_agree_with_eager_steps_on_the_cpu(cell, device):
    """On the CPU they are libraries, of which test_engine.py has the tests."""
    model, batch = model_of(CELLS[cell], torch.float32), batch_of(16, 19)
    expected = differentiated(copy.deepcopy(model), "eager", batch)
    found = differentiated(model.to(device), "compiled", batch, compiled=True)
    assert_equal_within(found, expected, TOLERANCES[torch.float32])


@on_each_device
@pytest.mark.parametrize("cell", ["gru", "lstm", "mingru", "transformer"])
def test_bfloat16_learns_what_float32_learns(words, tmp_path, cell, device):
    """Within three hundredths of the loss; where the device does not compute in bfloat16, the run says float32."""
    losses = {}
    for precision in ("float32", "bfloat16"):
        run = seqgen.train(
            words, **{**SMALL, "hidden": 32, "embedding": 16}, cell=cell, steps=60, lr=0.01, device=device,
            blend="none", options={"precision": precision, "eval_every": 20, "samples": 0}, out=tmp_path / precision,
        )  # fmt: skip
        used = precision if computes_in_bfloat16(torch.device(device)) else "float32"
        assert (engine_of(run)["device"], engine_of(run)["precision"]) == (device, used)
        losses[precision] = [row[name] for row in run.metrics for name in ("train_loss_nats", "valid_loss_nats")]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.03)
    assert losses["float32"][-2] < losses["float32"][0]


@on_each_device
@pytest.mark.parametrize(("cell", "engine"), [("gru", "scan"), ("mogrifier", "scan"), ("mingru", "fused")])
def test_a_resumed_run_is_the_straight_one(words, tmp_path, event_a_step, cell, engine, device):
    """To the last bit, with dropout; cuDNN's layers and attention promise that on the CPU alone."""
    run = check_resumed(
        words, tmp_path, (5, 16), **SMALL, cell=cell, layers=2, dropout=0.2, steps=24, engine=engine, device=device,
        options={"eval_every": 8, "samples": 1, "model.zoneout": 0.1},
    )  # fmt: skip
    assert engine_of(run)["device"] == device


@on_each_device
def test_a_model_that_does_not_fit_is_one_line_that_says_what_to_do(cli, words, in_tmp, device):
    sizes = ["--hidden", 65_000, "--layers", 100] if device == "cpu" else ["--hidden", 16_000]  # 10 TB; 3 GB
    if device == "cuda":
        allow_bytes(2**28)
    try:
        refused = cli(*train_on(words, device), *sizes, "--out", "run")
    finally:
        if device == "cuda":
            torch.cuda.set_per_process_memory_fraction(1.0)
            torch.cuda.empty_cache()
    assert refused.code == 2 and refused.err.count("\n") == 1 and not (in_tmp / "run").exists()
    assert "memory" in refused.err and ("smaller" in refused.err or "needs less" in refused.err)


@pytest.mark.parametrize("device", ON_GPU)
def test_memory_that_runs_out_later_leaves_a_run_that_goes_on(words, tmp_path, event_a_step, device):
    settings = {**SMALL, "hidden": 256, "cell": "gru", "steps": 20, "engine": "scan", "device": device}
    settings["options"] = {"samples": 0}
    straight = seqgen.train(words, out=tmp_path / "straight", **settings)
    hog: list[torch.Tensor] = []

    def fill(folder, event):
        """Leave 32 KB free: too little for a step, enough to read its losses."""
        if getattr(event, "step", 0) >= 8 and not hog:
            torch.cuda.empty_cache()
            allow_bytes(torch.cuda.memory_reserved() + 2**22)
            for size in (2**20, 2**14, 2**9):
                with contextlib.suppress(torch.OutOfMemoryError):
                    while True:
                        hog.append(torch.empty(size, dtype=torch.uint8, device=device))
            del hog[-64:]

    try:
        with pytest.raises(seqgen.UsageError, match=r"memory ran out: .* is saved, continue with: seqgen resume "):
            seqgen.train(words, out=tmp_path / "run", listener=fill, **settings)
    finally:
        hog.clear()
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert digests(seqgen.resume(tmp_path / "run").path) == digests(straight.path)


@on_each_device
def test_two_runs_share_a_device(words, tmp_path, device):
    """As two benches on one GPU; each has the bytes of a run alone."""
    train = train_on(words, device)
    assert finish(run_seqgen(*train, "--hidden", 16, "--out", "alone", cwd=tmp_path)).code == 0
    both = [run_seqgen(*train, "--hidden", 16, "--out", name, cwd=tmp_path) for name in ("one", "other")]
    assert [finish(process).code for process in both] == [0, 0]
    alone = digests(tmp_path / "alone")
    assert digests(tmp_path / "one") == alone and digests(tmp_path / "other") == alone


@on_each_device
def test_two_workers_are_refused_on_one_gpu_or_write_the_bytes_of_one(cli, words, in_tmp, device):
    """NCCL takes one process a GPU."""
    train = train_on(words, device)
    both = cli(*train, "--hidden", 16, "--workers", 2, "--out", "two")
    if device == "cuda" and torch.cuda.device_count() < 2:
        assert both.code == 2 and both.err.count("\n") == 1 and not (in_tmp / "two").exists()
        assert "cannot train with 2 workers on 1 GPU: each needs one of its own" in both.err
        return
    assert both.code == 0 and cli(*train, "--hidden", 16, "--workers", 1, "--out", "one").code == 0
    assert digests(in_tmp / "two") == digests(in_tmp / "one")


@on_each_device
def test_a_row_is_the_same_however_many_are_sampled_with_it(words, tmp_path, device):
    """Any range of rows, and any width, computed on the device."""
    settings = {**SMALL, "cell": "gru", "steps": 40, "lr": 0.01, "device": device, "blend": "none"}
    run = seqgen.train(words, **settings, out=tmp_path / "run")
    run.model.to(device)
    sampled = functools.partial(run.sample, seed=5)
    rows = [row.text for row in sampled(600)]
    assert [row.text for row in sampled(600)] == rows and len(set(rows)) > 20
    assert [row.text for row in sampled(600, batch_size=32)] == rows
    assert [row.text for row in sampled(rows=(130, 230))] == rows[130:230]
    with run.sample_batch() as batch:
        requests = [{"n": 40, "seed": 5}, {"n": 100, "seed": 6, "prefix": "an", "temperature": 0.5}]
        for request in requests:
            batch.add(**request)
        while batch.step():
            pass
        assert [batch.rows(0), batch.rows(1)] == [run.sample(**request) for request in requests]

"""All engines return the same outputs, last states and gradients, for every cell.

Every registered step cell is tested, with its defaults and with options that change its equations.
"""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from conftest import cells_in_tiers, one_in, registered
from over_time import CLOSE, assert_agree, results
from seqgen import BadOption, StepCell
from seqgen.cells import (
    PastAttention,
    RecurrentDropout,
    Zoneout,
    can_compile,
    compile_steps,
    describe_engine,
    use_engine,
)
from seqgen.engine.plan_runner import traced_step
from seqgen.model import RecurrentModel

I, H = 5, 6
MEMORY = {"peepholes": True, "projection": 3, "clip": 0.2, "projection_clip": 0.1}
OPTIONS = {
    "vanilla": [{"activation": "tanh"}],
    "gru": [{"reset": "before"}],
    "lstm": [
        {"peepholes": True}, {"projection": 3}, {"projection": H + 2}, {"clip": 0.2},
        {"peepholes": True, "projection": 3, "clip": 0.2, "projection_clip": 0.1},
    ],
    "indrnn": [{"activation": "tanh"}],
    "mogrifier": [{"rounds": 2, "rank": 2}],
    "fastgrnn": [{"input_rank": 2, "recurrent_rank": 3}],
    "rhn": [{"depth": 1}],
    "slstm": [{"heads": 2}, {"forget_gate": "exp", "heads": 3}],
    "convlstm": [{"dimensions": 2, "places": 2, "kernel": 2, "peepholes": True}],
    "tflstm": [{"blocks": 2, "overlap": 1, "peepholes": True, "clip": 0.2}],
    "gridlstm": [{"blocks": 2, "overlap": 1, "peepholes": True, "share": True, "clip": 0.2}],
    "ntm": [{"slots": 3, "features": 2, "read_heads": 2, "write_heads": 2, "clip": 0.5}],
    "lnlstm": [{"recurrent_dropout": 0.3}, {"layer_norm": False, **MEMORY}, {"peepholes": True, "projection": 3}],
    "cifg": [MEMORY, {"layer_norm": True, "peepholes": True, "projection": 3}],
    "wnlstm": [MEMORY, {"weight_norm": False}],
    "glstm": [{"groups": 3}, {"groups": 2, **MEMORY}],
    "nas": [{"bias": False, "projection": 3}],
    "phased": [{"peepholes": True, "leak": 0.1, "ratio_on": 0.2}],
    "intersection": [{"activation": "tanh"}],
    "mlstm": [{"heads": 3}],
}  # fmt: skip


def step_cells():
    """Return (entry, options) of every registered step cell."""
    found = [entry for entry in registered("cell") if isinstance(entry.build({}, I, H), StepCell)]
    return [(entry, options) for entry in found for options in ({}, *OPTIONS.get(entry.spec.name, ()))]


CELLS = cells_in_tiers(
    pytest.param(entry, options, id=" ".join([entry.qualified, *(f"{k}={v}" for k, v in options.items())]))
    for entry, options in step_cells()
)


def build(entry, options, dtype=torch.float64, wrap=lambda cell: cell):
    """Return a cell whose parameters are all random."""
    torch.manual_seed(0)
    cell = wrap(entry.build(options, I, H)).to(dtype)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return cell


def batch(dtype, B=5, T=11):
    torch.manual_seed(1)
    return torch.randn(B, T, I, dtype=dtype)


def rounding(entry, options, found):
    """Return the rounding error of eager in float32, relative to the largest number of each tensor.

    Norms over six units, and sums of exponentials that cancel, magnify it: 1e-5 and more, on some machines.
    """
    cell, x = build(entry, options, torch.float32).double(), batch(torch.float32).double()
    exact = {name: tensor for name, tensor in results(cell, "eager", x).items() if tensor is not None and tensor.any()}
    return max(((found[name].double() - one).abs().max() / one.abs().max()).item() for name, one in exact.items())


@pytest.mark.parametrize("dtype", CLOSE, ids=["float32", "float64"])
@pytest.mark.parametrize(("entry", "options"), CELLS)
def test_all_engines_agree(entry, options, dtype):
    cell, x = build(entry, options, dtype), batch(dtype)
    expected = results(cell, "eager", x)
    off = rounding(entry, options, expected) if dtype == torch.float32 else 0.0
    assert off < 1e-3  # where eager itself is off by more than a part of the limit, others may be as much
    for engine in ("fused", "scan"):
        assert_agree(results(cell, engine, x), expected, max(1, 8 * off / CLOSE[dtype]))
    assert traced_step(cell).problem == ""


@pytest.mark.parametrize(("B", "T"), [(1, 6), (4, 1), (1, 1), (3, 2)])
@pytest.mark.parametrize(("entry", "options"), [cell for cell in CELLS if not cell.values[1]])
def test_all_engines_agree_on_a_row_and_on_a_step(entry, options, B, T):
    cell, x = build(entry, options).eval(), batch(torch.float64, B, T)
    expected = results(cell, "eager", x)
    for engine in ("fused", "scan"):
        assert_agree(results(cell, engine, x), expected)
    assert traced_step(cell).problem == ""


@pytest.mark.parametrize(("entry", "options"), [cell for cell in CELLS if not cell.values[1]])
def test_all_engines_agree_on_long_sequences(entry, options):
    """With so few features that a form for whole sequences may use another algorithm."""
    cell, x = build(entry, options), batch(torch.float64, 2, 70)
    expected = results(cell, "eager", x)
    for engine in ("fused", "scan"):
        assert_agree(results(cell, engine, x), expected)


@pytest.mark.parametrize(("entry", "options"), CELLS)
def test_our_own_step_cells_are_traced(entry, options):
    """Once traced, the step itself is not called again."""
    cell = build(entry, options)
    results(cell, "scan", batch(torch.float64))
    assert traced_step(cell).problem == ""
    assert describe_engine(nn.ModuleList([cell])).endswith(" by its traced step")
    calls = []
    plain = cell.step
    cell.step = lambda p, state: calls.append(0) or plain(p, state)
    results(cell, "scan", batch(torch.float64, T=4))
    assert not calls
    results(cell, "eager", batch(torch.float64, T=4))
    assert len(calls) == 4


AROUND = {
    "nothing": lambda cell: cell,
    "zoneout": lambda cell: Zoneout(cell, 0.3),
    "recurrent dropout": lambda cell: RecurrentDropout(cell, 0.4),
    "both": lambda cell: Zoneout(RecurrentDropout(cell, 0.4), 0.3),
    "attention": lambda cell: PastAttention(Zoneout(cell, 0.3), 3),
}


@pytest.mark.full
@pytest.mark.parametrize("around", one_in(2, AROUND))
@pytest.mark.parametrize(("entry", "options"), [cell for cell in CELLS if not cell.values[1]])
def test_all_engines_sample_the_same_noise_while_training(entry, options, around):
    x = batch(torch.float64)
    try:
        cell = build(entry, options, wrap=AROUND[around])
        expected = results(cell, "eager", x, seed=3)
    except BadOption as error:
        unsuited = re.search("output is a part of its state|maps what it carries", str(error))
        assert (unsuited and around in ("recurrent dropout", "both")) or (
            "features can be held one by one" in str(error) and entry.spec.name == "slstm"
        )
        return
    again = results(cell, "eager", x, seed=4)
    assert torch.equal(again["y"], expected["y"]) == (around == "nothing" and "recurrent_dropout" not in options)
    for engine in ("fused", "scan"):
        assert_agree(results(cell, engine, x, seed=3), expected)
    assert traced_step(cell).problem == ""
    cell.eval()
    expected = results(cell, "eager", x, seed=3)
    assert_agree(results(cell, "scan", x, seed=4), expected)


@pytest.mark.parametrize("options", [{}, {"norm": "before", "skip": "residual"}, {"norm": "after", "skip": "highway"}])
def test_all_engines_agree_on_a_model_with_everything(plugins, options):
    """Two layers, with and without a table of the first one's projection."""
    entry = plugins.registry.get("cell", "lstm")
    torch.manual_seed(0)
    model = RecurrentModel(
        9, lambda i, h: entry.build({}, i, h), hidden=7, layers=2, embedding=4, dropout=0.3, zoneout=0.2,
        recurrent_dropout=0.1, tie=True, **options,
    ).double()  # fmt: skip
    for shape in ((2, 4), (3, 8)):
        ids, found = torch.randint(9, shape), []
        for engine in ("eager", "fused", "scan"):
            use_engine(model, engine)
            model.zero_grad()
            torch.manual_seed(5)
            logits, _ = model(ids, model.initial_state(len(ids)))
            logits.log_softmax(-1)[..., 3].sum().backward()
            found.append({"logits": logits, **{name: p.grad.clone() for name, p in model.named_parameters()}})
        assert_agree(found[1], found[0])
        assert_agree(found[2], found[0])


# -- with the compiler


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dtype"),
    [("ugrnn", torch.float32), ("gru", torch.float32), ("lnlstm", torch.float64)],
    ids=["ugrnn", "gru", "lnlstm"],
)
def test_compiled_chunks_agree(plugins, compiler, monkeypatch, name, dtype):
    """Less than a chunk, whole chunks, and chunks with steps left over."""
    monkeypatch.setenv("AOTI_RUNTIME_CHECK_INPUTS", "1")  # the libraries look at what they are given
    cell = build(plugins.registry.get("cell", name), {}, dtype)
    model = nn.ModuleList([cell])
    results(cell, "compiled", batch(dtype, T=16))
    assert can_compile(model) and describe_engine(model).endswith(" by its traced step")
    compile_steps(model)
    assert describe_engine(model).endswith("compiled in chunks of 8")
    for T in (16, 8, 19, 1, 7, 9):
        x = batch(dtype, T=T)
        assert_agree(results(cell, "compiled", x), results(cell, "eager", x))
    for B in (2, 1):  # other sizes go on uncompiled
        x = batch(dtype, B=B)
        assert_agree(results(cell, "compiled", x), results(cell, "eager", x))


@pytest.mark.slow
def test_setting_the_engine_back_to_scan_uses_no_compiled_chunk(plugins, compiler):
    """As when compiled steps are not faster: a run must report, and use, the engine of a resumed one."""
    cell, x = build(plugins.registry.get("cell", "ugrnn"), {}, torch.float32), batch(torch.float32, T=16)
    plain = results(cell, "scan", x)
    compile_steps(nn.ModuleList([cell]))
    again = results(cell, "scan", x)
    assert all(torch.equal(again[name], tensor) for name, tensor in plain.items())
    assert describe_engine(nn.ModuleList([cell])).endswith(" by its traced step")

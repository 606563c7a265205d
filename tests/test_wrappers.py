"""Wrappers of layers and of steps, compared with their equations written plainly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import seqgen
from conftest import one_in
from equations import layer_normed
from seqgen import BadOption
from seqgen.cells import Around, PastAttention, RecurrentDropout, Zoneout
from seqgen.engine.plan_runner import traced_step
from seqgen.model import RecurrentModel
from seqgen.testing import check_cell

B, T, I, H = 4, 9, 5, 7


def make(plugins, name="gru", input_size=I, hidden_size=H, **options):
    """Return a cell whose parameters are all random."""
    torch.manual_seed(0)
    cell = plugins.registry.get("cell", name).build(options, input_size, hidden_size)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return cell


def inputs(rows=B, steps=T, features=I):
    torch.manual_seed(1)
    return torch.randn(rows, steps, features, dtype=torch.float64)


def close(one, other):
    return torch.allclose(one, other, rtol=1e-9, atol=1e-12)


def over_time(cell, x, step, state):
    """Return outputs and last state of a step function of the cell."""
    outputs = []
    for p in cell.project(x).unbind(1):
        y, state = step(p, state)
        outputs.append(y)
    return torch.stack(outputs, 1), state


# -- zoneout


def test_zoneout_in_evaluation_mixes_old_and_new_in_expectation(plugins):
    cell, x = make(plugins, "lstm"), inputs()
    zoned = Zoneout(cell, 0.3).double().eval()

    def step(p, state):
        _, after = cell.step(p, state)
        mixed = tuple(0.3 * old + 0.7 * new for old, new in zip(state, after, strict=True))
        return mixed[0], mixed

    expected, end = over_time(cell, x, step, cell.initial_state(B))
    y, state = zoned(x, zoned.initial_state(B))
    assert close(y, expected) and all(close(one, other) for one, other in zip(state, end, strict=True))


def test_zoneout_holds_the_state_only(plugins):
    """The output of this cell is not part of its state, so it is unchanged."""
    cell, x = make(plugins, "sru"), inputs()
    zoned = Zoneout(cell, 0.3).double().eval()

    def step(p, state):
        y, after = cell.step(p, state)
        return y, 0.3 * state + 0.7 * after

    expected, end = over_time(cell, x, step, cell.initial_state(B))
    y, state = zoned(x, zoned.initial_state(B))
    assert close(y, expected) and close(state, end)


def test_zoneout_while_training_keeps_a_share_of_features_as_they_were(plugins):
    cell, x = make(plugins, "lstm", hidden_size=30), inputs(40, 50)
    zoned = Zoneout(cell, 0.2).double().train()
    p_BTP = zoned.noise(zoned.project(x))
    state, masks = tuple(leaf + 1 for leaf in zoned.initial_state(40)), p_BTP[:, :, 4 * 30 :]
    for p_BP, mask in zip(p_BTP.unbind(1), masks.unbind(1), strict=True):
        _, plain = cell.step(p_BP[:, : 4 * 30], state)
        expected = torch.where(mask == 1, torch.cat(state, 1), torch.cat(plain, 1))
        y, state = zoned.step(p_BP, state)
        assert close(torch.cat(state, 1), expected) and y is state[0]
    assert set(masks.unique().tolist()) == {0.0, 1.0} and masks.shape == (40, 50, 60)
    assert masks.mean().item() == pytest.approx(0.2, abs=0.006)  # 120,000 draws, of deviation 0.0012
    for apart in ((0, 1), (0, 2), (1, 2)):
        assert masks.mean(apart).std() < 0.04  # no row, step or feature has masks of its own kind
    assert not torch.equal(masks[:, 0], masks[:, 1]) and not torch.equal(masks[..., :30], masks[..., 30:])


@pytest.mark.parametrize("train", [True, False])
def test_zoneout_holds_states_of_any_shape(plugins, train):
    cell = make(plugins, "mamba").double()
    zoned = Zoneout(cell, 0.3).train(train)
    state = tuple(torch.randn_like(leaf) for leaf in cell.initial_state(B))
    assert {leaf.dim() for leaf in state} == {3}
    p_BP = zoned.noise(zoned.project(inputs(steps=1)))[:, 0]
    width = cell.project(inputs(steps=1)).shape[2]
    masks = p_BP[:, width:].split([leaf[0].numel() for leaf in state], 1) if train else [0.3] * 2
    _, plain = cell.step(p_BP[:, :width], state)
    _, after = zoned.step(p_BP, state)
    for old, new, mask, found in zip(state, plain, masks, after, strict=True):
        mask = mask.view_as(new) if train else mask
        assert close(found, new + mask * (old - new))


@pytest.mark.parametrize("share", [1e-6, 1 - 1e-6])
def test_extreme_shares_of_zoneout(plugins, share):
    cell, x = make(plugins), inputs()
    zoned = Zoneout(cell, share).double().train()
    y, _ = zoned(x, zoned.initial_state(B))
    assert close(y, cell(x, cell.initial_state(B))[0] if share < 0.5 else torch.zeros_like(y))


def test_zoneout_is_refused_where_a_part_of_the_state_scales_another(plugins):
    """Held apart, the memory of slstm and its scale would forget what was read."""
    for cell in (make(plugins, "slstm"), RecurrentDropout(make(plugins, "slstm"), 0.1)):
        with pytest.raises(BadOption, match="one part scales another"):
            Zoneout(cell, 0.1)


# -- recurrent dropout


def test_recurrent_dropout_in_evaluation_is_the_cell(plugins):
    cell, x = make(plugins, "lstm"), inputs()
    dropped = RecurrentDropout(cell, 0.5).double().eval()
    y, end = dropped(x, dropped.initial_state(B))
    expected, plain = cell(x, cell.initial_state(B))
    assert close(y, expected) and all(close(one, other) for one, other in zip(end, plain, strict=True))


def test_recurrent_dropout_hides_the_output_from_the_next_step_by_one_mask(plugins):
    """The memory of the LSTM is not dropped, nor its output for the next layer."""
    cell, x = make(plugins, "lstm"), inputs()
    dropped = RecurrentDropout(cell, 0.5).double().train()
    torch.manual_seed(0)
    masks = dropped.noise(dropped.project(x))[:, :, -H:]
    mask = masks[:, 0]
    assert set(mask.unique().tolist()) == {0.0, 2.0} and torch.equal(masks, mask[:, None].expand_as(masks))
    expected, plain = over_time(cell, x, lambda p, s: cell.step(p, (s[0] * mask, s[1])), cell.initial_state(B))
    torch.manual_seed(0)
    y, end = dropped(x, dropped.initial_state(B))
    assert close(y, expected) and all(close(one, other) for one, other in zip(end, plain, strict=True))


CARRYING = ("gru", "ugrnn", "janet", "mgu", "minimalrnn", "rhn", "fastgrnn", "cfn", "phased")


@pytest.mark.parametrize("name", CARRYING)
@pytest.mark.parametrize("share", [pytest.param(0.1, marks=pytest.mark.full), 0.5])
def test_what_a_step_carries_past_its_maps_is_not_scaled_again_and_again(plugins, name, share):
    """As it was, a GRU of 300 steps overflowed."""
    torch.manual_seed(0)
    dropped = RecurrentDropout(make(plugins, name, hidden_size=32), share).train()
    x = torch.randn(4, 300, I)
    with torch.no_grad():
        y, _ = dropped.float()(x, dropped.initial_state(4))
    assert y.abs().max() < 30


def test_recurrent_dropout_of_a_gru_masks_the_argument_of_its_map(plugins):
    cell, x = make(plugins, "gru"), inputs()
    dropped = RecurrentDropout(cell, 0.5).double().train()
    torch.manual_seed(0)
    mask = dropped.noise(dropped.project(x))[:, 0, -H:]
    torch.manual_seed(0)
    y, _ = dropped(x, dropped.initial_state(B))

    def step(p, h):
        (x_r, x_z, x_n), (u_r, u_z, u_n) = p.chunk(3, 1), cell.recurrent(h * mask).chunk(3, 1)
        z = torch.sigmoid(x_z + u_z)
        n = torch.tanh(x_n + torch.sigmoid(x_r + u_r) * (u_n + cell.candidate_bias))
        return (1 - z) * n + z * h, (1 - z) * n + z * h

    assert close(y, over_time(cell, x, step, cell.initial_state(B))[0]) and cell.recurrent.mask_BI is None


@pytest.mark.parametrize("name", ["indrnn", "mingru", "indygru"])
def test_recurrent_dropout_needs_a_map_of_what_is_carried(plugins, name):
    """A run with it can still be sampled from."""
    cell, x = make(plugins, name).double(), inputs()
    dropped = RecurrentDropout(cell, 0.1).eval()
    assert close(dropped(x, dropped.initial_state(B))[0], cell.eval()(x, cell.initial_state(B))[0])
    with pytest.raises(BadOption, match="recurrent_dropout needs a cell that maps what it carries by a Recurrent"):
        dropped.train()(x, dropped.initial_state(B))


@pytest.mark.parametrize(
    "name", ["lstm", "mogrifier", "mulstm", "glstm", "convlstm", "tflstm", "indylstm", "vanilla", "lnlstm", "nas"]
)
def test_an_output_that_is_not_carried_is_masked_where_the_step_reads_it(plugins, name):
    cell, x = make(plugins, name, 8, 8), inputs(features=8)
    dropped = RecurrentDropout(cell, 0.5).double().train()
    torch.manual_seed(0)
    noise = dropped.noise(dropped.project(x))
    mask = noise[:, 0, -8:]

    def step(p, state):
        leaves = list(state) if isinstance(state, tuple) else [state]
        masked = [leaves[0] * mask, *leaves[1:]]
        return cell.step(p, tuple(masked) if isinstance(state, tuple) else masked[0])

    torch.manual_seed(0)
    y, _ = dropped(x, dropped.initial_state(B))
    assert close(y, over_time(cell, x, step, cell.initial_state(B))[0])


def test_masks_of_recurrent_dropout(plugins):
    dropped = RecurrentDropout(make(plugins, hidden_size=200), 0.25).train()
    torch.manual_seed(0)
    masks = torch.stack([dropped.noise(torch.zeros(100, 2, 200))[:, 0, -200:] for _ in range(5)])
    assert set(masks.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert (masks == 0).double().mean().item() == pytest.approx(0.25, abs=0.006)
    assert not torch.equal(masks[0], masks[1]) and not torch.equal(masks[0, 0], masks[0, 1])


def test_recurrent_dropout_around_a_step_that_needs_noise(plugins):
    cell = RecurrentDropout(Zoneout(make(plugins), 0.2), 0.3).double().train()
    y, _ = cell(inputs(), cell.initial_state(B))
    assert torch.isfinite(y).all()


def test_recurrent_dropout_around_a_cell_of_another_type(plugins):
    cell = RecurrentDropout(make(plugins).double(), 0.3)
    assert cell(inputs(), cell.initial_state(B))[0].dtype == torch.float64


# -- attention over past outputs


def attended(wrapped, x_BTI, window):
    """Return outputs (B, T, H), step by step, from the initial state."""
    w = {name: parameter.detach().numpy() for name, parameter in wrapped.named_parameters()}
    inner, d, past, outputs = wrapped.cell.initial_state(B), np.zeros((B, H)), [], []
    for t in range(x_BTI.shape[1]):
        x = x_BTI[:, t].numpy() @ w["input.weight"].T + w["input.bias"] + d @ w["mixed.weight"].T
        p = wrapped.cell.project(torch.from_numpy(x)[:, None])[:, 0]
        u, inner = wrapped.cell.step(p, inner)
        u = u.detach().numpy()
        d = np.zeros((B, H))
        if past:
            seen = np.stack(past[-window:], 1)
            asked = (u @ w["query.weight"].T + w["query.bias"])[:, None]
            e = np.exp(np.tanh(seen @ w["key.weight"].T + asked) @ w["score"])
            d = (e[..., None] * seen).sum(1) / e.sum(1)[:, None]
        past.append(np.concatenate([u, d], 1) @ w["output.weight"].T + w["output.bias"])
        outputs.append(past[-1])
    return np.stack(outputs, 1)


@pytest.mark.parametrize("window", [1, 3, 20])
@pytest.mark.parametrize("name", ["gru", "lstm", "mingru", "mlstm"])
def test_attention_is_its_equations(plugins, name, window):
    wrapped = PastAttention(make(plugins, name).double(), window).double()
    with torch.no_grad():
        for parameter in wrapped.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    expected = attended(wrapped, inputs(), window)
    for engine in ("eager", "scan"):
        wrapped.engine = engine
        y, end = wrapped(inputs(), wrapped.initial_state(B))
        assert np.allclose(y.detach().numpy(), expected, rtol=1e-9, atol=1e-9)
    assert traced_step(wrapped).problem == ""
    assert [leaf.shape[:2] for leaf in end[2:]] == [(B, window)] * 3
    half, state = wrapped(inputs()[:, :4], wrapped.initial_state(B))
    rest, _ = wrapped(inputs()[:, 4:], state)
    assert np.allclose(torch.cat((half, rest), 1).detach().numpy(), expected, rtol=1e-9, atol=1e-9)


def test_attention_sees_exactly_the_window(plugins):
    """Outputs before the window change nothing, if the cell itself has no memory."""
    cell = make(plugins, "mingru").double()
    with torch.no_grad():
        cell.input.bias[:H] = 1e9  # all of the state is new at each step
    wrapped, x = PastAttention(cell, 2).double(), inputs()
    with torch.no_grad():
        wrapped.mixed.weight.zero_()  # nor is anything handed on by d
        wrapped.output.weight[:, H:].zero_()
        wrapped.output.weight[:, :H] = torch.eye(H)
    _, end = wrapped(x, wrapped.initial_state(B))
    other = x.clone()
    other[:, : T - 3] += 1
    _, changed = wrapped(other, wrapped.initial_state(B))
    assert close(end[1], changed[1]) and close(end[2], changed[2])
    other[:, T - 3] += 1
    _, changed = wrapped(other, wrapped.initial_state(B))
    assert not close(end[1], changed[1]) and close(end[2], changed[2])


def test_attention_around_noise(plugins):
    """The noise of the wrapped cell is used, sampled once for all steps."""
    inner = Zoneout(RecurrentDropout(make(plugins, "lstm"), 0.2), 0.3)
    wrapped = PastAttention(inner, 3).double().train()
    torch.manual_seed(3)
    p_BTP = wrapped.noise(wrapped.project(inputs()))
    torch.manual_seed(3)
    masks = inner.noise(inner.project(inputs()))[..., 4 * H :]
    assert torch.equal(p_BTP[..., I:], masks) and p_BTP.shape[2] == I + masks.shape[2] and masks.shape[2]
    found = []
    for engine in ("eager", "scan"):
        wrapped.engine = engine
        wrapped.zero_grad()
        torch.manual_seed(3)
        y, _ = wrapped(inputs(), wrapped.initial_state(B))
        y.square().sum().backward()
        found.append([y, *(parameter.grad for parameter in wrapped.parameters())])
    assert all(close(one, other) for one, other in zip(*found, strict=True))
    assert traced_step(wrapped).problem == ""


# -- cells that cannot be wrapped


@pytest.mark.full
@pytest.mark.parametrize("option", ["zoneout=0.1", "recurrent_dropout=0.1", "attention=2"])
def test_whole_sequences_cannot_be_wrapped(cli, words, in_tmp, option):
    name = option.partition("=")[0]
    arguments = ("train", "--corpus", words, "--cell", "transformer", "--steps", 1)
    result = cli(*arguments, "-o", f"model.{option}")
    assert result.code == 2 and result.err.count("\n") == 1 and f"{name} needs a cell written as steps" in result.err
    assert not (in_tmp / "runs").exists()
    assert cli(*arguments, "-o", f"model.{name}=0").code == 0


def test_recurrent_dropout_needs_an_output_in_the_state(cli, words, plugins):
    with pytest.raises(BadOption, match="output is a part of its state") as caught:
        RecurrentDropout(make(plugins, "sru"), 0.1)
    assert str(caught.value).endswith("SRUCell") and "\n" not in str(caught.value)
    result = cli("train", "--corpus", words, "--cell", "sru", "--steps", 1, "-o", "model.recurrent_dropout=0.1")
    assert result.code == 2 and result.err.count("\n") == 1


@pytest.mark.parametrize(
    "assignment", ["zoneout=1", "zoneout=-0.1", "recurrent_dropout=1", "attention=-1", "norm=both", "skip=dense"]
)
def test_impossible_values_are_one_line(cli, words, assignment):
    result = cli("train", "--corpus", words, "--cell", "gru", "--steps", 1, "-o", f"model.{assignment}")
    assert result.code == 2 and result.err.count("\n") == 1 and assignment.split("=")[0] in result.err


# -- wrappers of layers


def normalised(x, layer):
    return layer_normed(x, *(parameter.detach().numpy() for parameter in (layer.weight, layer.bias)))


@pytest.mark.parametrize("norm", ["none", "before", "after"])
@pytest.mark.parametrize("skip", ["none", "residual", "highway"])
@pytest.mark.parametrize("input_size", [H, I])
def test_norm_and_skip_are_their_equations(plugins, norm, skip, input_size):
    cell = make(plugins, input_size=input_size)
    around, x = Around(cell, norm=norm, skip=skip).double(), inputs(features=input_size)
    if skip == "highway":
        assert torch.equal(around.gate.bias, torch.full((H,), -1.0, dtype=torch.float64))
    with torch.no_grad():
        for parameter in around.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    before = torch.from_numpy(normalised(x.numpy(), around.before)) if norm == "before" else x
    expected, end = (tensor.detach().numpy() for tensor in cell(before, cell.initial_state(B)))
    carried = x.numpy()
    if skip != "none" and input_size != H:
        carried = carried @ around.carry.weight.detach().numpy().T
    if skip == "residual":
        expected = carried + expected
    elif skip == "highway":
        g = 1 / (1 + np.exp(-functional.linear(x, around.gate.weight, around.gate.bias).detach().numpy()))
        expected = g * expected + (1 - g) * carried
    expected = normalised(expected, around.after) if norm == "after" else expected
    y, state = around(x, around.initial_state(B))
    assert np.allclose(y.detach().numpy(), expected, rtol=1e-9, atol=1e-9)
    assert np.allclose(state.detach().numpy(), end, rtol=1e-9, atol=1e-9)


def test_a_layer_without_wrappers_is_the_cell_itself(plugins):
    def layers(**options):
        entry = plugins.registry.get("cell", "gru")
        return RecurrentModel(9, lambda i, h: entry.build({}, i, h), hidden=H, layers=3, **options).stack.layers

    assert {type(layer).__name__ for layer in layers()} == {"GRUCell"}
    wrapped = layers(norm="before", skip="highway", zoneout=0.1, recurrent_dropout=0.2, embedding=I)
    assert [layer.input_size for layer in wrapped] == [I, H, H]
    assert all(isinstance(layer, Around) and isinstance(layer.cell, Zoneout) for layer in wrapped)
    assert all(isinstance(layer.cell.cell, RecurrentDropout) for layer in wrapped)
    assert [type(layer) for layer in layers(attention=3)] == [PastAttention] * 3
    (first, *_) = layers(attention=3, zoneout=0.1, skip="residual")
    assert isinstance(first.cell, PastAttention) and first.cell.window == 3 and isinstance(first.cell.cell, Zoneout)
    assert isinstance(wrapped[0].carry, nn.Linear) and isinstance(wrapped[1].carry, nn.Identity)


def test_skip_connections_of_projected_outputs(plugins):
    around = Around(make(plugins, "lstm", input_size=3, projection=3), norm="after", skip="residual").double()
    y, _ = around(inputs(features=3), around.initial_state(B))
    assert y.shape == (B, T, 3) and around.output_size == 3 and isinstance(around.carry, nn.Identity)


@pytest.mark.parametrize("sizes", [(I, H), (H, H)])
def test_a_highway_mixes_under_autocast(plugins, sizes):
    """Where maps are in bfloat16 and states are not."""
    layer, x = Around(make(plugins, "gru", *sizes), norm="none", skip="highway"), torch.randn(B, T, sizes[0])
    expected = layer(x, layer.initial_state(B))[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(x, layer.initial_state(B))[0]
    assert torch.allclose(found.float(), expected, atol=0.05)


class LowRank(seqgen.StepCell):
    """h' = h + up(down(h))."""

    def __init__(self, input_size, hidden_size, *, rank=2):
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.down, self.up = seqgen.Recurrent(hidden_size, rank), seqgen.Recurrent(rank, hidden_size)

    def project(self, x):
        return self.input(x)

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def step(self, p, h):
        h = h + torch.tanh(p + self.up(self.down(h)))
        return h, h


class Carrying(LowRank):
    """h' = h + f(h) by a function that is given."""

    def __init__(self, input_size, hidden_size, inner):
        super().__init__(input_size, hidden_size)
        self.inner, self.whole, self.of_part = inner, seqgen.Recurrent(hidden_size, hidden_size), seqgen.Recurrent(3, H)

    def step(self, p, h):
        h = h + torch.tanh(p + self.inner(self, h))
        return h, h


INNER = {
    "a map of a map": (lambda cell, h: cell.up(cell.down(h)), lambda cell, h: cell.down(h)),
    "of a norm": (lambda cell, h: cell.whole(functional.layer_norm(h, h.shape[-1:])), None),
    "of a part": (lambda cell, h: cell.whole(h) + cell.of_part(h[:, :3]), None),
}


@pytest.mark.parametrize("name", INNER)
@pytest.mark.parametrize("rank", [2, H])
def test_maps_of_what_is_carried_read_it_masked_once(name, rank):
    inner, reading = INNER[name]
    cell = Carrying(I, H, inner)
    cell.down, cell.up = seqgen.Recurrent(H, rank), seqgen.Recurrent(rank, H)
    layer, seen = RecurrentDropout(cell, 0.5).train(), {}
    for key, part in (("down", cell.down), ("up", cell.up), ("whole", cell.whole)):
        part.register_forward_hook(lambda part, given, found, key=key: seen.update({key: (given[0], found)}))
    h = torch.randn(B, H)
    layer.step(layer.noise(layer.project(torch.randn(B, 1, I)))[:, 0], h)
    masked = "down" if reading else "whole"
    given, found = seen[masked]
    unmasked = functional.linear(given, getattr(cell, masked).weight)
    assert not torch.allclose(found, unmasked), "half of what it reads is dropped"
    if reading:
        given, found = seen["up"]
        assert torch.allclose(found, functional.linear(given, cell.up.weight)), "nothing is dropped again"


class Turning(seqgen.StepCell):
    """A complex state that each step turns."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input, self.angles = nn.Linear(input_size, hidden_size), nn.Parameter(torch.randn(hidden_size))

    def project(self, x):
        return self.input(x)

    def initial_state(self, batch_size):
        return torch.complex(self.zeros(batch_size), self.zeros(batch_size))

    def step(self, p, z):
        z = torch.polar(torch.ones_like(self.angles), self.angles) * z + p
        return z.real, z


def test_zoneout_holds_features_of_a_complex_state():
    torch.manual_seed(0)
    layer, x = Zoneout(Turning(I, H), 0.5), torch.randn(B, T, I)
    start = layer.initial_state(B) + 1
    _, after = layer(x[:, :1], start)
    held = after == start
    assert held.any() and not held.all()


class Counting(Turning):
    """A state that is a number of steps."""

    def initial_state(self, batch_size):
        return self.zeros(batch_size).long()

    def step(self, p, n):
        return torch.tanh(p), n + 1


def test_zoneout_needs_features():
    with pytest.raises(seqgen.BadOption, match="real or complex numbers, unlike Counting"):
        Zoneout(Counting(I, H), 0.5)


def test_the_kit_compares_engines_of_a_complex_state():
    check_cell(
        seqgen.CellSpec(name="turning", summary="a rotation", source="none", load=Turning, options="seqgen:Options")
    )


# -- a model with every wrapper, trained and stored


@pytest.mark.full
@pytest.mark.parametrize(("cell", "attention"), one_in(3, map(pytest.param, ["gru", "lstm", "mgu"], [4, 0, 0])))
def test_a_run_with_every_wrapper(words, tmp_path, cell, attention):
    options = {
        "model.attention": attention,
        "model.norm": "before", "model.skip": "highway", "model.zoneout": 0.1, "model.recurrent_dropout": 0.1,
        "eval_every": 20,
    }  # fmt: skip
    run = seqgen.train(
        words, cell=cell, hidden=12, layers=3, embedding=6, batch_size=16, steps=60, lr=0.01, dropout=0.1,
        split="80/10/10", options=options, out=tmp_path / "run",
    )  # fmt: skip
    losses = [row["train_loss_nats"] for row in run.metrics]
    assert all(math.isfinite(loss) for loss in losses) and losses[-1] < losses[0] - 0.2
    how = run.settings.engine.how
    assert (
        len(run.sample(5)) == 5
        and how.startswith("PastAttention" if attention else "Zoneout")
        and how.endswith(" by its traced step")
    )
    scores = [run.score(["anna"])[0].nats for _ in range(2)]
    assert scores[0] == scores[1], "nothing is random in evaluation"

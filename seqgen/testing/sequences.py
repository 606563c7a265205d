"""What cells and models promise of their outputs and states over time.

Dimension letters: B batch, T steps, N places that count.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seqgen.states import map_state, select_rows, structure_difference
from seqgen.testing.check import Subject
from seqgen.testing.layers import B, Layer, T, V, close, copied, layer_of, leaves_of, same, trained

_LENGTHS = (T, 4, 2)  # of the rows of a batch
_CUT = 4


def shapes(subject: Subject) -> None:
    """The output is (B, T, size), whatever B and T are, and its numbers are numbers: of others nothing can be told."""
    layer = layer_of(subject)
    for batch_size, n_steps in ((B, T), (B, 1), (1, T), (1, 1)):
        y, _ = layer.run(layer.inputs(batch_size, n_steps))
        wanted = batch_size, n_steps, layer.size
        assert y.shape == wanted, f"the output is {tuple(y.shape)}, not (B, T, size) = {wanted}"
        assert not y.isnan().any(), "the output holds what is not a number (NaN)"


def one_unit(subject: Subject) -> None:
    """A cell works with one feature and one unit."""
    layer = layer_of(subject, sizes=(1, 1))
    y, _ = layer.run(layer.inputs())
    assert y.shape == (B, T, layer.size), f"with one feature and one unit the output is {tuple(y.shape)}"


def batch_independence(subject: Subject) -> None:
    """A row comes out the same, whatever rows stand beside it."""
    layer = layer_of(subject)
    x = layer.inputs()
    y, _ = layer.run(x)
    for row in range(B):
        alone, _ = layer.run(x[row : row + 1])
        assert close(alone[0], y[row]), "a row depends on the other rows of its batch"


def causality(subject: Subject) -> None:
    """A later input changes no earlier output."""
    layer = layer_of(subject)
    x = layer.inputs()
    y, _ = layer.run(x)
    for cut in (1, _CUT, T - 1):
        changed = torch.cat([x[:, :cut], layer.inputs()[:, cut:]], 1)
        assert close(layer.run(changed)[0][:, :cut], y[:, :cut]), "not causal: a later input changes an earlier output"


def step_equals_sequence(subject: Subject) -> None:
    """One step at a time, as in sampling, gives what the whole sequence gives; so do two pieces."""
    layer = layer_of(subject)
    x = layer.inputs()
    y, end = layer.run(x)
    with torch.inference_mode():
        state = layer.start()
        for t in range(T):
            y_t, state = layer.run(x[:, t : t + 1], state)
            assert close(y_t[:, 0], y[:, t]), f"one step at a time differs at step {t}"
    assert all(map(close, leaves_of(state), leaves_of(end))), "one step at a time ends in another state"
    first, middle = layer.run(x[:, :_CUT])
    second, _ = layer.run(x[:, _CUT:], middle)
    assert close(torch.cat([first, second], 1), y), "a sequence run in two pieces differs"


def state_form(subject: Subject) -> None:
    """A state is nested tuples, lists and dicts of tensors, batch first, and keeps its form; the first one is fixed."""
    layer = layer_of(subject)
    start = layer.start()
    _, end = layer.run(layer.inputs())
    for name, leaves in (("first", leaves_of(start)), ("last", leaves_of(end))):
        for leaf in leaves:
            assert leaf.shape[:1] == (B,), f"a leaf of the {name} state is {tuple(leaf.shape)}, not (B, ...)"
    first, last = structure_difference(start, end) or ("", "")
    assert first == last, f"the last state is nested in another way than the first: {last}, not {first}"
    assert same(leaves_of(layer.start()), leaves_of(start)), "initial_state changes from call to call"


def state_rows(subject: Subject) -> None:
    """Rows of a state can be selected, dropped and doubled, and go on as they would have."""
    layer = layer_of(subject)
    x = layer.inputs()
    y, _ = layer.run(x)
    _, middle = layer.run(x[:, :_CUT])
    rows = torch.tensor([2, 0, 2, 2])
    some, _ = layer.run(x[rows, _CUT:], select_rows(middle, rows))
    assert close(some, y[rows, _CUT:]), "rows of a state that are selected go on in another way"


def state_untouched(subject: Subject) -> None:
    """Neither the state nor the input that it is given is modified."""
    for training in (False, True):
        layer = layer_of(subject, training=training)
        for n_steps in (1, T):
            x, (_, state) = layer.inputs(B, n_steps), layer.run(layer.inputs(B, 2))
            state = map_state(lambda leaf: leaf.detach().clone(), state)
            x_before, before = x.clone(), copied(state)
            for grad in (False, True):
                with torch.set_grad_enabled(grad):
                    layer.run(x, state)
                assert same(leaves_of(state), before), (
                    "modifies the state it is given: make a new tensor, h = h + x and not h += x"
                )
                assert torch.equal(x, x_before), "modifies the input it is given"


def eval_mode(subject: Subject) -> None:
    """In evaluation mode nothing is random."""
    layer = layer_of(subject)
    x = layer.inputs()
    with torch.no_grad():
        outputs = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            state = torch.get_rng_state()
            outputs.append(layer.run(x)[0])
            assert torch.equal(torch.get_rng_state(), state), "draws random numbers in evaluation mode"
    assert torch.equal(*outputs), "gives other outputs in evaluation mode each time"


def padding(subject: Subject) -> None:
    """What stands after a row's end changes neither what comes before nor any gradient, while training."""
    layer = layer_of(subject, training=True)
    if hasattr(layer.module, "learn"):
        _padding_of_counts(subject)
        return
    inside_BT = torch.arange(T) < torch.tensor(_LENGTHS)[:, None]
    x, other = layer.inputs(), layer.inputs()
    apart = inside_BT if not layer.n_features else inside_BT[..., None]
    found, expected = (_at_ends(layer, torch.where(apart, x, rest), inside_BT) for rest in (other, x))
    assert close(found.pop("output"), expected.pop("output")), "what stands after a row's end changes its outputs"
    for name, gradient in expected.items():
        assert close(found[name], gradient), f"what stands after a row's end changes the gradient of {name}"


def _at_ends(layer: Layer, x: Tensor, inside_BT: Tensor) -> dict[str, Tensor]:
    """The outputs within the rows, and the gradients of a loss of these only."""
    torch.manual_seed(1)
    x = x.clone().requires_grad_(bool(layer.n_features))
    parameters = trained(layer)
    y_N = layer.run(x)[0][inside_BT]
    loss = (y_N * torch.linspace(-1, 1, y_N.numel(), dtype=y_N.dtype).view_as(y_N)).sum()
    wanted = parameters | ({"the input": x} if layer.n_features else {})
    gradients = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True)
    found = {
        name: torch.zeros_like(wanted[name]) if g is None else g for name, g in zip(wanted, gradients, strict=True)
    }
    return {"output": y_N.detach()} | found


def _padding_of_counts(subject: Subject) -> None:
    """A model that counts must not count what stands after a row's end, where the target is 0."""
    states = []
    ids_BT, targets_BT = torch.randint(1, V, (B, T)), torch.randint(1, V, (B, T))
    for other in (0, 1):
        inside_BT = torch.arange(T) < torch.tensor(_LENGTHS)[:, None]
        layer = layer_of(subject)
        layer.module.learn(torch.where(inside_BT, ids_BT, other), targets_BT * inside_BT)  # type: ignore[operator]
        states.append(layer.module.state_dict().values())
    assert same(*states), "counts what stands after a row's end"

"""Traces live as long as their cell and follow its changes; a batch leaves nothing in memory.

The cells here take part in whatever happens to modules: weights are frozen, replaced, moved, loaded and copied.
"""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref

import pytest
import torch
from torch import nn

import seqgen
from over_time import B, H, I, Plain, batch, build, check, many, one, results
from seqgen.engine import loop_runner
from seqgen.engine.plan_runner import traced_step
from seqgen.model import RecurrentModel

Direct = one(lambda c, p, q, h: torch.tanh(p + c.recurrent(h) * c.vector + c.buffer * q))


def counted():
    """Return a traced cell that counts the calls of its step."""
    cell = build(Direct)
    results(cell, "scan", batch())
    assert traced_step(cell).problem == ""
    cell.calls = 0
    return cell


# -- when a step is traced


def test_each_batch_size_is_traced_once():
    cell = counted()
    for rows in (1, 3):
        results(cell, "scan", batch(rows))
    assert 0 < cell.calls < 10
    cell.calls = 0
    for rows, steps in ((B, 7), (1, 2), (3, 9), (B, 1), (3, 4)):
        results(cell, "scan", batch(rows, steps))
    assert cell.calls == 0


def test_training_and_evaluation_have_traces_of_their_own():
    cell = build(one(lambda c, p, q, h: torch.tanh(p + h) * (2.0 if c.training else 1.0)))
    for _ in range(2):
        check(cell.train(), batch())
        check(cell.eval(), batch())


def test_without_a_gradient_nothing_is_traced():
    cell = counted()
    with torch.no_grad():
        cell(batch(), cell.initial_state(B))
    assert cell.calls == 7


def test_two_layers_of_one_cell_have_traces_of_their_own():
    def step(cell, p, state):
        h = torch.tanh(p[:, :6] * cell.vector + cell.recurrent(state))
        return h, h

    form = many(step, Plain.initial_state)
    torch.manual_seed(0)
    stack = seqgen.Stack([form(5, 6).double(), form(6, 6).double()])
    x, found = batch(), []
    for engine in ("eager", "scan"):
        stack.zero_grad()
        for cell in stack.layers:
            cell.engine = engine
        stack(x, stack.initial_state(B))[0].square().sum().backward()
        found.append([cell.vector.grad.clone() for cell in stack.layers])
    for expected, got in zip(*found, strict=True):
        assert torch.allclose(got, expected, rtol=1e-9)


# -- a cell that changes


def freeze(cell):
    cell.vector.requires_grad_(False)
    cell.recurrent.weight.requires_grad_(False)


def replace_parameter(cell):
    cell.vector = nn.Parameter(3 * cell.vector.detach())


def replace_weight(cell):
    cell.recurrent.weight = nn.Parameter(cell.recurrent.weight.detach().neg())


def replace_buffer(cell):
    cell.buffer = 3 * cell.buffer


def load_assigned(cell):
    cell.load_state_dict({name: 2 * tensor for name, tensor in cell.state_dict().items()}, assign=True)


def load(cell):
    cell.load_state_dict({name: 2 * tensor for name, tensor in cell.state_dict().items()})


def descend(cell):
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter -= 0.1 * torch.ones_like(parameter)


CHANGES = [descend, load, freeze, replace_parameter, replace_weight, replace_buffer, load_assigned]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_cell_that_has_changed_is_computed_as_it_is_now(change):
    cell = build(Direct)
    check(cell, batch())
    change(cell)
    check(cell, batch())
    assert traced_step(cell).problem == ""


def test_a_parameter_that_was_frozen_gets_its_gradient_once_it_is_not():
    cell = build(Direct)
    freeze(cell)
    check(cell, batch())
    for parameter in cell.parameters():
        parameter.requires_grad_(True)
    check(cell, batch())


def test_a_cell_may_change_its_type_and_back():
    cell = build(Direct)
    check(cell, batch())
    check(cell.float(), batch().float())
    check(cell.double(), batch())
    assert traced_step(cell).problem == ""


def test_a_step_untraceable_in_one_dtype_is_traced_in_another():
    """As when a dtype is tried and not used."""
    cell = build(Plain).float()
    check(cell, batch().float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        results(cell, "scan", batch().float())  # the state comes back in another type than it began with
    check(cell, batch().float())
    assert traced_step(cell).problem == ""


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda cell: pickle.loads(pickle.dumps(cell))])
def test_a_copy_is_traced_anew(copied, plugins):
    cell = plugins.registry.get("cell", "lnlstm").build({}, 5, 6).double()
    check_calls = lambda cell: results(cell, "scan", batch())  # noqa: E731
    check_calls(cell)
    twin = copied(cell)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.mul_(2)
    expected, found = results(twin, "eager", batch()), results(twin, "scan", batch())
    assert torch.allclose(found["y"], expected["y"], rtol=1e-9)
    assert not torch.allclose(found["y"], check_calls(cell)["y"], rtol=1e-3)


def test_threads_do_not_trace_into_one_another():
    problems = []

    def work(seed):
        try:
            torch.manual_seed(seed)
            cell = Direct().double()
            for rows in range(1, 12):
                check(cell, batch(rows))
            assert traced_step(cell).problem == ""
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


# -- memory


def live_tensors():
    return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())


@pytest.mark.full
def test_training_does_not_accumulate_tensors(plugins):
    entry = plugins.registry.get("cell", "lstm")
    model = RecurrentModel(9, lambda i, h: entry.build({}, i, h), hidden=7, layers=2, zoneout=0.1, dropout=0.1)

    def learn(number):
        ids = torch.randint(9, (8 if number % 5 else 3, 2 + 7 * number % 13))
        model.zero_grad()
        model(ids, model.initial_state(len(ids)))[0].square().mean().backward()

    for number in range(10):
        learn(number)
    gc.collect()
    before = live_tensors(), len(gc.get_objects())
    for number in range(50):
        learn(number)
    gc.collect()
    assert live_tensors() <= before[0]
    assert len(gc.get_objects()) - before[1] < 100


@pytest.mark.full
def test_a_batch_is_freed_with_its_loss_without_the_garbage_collector():
    cell, x = build(Direct), batch().requires_grad_()
    results(cell, "scan", x)
    gc.collect()
    gc.disable()
    try:
        before = live_tensors()
        y, end = cell(x, cell.initial_state(B))
        assert live_tensors() > before + 7  # what the derivative needs of every step
        del y, end
        assert live_tensors() == before
        cell(x, cell.initial_state(B))[0].sum().backward()
        assert live_tensors() <= before + 1 + len(list(cell.parameters()))  # the gradients
    finally:
        gc.enable()


@pytest.mark.full
@pytest.mark.parametrize("name", ["gru", "lnlstm"])
def test_a_deleted_model_is_freed_with_its_traces(plugins, name):
    entry = plugins.registry.get("cell", name)
    gc.collect()
    before = live_tensors()
    model = RecurrentModel(9, lambda i, h: entry.build({}, i, h), hidden=7)
    model(torch.randint(9, (3, 4)), model.initial_state(3))[0].sum().backward()
    traced, cell = weakref.ref(traced_step(model.stack.layers[0])), weakref.ref(model.stack.layers[0])
    assert traced() is not None and cell() is not None
    del model
    gc.collect()
    assert cell() is None and traced() is None
    assert live_tensors() == before


def test_a_loop_that_overwrites_saved_values_is_not_used(monkeypatch):
    """The loop that may overwrite the projection is verified too."""
    sound = loop_runner.reuse_memory

    def careless(operations, buffers, live_out, trace, *, overwritable=(), **options):
        live_out = set(live_out) - set(overwritable)
        return sound(operations, buffers, live_out, trace, overwritable=overwritable, **options)

    cell = build(many(lambda c, p, h: (torch.tanh(p * torch.sigmoid(p + c.recurrent(h))),) * 2, Plain.initial_state))
    cell.input = nn.Linear(I, H).double()
    check(cell, batch())
    assert traced_step(cell).problem == ""
    monkeypatch.setattr(loop_runner, "reuse_memory", careless)
    again = copy.deepcopy(cell)
    check(again, batch())
    assert "where it overwrites its input" in traced_step(again).problem

"""Optimizer steps read no value from the device, and a step that is not finite is still found."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import seqgen
from conftest import WORDS, plugins_with
from seqgen.batches import encode
from seqgen.cells import use_engine
from seqgen.corpus import Record, Splitter
from seqgen.errors import Diverged
from seqgen.evaluation import penalty, total_nats
from seqgen.model import RecurrentModel
from seqgen.tokenizers import CharTokenizer, Vocabulary
from seqgen.training import trainer
from seqgen.training.optimizer import AdamW
from seqgen.training.train_step import TrainStep, read_losses

VOCABULARY = Vocabulary(CharTokenizer.fit(WORDS))
TRAIN = encode(map(Record, WORDS), VOCABULARY, Splitter((1.0, 0.0, 0.0)))["train"]


class Fragile(seqgen.StepCell):
    """A leaky sum whose output is multiplied by ``factor`` in the numbered batches."""

    bad: frozenset[int] = frozenset()
    factor = math.nan

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.batches = 0

    def initial_state(self, batch_size):
        return self.zeros(batch_size)

    def project(self, x_BTI):
        return self.input(x_BTI)

    def noise(self, p_BTP):
        self.batches += self.training
        return p_BTP * (self.factor if self.training and self.batches in self.bad else 1.0)

    def step(self, p_BP, state):
        h_BH = 0.5 * state + p_BP
        return h_BH, h_BH


def fragile(bad, factor=math.nan):
    return type("Fragile", (Fragile,), {"bad": frozenset(bad), "factor": factor})


def descent_of(make_cell, **options):
    torch.manual_seed(0)
    model = RecurrentModel(VOCABULARY.size, make_cell, hidden=7, embedding=5)
    settings = {"weight_decay": 0.01, "clip_norm": 1.0, "precision": "float32", **options}
    return model, TrainStep(model, penalty(VOCABULARY), **settings)


def batches(n):
    random = np.random.default_rng(0)
    return [TRAIN.take(random.integers(0, len(TRAIN), 6)) for _ in range(n)]


def numbers(model):
    return [parameter.detach().clone() for parameter in model.parameters()]


def same(one, other):
    return all(torch.equal(tensor, twin) for tensor, twin in zip(one, other, strict=True))


def test_a_state_of_more_parts_than_the_models_is_refused():
    _, descent = descent_of(fragile(()), carries=True)
    saved = {**descent.state(), "carried.0": torch.ones(6, 7)}
    descent.load(saved)
    assert torch.equal(descent.state()["carried.0"], torch.ones(6, 7))
    with pytest.raises(RuntimeError, match="the state it carries has shapes"):
        descent.load({**saved, "carried.1": torch.ones(6, 7)})


# -- good steps


def test_the_losses_read_are_those_of_the_steps():
    model, train_step = descent_of(Fragile)
    twin, _ = descent_of(Fragile)
    taken, expected = [], []
    for number, batch in enumerate(batches(5), 1):
        twin.load_state_dict(model.state_dict())
        expected.append(total_nats(twin, batch, penalty(VOCABULARY)).item())
        taken.append(train_step.run(number, 0.01, batch))
    assert read_losses(taken) == pytest.approx(expected, rel=1e-6)
    assert read_losses(taken[3:]) == read_losses(taken)[3:]


def test_a_step_is_adamw_on_the_mean_of_the_targets():
    model, train_step = descent_of(Fragile, clip_norm=0.0)
    twin, _ = descent_of(Fragile)
    theirs = torch.optim.AdamW(
        [{"params": [p for p in twin.parameters() if (p.ndim > 1) is matrix], "weight_decay": 0.01 * matrix}
         for matrix in (True, False)], lr=0.01,
    )  # fmt: skip
    for number, batch in enumerate(batches(5), 1):
        train_step.run(number, 0.01, batch)
        theirs.zero_grad()
        (total_nats(twin, batch, penalty(VOCABULARY)) / batch.n_targets).backward()
        theirs.step()
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("engine", ["fused", "scan", "eager"])
def test_hooks_of_parameters_and_modules_are_called(plugins, engine):
    entry = plugins.registry.get("cell", "gru")
    model, train_step = descent_of(lambda i, h: entry.build({}, i, h))
    use_engine(model, engine)
    (cell,) = [module for module in model.modules() if isinstance(module, seqgen.StepCell)]
    seen = []
    cell.register_forward_hook(lambda *_: seen.append("cell"))
    cell.recurrent.weight.register_hook(lambda gradient: gradient * 0)
    model.head.bias.register_post_accumulate_grad_hook(lambda _: seen.append("bias"))
    train_step.differentiate(batches(1)[0])
    assert sorted(seen) == ["bias", "cell"]
    assert not cell.recurrent.weight.grad.any() and cell.input.weight.grad.any()


class Reads(TorchDispatchMode):
    """A mode that counts how often Python reads the value of a tensor."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("engine", ["fused", "scan", "eager"])
@pytest.mark.parametrize("cell", ["lstm", "lnlstm", "mingru", "transformer"])
def test_steps_read_no_value_from_the_device(plugins, cell, engine):
    entry = plugins.registry.get("cell", cell)
    model, train_step = descent_of(lambda i, h: entry.build({}, i, h))
    use_engine(model, engine)
    train_step.run(1, 0.01, batches(1)[0])
    with Reads() as reads:
        taken = [train_step.run(number, 0.01, batch) for number, batch in enumerate(batches(9), 2)]
        assert reads.count == 0
        assert bool(taken[0].nats > 0) and reads.count == 1  # it does count


def test_a_run_reads_losses_at_evaluations_and_every_few_steps(words, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "_PROGRESS_EVERY_S", 1e9)
    sizes, plain = [], trainer.read_losses
    monkeypatch.setattr(trainer, "read_losses", lambda taken, *more: sizes.append(len(taken)) or plain(taken, *more))
    seqgen.train(words, cell="vanilla", hidden=4, steps=100, options={"eval_every": 50}, out=tmp_path / "run")
    assert [size for size in sizes if size] == [32, 18, 32, 18]


# -- bad steps


@pytest.mark.parametrize("factor", [math.nan, math.inf, 1e30])
def test_a_bad_step_is_found_and_not_taken(factor):
    """With 1e30 the loss is finite, and its gradient is not."""
    model, train_step = descent_of(fragile(range(4, 99), factor))
    taken, before = [], []
    for number, batch in enumerate(batches(8), 1):
        before.append([*numbers(model), *(tensor.clone() for tensor in train_step.optimizer.state().values())])
        taken.append(train_step.run(number, 0.01, batch))
    assert not same(before[3], before[2])
    after = [*numbers(model), *train_step.optimizer.state().values()]
    assert same(after, before[3]), "the parameters and moments are those before step 4"
    assert len(read_losses(taken[:3])) == 3
    with pytest.raises(
        Diverged, match=r"^step 4: the loss is .* the step was not taken\. The learning rate is 0\.01"
    ) as caught:
        read_losses(taken)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 6


@pytest.mark.parametrize(("factor", "what"), [(math.nan, "output"), (math.inf, "output"), (1e30, "gradient")])
def test_the_learning_rate_is_not_blamed_for_the_first_step(factor, what):
    """No step has changed the weights yet."""
    model, train_step = descent_of(fragile(range(1, 99), factor))
    before = numbers(model)
    taken = [train_step.run(number, 0.01, batch) for number, batch in enumerate(batches(3), 1)]
    assert same(numbers(model), before)
    with pytest.raises(
        Diverged, match=f"^step 1: the loss is .* The model's {what} was not finite before any"
    ) as caught:
        read_losses(taken)
    assert "lower" not in str(caught.value) and "check the cell and the data" in str(caught.value)
    assert caught.value.exit_code == 6 and caught.value.step == 1


def test_steps_after_a_bad_one_change_nothing_either():
    """As ``read_losses`` documents, also if later batches are finite."""
    model, train_step = descent_of(fragile({2}))
    taken = [train_step.run(1, 0.01, batches(1)[0])]
    before = numbers(model)
    taken += [train_step.run(number, 0.01, batch) for number, batch in enumerate(batches(3), 2)]
    with pytest.raises(Diverged, match="step 2"):
        read_losses(taken)
    assert same(numbers(model), before)


@pytest.mark.parametrize("fused", [True, False])
def test_a_refused_step_changes_nothing(fused):
    layer = nn.Linear(3, 2)
    optimizer = AdamW(layer.named_parameters(), 0.1, fused=fused)
    for parameter in layer.parameters():
        parameter.grad = torch.full_like(parameter, math.nan)
    before = numbers(layer)
    optimizer.step(1, 0.1, torch.tensor(1.0))
    assert same(numbers(layer), before) and not any(tensor.any() for tensor in optimizer.state().values())
    for parameter in layer.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step(2, 0.1, torch.tensor(0.0))
    assert all((one != other).all() for one, other in zip(numbers(layer), before, strict=True))


class OfShortWords(Fragile):
    """Its outputs are not finite in a batch with a long record."""

    def noise(self, p_BTP):
        return p_BTP * (math.nan if self.training and p_BTP.shape[1] > 20 else 1.0)


def test_the_records_of_the_batch_that_was_not_finite_are_named(words, tmp_path):
    words.write_text("\n".join([*WORDS, "anna" * 6]))
    plugins = plugins_with(seqgen.CellSpec(name="short", summary="s", load=OfShortWords))
    with pytest.raises(Diverged, match="its batch: records of the corpus") as caught:
        seqgen.train(words, cell="short", hidden=4, batch_size=4, steps=10, split="none", plugins=plugins,
                     options={"samples": 0, "blend": "none"}, out=tmp_path / "run")  # fmt: skip
    assert caught.value.batch_indices == (len(WORDS),), "records of about the same length make a batch"


@pytest.mark.parametrize("bad", [{9}, {14}, {34}, {35}, {42}, {62}])
def test_a_run_with_one_bad_batch_ends_at_it(words, tmp_path, bad):
    """For every position between two readings; the first two are trials before the run, of the cell and of a batch."""
    (number,) = bad
    plugins = plugins_with(seqgen.CellSpec(name="fragile", summary="s", load=fragile(bad)))
    with pytest.raises(Diverged, match=f"^step {number - 2}: the loss is nan"):
        seqgen.train(
            words, cell="fragile", hidden=4, batch_size=8, steps=60, split="80/10/10",
            options={"eval_every": 20, "samples": 0}, plugins=plugins, out=tmp_path / "run",
        )  # fmt: skip
    kept = seqgen.load(tmp_path / "run", plugins=plugins).folder.load_latest(pytest.fail) if number > 22 else None
    assert (0 if kept is None else kept.state["step"]) == (number - 3) // 20 * 20
    assert kept is None or all(torch.isfinite(tensor).all() for tensor in kept.model.values())
    assert kept is not None or not list((tmp_path / "run").rglob("model.safetensors"))

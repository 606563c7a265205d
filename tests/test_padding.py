"""Padding changes neither loss nor gradient nor counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import seqgen
from conftest import WORDS
from seqgen.batches import encode
from seqgen.cells import choose_padding, use_engine
from seqgen.corpus import Record, Splitter
from seqgen.evaluation import held_out_loss, penalty, score, total_nats
from seqgen.model import RecurrentModel
from seqgen.tokenizers import PAD, CharTokenizer, Vocabulary
from seqgen.training import Progress
from seqgen.training.train_step import TrainStep

VOCABULARY = Vocabulary(CharTokenizer.fit(WORDS))
TEXTS = ["a", "ben", "dora", "emilia", "anna", "stefan", "u"]


def encoded(texts):
    return encode([Record(text) for text in texts], VOCABULARY, Splitter((1.0, 0.0, 0.0)))["train"]


def model_of(plugins, cell="gru", **options):
    torch.manual_seed(0)
    entry = plugins.registry.get("cell", cell)
    return RecurrentModel(
        VOCABULARY.size, lambda i, h: entry.build({}, i, h), hidden=7, embedding=5, **options
    ).double()


def loss_and_gradient(model, batch):
    model.zero_grad()
    nats = total_nats(model, batch, penalty(VOCABULARY).double())
    nats.backward()
    return nats.item(), [parameter.grad.clone() for parameter in model.parameters()]


def assert_same(one, other):
    assert one[0] == pytest.approx(other[0], rel=1e-12)
    for gradient, twin in zip(one[1], other[1], strict=True):
        assert torch.allclose(gradient, twin, rtol=1e-9, atol=1e-12)


@given(st.lists(st.text("abn", max_size=20), min_size=1, max_size=12), st.integers(0, 20))
def test_positions_are_those_of_the_targets(texts, more):
    part = encoded(texts)
    batch = part.take(np.arange(len(texts)), pad=lambda n_steps: n_steps + more)
    assert batch.ids_BT.shape == batch.targets_BT.shape == (len(texts), max(map(len, texts)) + 1 + more)
    there = (batch.targets_BT.t().flatten() != PAD).nonzero().flatten()
    n_targets = sum(map(len, texts)) + len(texts)
    assert batch.n_targets == n_targets == len(there)
    assert (batch.n_chars, batch.n_records) == (sum(map(len, texts)), len(texts))
    assert (batch.at_N is not None) == (n_targets < 0.9 * batch.targets_BT.numel())
    if batch.at_N is not None:
        assert torch.equal(batch.at_N, there)
    plain = part.take(np.arange(len(texts)))
    steps = plain.ids_BT.shape[1]
    assert torch.equal(batch.ids_BT[:, :steps], plain.ids_BT) and torch.equal(
        batch.targets_BT[:, :steps], plain.targets_BT
    )
    assert not batch.ids_BT[:, steps + 1 :].any() and not batch.targets_BT[:, steps:].any()  # an end has no target


@pytest.mark.parametrize("cell", ["gru", "lstm", "mingru", "transformer", "qrnn", "mlstm", "tcn"])
@pytest.mark.parametrize("options", [{}, {"layers": 2, "norm": "before", "skip": "residual", "tie": True}])
def test_loss_and_gradient_do_not_depend_on_the_layout_of_a_batch(plugins, cell, options):
    """With positions or without, padded or not, alone or together."""
    model, part = model_of(plugins, cell, **options), encoded(TEXTS)
    rows = np.arange(len(TEXTS))
    batch = part.take(rows)
    assert batch.at_N is not None
    expected = loss_and_gradient(model, batch)
    assert_same(loss_and_gradient(model, batch._replace(at_N=None)), expected)
    for more in (1, 5, 40):
        assert_same(loss_and_gradient(model, part.take(rows, pad=lambda n_steps: n_steps + more)), expected)  # noqa: B023
    alone = [loss_and_gradient(model, part.take(rows[at : at + 1])) for at in rows]
    total = sum(nats for nats, _ in alone), [sum(grads) for grads in zip(*(grads for _, grads in alone), strict=True)]
    assert_same(total, expected)
    assert expected[0] == pytest.approx(sum(one.nats for one in score(model, VOCABULARY, TEXTS)), rel=1e-5)
    assert held_out_loss(model, part, penalty(VOCABULARY).double()).loss_nats == pytest.approx(
        expected[0] / batch.n_targets
    )


def test_padding_changes_no_gradient_under_noise(plugins):
    """The masks of one layer of noise are sampled time first."""
    model, part = model_of(plugins, zoneout=0.3, recurrent_dropout=0.2), encoded(TEXTS)
    found = []
    for pad in (None, lambda n_steps: n_steps + 3):
        torch.manual_seed(4)
        found.append(loss_and_gradient(model.train(), part.take(np.arange(len(TEXTS)), pad=pad)))
    assert_same(*found)


@pytest.mark.parametrize("engine", ["fused", "scan", "eager"])
@pytest.mark.parametrize("cell", ["gru", "lnlstm", "transformer"])
def test_padding_changes_no_mask_of_a_step(plugins, cell, engine):
    """Dropout between layers and before the head, zoneout, and the dropout of a cell are drawn one after the other."""
    part, rows = encoded(TEXTS), np.arange(len(TEXTS))
    options = {} if cell == "transformer" else {"zoneout": 0.3}
    found = []
    for more in (0, 5):
        model = model_of(plugins, cell, layers=2, dropout=0.4, **options).float()
        use_engine(model, engine)
        for layer in model.modules():
            if type(layer).__name__ == "LNLSTMCell":
                layer.dropout.share = 0.2
        step = TrainStep(model, penalty(VOCABULARY), weight_decay=0.0, clip_norm=0.0, precision="float32")
        batch = part.take(rows, pad=lambda n_steps: n_steps + more)  # noqa: B023
        assert (batch.n_steps is None) == (more == 0)
        result = step.run(1, 0.01, batch, seed=4)
        found.append((float(result.nats), [parameter.grad.clone() for parameter in model.parameters()]))
    (nats, gradients), (padded_nats, padded_gradients) = found
    assert padded_nats == pytest.approx(nats, rel=1e-5)
    for gradient, padded in zip(gradients, padded_gradients, strict=True):
        assert torch.allclose(gradient, padded, atol=1e-5)


@given(st.integers(1, 100))
def test_batches_are_padded_to_chunks_where_it_pays(n_steps):
    padded = choose_padding("compiled", n_steps)
    assert n_steps <= padded <= n_steps + 3
    assert padded == n_steps or padded % 8 == 0
    assert padded % 8 < 5
    assert all(choose_padding(engine, n_steps) == n_steps for engine in ("fused", "scan", "eager"))


def test_tokens_are_targets(tmp_path, monkeypatch):
    """In the metrics that are shown and logged; half of this corpus would be padding."""
    monkeypatch.setattr("seqgen.training.trainer._PROGRESS_EVERY_S", 0.0)  # an event a step
    corpus = tmp_path / "c.txt"
    corpus.write_text("a\nabababababab\n" * 8)
    rates = []

    def listen(folder, event):
        if isinstance(event, Progress) and event.step:
            rates.append(event.tokens_per_s * event.elapsed_s / event.step)

    run = seqgen.train(
        corpus, cell="vanilla", hidden=4, batch_size=16, steps=20, split="none", listener=listen, out=tmp_path / "run"
    )
    n_targets = 8 * (1 + 1) + 8 * (12 + 1)
    assert rates and all(rate == pytest.approx(n_targets, rel=0.01) for rate in rates)
    last = run.metrics[-1]
    bits = last["train_loss_nats"] * n_targets / np.log(2) / (8 * 13 + 16)
    assert last["train_bits_per_char"] == pytest.approx(bits)

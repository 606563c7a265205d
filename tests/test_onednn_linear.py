"""Products with wide matrices use oneDNN's packed layout where torch has it, with the same numbers."""

from __future__ import annotations

import contextlib
import functools

import pytest
import torch

from conftest import registered
from over_time import assert_agree, results
from seqgen.config import SampleConfig
from seqgen.engine import onednn_linear
from seqgen.model import RecurrentModel
from seqgen.sampling import Sampler
from seqgen.tokenizers import Vocabulary
from seqgen.tokenizers.char import CharTokenizer

ENTRIES = {entry.spec.name: entry for entry in registered("cell")}
STEPS = onednn_linear._MIN_PRODUCTS + 1


@pytest.mark.parametrize("times", [1, STEPS])
@pytest.mark.parametrize("turned", [False, True])
def test_a_multiplier_multiplies(times, turned):
    torch.manual_seed(0)
    weight_IO = torch.randn(30, 20).t() if turned else torch.randn(20, 30)
    times_weight = onednn_linear.multiplier(weight_IO, 7, times)
    for n_rows in (7, 1, 12):
        x_BI = torch.randn(n_rows, 20)
        assert (times_weight(x_BI) - x_BI @ weight_IO).abs().max() < 1e-4


def test_it_is_used_where_torch_has_it():
    if not torch.backends.mkldnn.is_available():
        pytest.skip("torch was built without oneDNN")
    assert onednn_linear.is_available()


@pytest.mark.parametrize("available", [True, False])
@pytest.mark.parametrize("cell", ["vanilla", "gru", "ugrnn", "nas"])
def test_wide_steps_agree_with_plain_ones(cell, available, monkeypatch):
    if not available:
        monkeypatch.setattr(onednn_linear, "is_available", lambda: False)
    asked = []
    multiplier = onednn_linear.multiplier

    def noted(weight_IO, n_rows, times):
        asked.append((weight_IO.numel(), n_rows, times))
        return multiplier(weight_IO, n_rows, times)

    monkeypatch.setattr("seqgen.engine.codegen.multiplier", noted)
    hidden = 370
    torch.manual_seed(0)
    made = ENTRIES[cell].build({}, 8, hidden)
    x_BTI = torch.randn(3, STEPS, 8)
    expected = results(made, "eager", x_BTI)
    assert not asked
    assert_agree(results(made, "scan", x_BTI), expected)
    whole = [numel for numel, n_rows, times in asked if times == STEPS]
    assert len(whole) == 2 and all(numel >= onednn_linear.WIDE for numel in whole)  # forward and backward


def test_other_dtypes_and_narrow_matrices_are_multiplied_by_torch(monkeypatch):
    monkeypatch.setattr(onednn_linear, "pack", lambda *_: pytest.fail("no oneDNN here"))
    weight_IO, x_BI = torch.randn(2, 20, 30, dtype=torch.float64)[0], torch.randn(4, 20, dtype=torch.float64)
    assert torch.equal(onednn_linear.multiplier(weight_IO, 4, STEPS)(x_BI), x_BI @ weight_IO)


# -- sampling


def wide_sampler(width):
    torch.manual_seed(0)
    vocabulary = Vocabulary(CharTokenizer("abcdefgh"))
    make = functools.partial(ENTRIES["lstm"].build, {})
    model = RecurrentModel(vocabulary.size, make, hidden=200, layers=2, embedding=8)
    settings = SampleConfig(max_length=12, batch_size=width)
    return Sampler(model, vocabulary, settings)


def test_rows_of_a_wide_model_do_not_depend_on_how_many_are_sampled():
    many, few = (list(wide_sampler(width).take(200)) for width in (224, 32))
    assert few == many and list(wide_sampler(64).take(10)) == many[:10]
    assert len({row.text for row in many}) > 150


def test_rows_of_a_wide_model_come_from_its_distribution(monkeypatch):
    quick = [row.text for row in wide_sampler(224).take(200)]
    monkeypatch.setattr("seqgen.sampling.decoder.FastOps", contextlib.nullcontext)
    plain = [row.text for row in wide_sampler(224).take(200)]
    assert sum(a == b for a, b in zip(quick, plain, strict=True)) >= 198  # the same draws, up to rounding

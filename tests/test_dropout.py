"""Dropout with masks of random bits: values of a mask, features and gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from seqgen.cells import Dropout
from seqgen.cells.cell import dropout_mask

TYPES = [torch.float32, torch.float64, torch.bfloat16]


def mask(share, *shape, dtype=torch.float32, seed=0):
    torch.manual_seed(seed)
    return dropout_mask(torch.empty(*shape, dtype=dtype), share)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_the_share_of_zeros_and_the_mean(share):
    sampled = mask(share, 1000, 1000)
    assert sorted(sampled.unique().tolist()) == pytest.approx([0.0, 1 / (1 - share)], rel=0.002)
    deviation = (share * (1 - share) / 1e6) ** 0.5
    assert (sampled == 0).double().mean().item() == pytest.approx(share, abs=1 / 65_536 + 5 * deviation)
    assert sampled.double().mean().item() == pytest.approx(1, abs=5 * deviation / (1 - share))


@example(1 - 1e-6, [40, 5])
@given(st.floats(0, 1, exclude_max=True), st.lists(st.integers(0, 7), min_size=1, max_size=3))
def test_a_mask_of_any_share_and_shape(share, shape):
    sampled = mask(share, *shape)
    assert sampled.shape == tuple(shape) and sampled.is_contiguous()
    assert torch.isfinite(sampled).all()
    for value in sampled.unique().tolist():
        assert value == 0 or 1 - 1 / value == pytest.approx(share, abs=1 / 65_536)


def test_features_are_dropped_independently():
    """Neighbouring steps, rows or features are not dropped together more often than by chance."""
    zeros = (mask(0.3, 60, 60, 60) == 0).double() - 0.3
    for dim in range(3):
        for apart in (1, 2, 3, 4):
            one, other = zeros.narrow(dim, 0, 60 - apart), zeros.narrow(dim, apart, 60 - apart)
            assert abs((one * other).mean().item()) < 5 * 0.21 / one.numel() ** 0.5


def test_a_seed_reproduces_its_mask():
    assert torch.equal(mask(0.5, 9, 5, seed=1), mask(0.5, 9, 5, seed=1))
    assert not torch.equal(mask(0.5, 9, 5, seed=1), mask(0.5, 9, 5, seed=2))
    torch.manual_seed(1)
    one, other = dropout_mask(torch.empty(9, 5), 0.5), dropout_mask(torch.empty(9, 5), 0.5)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("dtype", TYPES)
def test_a_mask_in_every_type(dtype):
    sampled = mask(0.25, 40, 50, dtype=dtype)
    assert sampled.dtype == dtype
    assert torch.equal(sampled != 0, mask(0.25, 40, 50) != 0)
    assert sampled.max().item() == pytest.approx(1 / 0.75, rel=torch.finfo(dtype).eps)


@pytest.mark.parametrize("layer", [Dropout(0.0).train(), Dropout(0.0).eval(), Dropout(0.7).eval()])
def test_nothing_is_dropped_without_a_share_or_in_evaluation_mode(layer):
    x, state = torch.randn(3, 4, 5), torch.get_rng_state()
    assert layer(x) is x and torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("dtype", TYPES)
def test_features_and_gradients_are_scaled_by_the_same_mask(dtype):
    x = torch.randn(3, 40, 50, dtype=dtype, requires_grad=True)
    kept = x.detach().clone()
    torch.manual_seed(3)
    y = Dropout(0.4).train()(x)
    y.backward(torch.ones_like(y))
    sampled = x.grad
    assert y.dtype == sampled.dtype == dtype and torch.equal(x, kept)
    assert torch.equal(y, x * sampled)
    assert (sampled == 0).double().mean().item() == pytest.approx(0.4, abs=0.04)
    assert len(sampled.unique()) == 2 and not torch.equal(sampled[:, 0], sampled[:, 1])


def test_masks_are_sampled_time_first():
    """A longer sequence begins with the masks of a shorter one: padding changes nothing."""
    long, short = torch.ones(3, 9, 5), torch.ones(3, 6, 5)
    torch.manual_seed(0)
    expected = Dropout(0.5).train()(short)
    torch.manual_seed(0)
    assert torch.equal(Dropout(0.5).train()(long)[:, :6], expected)


def test_batches_differ_from_one_another():
    layer, x = Dropout(0.5).train(), torch.ones(4, 5, 6)
    assert not torch.equal(layer(x), layer(x))

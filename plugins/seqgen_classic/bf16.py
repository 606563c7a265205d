"""Test for a bfloat16 LSTM kernel on this CPU."""

from __future__ import annotations

import functools

import torch


@functools.cache
def has_bf16_lstm() -> bool:
    """Return whether torch's LSTM runs under bfloat16 autocast; oneDNN has no such kernel without AVX-512."""
    x_TBI, state, weight = torch.zeros(2, 1, 1), torch.zeros(1, 1, 1), torch.zeros(4, 1)
    weights = [weight, weight, weight[:, 0], weight[:, 0]]
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            torch.lstm(x_TBI, (state, state), weights, True, 1, 0.0, True, False, False)
    except RuntimeError:
        return False
    return True

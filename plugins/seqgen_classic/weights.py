"""Torch's fused layers: weights in their layout, and a test for a kernel that not all CPUs have."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

import seqgen


def layer_weights(project: nn.Linear, recurrent: seqgen.Recurrent, bias: Tensor | None = None) -> list[Tensor]:
    """Return [input weight, recurrent weight, input bias, recurrent bias]; on a GPU they are contiguous in memory.

    Args:
        project: the map of the input.
        recurrent: the map of the state.
        bias: the recurrent bias; None: zeros.
    """
    weights = [project.weight, recurrent.weight, project.bias, torch.zeros_like(project.bias) if bias is None else bias]
    return flatten_weights(weights) if project.weight.is_cuda else weights


def flatten_weights(weights: list[Tensor]) -> list[Tensor]:
    """Copy the weights into one contiguous block, or cuDNN copies them in every pass and warns."""
    pieces = torch.cat([weight.flatten() for weight in weights]).split([weight.numel() for weight in weights])
    return [piece.view_as(weight) for piece, weight in zip(pieces, weights, strict=True)]


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

"""Weights in the layout of torch's fused layers."""

from __future__ import annotations

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

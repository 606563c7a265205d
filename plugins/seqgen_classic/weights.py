"""Weights as the fused layers of torch take them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


def layer_weights(project: nn.Linear, recurrent: seqgen.Recurrent, bias: Tensor | None = None) -> list[Tensor]:
    """The weights of the input and of the state, then their biases; on a GPU one behind another in memory.

    Args:
        project: of the input.
        recurrent: of the state.
        bias: of the state; None: zeros.
    """
    weights = [project.weight, recurrent.weight, project.bias, torch.zeros_like(project.bias) if bias is None else bias]
    return one_behind_another(weights) if project.weight.is_cuda else weights


def one_behind_another(weights: list[Tensor]) -> list[Tensor]:
    """The same weights in one piece of memory: those that are not cuDNN copies in every pass, with a warning."""
    pieces = torch.cat([weight.flatten() for weight in weights]).split([weight.numel() for weight in weights])
    return [piece.view_as(weight) for piece, weight in zip(pieces, weights, strict=True)]

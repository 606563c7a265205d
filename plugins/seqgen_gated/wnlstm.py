"""The LSTM with weight normalisation.

    f, i, o, g = N(V_x) x + N(V_h) h + b
    N(V) = g V / |V|        row by row: the length g and the direction V / |V| of each weight vector are learned apart

and c' and h' as in ``memory``, whose projection has a normalised matrix as well.

Source: arXiv:1602.07868, w = g v / |v|, after WeightNormLSTMCell in TensorFlow 1, in which what a unit sees of x and
what it sees of h have a length each. There g starts at random, of either sign; here it starts at |V|, so that the cell
starts as an LSTM does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import seqgen
from seqgen_gated.sums import SumsCell


class Normalised(nn.Module):
    """The linear map N(V).

    Args:
        in_size: features of the argument.
        out_size: features of the result.
    """

    def __init__(self, in_size: int, out_size: int) -> None:
        super().__init__()
        self.direction = seqgen.Recurrent(in_size, out_size)
        self.length = nn.Parameter(torch.linalg.vector_norm(self.direction.weight.detach(), dim=1))

    def forward(self, x_BI: Tensor) -> Tensor:
        """N(V) x: the length is brought in last, so that core owns the gradient of V x."""
        return self.direction(x_BI) * (self.length * torch.rsqrt(self.direction.weight.square().sum(1)))


class WNLSTMCell(SumsCell):
    """Three gates and a memory, weights normalised.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, R), R being H or the projection, and c (B, H).
        forget_bias: start of the forget gate's bias; the other biases start at 0.
        weight_norm: whether weights are normalised; without it this is an LSTM.
        more: peepholes, clip, projection and projection_clip, see ``MemoryCell``.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, forget_bias: float = 1.0, weight_norm: bool = True, **more: Any
    ) -> None:
        linear = Normalised if weight_norm else seqgen.Recurrent
        super().__init__(input_size, hidden_size, linear=linear, **more)
        self.sum_of(linear(input_size, 4 * hidden_size), linear(self.output_size, 4 * hidden_size), forget_bias)

"""The LSTM with weight normalization.

    f, i, o, g = N(V_x) x + N(V_h) h + b
    N(V) = g V / |V|        row by row: each weight vector's length g and direction V / |V| are learned separately

and c' and h' as in ``lstm_base``, whose projection is normalized too.

Source: arXiv:1602.07868, w = g v / |v|, after TensorFlow 1's WeightNormLSTMCell, in which a unit's weights of x and of
h have a length each. There g starts at random, with either sign; here it starts at |V|, so that the cell starts as an
LSTM.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import seqgen
from seqgen_gated.affine_lstm import AffineLSTM


class WeightNormLinear(nn.Module):
    """The linear map N(V).

    Args:
        in_size: input features.
        out_size: output features.
    """

    def __init__(self, in_size: int, out_size: int) -> None:
        super().__init__()
        self.direction = seqgen.Recurrent(in_size, out_size)
        self.length = nn.Parameter(torch.linalg.vector_norm(self.direction.weight.detach(), dim=1))

    def forward(self, x_BI: Tensor) -> Tensor:
        """Return N(V) x; the length is applied last, so that ``Recurrent`` computes the gradient of V x."""
        return self.direction(x_BI) * (self.length * torch.rsqrt(self.direction.weight.square().sum(1)))


class WNLSTMCell(AffineLSTM):
    """An LSTM cell with weight normalization.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c), h (B, R) and c (B, H), where R is ``projection``, or H without one.
        forget_bias: initial bias of the forget gate; the other biases start at 0.
        weight_norm: normalize the weights; without it this is an LSTM.
        more: peepholes, clip, projection and projection_clip, see ``LSTMBase``.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, forget_bias: float = 1.0, weight_norm: bool = True, **more: Any
    ) -> None:
        linear = WeightNormLinear if weight_norm else seqgen.Recurrent
        super().__init__(input_size, hidden_size, linear=linear, **more)
        self.set_maps(linear(input_size, 4 * hidden_size), linear(self.output_size, 4 * hidden_size), forget_bias)

"""The real-gated linear recurrent unit, in the recurrent block of Griffin and Hawk.

    u = conv(W_x x)                                a causal convolution of each feature over time
    r = sigmoid(W_a u),  i = sigmoid(W_i u)        recurrence gate and input gate
    a = exp(-8 softplus(Lambda) r)
    h' = a * h + sqrt(1 - a^2) * (i * u)
    y = W_y (gelu(W_g x) * h')

exp(-softplus(Lambda)), what a is at r = 1/8, starts uniformly by area on the ring from 0.9 to 0.999. Biases of W are
not written.

Source: arXiv:2402.19427, after the implementation google-deepmind/recurrentgemma. It differs in two points: the gates'
weights are dense (there they are diagonal blocks), and the square root is the same at the first step of a text (there
it is 1: a cell does not know which step that is). The norm, the way around the block, and the MLP after it are left to
other layers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen
from seqgen_parallel.linear import CausalConvolution, SequenceCell, scan

_C = 8.0
_RING = 0.9, 0.999
_LEAST = 1e-12  # of 1 - a^2: where it underflows, its root has no derivative


class RGLRUCell(SequenceCell):
    """Two gates that see the input only, and a branch beside.

    Dimension letter: D inner features.

    Args:
        input_size: I.
        hidden_size: H; the state is the last inputs of the convolution (B, kernel - 1, D), and h (B, D).
        expand: D / H.
        kernel: steps that the convolution sees.
    """

    def __init__(self, input_size: int, hidden_size: int, *, expand: float = 1.0, kernel: int = 4) -> None:
        super().__init__(input_size, hidden_size)
        D = self.inner = max(1, round(expand * hidden_size))
        self.input = nn.Linear(input_size, 2 * D)
        self.convolution = CausalConvolution(D, kernel)
        self.gates = seqgen.Recurrent(D, 2 * D, bias=True)
        log_D = 0.5 * torch.log(torch.empty(D).uniform_(_RING[0] ** 2, _RING[1] ** 2))
        self.decay = nn.Parameter(torch.log(torch.expm1(-log_D)))
        self.output = seqgen.Recurrent(D, hidden_size, bias=True)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Zeros."""
        return self.convolution.initial_state(batch_size), self.decay.new_zeros(batch_size, self.inner)

    def project(self, x_BTI: Tensor) -> Tensor:
        """W_x x, and gelu(W_g x)."""
        u_BTD, branch_BTD = self.input(x_BTI).chunk(2, 2)
        return torch.cat((u_BTD, functional.gelu(branch_BTD)), 2)

    def over_time(self, p_TBP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The equations."""
        (before_BKD, h_BD), (u_TBD, branch_TBD) = state, p_TBP.chunk(2, 2)
        u_TBD, before_BKD = self.convolution(u_TBD, before_BKD)
        r_TBD, i_TBD = torch.sigmoid(self.gates(u_TBD)).chunk(2, 2)
        log_a_TBD = -_C * functional.softplus(self.decay) * r_TBD
        root_TBD = torch.sqrt(torch.clamp(-torch.expm1(2 * log_a_TBD), min=_LEAST))
        h_TBD = scan(torch.exp(log_a_TBD), root_TBD * i_TBD * u_TBD, h_BD)
        return self.output(branch_TBD * h_TBD), (before_BKD, h_TBD[-1])

"""The real-gated linear recurrent unit, in the recurrent block of Griffin and Hawk.

    u = conv(W_x x)                                a causal convolution of each feature over time
    r = sigmoid(W_a u),  i = sigmoid(W_i u)        recurrence gate and input gate
    a = exp(-8 softplus(Lambda) r)
    h' = a * h + sqrt(1 - a^2) * (i * u)
    y = W_y (gelu(W_g x) * h')

exp(-softplus(Lambda)), the value of a at r = 1/8, starts uniform by area on the ring from 0.9 to 0.999. Biases of W are
omitted.

Source: arXiv:2402.19427, after the implementation google-deepmind/recurrentgemma, with two differences: the gates'
weights are dense (there block-diagonal), and the square root also applies at the first step of a text (there it is 1; a
cell does not know which step is the first). The norm and the residual connection of the paper's block are left to the
model (norm=before, skip=residual); its MLP is the cell ``mlp``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen
from seqgen_parallel.linear_recurrence import CausalConvolution, SequenceCell, scan

_C = 8.0
_RING = 0.9, 0.999
_EPSILON = 1e-12  # lower bound of 1 - a^2: the square root has no derivative at 0


class RGLRUCell(SequenceCell):
    """A recurrent block of Griffin with a real-gated linear recurrent unit.

    Dimension letter: D inner features.

    Args:
        input_size: I.
        hidden_size: H; the state is (the convolution's last inputs (B, kernel - 1, D), h (B, D)).
        expand: D / H.
        kernel: kernel size of the convolution.
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
        """Return zeros (B, kernel - 1, D) and (B, D)."""
        return self.convolution.initial_state(batch_size), self.decay.new_zeros(batch_size, self.inner)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W_x x and gelu(W_g x), (B, T, 2 D)."""
        u_BTD, branch_BTD = self.input(x_BTI).chunk(2, 2)
        return torch.cat((u_BTD, functional.gelu(branch_BTD)), 2)

    def run_sequence(self, p_TBP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute all steps by the module's equations."""
        (before_BKD, h_BD), (u_TBD, branch_TBD) = state, p_TBP.chunk(2, 2)
        u_TBD, before_BKD = self.convolution(u_TBD, before_BKD)
        r_TBD, i_TBD = torch.sigmoid(self.gates(u_TBD)).chunk(2, 2)
        log_a_TBD = -_C * functional.softplus(self.decay) * r_TBD
        root_TBD = torch.sqrt(torch.clamp(-torch.expm1(2 * log_a_TBD), min=_EPSILON))
        h_TBD = scan(torch.exp(log_a_TBD), root_TBD * i_TBD * u_TBD, h_BD)
        return self.output(branch_TBD * h_TBD), (before_BKD, h_TBD[-1])

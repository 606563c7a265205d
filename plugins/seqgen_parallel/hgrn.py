"""The token mixer of the hierarchically gated recurrent network, with a complex state.

    c = silu(W_cr x) + i silu(W_ci x)
    mu = sigmoid(W_mu x)
    lambda = gamma + (1 - gamma) mu
    h' = lambda exp(i theta) h + (1 - lambda) c
    y = W_o LN(sigmoid(W_g x) * [Re h', Im h'])

theta is learned, one angle per feature, and starts at 10000^(-2k/H) for feature k. gamma is the lower bound of the
forget gate. In the paper it is learned jointly for all layers, 0 in the first and larger in each later one; here it is
an option, with a value for each layer (lower_bound=0,0.5,0.9). Biases of W are omitted.

Source: arXiv:2311.04823, the HGRU; LN, its position and the initial theta after the implementation OpenNLPLab/HGRN. The
paper's channel mixer, a gated MLP, is the cell ``mlp``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen
from seqgen_parallel.linear_recurrence import SequenceCell, complex_scan


class HGRNCell(SequenceCell):
    """An HGRU cell.

    Args:
        input_size: I.
        hidden_size: H; the state is the real and imaginary parts of h, (B, 2 H).
        lower_bound: gamma.
    """

    def __init__(self, input_size: int, hidden_size: int, *, lower_bound: float = 0.0) -> None:
        super().__init__(input_size, hidden_size)
        self.lower_bound = lower_bound
        self.input = nn.Linear(input_size, 5 * hidden_size)
        self.theta = nn.Parameter(10_000 ** (-2 / hidden_size * torch.arange(hidden_size)))
        self.norm = nn.LayerNorm(2 * hidden_size)
        self.output = seqgen.Recurrent(2 * hidden_size, hidden_size, bias=True)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros (B, 2 H): real parts, then imaginary parts."""
        return self.theta.new_zeros(batch_size, 2 * self.hidden_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return lambda, the parts of (1 - lambda) c, and the output gate, (B, T, 5 H)."""
        H = self.hidden_size
        c_BTD, mu_BTH, gate_BTD = self.input(x_BTI).split((2 * H, H, 2 * H), 2)
        lambda_BTH = torch.lerp(torch.sigmoid(mu_BTH), torch.ones_like(mu_BTH), self.lower_bound)
        added_BTD = (1 - lambda_BTH).repeat(1, 1, 2) * functional.silu(c_BTD)
        return torch.cat((lambda_BTH, added_BTD, torch.sigmoid(gate_BTD)), 2)

    def run_sequence(self, p_TBP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute all steps by the last two equations."""
        H = self.hidden_size
        lambda_TBH, added_TBD, gate_TBD = p_TBP.split((H, 2 * H, 2 * H), 2)
        factor = lambda_TBH * torch.cos(self.theta), lambda_TBH * torch.sin(self.theta)
        h_TBD = complex_scan(factor, added_TBD, state)
        return self.output(self.norm(gate_TBD * h_TBD)), h_TBD[-1]

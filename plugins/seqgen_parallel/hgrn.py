"""The hierarchically gated recurrent network's token mixer, in complex numbers.

    c = silu(W_cr x) + i silu(W_ci x)
    mu = sigmoid(W_mu x)
    lambda = gamma + (1 - gamma) mu
    h' = lambda exp(i theta) h + (1 - lambda) c
    y = W_o LN(sigmoid(W_g x) * [Re h', Im h'])

theta is learned, one angle a feature, and starts at 10000^(-2k/H) for feature k. gamma is the lower bound of the
forget gate. In the paper it is learned for all layers together, 0 in the first and larger in each that follows; a cell
does not know how deep it lies, so here it is an option. Biases of W are not written.

Source: arXiv:2311.04823, the HGRU; LN, its place, and the start of theta after the implementation OpenNLPLab/HGRN. The
paper's channel mixer, a gated MLP, is another layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen
from seqgen_parallel.linear import SequenceCell, complex_scan


class HGRNCell(SequenceCell):
    """A forget gate with a lower bound, and a state that turns.

    Args:
        input_size: I.
        hidden_size: H; the state is the real and the imaginary parts of h, (B, 2 H).
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
        """H = 0."""
        return self.theta.new_zeros(batch_size, 2 * self.hidden_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Lambda, (1 - lambda) c by its parts, and the output gate."""
        H = self.hidden_size
        c_BTD, mu_BTH, gate_BTD = self.input(x_BTI).split((2 * H, H, 2 * H), 2)
        lambda_BTH = torch.lerp(torch.sigmoid(mu_BTH), torch.ones_like(mu_BTH), self.lower_bound)
        added_BTD = (1 - lambda_BTH).repeat(1, 1, 2) * functional.silu(c_BTD)
        return torch.cat((lambda_BTH, added_BTD, torch.sigmoid(gate_BTD)), 2)

    def over_time(self, p_TBP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The last two equations."""
        H = self.hidden_size
        lambda_TBH, added_TBD, gate_TBD = p_TBP.split((H, 2 * H, 2 * H), 2)
        turned = lambda_TBH * torch.cos(self.theta), lambda_TBH * torch.sin(self.theta)
        h_TBD = complex_scan(turned, added_TBD, state)
        return self.output(self.norm(gate_TBD * h_TBD)), h_TBD[-1]

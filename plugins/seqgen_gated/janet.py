"""JANET: an LSTM with only its forget gate.

    s = W_s x + U_s h + b_s
    c~ = tanh(W_c x + U_c h + b_c)
    h' = sigmoid(s) * h + (1 - sigmoid(s - beta)) * c~

beta > 0 writes a little more than is forgotten; beta = 0 couples the two.

Source: arXiv:1804.04849 (its c is h here), after the authors' implementation (JosvanderWesthuizen/janet). b_s starts at
1 or, if t_max gives the longest dependency in steps, at log u with u sampled uniformly from [1, t_max - 1] for each
unit: the chrono initialization of arXiv:1804.11188. The authors' code samples from [1, t_max].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class JANETCell(seqgen.StepCell):
    """A JANET cell.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
        beta: offset of the input gate's pre-activation from the forget gate's.
        t_max: longest dependency in steps, from 2, for the chrono initialization; None for a bias of 1.
    """

    def __init__(self, input_size: int, hidden_size: int, *, beta: float = 1.0, t_max: float | None = None) -> None:
        super().__init__(input_size, hidden_size)
        self.beta = beta
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, 2 * hidden_size)
        with torch.no_grad():
            bias_H = self.input.bias[:hidden_size].fill_(1.0)
            if t_max is not None:
                bias_H.uniform_(1.0, t_max - 1.0).log_()

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros h (B, H)."""
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x + b for s and c~, (B, T, 2 H)."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one step by the module's equations; 1 - sigmoid(a) = sigmoid(-a)."""
        s_BH, c_BH = (p_BP + self.recurrent(state)).chunk(2, 1)
        h_BH = torch.addcmul(torch.sigmoid(s_BH) * state, torch.sigmoid(self.beta - s_BH), torch.tanh(c_BH))
        return h_BH, h_BH

"""JANET: the LSTM with its forget gate only.

    s = W_s x + U_s h + b_s
    c~ = tanh(W_c x + U_c h + b_c)
    h' = sigmoid(s) * h + (1 - sigmoid(s - beta)) * c~

A little more is written than is forgotten; beta = 0 couples the two.

Source: arXiv:1804.04849 (its c is h here), after the implementation of the authors (JosvanderWesthuizen/janet). b_s
starts at 1 or, where t_max says over how many steps something may depend on something, at log u with u drawn evenly
from [1, t_max - 1] for each unit: the chrono start of arXiv:1804.11188. The authors' code draws from [1, t_max].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class JANETCell(seqgen.StepCell):
    """One gate.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
        beta: how far the gate of what is written lies below the one of what is kept.
        t_max: the longest dependence in steps, from 2, for the chrono start; None for a bias of 1.
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
        """H = 0."""
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """W x + b, for s and c~."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The equations; 1 - sigmoid(a) = sigmoid(-a)."""
        s_BH, c_BH = (p_BP + self.recurrent(state)).chunk(2, 1)
        h_BH = torch.addcmul(torch.sigmoid(s_BH) * state, torch.sigmoid(self.beta - s_BH), torch.tanh(c_BH))
        return h_BH, h_BH

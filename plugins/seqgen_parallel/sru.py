"""The simple recurrent unit.

    x~ = W x
    f = sigmoid(W_f x + b_f)                forget gate
    r = sigmoid(W_r x + b_r)                reset gate
    c' = f * c + (1 - f) * x~
    h = r * tanh(c') + (1 - r) * W_s x

The highway map W_s lets the sizes of input and state differ; in the paper it is the identity.

Source: arXiv:1709.02755v1 (in later versions the gates see c); W_s as in TensorFlow 1's SRUCell.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class SRUCell(seqgen.StepCell):
    """A simple recurrent unit.

    Args:
        input_size: I.
        hidden_size: H; the state is c (B, H).
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size, bias=False)
        self.gates = nn.Linear(input_size, 2 * hidden_size)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros c (B, H)."""
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return f, (1 - f) * x~, r and (1 - r) * W_s x, (B, T, 4 H)."""
        inner_BTH, skip_BTH = self.input(x_BTI).chunk(2, 2)
        f_BTH, r_BTH = torch.sigmoid(self.gates(x_BTI)).chunk(2, 2)
        return torch.cat((f_BTH, (1 - f_BTH) * inner_BTH, r_BTH, (1 - r_BTH) * skip_BTH), 2)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one step by the last two equations."""
        a_BH, b_BH, r_BH, skip_BH = p_BP.chunk(4, 1)
        c_BH = torch.addcmul(b_BH, a_BH, state)
        return torch.addcmul(skip_BH, r_BH, torch.tanh(c_BH)), c_BH

    def parallel(self, p_BTP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute all steps at once."""
        a_BTH, b_BTH, r_BTH, skip_BTH = p_BTP.chunk(4, 2)
        c_BTH = seqgen.linear_scan(a_BTH, b_BTH, state)
        return torch.addcmul(skip_BTH, r_BTH, torch.tanh(c_BTH)), c_BTH[:, -1]

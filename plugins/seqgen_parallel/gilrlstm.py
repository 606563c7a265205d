"""The linear surrogate LSTM: its gates see a linear recurrence instead of its output.

    g = sigmoid(V_g x + b_g)
    s' = g * s + (1 - g) * tanh(W x + c)                the surrogate, a ``gilr`` layer
    f, i, o = sigmoid(U_fio s + V_fio x + b_fio)
    z = tanh(U_z s + V_z x + b_z)
    c' = f * c + i * z
    h = o * c'

s stands for the paper's h with a tilde.

Source: arXiv:1709.04057, the LS-LSTM (also GILR-LSTM), with tanh for tau; the states start at 0, and the forget gate's
bias at 1, as for the LSTM.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen
from seqgen_parallel.linear_recurrence import SequenceCell, scan


class GILRLSTMCell(SequenceCell):
    """A linear surrogate LSTM cell.

    Args:
        input_size: I.
        hidden_size: H; the state is (s, c), each (B, H).
        forget_bias: initial bias of the forget gate.
    """

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias: float = 1.0) -> None:
        super().__init__(input_size, hidden_size)
        self.surrogate = nn.Linear(input_size, 2 * hidden_size)
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size, 4 * hidden_size)
        nn.init.constant_(self.input.bias[:hidden_size], forget_bias)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return zeros (s, c), each (B, H)."""
        return self.zeros(batch_size), self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return g and (1 - g) * tanh(W x + c), then V x + b for f, i, o and z, (B, T, 6 H)."""
        gate_BTH, impulse_BTH = self.surrogate(x_BTI).chunk(2, 2)
        g_BTH = torch.sigmoid(gate_BTH)
        return torch.cat((g_BTH, (1 - g_BTH) * torch.tanh(impulse_BTH), self.input(x_BTI)), 2)

    def run_sequence(self, p_TBP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute all steps by the module's equations."""
        (s_BH, c_BH), H = state, self.hidden_size
        g_TBH, b_TBH, v_TBP = p_TBP.split((H, H, 4 * H), 2)
        s_TBH = scan(g_TBH, b_TBH, s_BH)
        before_TBH = s_BH[None] if len(p_TBP) == 1 else torch.cat((s_BH[None], s_TBH[:-1]))
        gates_TBP, z_TBH = (v_TBP + self.recurrent(before_TBH)).split((3 * H, H), 2)
        f_TBH, i_TBH, o_TBH = torch.sigmoid(gates_TBP).chunk(3, 2)
        c_TBH = scan(f_TBH, i_TBH * torch.tanh(z_TBH), c_BH)
        return o_TBH * c_TBH, (s_TBH[-1], c_TBH[-1])

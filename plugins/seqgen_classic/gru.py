"""The gated recurrent unit.

    r = sigmoid(W_r x + U_r h)                 reset
    z = sigmoid(W_z x + U_z h)                 update
    n = tanh(W_n x + r * (U_n h + b_n))        reset="after": torch, cuDNN
    n = tanh(W_n x + U_n (r * h))              reset="before": the paper
    h' = (1 - z) * n + z * h

Biases of W are omitted. torch.nn.GRU also gives U biases, of which only b_n is not redundant.

Source: arXiv:1406.1078, section 2.3 (its h, h~ and z); reset="after" is the form of torch.nn.GRU and cuDNN.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen
from seqgen_classic.weights import layer_weights


class GRUCell(seqgen.StepCell):
    """A GRU cell.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
        reset: "after" applies the reset gate after the product with the state, "before" before it.
    """

    def __init__(self, input_size: int, hidden_size: int, *, reset: str = "after") -> None:
        super().__init__(input_size, hidden_size)
        self.reset_after = reset == "after"
        self.input = nn.Linear(input_size, 3 * hidden_size)
        if self.reset_after:
            self.recurrent = seqgen.Recurrent(hidden_size, 3 * hidden_size)
            self.candidate_bias = nn.Parameter(torch.zeros(hidden_size))
        else:
            self.recurrent = seqgen.Recurrent(hidden_size, 2 * hidden_size)
            self.candidate = seqgen.Recurrent(hidden_size, hidden_size)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros h (B, H)."""
        return self.zeros(batch_size)

    def fuses(self) -> bool:
        """Return True on a GPU with reset="after"; on a CPU torch's layer is slower than single steps."""
        return self.reset_after and self.input.weight.is_cuda

    def fused(self, x_BTI: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute all steps with torch's fused layer."""
        recurrent_bias = torch.cat((self.candidate_bias.new_zeros(2 * self.hidden_size), self.candidate_bias))
        weights = layer_weights(self.input, self.recurrent, recurrent_bias)
        x_TBI = x_BTI.transpose(0, 1)
        y_TBH, h_1BH = torch.gru(x_TBI, state[None], weights, True, 1, 0.0, self.training, False, False)
        return y_TBH.transpose(0, 1), h_1BH[0]

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x for r, z and n, (B, T, 3 H)."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one step by the module's equations."""
        h_BH, sizes = state, [2 * self.hidden_size, self.hidden_size]
        p_gates, p_candidate = p_BP.split(sizes, 1)
        if self.reset_after:
            u_gates, u_candidate = self.recurrent(h_BH).split(sizes, 1)
            r_BH, z_BH = torch.sigmoid(p_gates + u_gates).chunk(2, 1)
            n_BH = torch.tanh(torch.addcmul(p_candidate, r_BH, u_candidate + self.candidate_bias))
        else:
            r_BH, z_BH = torch.sigmoid(p_gates + self.recurrent(h_BH)).chunk(2, 1)
            n_BH = torch.tanh(p_candidate + self.candidate(r_BH * h_BH))
        new_BH = torch.addcmul(n_BH, z_BH, h_BH - n_BH)
        return new_BH, new_BH

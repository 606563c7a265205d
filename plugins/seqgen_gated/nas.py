"""The recurrent cell found by neural architecture search.

With s_k = W_k x + U_k h + b_k for the branches 0, 1, 2, 4, 5, 6, 7, and a product for branch 3:

    a = tanh(sigmoid(s_0) * relu(s_1))
    b = tanh(sigmoid(s_2) + relu(W_3 x * (U_3 h + b_3)))
    d = tanh(tanh(s_4) * sigmoid(s_5))
    e = sigmoid(tanh(s_6) + sigmoid(s_7))
    c' = tanh(a + c) * b
    h' = P tanh(c' * tanh(d + e))

The projection P is an option; by default it is the identity.

Source: arXiv:1611.01578, in the form of TensorFlow 1's NASCell (its m is h here), with its biases, which start at 0 and
are an option too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class NASCell(seqgen.StepCell):
    """A NAS cell.

    Args:
        input_size: I.
        hidden_size: H; the state is (h, c), h (B, R) and c (B, H), where R is ``projection``, or H without one.
        bias: use biases.
        projection: R, the size of the output; None for H.
    """

    def __init__(self, input_size: int, hidden_size: int, *, bias: bool = True, projection: int | None = None) -> None:
        super().__init__(input_size, hidden_size)
        self.output_size = projection or hidden_size
        self.input = nn.Linear(input_size, 8 * hidden_size, bias=False)
        self.recurrent = seqgen.Recurrent(self.output_size, 8 * hidden_size, bias=bias)
        if bias:
            nn.init.zeros_(self.recurrent.bias)  # type: ignore[arg-type]
        self.projection = seqgen.Recurrent(hidden_size, projection) if projection else None

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return zeros (h, c), h (B, R) and c (B, H)."""
        c_BH = self.zeros(batch_size)
        return c_BH.new_zeros(batch_size, self.output_size), c_BH

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x for branches 0, 2, 5, 7 (sigmoid), 4, 6 (tanh), 1 (relu) and 3 (product), (B, T, 8 H)."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute one step by the module's equations."""
        (h_BR, c_BH), H = state, self.hidden_size
        (p_BP, px_BH), (u_BP, uh_BH) = (both.split((7 * H, H), 1) for both in (p_BP, self.recurrent(h_BR)))
        sigmoids_BP, tanhs_BP, relu_BH = (p_BP + u_BP).split((4 * H, 2 * H, H), 1)
        s0_BH, s2_BH, s5_BH, s7_BH = torch.sigmoid(sigmoids_BP).chunk(4, 1)
        s4_BH, s6_BH = torch.tanh(tanhs_BP).chunk(2, 1)
        s1_BH, s3_BH = torch.relu(relu_BH), torch.relu(px_BH * uh_BH)
        a_BH, b_BH = torch.tanh(s0_BH * s1_BH), torch.tanh(s2_BH + s3_BH)
        d_BH, e_BH = torch.tanh(s4_BH * s5_BH), torch.sigmoid(s6_BH + s7_BH)
        c_BH = torch.tanh(a_BH + c_BH) * b_BH
        h_BR = torch.tanh(c_BH * torch.tanh(d_BH + e_BH))
        if self.projection is not None:
            h_BR = self.projection(h_BR)
        return h_BR, (h_BR, c_BH)

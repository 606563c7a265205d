"""FastGRNN: the gate and the candidate share their matrices and differ by their biases.

    z = sigmoid(W x + U h + b_z)
    h~ = tanh(W x + U h + b_h)
    h' = (sigmoid(zeta) (1 - z) + sigmoid(nu)) * h~ + z * h

zeta and nu are learned scalars. With a rank, W or U is factored into two matrices of that inner size.

Source: arXiv:1901.02358, after FastGRNNCell in microsoft/EdgeML, which also gives the initial values: both biases 1,
zeta 1 and nu -4. There the matrices can be made sparse too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import seqgen


class FastGRNNCell(seqgen.StepCell):
    """A FastGRNN cell.

    Args:
        input_size: I.
        hidden_size: H; the state is h (B, H).
        input_rank: the rank of W; None for a full matrix.
        recurrent_rank: the rank of U; None for a full matrix.
        zeta: initial value of zeta.
        nu: initial value of nu.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        input_rank: int | None = None,
        recurrent_rank: int | None = None,
        zeta: float = 1.0,
        nu: float = -4.0,
    ) -> None:
        super().__init__(input_size, hidden_size)
        if input_rank is None:
            self.input: nn.Module = nn.Linear(input_size, hidden_size, bias=False)
        else:
            self.input = nn.Sequential(
                nn.Linear(input_size, input_rank, bias=False), nn.Linear(input_rank, hidden_size, bias=False)
            )
        if recurrent_rank is None:
            self.recurrent: nn.Module = seqgen.Recurrent(hidden_size, hidden_size)
        else:
            self.recurrent = nn.Sequential(
                seqgen.Recurrent(hidden_size, recurrent_rank), seqgen.Recurrent(recurrent_rank, hidden_size)
            )
        self.gate_bias, self.update_bias = (nn.Parameter(torch.ones(hidden_size)) for _ in range(2))
        self.zeta, self.nu = nn.Parameter(torch.tensor([zeta])), nn.Parameter(torch.tensor([nu]))

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros h (B, H)."""
        return self.zeros(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return W x + b_z and W x + b_h, (B, T, 2 H)."""
        input_BTH = self.input(x_BTI)
        return torch.cat((input_BTH + self.gate_bias, input_BTH + self.update_bias), 2)

    def step(self, p_BP: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one step by the module's equations."""
        (gate_BH, update_BH), recurrent_BH = p_BP.chunk(2, 1), self.recurrent(state)
        z_BH, new_BH = torch.sigmoid(gate_BH + recurrent_BH), torch.tanh(update_BH + recurrent_BH)
        share_BH = torch.addcmul(torch.sigmoid(self.nu), torch.sigmoid(self.zeta), 1 - z_BH)
        h_BH = torch.addcmul(share_BH * new_BH, z_BH, state)
        return h_BH, h_BH

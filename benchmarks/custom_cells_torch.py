"""The cells of ``custom_cells.py`` in plain torch, as one step of an eager time loop that also projects the input."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TorchUGRNN(nn.Module):
    """The step of ``custom_cells.UGRNN``."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, 2 * hidden_size)
        self.recurrent = nn.Linear(hidden_size, 2 * hidden_size, bias=False)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return zeros h (B, H)."""
        return torch.zeros(batch_size, self.hidden_size)

    def forward(self, x_BI: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one step."""
        c_BH, g_BH = (self.input(x_BI) + self.recurrent(state)).chunk(2, 1)
        g_BH = torch.sigmoid(g_BH)
        h_BH = g_BH * state + (1 - g_BH) * torch.tanh(c_BH)
        return h_BH, h_BH


class TorchLayerNormLSTM(nn.Module):
    """The step of ``custom_cells.LayerNormLSTM``."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.recurrent = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.norm_x, self.norm_h = nn.LayerNorm(4 * hidden_size), nn.LayerNorm(4 * hidden_size)
        self.norm_c = nn.LayerNorm(hidden_size)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return zeros (h, c), each (B, H)."""
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.hidden_size)

    def forward(self, x_BI: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute one step."""
        h_BH, c_BH = state
        gates_BG = self.norm_x(self.input(x_BI)) + self.norm_h(self.recurrent(h_BH))
        f_BH, i_BH, o_BH, g_BH = gates_BG.chunk(4, 1)
        c_BH = torch.sigmoid(f_BH) * c_BH + torch.sigmoid(i_BH) * torch.tanh(g_BH)
        h_BH = torch.sigmoid(o_BH) * torch.tanh(self.norm_c(c_BH))
        return h_BH, (h_BH, c_BH)

"""RMSNorm and the gated MLP SwiGLU, with which a transformer block may be built.

Source: arXiv:1910.07467; arXiv:2002.05202.

Dimension letters: B batch, T steps, H features, N inner features.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class RMSNorm(nn.RMSNorm):
    """A norm by the root mean square, computed in the dtype of its weight, as layer norm is under autocast."""

    def __init__(self, size: int) -> None:
        super().__init__(size, eps=1e-5)

    def forward(self, x_BTH: Tensor) -> Tensor:
        """Return the normalized features."""
        return super().forward(x_BTH.to(self.weight.dtype))


class SwiGLU(nn.Module):
    """A gated MLP, W_2 (silu(W_1 x) * W_3 x), without biases."""

    def __init__(self, size: int, inner_size: int) -> None:
        super().__init__()
        self.input = nn.Linear(size, 2 * inner_size, bias=False)
        self.output = nn.Linear(inner_size, size, bias=False)

    def forward(self, x_BTH: Tensor) -> Tensor:
        """Return the features (B, T, H) mixed in each step."""
        gate_BTN, value_BTN = self.input(x_BTH).chunk(2, 2)
        return self.output(functional.silu(gate_BTN) * value_BTN)

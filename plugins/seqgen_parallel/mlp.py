"""The gated MLP, which mixes the features of each step: a layer between those that pass information over time.

    y = W_o (act(W_g x) * W_v x)

act is silu (SwiGLU, as in HGRN's channel mixer) or gelu (GeGLU, as in Griffin and Hawk). The maps have no biases. The
layer keeps no state. The norm before it and the residual connection are left to the model (norm=before, skip=residual).

Source: arXiv:2002.05202.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

import seqgen

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"silu": functional.silu, "gelu": functional.gelu}


class MLPCell(seqgen.Cell):
    """A gated MLP of each step.

    Dimension letter: D inner features.

    Args:
        input_size: I.
        hidden_size: H; the state is empty.
        expand: D / H.
        activation: "silu" or "gelu".
    """

    def __init__(self, input_size: int, hidden_size: int, *, expand: float = 3.0, activation: str = "silu") -> None:
        super().__init__(input_size, hidden_size)
        self.activation = _ACTIVATIONS[activation]
        D = max(1, round(expand * hidden_size))
        self.input = nn.Linear(input_size, 2 * D, bias=False)
        self.output = nn.Linear(D, hidden_size, bias=False)

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Return an empty state."""
        return ()

    def forward(self, x_BTI: Tensor, state: tuple[()]) -> tuple[Tensor, tuple[()]]:
        """Compute all steps by the module's equation."""
        gate_BTD, value_BTD = self.input(x_BTI).chunk(2, 2)
        return self.output(self.activation(gate_BTD) * value_BTD), state

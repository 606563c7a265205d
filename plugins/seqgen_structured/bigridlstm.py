"""The bidirectional grid LSTM: two grid LSTMs with separate weights, one of which reads the blocks in reverse.

Only the blocks of features are read in both directions; time is causal.

Source: Sainath & Li 2016, doi:10.21437/Interspeech.2016-84, after TensorFlow 1's BidirectionalGridLSTMCell, which
splits the input a second time for the backward direction.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import seqgen
from seqgen_structured.blocks import ceil_div
from seqgen_structured.gridlstm import GridLSTMCell

_State = tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]


class BiGridLSTMCell(seqgen.StepCell):
    """A grid LSTM cell for each direction of the blocks.

    Args:
        input_size: I.
        hidden_size: H, rounded up to a multiple of 4 ``blocks``; the state is the pair of both directions' states.
        options: options of both, see ``GridLSTMCell``.
    """

    def __init__(self, input_size: int, hidden_size: int, **options: Any) -> None:
        size = ceil_div(hidden_size, 2)
        up, down = (GridLSTMCell(input_size, size, backward=backward, **options) for backward in (False, True))
        super().__init__(input_size, up.output_size + down.output_size)
        self.up, self.down = up, down

    def initial_state(self, batch_size: int) -> _State:
        """Return the initial states of both directions."""
        return self.up.initial_state(batch_size), self.down.initial_state(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return both directions' projections, concatenated."""
        return torch.cat((self.up.project(x_BTI), self.down.project(x_BTI)), 2)

    def step(self, p_BP: Tensor, state: _State) -> tuple[Tensor, _State]:
        """Compute one step of both directions."""
        p_up_BP, p_down_BP = p_BP.chunk(2, 1)
        up_BH, up_state = self.up.step(p_up_BP, state[0])
        down_BH, down_state = self.down.step(p_down_BP, state[1])
        return torch.cat((up_BH, down_BH), 1), (up_state, down_state)

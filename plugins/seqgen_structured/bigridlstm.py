"""The bidirectional grid LSTM: two grid LSTMs with weights of their own, one of which reads the blocks from the end.

Only the blocks of features are read in both directions, time in one: a step sees no later one.

Source: Sainath & Li 2016, doi:10.21437/Interspeech.2016-84, after BidirectionalGridLSTMCell in TensorFlow 1, without
its second cut of the input for the way back.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import seqgen
from seqgen_structured.blocks import share_evenly
from seqgen_structured.gridlstm import GridLSTMCell

_State = tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]


class BiGridLSTMCell(seqgen.StepCell):
    """A grid LSTM for each direction.

    Args:
        input_size: I.
        hidden_size: H, rounded up to a multiple of four times the blocks; the state is that of either direction.
        options: of both, see ``GridLSTMCell``.
    """

    def __init__(self, input_size: int, hidden_size: int, **options: Any) -> None:
        size = share_evenly(hidden_size, 2)
        up, down = (GridLSTMCell(input_size, size, backward=backward, **options) for backward in (False, True))
        super().__init__(input_size, up.output_size + down.output_size)
        self.up, self.down = up, down

    def initial_state(self, batch_size: int) -> _State:
        """Those of both directions."""
        return self.up.initial_state(batch_size), self.down.initial_state(batch_size)

    def project(self, x_BTI: Tensor) -> Tensor:
        """Those of both directions."""
        return torch.cat((self.up.project(x_BTI), self.down.project(x_BTI)), 2)

    def step(self, p_BP: Tensor, state: _State) -> tuple[Tensor, _State]:
        """Both directions."""
        of_up_BP, of_down_BP = p_BP.chunk(2, 1)
        up_BH, of_up = self.up.step(of_up_BP, state[0])
        down_BH, of_down = self.down.step(of_down_BP, state[1])
        return torch.cat((up_BH, down_BH), 1), (of_up, of_down)

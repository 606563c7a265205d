"""The default model, ``recurrent``: embedding, stack of cells, head.

Dimension letters: B batch, T steps, V vocabulary, E embedding, H output of the stack, P projection of the first layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from seqgen.cells import Cell, Stack
from seqgen.protocols import Model, State

Stepper = Callable[[Tensor, State], tuple[Tensor, State]]
"""One step of sampling: ids (B,) and a state give logits (B, V) and the next state."""


class RecurrentModel(nn.Module):
    """Embedding -> stack of cells -> head.

    Args:
        n_symbols: V.
        make_cell: builds one layer from its input size and hidden size.
        hidden: units of a layer.
        layers: how many layers.
        embedding: features of a symbol.
        dropout: probability of dropping a feature between layers and before the head, while training.
    """

    def __init__(
        self,
        n_symbols: int,
        make_cell: Callable[[int, int], Cell],
        *,
        hidden: Annotated[int, Field(ge=1, le=65_536, description="units of a layer")] = 128,
        layers: Annotated[int, Field(ge=1, le=256, description="layers of cells")] = 1,
        embedding: Annotated[int, Field(ge=1, le=65_536, description="features of a symbol")] = 32,
        dropout: Annotated[
            float,
            Field(ge=0, lt=1, description="share of features dropped between layers and before the head"),
        ] = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_symbols, embedding)
        cells = [make_cell(embedding, hidden)]
        while len(cells) < layers:
            cells.append(make_cell(cells[-1].output_size, hidden))
        self.stack = Stack(cells, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.stack.output_size, n_symbols)

    def initial_state(self, batch_size: int) -> State:
        """The states of the layers."""
        return self.stack.initial_state(batch_size)

    def forward(self, ids_BT: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits (B, T, V) of the next symbol after each id, and the state after the last one."""
        if self.stack.scans() and self.embedding.num_embeddings <= ids_BT.numel():
            # One product over the V symbols instead of one over all B x T inputs; a row of the table is a symbol's.
            hidden_BTH, state = self.stack(self._look_up(self._table_VP(), ids_BT), state, projected=True)
        else:
            hidden_BTH, state = self.stack(self.embedding(ids_BT), state)
        return self.head(self.dropout(hidden_BTH)), state

    def stepper(self) -> Stepper:
        """A step for sampling that looks the first layer's projection up in a table made once; weights must rest."""
        if not self.stack.steps():
            return generic_stepper(self)
        table_VP = self._table_VP()

        def step(ids_B: Tensor, state: State) -> tuple[Tensor, State]:
            hidden_BTH, state = self.stack(self._look_up(table_VP, ids_B[:, None]), state, projected=True)
            return self.head(hidden_BTH[:, 0]), state

        return step

    def _table_VP(self) -> Tensor:
        return self.stack.project(self.embedding.weight[:, None])[:, 0]

    @staticmethod
    def _look_up(table_VP: Tensor, ids_BT: Tensor) -> Tensor:
        return functional.embedding(ids_BT, table_VP)


def generic_stepper(model: Model) -> Stepper:
    """A step for sampling from any model."""

    def step(ids_B: Tensor, state: State) -> tuple[Tensor, State]:
        logits_BTV, state = model.forward(ids_B[:, None], state)
        return logits_BTV[:, 0], state

    return step


def make_stepper(model: Model) -> Stepper:
    """The model's own step for sampling if it has one, else the generic one."""
    own: Callable[[], Stepper] | None = getattr(model, "stepper", None)
    return own() if own is not None else generic_stepper(model)


def count_parameters(model: nn.Module) -> int:
    """All trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def log_probs(logits: Tensor, allowed_V: Tensor) -> Tensor:
    """Logarithms of probabilities (..., V), nats; ids that may not be predicted get minus infinity."""
    return torch.log_softmax(logits.masked_fill(~allowed_V, -torch.inf), -1)

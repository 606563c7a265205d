"""The default model, ``recurrent``: embedding, stack of cells, head.

Dimension letters: B batch, T steps, V vocabulary, E embedding, H output of the stack, P projection of the first layer.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from seqgen.cells import Around, Cell, Dropout, PastAttention, RecurrentDropout, Stack, StepCell, Zoneout
from seqgen.errors import FAULT_NOTE, PluginError
from seqgen.plugin_guards import defined_at
from seqgen.protocols import Model, State, has_stepper
from seqgen.states import list_leaves

Stepper = Callable[[Tensor, State], tuple[Tensor, State]]
"""One step of sampling: a function of ids (B,) and a state to logits (B, V) and the next state."""


class RecurrentModel(nn.Module):
    """A model of an embedding, a stack of cells and a head.

    Args:
        n_symbols: V.
        make_cell: builds one layer from its input size and hidden size.
        hidden: units of a layer.
        layers: number of layers.
        embedding: features of a symbol.
        dropout: probability of dropping a feature between layers and before the head, while training.
        norm: layer norm "before" or "after" each layer, or "none".
        skip: connection around each layer: "residual", "highway" or "none".
        zoneout: probability that a feature of the state keeps its value while training; step cells only, as the next
            two; a layer without a state is left as it is.
        recurrent_dropout: share of the output hidden from the next step while training.
        attention: number of past outputs that each step attends to; 0: none.
        tie: whether the head shares the weight of the embedding; if their sizes differ, a linear map is between them.

    Raises:
        BadOption: the cell cannot be wrapped in this way.
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
        norm: Annotated[
            Literal["none", "before", "after"], Field(description="layer norm before or after each layer")
        ] = "none",
        skip: Annotated[
            Literal["none", "residual", "highway"], Field(description="skip connection around each layer")
        ] = "none",
        zoneout: Annotated[
            float, Field(ge=0, lt=1, description="probability that a feature of the state keeps its value")
        ] = 0.0,
        recurrent_dropout: Annotated[
            float, Field(ge=0, lt=1, description="share of the output hidden from the next step")
        ] = 0.0,
        attention: Annotated[int, Field(ge=0, le=4096, description="past outputs that each step attends to")] = 0,
        tie: Annotated[bool, Field(description="share the weight of head and embedding")] = False,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_symbols, embedding)

        def make_layer(input_size: int) -> Cell:
            cell = make_cell(input_size, hidden)
            if (recurrent_dropout or zoneout or attention) and remembers(cell):
                cell = RecurrentDropout(cell, recurrent_dropout) if recurrent_dropout else cell
                cell = Zoneout(cell, zoneout) if zoneout else cell
                cell = PastAttention(cell, attention) if attention else cell
            return cell if norm == skip == "none" else Around(cell, norm=norm, skip=skip)

        cells = [make_layer(embedding)]
        while len(cells) < layers:
            cells.append(make_layer(cells[-1].output_size))
        self.stack = Stack(cells, dropout=dropout)
        self.dropout = Dropout(dropout)
        self.bridge: nn.Module = nn.Identity()
        if tie and self.stack.output_size != embedding:
            self.bridge = nn.Linear(self.stack.output_size, embedding, bias=False)
        self.head = nn.Linear(embedding if tie else self.stack.output_size, n_symbols)
        if tie:
            nn.init.normal_(self.embedding.weight, std=embedding**-0.5)
            self.head.weight = self.embedding.weight

    def initial_state(self, batch_size: int) -> State:
        """Return the states of the layers."""
        return self.stack.initial_state(batch_size)

    def pieces(self) -> tuple[list[nn.Module], list[nn.Module]]:
        """List the pieces between the embedding and the logits, in the order in which features pass them.

        The forward passes of this class walk these lists, and so does ``training.manual_backward``.

        Returns:
            Those that see whole sequences: the stack, which lists its own, and the dropout before the head; and those
            that see each step alone: the bridge and the head.
        """
        return [self.stack, self.dropout], [self.bridge, self.head]

    def forward(self, ids_BT: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the logits (B, T, V) of the next symbol after each id, and the state after the last one."""
        over_time, per_step = self.pieces()
        hidden_BTH, state = self._hidden(over_time, ids_BT, state)
        return _walk(per_step, hidden_BTH), state

    def logits_at(self, ids_BT: Tensor, state: State, at_N: Tensor | None) -> Tensor:
        """Return the logits (N, V) at some positions, without those at the others.

        Args:
            ids_BT: the inputs.
            state: the state before the first of them.
            at_N: positions, each t * B + b; None: all, in this order.
        """
        over_time, per_step = self.pieces()
        hidden_NH = self._hidden(over_time, ids_BT, state)[0].transpose(0, 1).flatten(0, 1)
        return _walk(per_step, hidden_NH if at_N is None else hidden_NH.index_select(0, at_N))

    def stepper(self) -> Stepper:
        """Return a step for sampling that looks the first layer's projection up in a table computed once.

        The weights must not change while it is used.
        """
        if not self.stack.steps():
            return generic_stepper(self)
        table_VP = self.input_table()
        (stack, _), per_step = self.pieces()  # sampling drops no features

        def step(ids_B: Tensor, state: State) -> tuple[Tensor, State]:
            hidden_B1H, state = stack(functional.embedding(ids_B[:, None], table_VP), state, projected=True)
            return _walk(per_step, hidden_B1H[:, 0]), state

        return step

    def uses_table(self, n_inputs: int) -> bool:
        """Return whether the first layer's projection of so many inputs is looked up in a table with a row a symbol.

        That is one product over the V symbols instead of one over all B x T inputs.
        """
        return self.stack.scans() and self.embedding.num_embeddings <= n_inputs

    def input_table(self) -> Tensor:
        """Return the projection of each symbol (V, P) by the first layer, a step cell."""
        return self.stack.project(self.embedding.weight[:, None])[:, 0]

    def _hidden(self, over_time: list[nn.Module], ids_BT: Tensor, state: State) -> tuple[Tensor, State]:
        ids_TB = ids_BT.t()  # time first in memory, as the layers compute
        projected = self.uses_table(ids_BT.numel())
        x_TBI = functional.embedding(ids_TB, self.input_table()) if projected else self.embedding(ids_TB)
        stack, *others = over_time
        hidden_BTH, state = stack(x_TBI.transpose(0, 1), state, projected=projected)
        return _walk(others, hidden_BTH), state


def remembers(cell: Cell) -> bool:
    """Return whether a cell has a state; an MLP between the layers of a stack has none that could be wrapped."""
    return isinstance(cell, StepCell) or bool(list_leaves(cell.initial_state(1)))


def _walk(pieces: list[nn.Module], x: Tensor) -> Tensor:
    for piece in pieces:
        x = piece(x)
    return x


def generic_stepper(model: Model) -> Stepper:
    """Return a step for sampling from any model."""

    def step(ids_B: Tensor, state: State) -> tuple[Tensor, State]:
        logits_BTV, state = model.forward(ids_B[:, None], state)
        return logits_BTV[:, 0], state

    return step


def make_stepper(model: Model) -> Stepper:
    """Return the model's own step for sampling if it has one, else the generic one."""
    if not has_stepper(model):
        return generic_stepper(model)
    step = model.stepper()
    if not callable(step):
        place = defined_at(model, "stepper")
        raise PluginError(f"stepper returned {type(step).__name__}, not a function of a step{place}")

    def checked(ids_B: Tensor, state: State) -> tuple[Tensor, State]:
        try:
            found: Any = step(ids_B, state)
        except TypeError as error:  # it may not have been reached: it takes other arguments
            error.add_note(f"{FAULT_NOTE}the stepper of {type(model).__module__}.{type(model).__qualname__} fails")
            raise
        if not isinstance(found, tuple) or len(found) != 2:
            place = defined_at(model, "stepper")
            raise PluginError(f"a step must return (logits_BV, state), not {type(found).__name__}{place}")
        return found

    return step if isinstance(model, RecurrentModel) else checked


def device_of(model: nn.Module) -> torch.device:
    """Return the device of a model: of its parameters, or else of its buffers."""
    tensors = itertools.chain(model.parameters(), model.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


@contextlib.contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Within it the model is in evaluation mode and no gradient is kept; afterwards it is as it was."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def log_probs(logits: Tensor, allowed_V: Tensor) -> Tensor:
    """Return log probabilities (..., V), nats; ids that may not be predicted get minus infinity."""
    return torch.log_softmax(logits.masked_fill(~allowed_V, -torch.inf), -1)

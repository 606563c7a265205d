"""Baselines in plain torch: models and training steps.

All of them are time-first, (T, B), torch's native layout; the loss is the mean over the targets.

Dimension letters: T steps, B batch, V vocabulary, H hidden.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqgen.tokenizers import PAD

Optimizer = torch.optim.Optimizer


class EagerVanilla(nn.Module):
    """Embedding, an eager time loop of one dense layer over [x, h] with ReLU, and the head once over all steps."""

    def __init__(self, n_symbols: int, hidden: int, embedding: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.embedding = nn.Embedding(n_symbols, embedding)
        self.dense = nn.Linear(embedding + hidden, hidden)
        self.head = nn.Linear(hidden, n_symbols)

    def forward(self, ids_TB: Tensor) -> Tensor:
        """Return logits (T, B, V)."""
        x_TBE = self.embedding(ids_TB)
        h_BH = x_TBE.new_zeros(ids_TB.shape[1], self.hidden)
        outputs = []
        for x_BE in x_TBE.unbind(0):
            h_BH = torch.relu(self.dense(torch.cat([x_BE, h_BH], 1)))
            outputs.append(h_BH)
        return self.head(torch.stack(outputs))


class EagerLoop(nn.Module):
    """Embedding, an eager time loop of any step (which projects x itself), and the head once over all steps.

    Args:
        n_symbols: V.
        make_cell: builds a module with ``initial_state(B)`` and ``forward(x, state) -> (y, state)`` from input and
            hidden size.
        hidden: H.
        embedding: E.
    """

    def __init__(self, n_symbols: int, make_cell: Callable[[int, int], nn.Module], hidden: int, embedding: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_symbols, embedding)
        self.step = make_cell(embedding, hidden)
        self.head = nn.Linear(hidden, n_symbols)

    def forward(self, ids_TB: Tensor) -> Tensor:
        """Return logits (T, B, V)."""
        state = self.step.initial_state(ids_TB.shape[1])
        outputs = []
        for x_BE in self.embedding(ids_TB).unbind(0):
            y_BH, state = self.step(x_BE, state)
            outputs.append(y_BH)
        return self.head(torch.stack(outputs))


class TorchModel(nn.Module):
    """Embedding, torch.nn.RNN, GRU or LSTM, and the head once over all steps.

    Args:
        n_symbols: V.
        layer: "rnn relu", "rnn tanh", "gru" or "lstm".
        hidden: H.
        embedding: features of a symbol.
        layers: number of layers.
        dropout: dropout probability before the head.
    """

    def __init__(
        self, n_symbols: int, layer: str, hidden: int, embedding: int, layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_symbols, embedding)
        self.layer = torch_layer(layer, embedding, hidden, layers)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.head = nn.Linear(hidden, n_symbols)

    def forward(self, ids_TB: Tensor) -> Tensor:
        """Return logits (T, B, V)."""
        return self.head(self.dropout(self.layer(self.embedding(ids_TB))[0]))


class PackedModel(TorchModel):
    """The same model over packed sequences, as in the CharRNN of MOSES (arXiv:1811.12823)."""

    def forward(self, ids_TB: Tensor) -> Tensor:
        """Return logits (T, B, V); records must be sorted by falling length."""
        lengths_B = (ids_TB != PAD).sum(0)
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(ids_TB), lengths_B)
        return self.head(nn.utils.rnn.pad_packed_sequence(self.layer(packed)[0])[0])


def torch_layer(layer: str, input_size: int, hidden: int, layers: int = 1) -> nn.Module:
    """Build a torch.nn layer by its name for ``TorchModel``."""
    torch.manual_seed(0)
    if layer.startswith("rnn"):
        return nn.RNN(input_size, hidden, layers, nonlinearity=layer.removeprefix("rnn "))
    return {"gru": nn.GRU, "lstm": nn.LSTM}[layer](input_size, hidden, layers)


def make_step(model: nn.Module, optimizer: Optimizer) -> Callable[[Tensor, Tensor], None]:
    """Return a training step on ids (T, B) and targets (T, B), ``PAD`` where there is no target."""

    def take(ids_TB: Tensor, targets_TB: Tensor) -> None:
        optimizer.zero_grad()
        logits_TBV = model(ids_TB)
        loss = functional.cross_entropy(logits_TBV.flatten(0, 1), targets_TB.flatten(), ignore_index=PAD)
        loss.backward()
        optimizer.step()

    return take


def adam(model: nn.Module, *, fused: bool = False, lr: float = 1e-3) -> Optimizer:
    """Return torch.optim.Adam, with its default or its fused implementation."""
    return torch.optim.Adam(model.parameters(), lr, fused=True) if fused else torch.optim.Adam(model.parameters(), lr)


def adamw(model: nn.Module, *, fused: bool = False, lr: float = 1e-3) -> Optimizer:
    """Return torch.optim.AdamW, with its default or its fused implementation."""
    return torch.optim.AdamW(model.parameters(), lr, fused=True) if fused else torch.optim.AdamW(model.parameters(), lr)

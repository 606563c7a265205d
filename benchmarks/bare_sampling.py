"""Drawing strings as one writes it with torch alone: a batch of rows, all computed until the last has ended.

Each symbol is drawn by softmax and multinomial under inference_mode; rows are decoded to str. The weights are those of
our model, so that both sides draw strings of the same lengths.

Dimension letters: B rows drawn together, V vocabulary, E embedding, H hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seqgen.model import RecurrentModel
from seqgen.tokenizers import BOS, EOS, Vocabulary

Adjust = Callable[[Tensor, Tensor], Tensor]
"""A decoding step: logits (B, V) and the ids so far (B, T) give logits."""


@dataclass(frozen=True)
class BareSampler:
    """Draws rows.

    Attributes:
        step: ids (B,) and a state (None at first) give logits (B, V) and the next state.
        vocabulary: the symbols.
        max_length: symbols at which a row is cut.
        adjust: a decoding step, or None.
    """

    step: Callable[[Tensor, Any], tuple[Tensor, Any]]
    vocabulary: Vocabulary
    max_length: int
    adjust: Adjust | None = None

    def draw(self, n: int, batch_size: int) -> list[str]:
        """So many rows, in batches."""
        return [text for start in range(0, n, batch_size) for text in self._batch(min(batch_size, n - start))]

    @torch.inference_mode()
    def _batch(self, width: int) -> list[str]:
        ids_B, state = torch.full((width,), BOS), None
        ended_B, columns = torch.zeros(width, dtype=torch.bool), []
        for _ in range(self.max_length + 1):
            logits_BV, state = self.step(ids_B, state)
            if self.adjust is not None:
                logits_BV = self.adjust(logits_BV, torch.stack(columns, 1) if columns else ids_B[:, None][:, :0])
            ids_B = torch.multinomial(torch.softmax(logits_BV, 1), 1)[:, 0]
            columns.append(ids_B)
            ended_B |= ids_B == EOS
            if ended_B.all():
                break
        return [self._text(row) for row in torch.stack(columns, 1).tolist()]

    def _text(self, ids: list[int]) -> str:
        return self.vocabulary.decode(ids[: ids.index(EOS) if EOS in ids else self.max_length])


def head_of(model: RecurrentModel, vocabulary: Vocabulary) -> nn.Linear:
    """The head of our model; what may not be predicted is ruled out by its bias, which costs nothing."""
    head = nn.Linear(model.head.in_features, model.head.out_features)
    head.load_state_dict(model.head.state_dict())
    with torch.no_grad():
        head.bias[~torch.from_numpy(vocabulary.allowed_V())] = -torch.inf
    return head


def vanilla_step(model: RecurrentModel, vocabulary: Vocabulary) -> Callable[[Tensor, Any], tuple[Tensor, Any]]:
    """A step of our one-layer vanilla model with ReLU, as one dense layer over [x, h]."""
    embedding, head, (cell,) = model.embedding, head_of(model, vocabulary), model.stack.layers
    dense = nn.Linear(cell.input_size + cell.hidden_size, cell.hidden_size)
    with torch.no_grad():
        dense.weight.copy_(torch.cat([cell.input.weight, cell.recurrent.weight], 1))
        dense.bias.copy_(cell.input.bias)

    def step(ids_B: Tensor, h_BH: Tensor | None) -> tuple[Tensor, Tensor]:
        x_BE = embedding(ids_B)
        h_BH = x_BE.new_zeros(len(x_BE), cell.hidden_size) if h_BH is None else h_BH
        h_BH = torch.relu(dense(torch.cat([x_BE, h_BH], 1)))
        return head(h_BH), h_BH

    return step


def notebook_names(model: RecurrentModel, vocabulary: Vocabulary, longest: int) -> Callable[[int], list[str]]:
    """Draws as the course notebook does, with the weights of our one-layer vanilla model with ReLU.

    A name at a time, by numpy's choice from the probabilities, always up to the length of the longest name.
    """
    step, ids = vanilla_step(model, vocabulary), np.arange(model.head.out_features)

    @torch.inference_mode()
    def generate() -> str:
        h_BH, sequence = None, [BOS]
        for _ in range(longest):
            logits_BV, h_BH = step(torch.tensor(sequence[-1:]), h_BH)
            sequence.append(int(np.random.choice(ids, p=torch.softmax(logits_BV, 1)[0].numpy())))
        drawn = sequence[1:]
        return vocabulary.decode(drawn[: drawn.index(EOS) if EOS in drawn else longest])

    return lambda n: [generate() for _ in range(n)]


def torch_step(layer: nn.Module, embedding: nn.Embedding, head: nn.Linear) -> Callable[..., tuple[Tensor, Any]]:
    """A step through a layer of torch.nn, which is given sequences of one step."""

    def step(ids_B: Tensor, state: Any) -> tuple[Tensor, Any]:
        y_1BH, state = layer(embedding(ids_B)[None], state)
        return head(y_1BH[0]), state

    return step


def lstm_layers(model: RecurrentModel) -> nn.LSTM:
    """Our stack of LSTM layers as one torch.nn.LSTM."""
    layers = model.stack.layers
    made = nn.LSTM(layers[0].input_size, layers[0].hidden_size, len(layers))
    with torch.no_grad():
        for depth, cell in enumerate(layers):
            getattr(made, f"weight_ih_l{depth}").copy_(cell.input.weight)
            getattr(made, f"weight_hh_l{depth}").copy_(cell.recurrent.weight)
            getattr(made, f"bias_ih_l{depth}").copy_(cell.input.bias)
            getattr(made, f"bias_hh_l{depth}").zero_()
    return made

"""Sampling baselines in plain torch: a batch of rows, all computed until the last one has ended.

Each symbol is sampled by softmax and multinomial under inference_mode; rows are decoded to str. The weights are those
of seqgen's model, so that both sides sample strings of the same lengths.

Dimension letters: B rows sampled together, T steps, V vocabulary, E embedding, H hidden.
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
"""A logits processor: (logits (B, V), ids so far (B, T)) -> logits (B, V)."""


@dataclass(frozen=True)
class TorchSampler:
    """A sampler of rows in plain torch.

    Attributes:
        step: (ids (B,), state or None) -> (logits (B, V), state).
        vocabulary: the symbols.
        max_length: symbols at which a row is cut off.
        adjust: a logits processor, or None.
    """

    step: Callable[[Tensor, Any], tuple[Tensor, Any]]
    vocabulary: Vocabulary
    max_length: int
    adjust: Adjust | None = None

    def sample(self, n: int, batch_size: int) -> list[str]:
        """Return n rows, sampled in batches."""
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


def copy_head(model: RecurrentModel, vocabulary: Vocabulary) -> nn.Linear:
    """Copy the model's head, with a bias of minus infinity for symbols that must not be predicted."""
    head = nn.Linear(model.head.in_features, model.head.out_features)
    head.load_state_dict(model.head.state_dict())
    with torch.no_grad():
        head.bias[~torch.from_numpy(vocabulary.allowed_V())] = -torch.inf
    return head


def vanilla_step(model: RecurrentModel, vocabulary: Vocabulary) -> Callable[[Tensor, Any], tuple[Tensor, Any]]:
    """Return the step of a one-layer vanilla model with ReLU as one dense layer over [x, h]."""
    embedding, head, (cell,) = model.embedding, copy_head(model, vocabulary), model.stack.layers
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


def notebook_sampler(model: RecurrentModel, vocabulary: Vocabulary, longest: int) -> Callable[[int], list[str]]:
    """Return the course notebook's sampler, with the weights of a one-layer vanilla model with ReLU.

    It samples one name at a time with numpy.random.choice, always up to the length of the longest name.
    """
    step, all_ids = vanilla_step(model, vocabulary), np.arange(model.head.out_features)

    @torch.inference_mode()
    def generate() -> str:
        h_BH, sequence = None, [BOS]
        for _ in range(longest):
            logits_BV, h_BH = step(torch.tensor(sequence[-1:]), h_BH)
            sequence.append(int(np.random.choice(all_ids, p=torch.softmax(logits_BV, 1)[0].numpy())))
        ids = sequence[1:]
        return vocabulary.decode(ids[: ids.index(EOS) if EOS in ids else longest])

    return lambda n: [generate() for _ in range(n)]


def torch_step(layer: nn.Module, embedding: nn.Embedding, head: nn.Linear) -> Callable[..., tuple[Tensor, Any]]:
    """Return a step through a torch.nn layer, which runs on sequences of length one."""

    def step(ids_B: Tensor, state: Any) -> tuple[Tensor, Any]:
        y_1BH, state = layer(embedding(ids_B)[None], state)
        return head(y_1BH[0]), state

    return step


def to_torch_lstm(model: RecurrentModel) -> nn.LSTM:
    """Convert a stack of LSTM cells to one torch.nn.LSTM with the same weights."""
    layers = model.stack.layers
    lstm = nn.LSTM(layers[0].input_size, layers[0].hidden_size, len(layers))
    with torch.no_grad():
        for depth, cell in enumerate(layers):
            getattr(lstm, f"weight_ih_l{depth}").copy_(cell.input.weight)
            getattr(lstm, f"weight_hh_l{depth}").copy_(cell.recurrent.weight)
            getattr(lstm, f"bias_ih_l{depth}").copy_(cell.input.bias)
            getattr(lstm, f"bias_hh_l{depth}").zero_()
    return lstm

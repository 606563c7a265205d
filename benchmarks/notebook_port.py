"""A literal torch port of the course notebook's training step.

Every training step samples 32 names, encodes their strings, and pads them to the longest name of all; head and softmax
are inside the time loop; the loss uses one-hot targets and the logarithm of clamped probabilities; Adam with a learning
rate of 1e-3; the loss is read after every step.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

START = " "


class NotebookModel(nn.Module):
    """One recurrent step with its prediction."""

    def __init__(self, n_tokens: int, hidden: int = 64, embedding: int = 16) -> None:
        super().__init__()
        self.embed_x = nn.Embedding(n_tokens, embedding)
        self.get_h_next = nn.Linear(embedding + hidden, hidden)
        self.get_probas = nn.Linear(hidden, n_tokens)

    def forward(self, x_B: Tensor, h_BH: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probabilities of the next token (B, V), and the next state (B, H)."""
        x_and_h = torch.cat([self.embed_x(x_B), h_BH], 1)
        h_BH = torch.relu(self.get_h_next(x_and_h))
        return torch.softmax(self.get_probas(h_BH), 1), h_BH


def notebook_step(texts: Sequence[str], batch_size: int = 32, hidden: int = 64) -> Callable[[], float]:
    """Return one step of the notebook's training loop, which returns the loss.

    Args:
        texts: the names.
        batch_size: names per step.
        hidden: number of units.
    """
    lines = [START + text for text in texts]
    tokens = sorted(set("".join(lines)))
    token_to_id = {token: index for index, token in enumerate(tokens)}
    max_length = max(map(len, lines))
    torch.manual_seed(0)
    model, rng = NotebookModel(len(tokens), hidden), random.Random(0)
    optimizer = torch.optim.Adam(model.parameters())

    def to_matrix(rows: Sequence[str]) -> Tensor:
        ids_BT = torch.zeros(len(rows), max_length, dtype=torch.int64)
        for index, row in enumerate(rows):
            ids_BT[index, : len(row)] = torch.tensor([token_to_id[token] for token in row])
        return ids_BT.t()

    def step() -> float:
        ids_TB = to_matrix(rng.sample(lines, batch_size))
        h_BH, predicted = torch.zeros(batch_size, hidden), []
        for x_B in ids_TB:
            probas_BV, h_BH = model(x_B, h_BH)
            predicted.append(probas_BV)
        predictions_NV = torch.stack(predicted[:-1]).flatten(0, 1)
        answers_NV = functional.one_hot(ids_TB[1:].flatten(), len(tokens))
        loss = -(answers_NV * predictions_NV.clamp(1e-10, 1.0).log()).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step

"""The work of ``seqgen train --corpus names --cell vanilla --steps N`` as a plain torch script.

    python benchmarks/full_command_torch.py FOLDER N loop|layer FILE FILE

reads the files of names, encodes them once, trains the same sizes (128 ReLU units, embedding 32, dropout 0.2 before the
head) with AdamW and clipping on random padded batches of 128, prints the loss every 50 steps, evaluates the held-out
names once at the end, samples three names, and saves model and optimizer. ``loop`` runs step by step in Python,
``layer`` with torch.nn.RNN.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

HIDDEN, EMBEDDING, BATCH, DROPOUT, LR = 128, 32, 128, 0.2, 3e-3
PAD, BOS, EOS = 0, 1, 2


class Loop(nn.Module):
    """One dense layer over [x, h] with ReLU, step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(EMBEDDING + HIDDEN, HIDDEN)

    def forward(self, x_TBE, h_BH=None):
        """Return the outputs (T, B, H), and the last state."""
        h_BH = x_TBE.new_zeros(x_TBE.shape[1], HIDDEN) if h_BH is None else h_BH
        outputs = []
        for x_BE in x_TBE:
            h_BH = torch.relu(self.dense(torch.cat([x_BE, h_BH], 1)))
            outputs.append(h_BH)
        return torch.stack(outputs), h_BH


class Names(nn.Module):
    """A model of embedding, layer, dropout and head."""

    def __init__(self, n_symbols, layer):
        super().__init__()
        self.embedding = nn.Embedding(n_symbols, EMBEDDING)
        self.layer = Loop() if layer == "loop" else nn.RNN(EMBEDDING, HIDDEN, nonlinearity="relu")
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(HIDDEN, n_symbols)

    def forward(self, ids_TB, state=None):
        """Return the logits (T, B, V), and the last state."""
        y_TBH, state = self.layer(self.embedding(ids_TB), state)
        return self.head(self.dropout(y_TBH)), state


def loss_of(model, ids_NT):
    """Return the loss in nats per symbol."""
    ids_TN = ids_NT.t()
    logits_TNV, _ = model(ids_TN[:-1])
    return functional.cross_entropy(logits_TNV.flatten(0, 1), ids_TN[1:].flatten(), ignore_index=PAD)


def sample(model, symbols, longest):
    """Sample a name."""
    ids, text, state = torch.tensor([[BOS]]), "", None
    while len(text) < longest:
        logits_11V, state = model(ids, state)
        logits_11V[..., :EOS] = -torch.inf
        ids = torch.multinomial(torch.softmax(logits_11V[0], 1), 1)
        if ids.item() == EOS:
            break
        text += symbols[ids.item() - 3]
    return text


def main():
    """Train, evaluate, sample and save."""
    folder, n_steps, layer, *files = sys.argv[1:]
    texts = [text for file in files for text in Path(file).read_text(encoding="utf-8").splitlines() if text]
    symbols = sorted(set("".join(texts)))
    id_of = {symbol: index + 3 for index, symbol in enumerate(symbols)}
    longest = max(map(len, texts))
    ids_NT = torch.zeros(len(texts), longest + 2, dtype=torch.int64)
    for row, text in enumerate(texts):
        ids_NT[row, : len(text) + 2] = torch.tensor([BOS, *map(id_of.get, text), EOS])
    ids_NT = ids_NT[torch.randperm(len(ids_NT))]
    n_train = len(ids_NT) * 9 // 10
    model = Names(len(symbols) + 3, layer)
    optimizer = torch.optim.AdamW(model.parameters(), LR)
    for step in range(int(n_steps)):
        loss = loss_of(model, ids_NT[torch.randint(n_train, (BATCH,))])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0:
            print(step, loss.item())
    model.eval()
    with torch.inference_mode():
        print("held out", loss_of(model, ids_NT[n_train:]).item())
        print(*(sample(model, symbols, 2 * longest) for _ in range(3)))
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, Path(folder) / "bare.pt")


if __name__ == "__main__":
    main()

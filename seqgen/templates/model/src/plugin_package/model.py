"""A feed-forward network on the concatenated embeddings of the last few symbols.

B batch, T steps, V vocabulary, K window.
"""

import torch
from torch import Tensor, nn


class WindowModel(nn.Module):
    """A model whose state is the last K - 1 ids.

    Args:
        n_symbols: V.
        window: K.
        embedding: size of the embedding.
        hidden: size of the hidden layer.
    """

    def __init__(self, n_symbols: int, *, window: int = 3, embedding: int = 16, hidden: int = 64) -> None:
        super().__init__()
        self.window = window
        self.embed = nn.Embedding(n_symbols, embedding)
        self.layers = nn.Sequential(nn.Linear(window * embedding, hidden), nn.Tanh(), nn.Linear(hidden, n_symbols))

    def initial_state(self, batch_size: int) -> Tensor:
        """Return padding ids, (B, K - 1)."""
        return torch.zeros(batch_size, self.window - 1, dtype=torch.long, device=self.embed.weight.device)

    def forward(self, ids_BT: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (B, T, V) of the symbol after each id, and the next state (B, K - 1)."""
        seen = torch.cat([state, ids_BT], 1)
        windows_BTK = seen.unfold(1, self.window, 1)
        logits_BTV = self.layers(self.embed(windows_BTK).flatten(2))
        return logits_BTV, seen[:, seen.shape[1] - self.window + 1 :]

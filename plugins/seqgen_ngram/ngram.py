"""The n-gram with interpolated Witten-Bell smoothing.

    p_k(c | h) = (count(h c) + N1+(h .) p_{k-1}(c | h')) / (count(h) + N1+(h .))        k = 1 .. n
    p_0(c) = 1 / V

h is the last k - 1 symbols, h' is h without its first symbol, N1+(h .) is the number of different symbols that followed
h, and p_k = p_{k-1} where h was never seen. Padding precedes the first symbol.

Counts are rows of one table, one row per context. Contexts of k - 1 symbols have V^(k-1) rows of their own if that is
at most ``buckets``; otherwise they are hashed into ``buckets`` rows, where a row belongs to the context that came first
and contexts that collide with it are not counted: for them p_k = p_{k-1}. So memory is at most n x buckets x V x 4
bytes (plus 8 bytes per row), however much is learned. Counts are float32, exact up to 2^24 (16.8 million), where they
saturate.

Source: Witten & Bell 1991, The zero-frequency problem, doi:10.1109/18.87000, method C; in this form and these letters
Chen & Goodman 1999, doi:10.1006/csla.1999.0128.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

_PAD = 0  # precedes the first symbol, and marks positions without a target
_PRIME, _FACTOR = 2**31 - 1, 630_360_016  # a product of two numbers below the prime fits into 63 bits


class NGramModel(nn.Module):
    """An n-gram model. It has no parameters: ``learn`` replaces the gradient step.

    Dimension letters: R rows of the table, S ids of which the last T are predicted from, N targets.

    Args:
        n_symbols: V.
        order: n.
        buckets: maximum number of rows for contexts of one length.
    """

    counts_RV: Tensor
    owners_R: Tensor

    def __init__(self, n_symbols: int, *, order: int = 5, buckets: int = 16_384) -> None:
        super().__init__()
        self.n_symbols, self.order, self.buckets = n_symbols, order, buckets
        rows = [min(n_symbols**length, buckets) for length in range(order)]
        self._first_rows = [sum(rows[:length]) for length in range(order)]
        self.register_buffer("counts_RV", torch.zeros(sum(rows), n_symbols))
        self.register_buffer(
            "owners_R", torch.zeros(sum(rows), dtype=torch.int64)
        )  # keys of the rows' contexts; 0: free

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the n - 1 ids before the first symbol, (B, n - 1), all padding."""
        return self.owners_R.new_full((batch_size, self.order - 1), _PAD)

    def forward(self, ids_BT: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return log p_n after each id, (B, T, V), and the last n - 1 ids, (B, n - 1)."""
        ids_BS = torch.cat([state, ids_BT], 1)
        p_BTV = self.counts_RV.new_full((*ids_BT.shape, self.n_symbols), 1 / self.n_symbols)
        for row_BT, key_BT in self._contexts(ids_BS, ids_BT.shape[1]):
            counts_BTV = self.counts_RV[row_BT]
            total_BT1, kinds_BT1 = counts_BTV.sum(2, keepdim=True), (counts_BTV > 0).sum(2, keepdim=True)
            smoothed_BTV = (counts_BTV + kinds_BT1 * p_BTV) / (total_BT1 + kinds_BT1)
            p_BTV = torch.where((self.owners_R[row_BT] == key_BT)[..., None], smoothed_BTV, p_BTV)
        # Keep the logarithm finite where a probability underflows.
        logits_BTV = p_BTV.clamp(min=torch.finfo(p_BTV.dtype).tiny).log()
        return logits_BTV, ids_BS[:, ids_BS.shape[1] - self.order + 1 :]

    def learn(self, ids_BT: Tensor, targets_BT: Tensor) -> None:
        """Count the targets after their contexts.

        Args:
            ids_BT: rows from their beginning.
            targets_BT: the id that follows each id; 0 where there is none.
        """
        ids_BS = torch.cat([self.initial_state(len(ids_BT)), ids_BT], 1)
        is_target_BT = targets_BT != _PAD
        for row_BT, key_BT in self._contexts(ids_BS, ids_BT.shape[1]):
            row_N, key_N, target_N = row_BT[is_target_BT], key_BT[is_target_BT], targets_BT[is_target_BT]
            free_N = self.owners_R[row_N] == 0
            # Of contexts in the same batch the largest key wins, so the result does not depend on the order of writes.
            self.owners_R.scatter_reduce_(0, row_N[free_N], key_N[free_N], "amax")
            cell_N = (row_N * self.n_symbols + target_N)[self.owners_R[row_N] == key_N]
            self.counts_RV.view(-1).index_add_(0, cell_N, torch.ones_like(cell_N, dtype=self.counts_RV.dtype))

    def _contexts(self, ids_BS: Tensor, T: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield row and key, each (B, T), of the contexts ending at the last T ids, for context lengths 0 to n - 1."""
        S = ids_BS.shape[1]
        number_BT = hash_BT = torch.zeros_like(ids_BS[:, S - T :])
        for length, first_row in enumerate(self._first_rows):
            fits = self.n_symbols**length <= self.buckets
            yield first_row + (number_BT if fits else hash_BT * self.buckets // _PRIME), hash_BT + 1
            if length < self.order - 1:
                id_BT = ids_BS[:, S - T - length : S - length]
                hash_BT = (hash_BT + id_BT + 1) * _FACTOR % _PRIME
                number_BT = number_BT + id_BT * self.n_symbols**length if fits else number_BT

"""The n-gram with interpolated modified Kneser-Ney or Witten-Bell smoothing.

    Kneser-Ney    p_k(c | h) = (max(n(h c) - D_k(n(h c)), 0) + G_k(h) p_{k-1}(c | h')) / n(h)          k = 1 .. n
    Witten-Bell   p_k(c | h) = (n(h c) + N1+(h .) p_{k-1}(c | h')) / (n(h) + N1+(h .))
    p_0(c) = 1 / V

h is the last k - 1 symbols, h' is h without its first symbol, and p_k = p_{k-1} where h was never seen. n(h c) is the
number of occurrences and n(h) its sum over c; with Kneser-Ney n(h c) is below the highest order the number of different
symbols before h c, or all occurrences where h begins a row, since nothing else can come before it. N1+(h .) is the
number of different symbols that followed h, G_k(h) the sum of D_k(n(h c)) over c, and

    D_k(r) = r - (r + 1) Y m_{r+1} / m_r for r = 1, 2 and 3 (or more),   Y = m_1 / (m_1 + 2 m_2)

with m_r the number of grams of k symbols with n = r; a discount without counts to estimate it, or not between 0 and r,
is r / 2. Padding precedes the first symbol; only Witten-Bell counts it as a symbol.

Counts are rows of one table, one row per context. Contexts of k - 1 symbols have V^(k-1) rows of their own if that is
at most ``buckets``; otherwise they are hashed into ``buckets`` rows, where a row belongs to the context that came first
and contexts that collide with it are not counted: for them p_k = p_{k-1}, and the symbols before their shorter contexts
count as one together. So memory is at most n x buckets x V x 4 bytes (plus 8 bytes per row), however much is learned.
Counts are float32, exact up to 2^24 (16.8 million), where they saturate.

Source: Chen & Goodman 1999, An empirical study of smoothing techniques for language modeling,
doi:10.1006/csla.1999.0128; Witten & Bell 1991, The zero-frequency problem, doi:10.1109/18.87000, method C.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

_PAD = 0  # precedes the first symbol, and marks positions without a target
_PRIME, _FACTOR = 2**31 - 1, 630_360_016  # a product of two numbers below the prime fits into 63 bits


class NGramModel(nn.Module):
    """An n-gram model. It has no parameters: ``learn`` replaces the gradient step.

    Dimension letters: R rows of the table, S ids of which the last T are predicted from, N targets, M those that are
    counted, D their different cells of the table, L lengths of contexts.

    Args:
        n_symbols: V.
        order: n.
        buckets: maximum number of rows for contexts of one length.
        smoothing: "kneser-ney" or "witten-bell".
    """

    counts_RV: Tensor
    owners_R: Tensor

    def __init__(
        self,
        n_symbols: int,
        *,
        order: int = 5,
        buckets: int = 16_384,
        smoothing: Literal["kneser-ney", "witten-bell"] = "witten-bell",
    ) -> None:
        super().__init__()
        self.n_symbols, self.order, self.buckets, self.smoothing = n_symbols, order, buckets, smoothing
        rows = self._row_numbers = [min(n_symbols**length, buckets) for length in range(order)]
        self._first_rows = [sum(rows[:length]) for length in range(order)]
        self.register_buffer("counts_RV", torch.zeros(sum(rows), n_symbols))
        self.register_buffer(
            "owners_R", torch.zeros(sum(rows), dtype=torch.int64)
        )  # keys of the rows' contexts; 0: free
        self._grams: list[list[int]] | None = None  # by order: the numbers of grams with n = 0, 1, ..., 5 or more

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the n - 1 ids before the first symbol, (B, n - 1), all padding."""
        return self.owners_R.new_full((batch_size, self.order - 1), _PAD)

    def forward(self, ids_BT: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return log p_n after each id, (B, T, V), and the last n - 1 ids, (B, n - 1)."""
        ids_BS = torch.cat([state, ids_BT], 1)
        p_BTV = self.counts_RV.new_full((*ids_BT.shape, self.n_symbols), 1 / self.n_symbols)
        modified = self.smoothing == "kneser-ney"
        discounts = [p_BTV.new_tensor(_discounts(grams)) for grams in self._numbers_of_grams()] if modified else []
        for length, (row_BT, key_BT) in enumerate(self._contexts(ids_BS, ids_BT.shape[1])):
            counts_BTV = self.counts_RV[row_BT]
            total_BT1 = counts_BTV.sum(2, keepdim=True)
            if modified:
                taken_BTV = discounts[length][counts_BTV.clamp(max=3).long()]
                left_BT1 = taken_BTV.sum(2, keepdim=True)
                smoothed_BTV = (counts_BTV.sub_(taken_BTV).clamp_(min=0) + left_BT1 * p_BTV) / total_BT1
            else:
                kinds_BT1 = (counts_BTV > 0).sum(2, keepdim=True)
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
        T = ids_BT.shape[1]
        ids_BS = torch.cat([self.initial_state(len(ids_BT)), ids_BT], 1)
        is_target_BT = targets_BT != _PAD
        contexts = [(row_BT[is_target_BT], key_BT[is_target_BT]) for row_BT, key_BT in self._contexts(ids_BS, T)]
        target_N = targets_BT[is_target_BT]
        if self.smoothing == "kneser-ney":
            first_BTL = ids_BS.unfold(1, T, 1).flip(1).transpose(1, 2)  # first symbols of contexts of length 1, 2, ...
            self._learn_continuations(contexts, first_BTL[is_target_BT] != _PAD, target_N)
            return
        for row_N, key_N in contexts:
            self._claim(row_N, key_N)
            self._add((row_N * self.n_symbols + target_N)[self.owners_R[row_N] == key_N])

    def _claim(self, row_N: Tensor, key_N: Tensor) -> None:
        """Give free rows to contexts."""
        free_N = self.owners_R[row_N] == 0
        # Of contexts in the same batch the largest key wins, so the result does not depend on the order of writes.
        self.owners_R.scatter_reduce_(0, row_N[free_N], key_N[free_N], "amax")

    def _add(self, cell_N: Tensor) -> None:
        """Add 1 to the count of each cell of the table."""
        self.counts_RV.view(-1).index_add_(0, cell_N, torch.ones_like(cell_N, dtype=self.counts_RV.dtype))

    def _learn_continuations(
        self, contexts: list[tuple[Tensor, Tensor]], is_inside_NL: Tensor, target_N: Tensor
    ) -> None:
        """Count for Kneser-Ney, from the longest contexts down.

        A gram adds to the gram without its first symbol when it occurs for the first time.

        Args:
            contexts: row and key of the context of each target, for context lengths 0 to n - 1.
            is_inside_NL: whether the row reaches back as far as contexts of length 1, 2, ...
            target_N: the targets.
        """
        counts, grams = self.counts_RV.view(-1), self._numbers_of_grams()
        everywhere_N = torch.ones_like(target_N, dtype=torch.bool)
        is_longer_inside_N, is_longer_counted_N, is_new_N = ~everywhere_N, ~everywhere_N, ~everywhere_N
        for length in range(self.order - 1, -1, -1):
            row_N, key_N = contexts[length]
            is_inside_N = is_inside_NL[:, length - 1] if length else everywhere_N
            self._claim(row_N[is_inside_N], key_N[is_inside_N])
            is_counted_N = is_inside_N & (self.owners_R[row_N] == key_N)
            cell_N, at_M = row_N * self.n_symbols + target_N, is_counted_N.nonzero().squeeze(1)
            cell_D, place_M = torch.unique(cell_N[at_M], return_inverse=True)
            before_D = counts[cell_D]
            # Where no longer context is inside the row, every occurrence counts; where it is not counted, one does.
            self._add(cell_N[is_counted_N & (is_new_N | ~is_longer_inside_N)])
            is_unknown_N = is_counted_N & is_longer_inside_N & ~is_longer_counted_N
            unknown_N = cell_N[is_unknown_N]
            counts[unknown_N] = counts[unknown_N].clamp(min=1)
            for values_D, sign in ((before_D, -1), (counts[cell_D], 1)):
                for r, number in enumerate(torch.bincount(values_D.clamp(max=5).long(), minlength=6).tolist()):
                    grams[length][r] += sign * number
            first_D = torch.full_like(cell_D, len(cell_N)).scatter_reduce_(0, place_M, at_M, "amin")
            is_new_N = torch.zeros_like(everywhere_N).index_fill_(0, first_D[before_D == 0], True)
            is_longer_inside_N, is_longer_counted_N = is_inside_N, is_counted_N

    def _numbers_of_grams(self) -> list[list[int]]:
        """Return the numbers of grams by order and count; they are kept up to date while learning."""
        if self._grams is None:
            parts = torch.split(self.counts_RV, self._row_numbers)
            self._grams = [[0, *(int((part == r).sum()) for r in range(1, 5)), 0] for part in parts]
        return self._grams

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._grams = None
        super()._load_from_state_dict(*args, **kwargs)

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


def _discounts(m: list[int]) -> list[float]:
    """Return D(r) for r = 0, 1, 2 and 3, from the numbers of grams by count."""
    y = m[1] / (m[1] + 2 * m[2]) if m[1] and m[2] else 0.0
    found = [0.0]
    for r in (1, 2, 3):
        value = r - (r + 1) * y * m[r + 1] / m[r] if y and m[r] else -1.0
        found.append(value if 0 < value < r else r / 2)
    return found

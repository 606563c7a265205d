"""Baselines that need no neural network, in bits per character.

    uniform   every symbol is as likely as any other
    unigram, bigram, 5-gram   counts, with interpolated Kneser-Ney smoothing
    xz        the bits that the test part adds to the compressed training part

The symbols are characters and, where texts end, the stop, which counts as one character, whatever the tokenizer of the
run is. Characters are those of the whole corpus, so that each has a share.

With c the count of what follows a context h, N1+(h .) how many different symbols follow it, h' the context without its
first symbol and D the discount of the order:

    p_k(w | h) = max(c_k(h w) - D_k, 0) / c_k(h)  +  D_k N1+(h .) / c_k(h) * p_{k-1}(w | h')       p_0(w) = 1 / V
    c_n(h w) = how often h w was seen;  below the highest order c_k(h w) = N1+(. h w), before how many different
    symbols (all times it was seen, where h begins a text: nothing else can stand before it)
    D = n_1 / (n_1 + 2 n_2), where n_r of the grams of this order have c = r; 1/2 where n_1 or n_2 is 0
    p_k = p_{k-1} where h was never seen.

Source: Kneser & Ney 1995, doi:10.1109/ICASSP.1995.479394; in this interpolated form Chen & Goodman 1999,
doi:10.1006/csla.1999.0128, section 2.7; D is that of Ney, Essen & Kneser 1994, doi:10.1006/csla.1994.1001.

Dimension letters: S symbols with the marks before each text, N targets, G different grams.
"""

from __future__ import annotations

import lzma
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

_ORDERS = {"unigram": 1, "bigram": 2, "5gram": 5}
_XZ: dict[str, Any] = {
    "format": lzma.FORMAT_RAW,
    "filters": [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 24}],
}


def baseline_bits_per_char(
    train: Sequence[str], test: Sequence[str], alphabet: Iterable[str], *, ends: bool = True
) -> dict[str, float]:
    """The rungs by name, from "uniform" to "xz", in bits per character of the test texts.

    Args:
        train: what is counted.
        test: what is predicted; at least one character or stop.
        alphabet: the characters of the whole corpus.
        ends: whether texts have a stop; pieces of one long text do not.
    """
    alphabet = set(alphabet).union(*train, *test)
    rungs = {"uniform": math.log2(max(1, len(alphabet) + ends))}
    grams = Grams(train, test, alphabet, max(_ORDERS.values()), ends=ends)
    for name, order in _ORDERS.items():
        rungs[name] = float(-np.log2(grams.shares(order)).mean())
    return rungs | {"xz": xz_bits_per_char(train, test, ends=ends)}


def xz_bits_per_char(train: Sequence[str], test: Sequence[str], *, ends: bool = True) -> float:
    """Bits that the test texts add to the compressed training texts (LZMA2, preset 9e), per character.

    Each text that ends is followed by a line end, in place of its stop. There is no header and no checksum.
    """
    stop = "\n" if ends else ""
    before, after = ("".join(text + stop for text in texts).encode("utf-8", "surrogatepass") for texts in (train, test))
    added = len(lzma.compress(before + after, **_XZ)) - len(lzma.compress(before, **_XZ))
    return 8 * added / max(1, sum(map(len, test)) + ends * len(test))


class Grams:
    """Every gram of training and test texts, numbered, and how often training saw it.

    Args:
        train: texts to count.
        test: texts to predict.
        alphabet: at least the characters of both.
        order: of the longest gram.
        ends: whether texts have a stop.
    """

    def __init__(
        self, train: Sequence[str], test: Sequence[str], alphabet: Iterable[str], order: int, *, ends: bool = True
    ) -> None:
        codes = np.array(sorted(map(ord, set(alphabet))), dtype=np.uint32)
        self.n_symbols = len(codes) + ends
        self._begin = len(codes) + 1  # stands before each text; the stop is len(codes)
        parts = [self._framed(texts, codes, order - 1, ends) for texts in (train, test)]
        self._ids_S = np.concatenate(parts)
        targets = np.flatnonzero(self._ids_S != self._begin)
        cut = int(np.searchsorted(targets, len(parts[0])))
        self._train_N, self._test_N = targets[:cut], targets[cut:]
        self._grams_S = [np.zeros(len(self._ids_S), dtype=np.int64), self._ids_S]
        for _ in range(1, order):  # a gram is the one before it and a symbol; numbers stay small whatever the alphabet
            before_S = np.concatenate(([0], self._grams_S[-1][:-1]))
            pairs_S = before_S * (self._begin + 1) + self._ids_S
            self._grams_S.append(np.unique(pairs_S, return_inverse=True)[1].astype(np.int64))

    def _framed(self, texts: Sequence[str], codes: npt.NDArray[np.uint32], n_begins: int, ends: bool) -> Integers:
        """Ids of texts one after another, each between its marks."""
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        framed_lengths = lengths + n_begins + ends
        starts = np.cumsum(framed_lengths) - framed_lengths
        ids_S = np.full(int(framed_lengths.sum()), self._begin, dtype=np.int64)
        found = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        firsts = starts + n_begins
        ids_S[np.repeat(firsts - (np.cumsum(lengths) - lengths), lengths) + np.arange(len(found))] = np.searchsorted(
            codes, found
        )
        if ends:
            ids_S[firsts + lengths] = len(codes)
        return ids_S

    def shares(self, order: int) -> Floats:
        """What the n-gram of an order gives each target of the test texts (N,), in their order."""
        shares_N = np.full(len(self._test_N), 1 / self.n_symbols)
        for k in range(1, order + 1):
            shares_N = self._interpolated(k, highest=k == order, lower_N=shares_N)
        return shares_N

    def _interpolated(self, k: int, *, highest: bool, lower_N: Floats) -> Floats:
        """p_k of each target from p_{k-1}."""
        grams_S, contexts_S = self._grams_S[k], self._grams_S[k - 1]
        counts_G = self._counts(k, highest)
        kinds, first = np.unique(grams_S[self._train_N], return_index=True)
        context_of = contexts_S[self._train_N[first] - 1]
        size = int(contexts_S.max(initial=0)) + 1
        total_C = np.bincount(context_of, counts_G[kinds], size)
        kinds_C = np.bincount(context_of, minlength=size)
        seen = counts_G[kinds]
        n_1, n_2 = int((seen == 1).sum()), int((seen == 2).sum())
        discount = n_1 / (n_1 + 2 * n_2) if n_1 and n_2 else 0.5
        test_contexts_N = contexts_S[self._test_N - 1]
        total_N, kinds_N = total_C[test_contexts_N], kinds_C[test_contexts_N]
        kept_N = np.maximum(counts_G[grams_S[self._test_N]] - discount, 0.0) + discount * kinds_N * lower_N
        return np.where(total_N > 0, kept_N / np.maximum(total_N, 1), lower_N)

    def _counts(self, k: int, highest: bool) -> Integers:
        """c_k of each gram (G,)."""
        grams_S = self._grams_S[k]
        size = int(grams_S.max(initial=0)) + 1
        seen_G = np.bincount(grams_S[self._train_N], minlength=size)
        if highest:
            return seen_G
        _, first = np.unique(self._grams_S[k + 1][self._train_N], return_index=True)
        before_G = np.bincount(grams_S[self._train_N[first]], minlength=size)
        begins = np.zeros(size, dtype=bool)
        begins[grams_S[self._train_N[self._ids_S[self._train_N - (k - 1)] == self._begin]]] = True
        return np.where(begins, seen_G, before_G)

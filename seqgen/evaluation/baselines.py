"""Baselines that need no neural network, in bits per character.

    uniform   every symbol is equally likely
    unigram, bigram, 5-gram   counts with interpolated Kneser-Ney smoothing
    xz        bits that the test part adds to the compressed training part

and stronger ones: modified Kneser-Ney n-grams of every order (``seqgen.counting``), and PPMd. Neither order is chosen
by the test texts: that of the n-gram is the one that predicts the training texts best, each from those that differ from
it and as often as it occurs, that of PPMd the one that adds the fewest bits for a tenth of the training texts after the
rest.

The symbols are characters and, where texts end, a stop that counts as one character, whatever tokenizer the run has.
The alphabet is that of the whole corpus, so every character has a positive probability.

For one discount an order, with c the count of w after a context h, N1+(h .) the number of distinct symbols after it, h'
the context without its first symbol and D the discount of the order:

    p_k(w | h) = max(c_k(h w) - D_k, 0) / c_k(h)  +  D_k N1+(h .) / c_k(h) * p_{k-1}(w | h')       p_0(w) = 1 / V
    c_n(h w) is the number of occurrences of h w; below the highest order c_k(h w) = N1+(. h w), the number of distinct
    symbols before it (all occurrences where h begins a text, since nothing else can come before it)
    D = n_1 / (n_1 + 2 n_2), where n_r is the number of grams of this order with c = r; 1/2 where n_1 or n_2 is 0
    p_k = p_{k-1} where h never occurred.

Source: Kneser & Ney 1995, doi:10.1109/ICASSP.1995.479394; in this interpolated form Chen & Goodman 1999,
doi:10.1006/csla.1999.0128, section 2.7; D is that of Ney, Essen & Kneser 1994, doi:10.1006/csla.1994.1001. Shkarin
2002, PPM: one step to practicality, doi:10.1109/DCC.2002.999958 (variant H by pyppmd).

Dimension letters: S symbols with the marks before each text, N predicted ids, G distinct grams, C contexts.
"""

from __future__ import annotations

import contextlib
import lzma
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seqgen.counting import MAX_ORDER, N_BLOCKS, Records, frame_texts, leave_out_by_order, records_of_texts
from seqgen.errors import MissingExtra

if TYPE_CHECKING:
    from seqgen.protocols import Floats, Integers


_ORDERS = {"unigram": 1, "bigram": 2, "5gram": 5}
_XZ: dict[str, Any] = {
    "format": lzma.FORMAT_RAW,
    "filters": [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 24}],
}
_PPMD_ORDERS = range(2, 9)
_PPMD_MEMORY = 1 << 26  # bytes


def baseline_bits_per_char(
    train: Sequence[str], test: Sequence[str], alphabet: Iterable[str], *, ends: bool = True
) -> dict[str, float]:
    """Return the baselines by name, from "uniform" to "xz", in bits per character of the test texts.

    Args:
        train: texts to count.
        test: texts to predict, with at least one character or stop.
        alphabet: the characters of the whole corpus.
        ends: whether texts have a stop; pieces of one long text have none.
    """
    alphabet = set(alphabet).union(*train, *test)
    values = {"uniform": math.log2(max(1, len(alphabet) + ends))}
    grams = Grams(train, test, alphabet, max(_ORDERS.values()), ends=ends)
    for name, order in _ORDERS.items():
        values[name] = float(-np.log2(grams.probabilities(order)).mean())
    return values | {"xz": xz_bits_per_char(train, test, ends=ends)}


def xz_bits_per_char(train: Sequence[str], test: Sequence[str], *, ends: bool = True) -> float:
    """Return the bits per character that the test texts add to the compressed training texts (LZMA2, preset 9e).

    Header and checksum are not counted.
    """
    return added_bits_per_char(lambda data: len(lzma.compress(data, **_XZ)), train, test, ends=ends)


def added_bits_per_char(
    size: Callable[[bytes], int], train: Sequence[str], test: Sequence[str], *, ends: bool = True
) -> float:
    """Return the bits per character that the test texts add to the compressed training texts.

    Args:
        size: returns the bytes of compressed data.
        train: texts before the test texts.
        test: texts to compress.
        ends: whether each text is followed by a line end in place of its stop.
    """
    before = joined(train, ends=ends)
    added = size(before + joined(test, ends=ends)) - size(before)
    return 8 * added / max(1, sum(map(len, test)) + ends * len(test))


def joined(texts: Sequence[str], *, ends: bool) -> bytes:
    """Return texts as UTF-8, each followed by a line end where texts end."""
    return "".join(text + "\n" * ends for text in texts).encode("utf-8", "surrogatepass")


class Grams:
    """All n-grams of training and test texts, numbered, with their counts in the training texts.

    Args:
        train: texts to count.
        test: texts to predict.
        alphabet: at least the characters of both.
        order: length of the longest gram.
        ends: whether texts have a stop.
    """

    def __init__(
        self, train: Sequence[str], test: Sequence[str], alphabet: Iterable[str], order: int, *, ends: bool = True
    ) -> None:
        alphabet = set(alphabet)
        train_S, test_S = (frame_texts(texts, alphabet, ends=ends, n_marks=order - 1)[0] for texts in (train, test))
        self.n_symbols = len(alphabet) + ends
        self._ids_S = np.concatenate((train_S, test_S))
        targets = np.flatnonzero(self._ids_S)  # all but marks
        cut = int(np.searchsorted(targets, len(train_S)))
        self._train_N, self._test_N = targets[:cut], targets[cut:]
        self._grams_S = [np.zeros(len(self._ids_S), dtype=np.int64), self._ids_S]
        for _ in range(1, order):  # a gram is a shorter gram and a symbol, renumbered so that the numbers stay small
            before_S = np.concatenate(([0], self._grams_S[-1][:-1]))
            pairs_S = before_S * (len(alphabet) + 2) + self._ids_S
            self._grams_S.append(np.unique(pairs_S, return_inverse=True)[1].astype(np.int64))

    def probabilities(self, order: int) -> Floats:
        """Return the probability of each target of the test texts under the n-gram of an order, (N,)."""
        probs_N = np.full(len(self._test_N), 1 / self.n_symbols)
        for k in range(1, order + 1):
            probs_N = self._interpolated(k, highest=k == order, lower_N=probs_N)
        return probs_N

    def _interpolated(self, k: int, *, highest: bool, lower_N: Floats) -> Floats:
        """Return p_k of each target, given p_{k-1}."""
        grams_S, contexts_S = self._grams_S[k], self._grams_S[k - 1]
        counts_G = self._counts(k, highest)
        distinct, first = np.unique(grams_S[self._train_N], return_index=True)
        context_of = contexts_S[self._train_N[first] - 1]
        size = int(contexts_S.max(initial=0)) + 1
        total_C = np.bincount(context_of, counts_G[distinct], size)
        distinct_C = np.bincount(context_of, minlength=size)
        counts = counts_G[distinct]
        n_1, n_2 = int((counts == 1).sum()), int((counts == 2).sum())
        discount = n_1 / (n_1 + 2 * n_2) if n_1 and n_2 else 0.5
        test_contexts_N = contexts_S[self._test_N - 1]
        total_N, distinct_N = total_C[test_contexts_N], distinct_C[test_contexts_N]
        mass_N = np.maximum(counts_G[grams_S[self._test_N]] - discount, 0.0) + discount * distinct_N * lower_N
        return np.where(total_N > 0, mass_N / np.maximum(total_N, 1), lower_N)

    def _counts(self, k: int, highest: bool) -> Integers:
        """Return c_k of each gram, (G,)."""
        grams_S = self._grams_S[k]
        size = int(grams_S.max(initial=0)) + 1
        seen_G = np.bincount(grams_S[self._train_N], minlength=size)
        if highest:
            return seen_G
        _, first = np.unique(self._grams_S[k + 1][self._train_N], return_index=True)
        before_G = np.bincount(grams_S[self._train_N[first]], minlength=size)
        begins = np.zeros(size, dtype=bool)
        begins[grams_S[self._train_N[self._ids_S[self._train_N - (k - 1)] == 0]]] = True
        return np.where(begins, seen_G, before_G)


class CountBits(NamedTuple):
    """The bits per character of n-grams.

    Attributes:
        order: the order that predicts the training texts best, each from those that differ from it.
        by_order: bits per character of the test texts under the orders 1 to 12.
    """

    order: int
    by_order: list[float]


def kneser_ney_bits_per_char(
    train: Sequence[str], test: Sequence[str], alphabet: Iterable[str], *, ends: bool = True
) -> CountBits:
    """Return the bits per character of modified Kneser-Ney n-grams, the stop counted as a character where texts end.

    Args:
        train: texts to count.
        test: texts to predict, with at least one character or stop.
        alphabet: the characters of the whole corpus.
        ends: whether texts have a stop; pieces of one long text have none, and blocks of it take their place.
    """
    alphabet = set(alphabet).union(*train, *test)
    counted, predicted = (records_of_texts(texts, alphabet, ends=ends) for texts in (train, test))
    size = len(counted.ids_S)
    group_S = counted.group_S if ends else np.arange(size) * N_BLOCKS // max(size, 1)
    both = Records(
        ids_S=np.concatenate((counted.ids_S, predicted.ids_S)),
        depth_S=np.concatenate((counted.depth_S, predicted.depth_S)),
        group_S=np.concatenate((group_S, predicted.group_S + int(group_S.max(initial=-1)) + 1)),
        weight_S=np.concatenate((counted.weight_S, np.zeros_like(predicted.weight_S))),
        n_ids=counted.n_ids,
        n_symbols=counted.n_symbols,
    )
    at_N = both.targets_N
    cut = int(np.searchsorted(at_N, size))
    counted_N, predicted_N = counted.weight_S[at_N[:cut]], predicted.weight_S[at_N[cut:] - size]
    losses, by_order = [], []
    for probs_N in leave_out_by_order(both, MAX_ORDER):
        bits_N = -np.log2(probs_N)
        losses.append(float(bits_N[:cut] @ counted_N))  # of all occurrences, as in the test texts
        by_order.append(float(bits_N[cut:] @ predicted_N / predicted_N.sum()))
    return CountBits(1 + int(np.argmin(losses)), by_order)


def ppmd_bits_per_char(train: Sequence[str], test: Sequence[str], *, ends: bool = True) -> tuple[int, float]:
    """Return the order of PPMd and the bits per character that the test texts add to the compressed training texts.

    The memory is 64 MB. The order is that of 2 to 8 with which every tenth training text, or the last tenth of one long
    text, adds the fewest bits after the others.

    Raises:
        MissingExtra: pyppmd is not installed.
    """
    try:
        from pyppmd import Ppmd7Encoder
    except ImportError:
        raise MissingExtra("evaluate", "the baseline PPMd") from None

    def size(data: bytes, order: int) -> int:
        encoder = Ppmd7Encoder(order, _PPMD_MEMORY)
        return len(encoder.encode(data)) + len(encoder.flush())

    first, rest = _parted(train)
    order = min(
        _PPMD_ORDERS,
        key=lambda order: added_bits_per_char(lambda data: size(data, order), first, rest, ends=ends),
    )
    return order, added_bits_per_char(lambda data: size(data, order), train, test, ends=ends)


def _parted(texts: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return nine tenths of the texts and the rest: every tenth, of fewer than ten the last, of one its end."""
    if len(texts) > 1:
        every = min(10, len(texts))
        return [text for at, text in enumerate(texts) if (at + 1) % every], texts[every - 1 :: every]
    cut = len(texts[0]) * 9 // 10 if texts else 0
    return [text[:cut] for text in texts], [text[cut:] for text in texts]


def count_bits_per_char(
    train: Sequence[str], test: Sequence[str], alphabet: Iterable[str], *, ends: bool = True
) -> dict[str, float]:
    """Return the bits per character of the strongest baselines without a network, by a name that states the order.

    These are the 5-gram of one discount, modified Kneser-Ney, PPMd (if pyppmd is installed) and xz.

    Args:
        train: texts to count.
        test: texts to predict, with at least one character or stop.
        alphabet: the characters of the whole corpus.
        ends: whether texts have a stop.
    """
    alphabet = set(alphabet).union(*train, *test)
    found = {"5-gram": float(-np.log2(Grams(train, test, alphabet, 5, ends=ends).probabilities(5)).mean())}
    counts = kneser_ney_bits_per_char(train, test, alphabet, ends=ends)
    found[f"Kneser-Ney n={counts.order}"] = counts.by_order[counts.order - 1]
    with contextlib.suppress(MissingExtra):
        order, bits = ppmd_bits_per_char(train, test, ends=ends)
        found[f"PPMd n={order}"] = bits
    return found | {"xz": xz_bits_per_char(train, test, ends=ends)}

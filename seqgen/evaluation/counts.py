"""Stronger baselines without a network, in bits per character: modified Kneser-Ney of every order, and PPMd.

The symbols and the alphabet are those of ``seqgen.evaluation.baselines``. Neither order is chosen by the test texts:
that of the n-gram is the one that predicts each training text best from all others, that of PPMd the one that adds the
fewest bits for a tenth of the training texts after the rest.

Source: Chen & Goodman 1999, doi:10.1006/csla.1999.0128 (``seqgen.counting``); Shkarin 2002, PPM: one step to
practicality, doi:10.1109/DCC.2002.999958 (variant H by pyppmd).

Dimension letters: S ids with a mark before each text, N predicted ids.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from seqgen.counting import MAX_ORDER, N_BLOCKS, Records, leave_out_by_order, records_of_texts
from seqgen.errors import MissingExtra
from seqgen.evaluation.baselines import Grams, added_bits_per_char, xz_bits_per_char

_PPMD_ORDERS = range(2, 9)
_PPMD_MEMORY = 1 << 26  # bytes


class CountBits(NamedTuple):
    """The bits per character of n-grams.

    Attributes:
        order: the order that predicts each training text best from all others.
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
    times_N = predicted.weight_S[at_N[cut:] - size]
    losses, by_order = [], []
    for probs_N in leave_out_by_order(both, MAX_ORDER):
        bits_N = -np.log2(probs_N)
        losses.append(float(bits_N[:cut].mean()) if cut else 0.0)
        by_order.append(float(bits_N[cut:] @ times_N / times_N.sum()))
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

    first, rest = _parted(train, ends=ends)
    order = min(
        _PPMD_ORDERS,
        key=lambda order: added_bits_per_char(lambda data: size(data, order), first, rest, ends=ends),
    )
    return order, added_bits_per_char(lambda data: size(data, order), train, test, ends=ends)


def _parted(texts: Sequence[str], *, ends: bool) -> tuple[Sequence[str], Sequence[str]]:
    """Return nine tenths of the texts and the rest."""
    if len(texts) > 1 or ends:
        return [text for at, text in enumerate(texts) if at % 10 != 9], texts[9::10]
    cut = len(texts[0]) * 9 // 10 if texts else 0
    return [text[:cut] for text in texts], [text[cut:] for text in texts]


def count_bits_per_char(
    train: Sequence[str], test: Sequence[str], alphabet: Iterable[str], *, ends: bool = True
) -> dict[str, float]:
    """Return the bits per character of the strongest baselines without a network, by a name that states the order.

    These are the 5-gram of ``seqgen.evaluation.baselines``, modified Kneser-Ney, PPMd (if pyppmd is installed) and xz.

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

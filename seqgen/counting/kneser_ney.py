"""Counts of n-grams with interpolated modified Kneser-Ney smoothing, exact, in arrays.

With c_k the count of the gram h w of k symbols, h' the context h without its first symbol, and N_r(h) the number of
symbols w with c_k(h w) = r:

    p_k(w | h) = (max(c_k(h w) - D_k(c_k(h w)), 0) + G_k(h) p_{k-1}(w | h')) / c_k(h)           p_0(w) = 1 / V
    G_k(h) = D_k(1) N_1(h) + D_k(2) N_2(h) + D_k(3) N_3+(h),   c_k(h) = sum over w of c_k(h w)
    D_k(r) = r - (r + 1) Y n_{r+1} / n_r,   Y = n_1 / (n_1 + 2 n_2),   n_r the number of grams of order k with c_k = r
    c_n(h w) is the number of occurrences; below the highest order it is the number of distinct symbols before h w, or
    all occurrences where h begins a record, since nothing else can come before it
    p_k = p_{k-1} where h never occurred; a discount without counts to estimate it, or not between 0 and r, is r / 2.

Source: Chen & Goodman 1999, An empirical study of smoothing techniques for language modeling,
doi:10.1006/csla.1999.0128, section 3; one mark before each record as in Heafield et al. 2013,
https://aclanthology.org/P13-2121.

Dimension letters: S ids of all records with a mark before each, N predicted ids, M those that have a gram of an order,
G grams of one order, C those of one symbol less, U ids whose groups are left out, P pairs of a group and a gram, Q
pairs of a group and a context, K orders.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from seqgen.protocols import Floats, Integers


MAX_ORDER = 12
"""The longest gram that is counted, in symbols."""
_CHEAP_ORDER = 8  # above it, an order has to be worth its grams
_LEAST_GAIN, _MOST_GRAMS = 0.025, 3_000_000  # of the loss by which it is better, and up to which it is tried
_MAX_PROBED = 300_000  # ids whose groups are left out
_PIECE = 1 << 20  # ids that are numbered together
_NONE: Integers = np.empty(0, dtype=np.int32)


@dataclass(frozen=True)
class Records:
    """Records to count.

    Attributes:
        ids_S: the ids of all records, each with a mark before it.
        depth_S: the position of each id in its record, at most 13; 0 is the mark, which is not predicted. 13
            throughout in a text without marks.
        group_S: the group of each id, ascending from 0: the records that are left out together.
        weight_S: the number of times that the record of each id occurs; 0: it is predicted, but not counted.
        n_ids: V, the number of ids that there are.
        n_symbols: the number of ids that may be predicted.
        stride: n, where only every n-th group is left out.
    """

    ids_S: Integers
    depth_S: Integers
    group_S: Integers
    weight_S: Integers
    n_ids: int
    n_symbols: int
    stride: int = 1

    @functools.cached_property
    def count_type(self) -> type[np.signedinteger[Any]]:
        """The type of positions and of counts: as small as the number of all occurrences allows."""
        most = max(int(self.weight_S.sum(dtype=np.int64)), len(self.ids_S))
        return np.int32 if most < 1 << 31 else np.int64

    @property
    def targets_N(self) -> Integers:
        """The positions of the predicted ids."""
        return np.flatnonzero(self.depth_S > 0)

    @functools.cached_property
    def probed_U(self) -> Integers:
        """The positions of the ids whose groups are left out."""
        return np.flatnonzero(self.group_S % self.stride == 0)

    @property
    def probed_N(self) -> Integers:
        """The positions of the predicted ids whose groups are left out."""
        return self.probed_U[self.depth_S[self.probed_U] > 0]


@dataclass(frozen=True)
class Order:
    """The grams of k symbols that occur in records.

    Attributes:
        k: their length.
        gram_S: the gram that ends at each id; -1 where a record is shorter.
        end_G: a position at which each gram ends.
        raw_G: its occurrences.
        suffix_G: the gram of k - 1 symbols that each gram ends with.
        pair_U: the pair of group and gram at each id whose group is left out; -1 where there is none.
        first_P: a position of each pair.
        left_P: the occurrences of its gram outside its group.
    """

    k: int
    gram_S: Integers
    end_G: Integers
    raw_G: Integers
    suffix_G: Integers
    pair_U: Integers
    first_P: Integers
    left_P: Integers


@dataclass(frozen=True)
class Counted:
    """The counts of the grams of k symbols that the formula takes.

    Attributes:
        used_G: c_k of each gram; 0 for a mark.
        left_P: c_k of the gram of each pair without the records of its group.
        discounts: D_k(r) for r = 0, 1, 2 and 3.
        context_G: the gram of k - 1 symbols before the last symbol of each gram.
        total_C: c_k(h) of each gram of k - 1 symbols.
        mass_C: G_k(h) of each gram of k - 1 symbols.
    """

    used_G: Integers
    left_P: Integers
    discounts: Floats
    context_G: Integers
    total_C: Floats
    mass_C: Floats


def number_grams(records: Records) -> Iterator[Order]:
    """Yield the grams of 0, 1, 2, ... symbols, without end."""
    gram_S: Integers = np.zeros(len(records.ids_S), dtype=np.int32)
    yield _numbered(records, 0, gram_S, gram_S)
    for k in itertools.count(1):
        shorter_S, gram_S = gram_S, _extended(records, k, gram_S)
        yield _numbered(records, k, gram_S, shorter_S)


def _pieces(size: int) -> Iterator[slice]:
    """Yield slices of an array, so that what is computed of one takes little memory."""
    for start in range(0, size, _PIECE):
        yield slice(start, min(start + _PIECE, size))


def _extended(records: Records, k: int, shorter_S: Integers) -> Integers:
    """Return the gram of k symbols that ends at each id, from those of k - 1 symbols."""
    size = len(shorter_S)

    def keys(piece: slice) -> Integers:
        before = np.concatenate((shorter_S[piece.start - 1 : piece.start], shorter_S[piece][:-1]))
        if not piece.start:
            before = np.concatenate(([0 if k == 1 else -1], before))  # the empty gram ends everywhere
        valid = (records.depth_S[piece] >= k - 1) & (before >= 0)
        found: Integers = np.where(valid, before.astype(np.int64) * records.n_ids + records.ids_S[piece], -1)
        return found

    keys_S = np.empty(size, dtype=np.int64)
    for piece in _pieces(size):
        keys_S[piece] = keys(piece)
    keys_S.sort()
    is_first_S = np.ones(size, dtype=np.bool_)
    np.not_equal(keys_S[1:], keys_S[:-1], out=is_first_S[1:])
    distinct_G = keys_S[is_first_S]
    del keys_S, is_first_S
    absent = int(size > 0 and distinct_G[0] == -1)
    gram_S = np.empty(size, dtype=np.int32)
    for piece in _pieces(size):
        gram_S[piece] = np.searchsorted(distinct_G, keys(piece)) - absent
    return gram_S


def _numbered(records: Records, k: int, gram_S: Integers, shorter_S: Integers) -> Order:
    n_grams = int(gram_S.max(initial=-1)) + 1
    kind = records.count_type
    end_G, raw_G = np.zeros(n_grams, dtype=kind), np.zeros(n_grams, dtype=kind)
    for piece in _pieces(len(gram_S)):
        at = np.flatnonzero(gram_S[piece] >= 0) + piece.start
        end_G[gram_S[at]] = at
        raw_G += np.bincount(gram_S[at], records.weight_S[at] * (records.depth_S[at] > 0), n_grams).astype(kind)
    valid_U = gram_S[records.probed_U] >= 0
    at_M = records.probed_U[valid_U]
    gram_M, weight_M = gram_S[at_M], records.weight_S[at_M] * (records.depth_S[at_M] > 0)
    keys_M = records.group_S[at_M].astype(np.int64) * n_grams + gram_M
    _, first, pair_M = np.unique(keys_M, return_index=True, return_inverse=True)
    pair_U = np.full(len(valid_U), -1, dtype=np.int32)
    pair_U[valid_U] = pair_M
    left_P = raw_G[gram_M[first]] - np.bincount(pair_M, weight_M, len(first)).astype(kind)
    return Order(k, gram_S, end_G, raw_G, shorter_S[end_G], pair_U, at_M[first], left_P)


def count_order(records: Records, below: Order, here: Order, above: Order | None) -> Counted:
    """Return the counts of the grams of k symbols.

    Args:
        records: the records.
        below: their grams of k - 1 symbols.
        here: their grams of k symbols.
        above: their grams of k + 1 symbols; None where k is the highest order.
    """
    n_grams, n_pairs = len(here.end_G), len(here.first_P)
    depth_G = records.depth_S[here.end_G]
    used_G, left_P = here.raw_G, here.left_P
    if above is not None:
        seen_G = above.raw_G > 0
        before_G = np.bincount(here.gram_S[above.end_G[seen_G]], minlength=n_grams).astype(records.count_type)
        gone = (above.left_P == 0) & seen_G[above.gram_S[above.first_P]]
        places = np.searchsorted(records.probed_U, above.first_P[gone])
        gone_P = np.bincount(here.pair_U[places], minlength=n_pairs).astype(records.count_type)
        begins_G = depth_G == here.k - 1
        gram_P = here.gram_S[here.first_P]
        used_G = np.where(begins_G, used_G, before_G)
        left_P = np.where(begins_G[gram_P], left_P, before_G[gram_P] - gone_P)
    used_G = np.where(depth_G > 0, used_G, 0)
    discounts = estimate_discounts(used_G)
    context_G = np.where(depth_G > 0, below.gram_S[here.end_G - 1], 0)
    size = len(below.end_G)
    total_C = np.bincount(context_G, used_G, size).astype(np.float64)
    mass_C = np.bincount(context_G, discounts[np.minimum(used_G, 3)], size).astype(np.float64)
    return Counted(used_G, left_P, discounts, context_G, total_C, mass_C)


def estimate_discounts(counts: Integers) -> Floats:
    """Return D(r) for r = 0, 1, 2 and 3, from the counts of all grams of an order."""
    n = np.bincount(np.minimum(counts, 5), minlength=6)[:5].astype(np.float64)
    y = n[1] / (n[1] + 2 * n[2]) if n[1] and n[2] else 0.0
    found = [0.0]
    for r in (1, 2, 3):
        value = r - (r + 1) * y * n[r + 1] / n[r] if y and n[r] else -1.0
        found.append(value if 0 < value < r else r / 2)
    return np.array(found)


def number_contexts(records: Records, below: Order, here: Order) -> tuple[Integers, Integers]:
    """Return the context (Q,) of each pair of a group and a context, and the pair (M,) before each probed id."""
    at_M = records.probed_N
    at_M = at_M[here.gram_S[at_M] >= 0]
    n_contexts = max(len(below.end_G), 1)
    keys_M = records.group_S[at_M].astype(np.int64) * n_contexts + below.gram_S[at_M - 1]
    distinct_Q, place_M = np.unique(keys_M, return_inverse=True)
    return distinct_Q % n_contexts, place_M


def leave_out(
    records: Records,
    below: Order,
    here: Order,
    counts: Counted,
    lower_N: Floats,
    contexts: tuple[Integers, Integers],
) -> Floats:
    """Return the probabilities of the probed ids under an order without each id's group, whose counts are taken away.

    The discounts stay.

    Args:
        records: the records.
        below: their grams of k - 1 symbols.
        here: their grams of k symbols.
        counts: the counts of these.
        lower_N: the predictions of the order below.
        contexts: the result of ``number_contexts`` for the same grams.
    """
    at_N = records.probed_N
    valid_N = here.gram_S[at_N] >= 0
    at_M = at_N[valid_N]
    context_Q, place_M = contexts
    pair_M = here.pair_U[np.searchsorted(records.probed_U, at_M)]
    place_P = np.zeros(len(here.first_P), dtype=np.int64)
    place_P[pair_M] = place_M
    full_P, left_P, discounts = counts.used_G[here.gram_S[here.first_P]], counts.left_P, counts.discounts
    gone_P = np.where(full_P > 0, full_P - left_P, 0)
    freed_P = np.where(full_P > 0, discounts[np.minimum(full_P, 3)] - discounts[np.minimum(left_P, 3)], 0.0)
    total_M = (counts.total_C[context_Q] - np.bincount(place_P, gone_P, len(context_Q)))[place_M]
    mass_M = (counts.mass_C[context_Q] - np.bincount(place_P, freed_P, len(context_Q)))[place_M]
    left_M = left_P[pair_M]
    own_M = np.maximum(left_M - discounts[np.minimum(left_M, 3)], 0)
    probs_N, lower_M = lower_N.copy(), lower_N[valid_N]
    probs_N[valid_N] = np.where(total_M > 0, (own_M + mass_M * lower_M) / np.maximum(total_M, 1), lower_M)
    return probs_N


def choose_order(records: Records) -> tuple[list[Order], list[Counted], list[float]]:
    """Return the grams and counts of the order that predicts each record best from all others; of many, some records.

    Args:
        records: the records, at least one predicted id.

    Returns:
        The grams of 0 to n symbols and the counts of 1 to n symbols, as a graph needs them; and the mean loss of each
        order that was tried, from 1 on, in nats per symbol. Trying ends with the first order that is worse than the one
        below, or above 8 not better by 2.5%. From 8 on it also ends where there are more than three million grams.
        Longer grams take much room, and hardly add to a blend whose network is far ahead of its counts.
    """
    records = replace(records, stride=-(-len(records.ids_S) // _MAX_PROBED))
    orders, below = list[Order](), list[Counted]()
    best: list[Counted] = []
    losses: list[float] = []
    for shorter, here, inner, highest, probs_N in _try_orders(records, MAX_ORDER):
        losses.append(float(-np.log(probs_N).mean()))
        orders.append(_without_ids(shorter))
        below += [] if inner is None else [inner]
        gain = _LEAST_GAIN if here.k > _CHEAP_ORDER else 0.0
        if here.k > 1 and losses[-1] >= (1 - gain) * losses[-2]:
            return orders, best, losses
        best, last = [*below, highest], _without_ids(here)
        if here.k >= _CHEAP_ORDER and sum(len(each.used_G) for each in best) > _MOST_GRAMS:
            break
        del shorter, here  # whose ids take the most memory
    return [*orders, last], best, losses


def _without_ids(order: Order) -> Order:
    """Return what a graph needs of an order; the rest takes the most memory."""
    return replace(order, gram_S=_NONE, raw_G=_NONE, pair_U=_NONE, first_P=_NONE, left_P=_NONE)


def leave_out_by_order(records: Records, most: int = MAX_ORDER) -> Iterator[Floats]:
    """Return the probabilities (N,) of the predicted ids under the n-grams of order 1, 2, ..., without each id's group.

    Args:
        records: the records; those of weight 0 are predicted from all others.
        most: the highest order.
    """
    return map(operator.itemgetter(-1), _try_orders(records, most))  # each is dropped at once


def _try_orders(records: Records, most: int) -> Iterator[tuple[Order, Order, Counted | None, Counted, Floats]]:
    """Yield, for each order k from 1 on, what it takes to predict by it; the next grams are numbered on demand.

    These are the grams of k - 1 and of k symbols, the counts of k - 1 symbols below the highest order (None where k is
    1) and of k symbols in it, and the predictions of ``leave_out`` (N,).
    """
    numbering = number_grams(records)
    below, here = next(numbering), next(numbering)
    lower_N, lower = np.full(len(records.probed_N), 1 / records.n_symbols), None
    for k in range(1, most + 1):
        contexts = number_contexts(records, below, here)
        counts = count_order(records, below, here, None)
        probs_N = leave_out(records, below, here, counts, lower_N, contexts)
        yield below, here, lower, replace(counts, left_P=_NONE), probs_N
        if k < most:
            above = next(numbering)
            counts = count_order(records, below, here, above)
            lower_N = leave_out(records, below, here, counts, lower_N, contexts)
            lower = replace(counts, left_P=_NONE)
            below, here = here, above

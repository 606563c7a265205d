"""Training records within a blend: their probability is lowered to that of new records.

Counts and network have seen the training records, and so give them more than records of their kind deserve. Where c is
the mean probability of a held-out record over that of a training record, the model of records

    p'(x) = c p(x) / Z of a training record,   p'(x) = p(x) / Z of any other,   Z = 1 - (1 - c) P,

samples training records as often as chance has it; P is the sum of p over training records. Held-out records gain what
those lose. It still predicts symbol by symbol: if R(v) is the share taken away from what follows the prefix v,

    p'(s | v) = p(s | v) (1 - R(v s)) / (1 - R(v)),   R(v) = sum over s of p(s | v) R(v s),   R(x) = 1 - c.

Dimension letters: N records, T ids, M prefixes of training records, I prefixes that go on, V ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seqgen.batches import Encoded
from seqgen.tokenizers import BOS, PAD

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.protocols import Flags, Floats, Integers


_MAX_TABLE = 1 << 22  # factors in a table
_MAX_IDS = 1 << 17  # ids of the training records that are discounted
_MAX_CELLS = 1 << 22  # records that are discounted times the ids of the longest
_LEAST_FACTOR = 0.02  # a training record stays possible
_LEAST_SHARE = 0.001  # of samples; below it nothing is discounted


def likely_records(part: Encoded, n_ids: int) -> Encoded:
    """Return distinct records of a training part: all, or the shortest of many, which samples repeat most.

    Args:
        part: the records.
        n_ids: V.
    """
    first_N = np.flatnonzero(is_first(part))
    first_N = first_N[np.argsort(part.lengths_N[first_N], kind="stable")]
    chosen_N = np.sort(first_N[: count_likely(part.lengths_N[first_N], n_ids)])
    chosen = part.copy(chosen_N)
    return records_of_ids(np.asarray(chosen.flat), chosen.lengths_N)


def count_likely(lengths_N: Integers, n_ids: int) -> int:
    """Return the number of records that ``likely_records`` returns.

    Args:
        lengths_N: the lengths of distinct records, ascending.
        n_ids: V.
    """
    lengths_N = lengths_N.astype(np.int64)
    n_chosen = np.searchsorted(np.cumsum(lengths_N), min(_MAX_IDS, _MAX_TABLE // n_ids), side="right")
    n_fitting = np.searchsorted(lengths_N * np.arange(1, len(lengths_N) + 1), _MAX_CELLS, side="right")
    return int(min(n_chosen, n_fitting))


def records_of_ids(flat: Integers, lengths_N: Integers) -> Encoded:
    """Return records that lie one after another; their numbers of characters are left out."""
    lengths_N = lengths_N.astype(np.int64)
    return Encoded(flat, np.cumsum(lengths_N) - lengths_N, lengths_N, np.zeros_like(lengths_N))


def is_first(part: Encoded) -> Flags:
    """Return whether each record is the first with its ids, (N,)."""
    first_N = np.zeros(len(part), dtype=np.bool_)
    first_N[np.unique(record_keys(part), return_index=True)[1]] = True
    return first_N


def record_keys(part: Encoded) -> npt.NDArray[np.int64]:
    """Return a hash of the ids of each record, (N,), which takes less memory than they do."""
    return np.fromiter(map(hash, part.row_bytes()), dtype=np.int64, count=len(part))


def fit_factor(training_mass: float, held_out_mass: float) -> float | None:
    """Return c, or None where there is hardly a training record among samples to take away.

    Args:
        training_mass: the sum of p over training records, at most 1.
        held_out_mass: the sum of p over as many held-out records.
    """
    factor = min(max(held_out_mass / training_mass, _LEAST_FACTOR), 1.0) if training_mass > 0 else 1.0
    return factor if (1 - factor) * training_mass >= _LEAST_SHARE else None


def build_discount(
    records: Encoded, log_probs: list[Floats], factor: float, unread_V: Flags
) -> tuple[Floats, Integers]:
    """Return the changes of log probabilities after each prefix of a training record, and the row after each id (I, V).

    A change is the logarithm of (1 - R(v s)) / (1 - R(v)); those in the last row, of all other prefixes, are 0.

    Args:
        records: distinct records.
        log_probs: of each record, the log probabilities of its ids after the first.
        factor: c.
        unread_V: ids that change no prefix: conditions and padding.
    """
    n_ids = len(unread_V)
    order, node_NT, parent_M, id_M, level_M = _prefixes(records)
    prob_M, removed_M = np.zeros(len(id_M)), np.zeros(len(id_M))
    for place, row in enumerate(order):
        path = node_NT[place, 1 : len(log_probs[row]) + 1]
        prob_M[path] = np.exp(log_probs[row])
        removed_M[path[-1]] = 1 - factor
    for level in range(int(level_M[-1]), 0, -1):
        at = slice(*np.searchsorted(level_M, [level, level + 1]).tolist())
        removed_M += np.bincount(parent_M[at], prob_M[at] * removed_M[at], len(id_M))
    goes_on_M = np.zeros(len(id_M), dtype=np.bool_)
    goes_on_M[parent_M[1:]] = True
    n_rows = int(goes_on_M.sum())
    row_M = np.where(goes_on_M, np.cumsum(goes_on_M) - 1, n_rows)
    kept_M = np.log1p(-np.minimum(removed_M, 1 - factor))
    change_IV = np.zeros((n_rows + 1, n_ids), dtype=np.float32)
    next_IV = np.full((n_rows + 1, n_ids), n_rows, dtype=np.int32)
    change_IV[:-1] -= kept_M[goes_on_M, None].astype(np.float32)
    change_IV[row_M[parent_M[1:]], id_M[1:]] = kept_M[1:] - kept_M[parent_M[1:]]
    next_IV[row_M[parent_M[1:]], id_M[1:]] = row_M[1:]
    next_IV[:, unread_V] = np.arange(n_rows + 1)[:, None]
    next_IV[:, BOS] = 0
    return change_IV, next_IV


def _prefixes(records: Encoded) -> tuple[list[int], Integers, Integers, Integers, Integers]:
    """Number the prefixes of records, shorter ones first; 0 is the mark that all begin with.

    Returns:
        The records in the order of the alphabet; the prefix at each of their ids (N, T); and of each prefix the one
        without its last id, that id, and the number of ids before it.
    """
    longest = int(records.lengths_N.max())
    ids_NT = np.full((len(records), longest), PAD, dtype=np.int64)
    ids_NT[np.arange(longest) < records.lengths_N[:, None]] = np.asarray(records.flat)
    order = np.lexsort(ids_NT.T[::-1])
    ids_NT = ids_NT[order]
    same_NT = np.zeros_like(ids_NT, dtype=np.bool_)
    same_NT[1:] = np.logical_and.accumulate(ids_NT[1:] == ids_NT[:-1], axis=1)
    new_NT = ~same_NT & (ids_NT != PAD)
    numbers = np.cumsum(new_NT.T).reshape(longest, -1).T - 1  # level by level
    node_NT = np.where(ids_NT != PAD, numbers, 0)
    level_M, place_M = np.nonzero(new_NT.T)
    parent_M = np.where(level_M > 0, node_NT[place_M, level_M - 1], 0)
    return order.tolist(), node_NT, parent_M, ids_NT[place_M, level_M], level_M

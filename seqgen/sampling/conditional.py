"""The choice between sampling rows under a constraint freely, with look-ahead, or guided by a mask.

The choice is made by trial rows with a seed of their own, so row i depends on its seed and number only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seqgen.counting import Graph, count_records, records_of_rows
from seqgen.sampling.corrected import LEAST_KEPT, Bound, LookAheadSampler
from seqgen.sampling.look_ahead import LookAhead, TooLarge
from seqgen.sampling.sampler import Sample, Sampler

PILOT_SEED = 2**63 - 1
"""The seed of trial rows, one for all, so that a constraint is always treated alike."""
PILOT = 1000
"""Trial rows that are sampled freely, at most."""
_FIRST = 200  # those that show whether free sampling is good enough
_ENOUGH, _LEAST = 0.1, 0.002  # shares of free rows: from which nothing else is tried, and for which no mask is needed
_COST = 2  # free rows that cost what a row with look-ahead costs, or less
_N_COUNTED, _SYMBOLS_COUNTED = 20_000, 100_000  # rows and symbols that are sampled to be counted
_GREEDY = 1e-6  # temperature up to which there is one row, and no distribution


@dataclass(frozen=True)
class Way:
    """A way of sampling rows that satisfy a constraint from the model's own distribution.

    Attributes:
        n_kept: the number of trial rows, sampled freely, that satisfy it.
        n_tried: the number of trial rows.
        rows: such rows, without end; None where no way yields enough.
        bound: what a trial says of look-ahead, where ``rows`` come from it.
    """

    n_kept: int
    n_tried: int
    rows: Iterator[Sample] | None
    bound: Bound | None = None

    @property
    def free(self) -> float:
        """The share of trial rows that satisfy the constraint."""
        return self.n_kept / self.n_tried


def find_way(sampler: Sampler, graph: Graph | None) -> Way:
    """Return the cheaper of free sampling and look-ahead.

    Args:
        sampler: with a constraint.
        graph: counts beside the model; None: rows of the model are counted.
    """
    trial = map(sampler.satisfies, sampler.as_rejection_sampler(PILOT_SEED).rows())
    n_kept, n_tried = sum(itertools.islice(trial, _FIRST)), _FIRST
    if n_kept < _ENOUGH * n_tried and sampler.settings.temperature > _GREEDY:
        proposal = _proposal(sampler, graph)
        bound = None if proposal is None else proposal.pilot(PILOT_SEED, _is_worth)
        if proposal is not None and bound is not None and _is_worth(bound):
            return Way(n_kept, n_tried, proposal.kept_rows(bound), bound)
    if n_kept < _ENOUGH * n_tried:
        n_kept, n_tried = n_kept + sum(itertools.islice(trial, PILOT - n_tried)), PILOT
    if n_kept >= _LEAST * n_tried:
        return Way(n_kept, n_tried, filter(sampler.satisfies, sampler.as_rejection_sampler().rows()))
    return Way(n_kept, n_tried, None)


def _is_worth(bound: Bound) -> bool:
    """Return whether look-ahead keeps enough rows, and more than free sampling at the same cost."""
    return bound.kept >= max(LEAST_KEPT, _COST * bound.accepted)


def _proposal(sampler: Sampler, graph: Graph | None) -> LookAheadSampler | None:
    """Return a sampler with look-ahead, or None where it would take too much memory."""
    assert sampler.constraint is not None
    temperature = 1.0 if graph is None else sampler.settings.temperature
    try:
        look_ahead = LookAhead(
            sampler.constraint.automaton(),
            graph or _count_rows(sampler),
            sampler.forced[sampler.n_slots :],
            sampler.max_length,
            temperature=temperature,
            device=sampler.device,
        )
    except TooLarge:
        return None
    return LookAheadSampler(sampler, look_ahead)


def _count_rows(sampler: Sampler) -> Graph:
    """Return the counts of rows that are sampled freely, as they will be: their prefix and decoding steps included."""
    free = sampler.as_rejection_sampler(PILOT_SEED)
    flats, lengths = [], []
    n_rows = n_symbols = 0
    while n_rows < _N_COUNTED and n_symbols < _SYMBOLS_COUNTED:
        flat, lengths_W, cut_W = free.sample_flat(n_rows, PILOT)
        whole_W = ~cut_W | (not sampler.vocabulary.ends)
        kept_W = whole_W if whole_W.any() else ~whole_W
        flats.append(flat[np.repeat(kept_W, lengths_W)])
        lengths.append(lengths_W[kept_W])
        n_rows, n_symbols = n_rows + PILOT, n_symbols + len(flat)
    vocabulary = sampler.vocabulary
    return count_records(records_of_rows(np.concatenate(flats), np.concatenate(lengths), vocabulary), vocabulary)

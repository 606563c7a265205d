"""The choice between sampling rows under a constraint freely, with look-ahead, or guided by a mask.

The choice is made by trial rows with a seed of their own, so row i depends on its seed and number only.

Where valid rows of a domain with an automaton are wanted, look-ahead may keep to the automaton as well, with its states
as contexts: how rows of the model go on in each of them is counted. The automaton accepts all valid rows within its
bounds, so the valid ones among its rows are distributed as the model's.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqgen.counting import Graph, count_records, records_of_rows
from seqgen.errors import UsageError
from seqgen.protocols import TextAutomaton
from seqgen.sampling.contexts import Contexts, contexts_by_state
from seqgen.sampling.corrected import LEAST_KEPT, Bound, LookAheadSampler
from seqgen.sampling.look_ahead import LookAhead, TooLarge
from seqgen.sampling.sampler import Sample, Sampler
from seqgen.sampling.text_automata import TooManyStates, accepts, tabulate_for

PILOT_SEED = 2**63 - 1
"""The seed of trial rows, one for all, so that a constraint is always treated alike."""
PILOT = 1000
"""Trial rows that are sampled freely, at most."""
_FIRST = 200  # those that show whether free sampling is good enough
_ENOUGH, _LEAST = 0.1, 0.002  # shares of free rows: from which nothing else is tried, and for which no mask is needed
_ENOUGH_VALID = 0.2  # the first of these, where there is a domain's automaton
MAX_EXCLUDED = 0.1
"""The share of valid texts that may be beyond the bounds of a domain's automaton."""
_BY_CHANCE = 2  # more of the valid trial rows, which are few
_COST = 2  # free rows that cost what a row with look-ahead costs, or less
_LARGE = 16  # times the size of look-ahead, where all rows are guided by it
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
        name: the requirements that ``rows`` satisfy, for messages.
    """

    n_kept: int
    n_tried: int
    rows: Iterator[Sample] | None
    bound: Bound | None = None
    name: str = ""

    @property
    def free(self) -> float:
        """The share of trial rows that satisfy the constraint."""
        return self.n_kept / self.n_tried


class Grammar:
    """The automaton of a domain, with the validator and the records that show if it fits a run.

    Args:
        automaton: of the domain.
        is_valid: the verdict of its validator.
        records: returns records of the run.
        name: for messages.
    """

    def __init__(
        self,
        automaton: TextAutomaton,
        is_valid: Callable[[str], bool],
        records: Callable[[], Sequence[str]],
        name: str,
    ) -> None:
        self.automaton, self.is_valid, self.name = automaton, is_valid, name
        self._records = records

    @functools.cached_property
    def excluded(self) -> float:
        """The share of the valid records that are beyond the bounds of the automaton."""
        return self.share_excluded(self._records())

    def share_excluded(self, texts: Iterable[str]) -> float:
        """Return the share of the valid ones of some texts that are beyond the bounds of the automaton."""
        valid = [text for text in texts if self.is_valid(text)]
        return sum(not accepts(self.automaton, text) for text in valid) / max(len(valid), 1)


def find_way(sampler: Sampler, graph: Graph | None, grammar: Grammar | None = None) -> Way:
    """Return the cheaper of free sampling and look-ahead.

    Args:
        sampler: with a constraint, or with ``grammar``.
        graph: counts beside the model; None: rows of the model are counted.
        grammar: of the domain, if only valid rows will be kept. Rows that are sampled freely need not be of it; it is
            of no use where trial rows show that they are often valid, or that valid ones are often beyond its bounds.
    """
    trial = sampler.as_rejection_sampler(PILOT_SEED).rows()
    first = [row for row in itertools.islice(trial, _FIRST) if sampler.satisfies(row)]
    n_kept, n_tried = len(first), _FIRST
    varies = sampler.settings.temperature > _GREEDY
    if grammar is not None and varies:
        valid = [row.text for row in first if not sampler.is_cut(row) and grammar.is_valid(row.text)]
        n_excluded = grammar.share_excluded(valid) * len(valid)
        is_of_use = len(valid) < _ENOUGH_VALID * n_tried and n_excluded <= MAX_EXCLUDED * len(valid) + _BY_CHANCE
        if is_of_use and (way := _ahead(_by_grammar(sampler, grammar), len(valid), n_tried)):
            return way
    if sampler.constraint is None:
        return Way(n_kept, n_tried, None)
    if n_kept < _ENOUGH * n_tried and varies and (way := _ahead(_proposal(sampler, graph), n_kept, n_tried)):
        return way
    if n_kept < _ENOUGH * n_tried:
        n_kept, n_tried = n_kept + sum(map(sampler.satisfies, itertools.islice(trial, PILOT - n_tried))), PILOT
    if n_kept >= _LEAST * n_tried:
        return Way(n_kept, n_tried, filter(sampler.satisfies, sampler.as_rejection_sampler().rows()))
    return Way(n_kept, n_tried, None)


def _ahead(proposal: LookAheadSampler | None, n_kept: int, n_tried: int) -> Way | None:
    """Return the way of sampling with look-ahead; None where it is of no use."""
    bound = None if proposal is None else proposal.pilot(PILOT_SEED, _is_worth)
    if proposal is None or bound is None or not _is_worth(bound):
        return None
    assert proposal.constraint is not None
    return Way(n_kept, n_tried, proposal.kept_rows(bound), bound, proposal.constraint.name)


def _is_worth(bound: Bound) -> bool:
    """Return whether look-ahead keeps enough rows, and more than free sampling at the same cost."""
    return bound.kept >= max(LEAST_KEPT, _COST * bound.accepted)


def _proposal(sampler: Sampler, graph: Graph | None) -> LookAheadSampler | None:
    """Return a sampler with look-ahead by an n-gram, or None where it would take too much memory."""
    temperature = 1.0 if graph is None else sampler.settings.temperature
    vocabulary = sampler.vocabulary
    if graph is None:
        graph = count_records(records_of_rows(*_counted_rows(sampler), vocabulary), vocabulary)
    return _look_ahead(sampler, graph, temperature)


def _by_grammar(sampler: Sampler, grammar: Grammar, size: int = 1) -> LookAheadSampler | None:
    """Return a sampler with look-ahead by the states of a domain's automaton.

    None: it does not fit the records, no row is accepted, or there are more states than the limits, times ``size``,
    allow.
    """
    most = LookAhead.max_pairs(sampler.vocabulary.size, size)
    try:
        table = tabulate_for(grammar.automaton, sampler.vocabulary, grammar.name, most)
        strict = sampler.restricted(table)
        states = strict.constraint
        if sampler.constraint is not None or sampler.settings.prefix:  # contexts are of the whole row
            states = sampler.constrained([table], prefix="")
    except (TooManyStates, UsageError):
        return None
    if grammar.excluded > MAX_EXCLUDED:
        return None
    assert states is not None
    return _look_ahead(strict, contexts_by_state(states.automaton(), *_counted_rows(sampler)), 1.0, size)


def guided_rows(sampler: Sampler, grammar: Grammar) -> Iterator[Sample] | None:
    """Return rows without end that satisfy the constraint and keep to a grammar, guided by look-ahead only.

    None: the grammar does not fit the records, no such row can be sampled, or there are too many states.
    """
    proposal = _by_grammar(sampler, grammar, _LARGE)
    return None if proposal is None else proposal.kept_rows(None)


def _look_ahead(
    sampler: Sampler, counts: Graph | Contexts, temperature: float, size: int = 1
) -> LookAheadSampler | None:
    assert sampler.constraint is not None
    try:
        look_ahead = LookAhead(
            sampler.constraint.automaton(),
            counts,
            sampler.forced[sampler.n_slots :],
            sampler.max_length,
            temperature=temperature,
            size=size,
            device=sampler.device,
        )
    except TooLarge:
        return None
    return LookAheadSampler(sampler, look_ahead)


def _counted_rows(sampler: Sampler) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return rows that are sampled freely, as they will be, their prefix and decoding steps included, and lengths."""
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
    return np.concatenate(flats), np.concatenate(lengths)

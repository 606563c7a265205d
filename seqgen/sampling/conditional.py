"""The choice between sampling rows under a constraint freely, with look-ahead, or guided by a mask.

The choice is made by trial rows with a seed of their own, so row i depends on its seed and number only.

Where valid rows of a domain with an automaton are wanted, look-ahead may keep to the automaton as well, with its states
as contexts: how rows of the model go on in each of them is counted. The automaton accepts all valid rows within its
bounds, so the valid ones among its rows are distributed as the model's.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqgen.counting import Graph, count_records, records_of_rows
from seqgen.errors import UsageError
from seqgen.protocols import TextAutomaton
from seqgen.sampling.bound import LEAST_KEPT, Bound
from seqgen.sampling.contexts import Contexts, contexts_by_state
from seqgen.sampling.corrected import LookAheadSampler
from seqgen.sampling.look_ahead import LookAhead, TooLarge
from seqgen.sampling.product import CombinationTooLarge
from seqgen.sampling.sampler import Sample, Sampler
from seqgen.sampling.text_automata import TooManyStates, accepts, tabulate_for
from seqgen.sampling.trial import best_bound

PILOT_SEED = 2**63 - 1
"""The seed of trial rows, one for all, so that a constraint is always treated alike."""
PILOT = 1000
"""Trial rows that are sampled freely, at most."""
_FIRST = 200  # those that show whether free sampling is good enough
_ENOUGH, _LEAST = 0.1, 0.002  # shares of free rows: from which nothing else is tried, and for which no mask is needed
_CLEAR = 10  # times the latter, at which the first trial rows are enough to see that
_ENOUGH_VALID = 0.2  # the first of these, where there is a domain's automaton
MAX_EXCLUDED = 0.1
"""The share of valid texts that may be beyond the bounds of a domain's automaton."""
_BY_CHANCE = 2  # more of the valid trial rows, which are few
_DEVIATIONS = 3  # by which fewer of the first trial rows may satisfy a constraint than are expected to
_COST = 2  # free rows that cost what a row with look-ahead costs, or less
_LONG = 2  # lengths of a free row, from which a row with look-ahead costs more
_LARGE = 16  # times the size of look-ahead, where all rows are guided by it
_N_COUNTED, _SYMBOLS_COUNTED = 20_000, 100_000  # rows and symbols that are sampled to be counted
_GUIDING = 0.6  # power of h by which rows are guided
_TOO_MANY = "it has too many states to look ahead in"
_GREEDY = 1e-6  # temperature up to which there is one row, and no distribution


Remember = Callable[[str, Callable[[], Any]], Any]
"""Returns a JSON value by its kind, "trial" or "rows": the one of the last call, or else that of the function."""


def forget(kind: str, find: Callable[[], Any]) -> Any:
    """Return the value of the function: nothing is remembered."""
    return find()


@dataclass(frozen=True)
class Way:
    """A way of sampling rows that satisfy a constraint from the model's own distribution.

    Attributes:
        n_kept: the number of trial rows, sampled freely, that satisfy it.
        n_tried: the number of trial rows.
        rows: such rows, without end; None where no way yields enough.
        bound: what a trial says of look-ahead, where ``rows`` come from it.
        name: the requirements that ``rows`` satisfy, for messages.
        excluded: the share of the records beyond the bounds of the grammar that ``rows`` keep to, or 0.
        misfit: why a grammar that would have been of use cannot be used, or "".
    """

    n_kept: int
    n_tried: int
    rows: Iterator[Sample] | None
    bound: Bound | None = None
    name: str = ""
    excluded: float = 0.0
    misfit: str = ""

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
        valid = [text for text in self._records() if self.is_valid(text)]
        return self.count_excluded(valid) / max(len(valid), 1)

    @property
    def misfit(self) -> str:
        """The reason for which the automaton does not fit the records, or ""."""
        share = self.excluded
        return f"{share:.1%} of the records are beyond its bounds" if share > MAX_EXCLUDED else ""

    def misfit_of(self, valid: Sequence[str]) -> str:
        """Return the reason for which the automaton does not fit valid trial rows, or ""."""
        n_excluded = self.count_excluded(valid)
        fits = n_excluded <= MAX_EXCLUDED * len(valid) + _BY_CHANCE
        return "" if fits else f"{n_excluded} of {len(valid)} valid trial rows are beyond its bounds"

    def count_excluded(self, valid: Iterable[str]) -> int:
        """Return how many of some valid texts are beyond the bounds of the automaton."""
        return sum(not accepts(self.automaton, text) for text in valid)


def find_way(sampler: Sampler, graph: Graph | None, grammar: Grammar | None = None, remember: Remember = forget) -> Way:
    """Return the cheaper of free sampling and look-ahead.

    Args:
        sampler: with a constraint, or with ``grammar``.
        graph: counts beside the model; None: rows of the model are counted.
        grammar: of the domain, if only valid rows will be kept. Rows that are sampled freely need not be of it; it is
            of no use where trial rows show that they are often valid, or that valid ones are often beyond its bounds.
        remember: returns what trials have found before, so that they need not be repeated.
    """
    chooser = _Chooser(sampler, graph, grammar, remember)
    return chooser.way(remember("trial", chooser.choose))


class _Chooser:
    """The choice for one sampler; see ``find_way``. What it remembers are JSON values."""

    def __init__(self, sampler: Sampler, graph: Graph | None, grammar: Grammar | None, remember: Remember) -> None:
        self._sampler, self._graph, self._grammar, self._remember = sampler, graph, grammar, remember

    def choose(self) -> dict[str, Any]:
        """Return the arguments of ``way``."""
        sampler = self._sampler
        trial = sampler.as_rejection_sampler(PILOT_SEED)
        rows = list(trial.take(_FIRST))
        first = [row for row in rows if sampler.satisfies(row)]
        n_chars = sum(len(row.text) for row in rows) / _FIRST
        found: dict[str, Any] = {"by": "", "n_kept": len(first), "n_tried": _FIRST}
        varies, grammar = sampler.settings.temperature > _GREEDY, self._grammar
        if varies and grammar is not None:
            valid = [row.text for row in first if not sampler.is_cut(row) and grammar.is_valid(row.text)]
            if len(valid) < _ENOUGH_VALID * _FIRST:
                proposal = grammar.misfit_of(valid) or self._by_grammar
                if isinstance(proposal, str):
                    found["misfit"] = proposal
                elif (bound := _try(proposal, len(valid), n_chars)) is not None:
                    return found | bound | {"by": "grammar", "excluded": grammar.excluded}
        if sampler.constraint is None:
            return found
        if len(first) < _ENOUGH * _FIRST:
            if varies and (bound := _try(self._by_counts, len(first), n_chars)) is not None:
                return found | bound | {"by": "counts"}
            if len(first) < _CLEAR * _LEAST * _FIRST:
                more = sum(map(sampler.satisfies, trial.take(PILOT - _FIRST, first=_FIRST)))
                found |= {"n_kept": len(first) + more, "n_tried": PILOT}
        return found | {"by": "rejection" if found["n_kept"] >= _LEAST * found["n_tried"] else ""}

    def way(self, found: Mapping[str, Any]) -> Way:
        """Return the way that was chosen."""
        n_kept, n_tried, misfit = found["n_kept"], found["n_tried"], found.get("misfit", "")
        if found["by"] == "rejection":
            sampler = self._sampler
            free = filter(sampler.satisfies, sampler.as_rejection_sampler().rows())
            return Way(n_kept, n_tried, free, misfit=misfit)
        if not found["by"]:
            return Way(n_kept, n_tried, None, misfit=misfit)
        proposal = self._by_grammar if found["by"] == "grammar" else self._by_counts
        if not isinstance(proposal, LookAheadSampler) or proposal.constraint is None:
            return self.way(self.choose())  # what was remembered does not hold any more
        bound, excluded = Bound(*found["bound"]), found.get("excluded", 0.0)
        rows = proposal.raised(*found["powers"]).with_particles(bound.n_particles).kept_rows(bound)
        return Way(n_kept, n_tried, rows, bound, proposal.constraint.name, excluded, misfit)

    @functools.cached_property
    def _by_counts(self) -> LookAheadSampler | None:
        """Return a sampler with look-ahead by an n-gram, or None where it would take too much memory."""
        graph, vocabulary = self._graph, self._sampler.vocabulary
        if graph is None:
            graph = count_records(
                records_of_rows(*_counted_rows(self._sampler, self._remember), vocabulary), vocabulary
            )
        return _look_ahead(self._sampler, graph, 1.0 if self._graph is None else self._sampler.settings.temperature)

    @functools.cached_property
    def _by_grammar(self) -> LookAheadSampler | str:
        assert self._grammar is not None
        return _by_grammar(self._sampler, self._grammar, self._remember)


def _try(proposal: LookAheadSampler | None, n_kept: int, n_chars: float) -> dict[str, Any] | None:
    """Return the powers and the bound of a sampler with look-ahead; None where it is of no use.

    Args:
        proposal: the sampler; None: there is none.
        n_kept: how many of the first trial rows, sampled freely, would be kept.
        n_chars: the mean number of their characters.
    """
    if proposal is None:
        return None
    least = (n_kept - _DEVIATIONS * n_kept**0.5) / _FIRST

    def is_worth(bound: Bound) -> bool:
        """Return whether look-ahead misses no rows, keeps enough, and more than free sampling at the same cost."""
        longer = bound.n_chars / max(n_chars, 1) / _LONG
        cost = _COST * max(bound.cost_of_row, longer)
        return bound.accepted >= least and bound.kept_of_all >= max(LEAST_KEPT, cost * bound.accepted)

    powers, bound = best_bound(proposal, PILOT_SEED, is_worth)
    return {"powers": list(powers), "bound": list(bound)} if bound is not None and is_worth(bound) else None


def _by_grammar(sampler: Sampler, grammar: Grammar, remember: Remember, size: int = 1) -> LookAheadSampler | str:
    """Return a sampler with look-ahead by the states of a domain's automaton, or the reason why there is none.

    It does not fit the records, no row is accepted, or it has more states than the limits, times ``size``, allow.
    """
    most = LookAhead.max_pairs(sampler.vocabulary.size, size)
    try:
        table = tabulate_for(grammar.automaton, sampler.vocabulary, grammar.name, most)
        strict = sampler.restricted(table)
        states = strict.constraint
        if sampler.constraint is not None or sampler.settings.prefix:  # contexts are of the whole row
            states = sampler.constrained([table], prefix="")
    except (TooManyStates, CombinationTooLarge):
        return _TOO_MANY
    except UsageError:
        return "no row of this run can keep to it"
    if grammar.misfit:
        return grammar.misfit
    assert states is not None
    contexts = contexts_by_state(states.automaton, *_counted_rows(sampler, remember))
    return _look_ahead(strict, contexts, 1.0, size) or _TOO_MANY


def guided_rows(sampler: Sampler, grammar: Grammar, remember: Remember = forget) -> Way:
    """Return rows without end that satisfy the constraint and keep to a grammar, guided by look-ahead only.

    There are none where the grammar does not fit the records, no such row can be sampled, or it has too many states.
    """
    proposal = _by_grammar(sampler, grammar, remember, _LARGE)
    if isinstance(proposal, str):
        return Way(0, 0, None, misfit=proposal)
    assert proposal.constraint is not None
    rows = proposal.raised(_GUIDING).kept_rows(None)
    return Way(0, 0, rows, None, proposal.constraint.name, grammar.excluded)


def _look_ahead(
    sampler: Sampler, counts: Graph | Contexts, temperature: float, size: int = 1
) -> LookAheadSampler | None:
    assert sampler.constraint is not None
    try:
        look_ahead = LookAhead(
            sampler.constraint.automaton,
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


def _counted_rows(sampler: Sampler, remember: Remember) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return rows that are sampled freely, as they will be, their prefix and decoding steps included, and lengths."""

    def sample() -> dict[str, str]:
        free = sampler.reseeded(PILOT_SEED)
        free.constraint = None  # not even to be checked: rows end early there, and these serve all constraints
        flats, lengths = [], []
        n_rows = n_symbols = 0
        while n_rows < _N_COUNTED and n_symbols < _SYMBOLS_COUNTED:
            flat, lengths_W, cut_W = free.sample_flat(n_rows, PILOT)
            whole_W = ~cut_W | (not sampler.vocabulary.ends)
            kept_W = whole_W if whole_W.any() else ~whole_W
            flats.append(flat[np.repeat(kept_W, lengths_W)])
            lengths.append(lengths_W[kept_W])
            n_rows, n_symbols = n_rows + PILOT, n_symbols + len(flat)
        return {"ids": _packed(np.concatenate(flats)), "lengths": _packed(np.concatenate(lengths))}

    found = remember("rows", sample)
    ids, lengths_N = (np.frombuffer(base64.b64decode(found[name]), dtype="<i4") for name in ("ids", "lengths"))
    return ids.astype(np.int32), lengths_N.astype(np.int64)


def _packed(values: npt.NDArray[np.integer[Any]]) -> str:
    """Return integers as text."""
    return base64.b64encode(values.astype("<i4").tobytes()).decode()

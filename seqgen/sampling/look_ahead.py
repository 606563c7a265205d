"""Look-ahead under a constraint: the probability that a model of the future ends a row that the constraint accepts.

Masking forbids a symbol after which no accepted end can be reached, so beginnings that look harmless are sampled as if
every row ended well. Here each symbol is weighted instead by the probability h that the rest of the row is accepted.
Under an n-gram, or another model with few contexts (``contexts``), this is a finite computation: with q the state of
the constraint, c the context, p its probabilities and n the number of symbols that may still follow,

    h_n(q, c) = p(end | c) [q accepts] + sum over v of p(v | c) h_{n-1}(q v, c v)          h_{-1} = 0

or, in one long text, whose rows have no end, h_0(q, c) = [q accepts]. Rows whose symbols are sampled from
p_model(v) h(q v, c v)^a g(q v)^b satisfy the constraint, where g(q) is the mean of h(q, c) over the contexts c; how far
they are from the model's own is known (``corrected``).

Source: the use of a tractable model of the future, Zhang et al. 2023, arXiv:2304.07438 (GeLaTo) and Zhang et al. 2024,
arXiv:2406.13892 (Ctrl-G), both with a hidden Markov model in place of the n-gram.

Dimension letters: P pairs (q, c) that can be reached, S states of the constraint, D contexts, V ids, U ids that are
sampled, or classes of them that all pairs treat alike, C computed rows.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from seqgen.counting import Graph, by_frequency
from seqgen.sampling.automata import equal_columns
from seqgen.sampling.contexts import Contexts, contexts_of
from seqgen.sampling.product import RowAutomaton
from seqgen.sampling.state_graph import UNREACHABLE, Edges, IntSet
from seqgen.sampling.steps import follow
from seqgen.tokenizers import EOS

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

_MAX_ENTRIES = 1 << 22  # pairs times ids
_MAX_WORK = 1 << 30  # pairs times ids times symbols that may follow
_MAX_STORED = 1 << 24  # values of h
_LEAST_TIMES = 4  # that a context occurs, unless all fit: rarer ones are too sure of what follows
_WORTH = 1.25  # times as many contexts are worth another try
_SETTLED = 1e-3  # relative change of h between lengths below which it is taken to be that of longer rows too
_FLOOR, _PER_SYMBOL = -750.0, 5.0  # stands for log h where it is below the smallest double: by the distance to the end
Powers = tuple[float, float]
"""The powers (a, b) of h and of its mean over contexts."""
POWERS: tuple[Powers, ...] = ((0.9, 0.0), (0.6, 0.0), (0.6, 0.4), (0.3, 0.7))
"""Powers to choose from. Where h is too sure of the future, lower ones make the weights of rows more equal. Those of
which the sum is 1 are so in the contexts only: a rare state of the constraint is still sought as it has to be."""
POWERS_OF_STATES: tuple[Powers, ...] = ((0.9, 0.0), (0.6, 0.0), (0.3, 0.0))
"""Powers to choose from where the state implies the context, so that g is h."""
_LEAST = 1e-300  # divisor of a relative change
_LEAST_CONTEXTS = 2  # of a state, on average, for their mean to be another than h


class LookAhead:
    """The logarithm of h for the rows of a constraint.

    Args:
        automaton: the constraint, in state 0 after the prefix.
        counts: of an n-gram, of which the most frequent contexts are taken that the limits allow; or other contexts.
        prefix: the ids that every row begins with.
        max_length: the maximum number of symbols of a row, prefix included.
        temperature: the power to which the probabilities of the counts are raised is 1 / temperature.
        size: factor of the limits on memory and work.
        device: the device on which rows are computed.

    Attributes:
        n_pairs: P.
        log_accepted: log h at the start of a row.
        powers: powers of h and of its mean to choose from.

    Raises:
        TooLarge: there are too many pairs even with one context.
    """

    def __init__(
        self,
        automaton: RowAutomaton,
        counts: Graph | Contexts,
        prefix: list[int],
        max_length: int,
        *,
        temperature: float = 1.0,
        size: int = 1,
        device: torch.device | None = None,
    ) -> None:
        self._automaton, self._max_length, self._device = automaton, max_length, device
        n_left = max(max_length - len(prefix), 0)
        self._find_classes(counts)
        most = size * _MAX_WORK // (n_left + 1) // len(self._first_U)
        most = min(most, self.max_pairs(len(automaton.allowed_V), size))
        contexts, codes_P = self._choose(counts, prefix, most)
        self.n_pairs = len(codes_P)
        state_P, context_P = np.divmod(codes_P, len(contexts.probs_DV))
        self._start = int(np.searchsorted(codes_P, contexts.after(prefix)))
        self._distance_P = torch.from_numpy(automaton.distance_S[state_P])
        next_PV = self._table(codes_P, state_P, context_P, contexts)
        probs_DV = contexts.at_temperature(temperature, automaton.allowed_V)
        log_h = self._solve(next_PV, probs_DV, context_P, n_left)
        self.log_accepted = float(log_h[min(n_left + 1, len(log_h) - 1)][self._start])
        self.powers, self._log_g = POWERS_OF_STATES, list[Tensor]()
        begins_P = np.diff(state_P, prepend=-1) > 0  # the pairs of a state follow one another
        if contexts.times_D is not None and self.n_pairs >= _LEAST_CONTEXTS * begins_P.sum():
            self.powers = POWERS
            self._group_P = torch.from_numpy(np.append(np.cumsum(begins_P) - 1, [begins_P.sum()] * 2)).to(device)
            times_P = contexts.times_D[context_P]
            self._log_g = [_log_means(values_P.numpy()[:-2], begins_P, times_P).to(device) for values_P in log_h]
        self._power, self._power_of_mean = self.powers[0]
        self._next_PV = torch.from_numpy(next_PV).to(device)
        self._log_h = [values_P.to(device) for values_P in log_h]

    def raised(self, power: float, power_of_mean: float = 0.0) -> LookAhead:
        """Return the look-ahead with other powers of h and of its mean."""
        other = copy.copy(self)
        other._power, other._power_of_mean = power, power_of_mean
        return other

    @staticmethod
    def max_pairs(n_ids: int, size: int = 1) -> int:
        """Return the limit on pairs for a number of ids."""
        return size * _MAX_ENTRIES // n_ids

    def _find_classes(self, counts: Graph | Contexts) -> None:
        """Group the ids that are sampled into classes; the contexts of an n-gram tell all ids apart."""
        ids_U = np.flatnonzero(self._automaton.allowed_V)
        ids_U = ids_U[ids_U != EOS]
        first_U, class_U = np.arange(len(ids_U)), np.arange(len(ids_U))
        if isinstance(counts, Contexts):
            first_U, class_U = equal_columns([self._automaton.next(slice(None), ids_U), counts.following_DV[:, ids_U]])
        ends = [EOS] if self._automaton.ends else []
        self._first_U = np.append(ends, ids_U[first_U]).astype(np.intp)
        self._class_V = np.full(len(self._automaton.allowed_V), -1)
        self._class_V[ids_U] = class_U + len(ends)
        self._class_V[ends] = 0

    def _choose(self, counts: Graph | Contexts, prefix: list[int], most: int) -> tuple[Contexts, Ints]:
        """Return contexts with at most ``most`` pairs, and the codes of the pairs.

        Of an n-gram all contexts, so that h is exact; where these are too many, all but those of free states; else the
        most frequent ones, as many as there may be.

        Raises:
            TooLarge: there are too many pairs even with one context.
        """
        self._free_S = np.zeros(len(self._automaton.distance_S), dtype=np.bool_)
        whole = counts if isinstance(counts, Contexts) else None
        if isinstance(counts, Graph) and counts.n_nodes <= most:
            whole = contexts_of(counts, np.arange(counts.n_nodes))
        found = None if whole is None else self._with_pairs(whole, prefix, most)
        if found is None and isinstance(counts, Graph):
            self._free_S = find_free(self._automaton)
            if whole is not None and self._free_S.any():
                found = self._with_pairs(whole, prefix, most)
            found = found or self._most_frequent(counts, prefix, most)
        if found is None:
            raise TooLarge
        return found

    def _most_frequent(self, graph: Graph, prefix: list[int], most: int) -> tuple[Contexts, Ints] | None:
        """Return about as many of the most frequent contexts as have at most ``most`` pairs, and these."""
        nodes_N = by_frequency(graph, _LEAST_TIMES)
        found, size, fits, most_size = None, 1, 0, len(nodes_N)
        while size > _WORTH * fits:
            if (tried := self._with_pairs(contexts_of(graph, nodes_N[:size]), prefix, most)) is not None:
                found, fits = tried, size
                size = min(most * size // len(tried[1]), most_size)
            else:
                most_size = size - 1
                size = (fits + size) // 2
        return found

    def _with_pairs(self, contexts: Contexts, prefix: list[int], most: int) -> tuple[Contexts, Ints] | None:
        """Return contexts and the codes of their pairs; None if there are more than ``most``."""
        codes_P = self._reachable(contexts, contexts.after(prefix), most)
        return None if codes_P is None else (contexts, codes_P)

    def _reachable(self, contexts: Contexts, context: int, most: int) -> Ints | None:
        """Return the codes of the pairs (q, c) that rows can reach, ascending; None if there are more than ``most``."""
        n_contexts, last = len(contexts.probs_DV), len(self._automaton.next_SC) - 1
        symbols = self._first_U[self._first_U != EOS]
        frontier = np.array([context], dtype=np.int64)  # state 0
        found = IntSet(frontier)
        while len(frontier):
            if found.size > most:
                return None
            state_F, context_F = np.divmod(frontier, n_contexts)
            next_FU, codes_FU = self._after(contexts, state_F[:, None], context_F[:, None], symbols)
            frontier = found.add(codes_FU[next_FU != last])
        return found.members()

    def _after(self, contexts: Contexts, states: Ints, pasts: Ints, ids: Any) -> tuple[Ints, Ints]:
        """Return the states after ids, and the codes of the pairs; free states have one context where there are few."""
        next_states = self._automaton.next(states, ids).astype(np.int64)
        following = np.where(self._free_S[next_states], 0, contexts.following_DV[pasts, ids])
        return next_states, next_states * len(contexts.probs_DV) + following

    def _table(self, codes_P: Ints, state_P: Ints, context_P: Ints, contexts: Contexts) -> npt.NDArray[np.int32]:
        """Return the pair after each id, (P + 2, V): P stands for ended rows, P + 1 for rejected ones."""
        automaton, n_pairs = self._automaton, len(codes_P)
        ended, rejected = n_pairs, n_pairs + 1
        last = len(automaton.next_SC) - 1
        next_PV = np.full((n_pairs + 2, len(automaton.allowed_V)), rejected, dtype=np.int32)
        for index, id_ in enumerate(self._first_U.tolist()):
            next_P, codes = self._after(contexts, state_P, context_P, id_)
            after_P = np.where(next_P == last, rejected, np.searchsorted(codes_P, codes))
            next_PV[:n_pairs, self._class_V == index] = after_P[:, None]
        if automaton.ends:
            next_PV[:n_pairs, EOS] = np.where(automaton.distance_S[state_P] == 0, ended, rejected)
        next_PV[ended] = ended
        return next_PV

    def _solve(
        self, next_PV: npt.NDArray[np.int32], probs_DV: npt.NDArray[np.floating[Any]], context_P: Ints, n_left: int
    ) -> list[Tensor]:
        """Return log h_{-1}, log h_0, ... of the pairs, of ended and of rejected rows, each (P + 2,).

        The last one stands for all longer rows: it has settled, or more would take too much memory.
        """
        n_pairs, ends = self.n_pairs, self._automaton.ends
        next_PU = torch.from_numpy(next_PV[:n_pairs, self._first_U]).flatten()
        probs_DU = probs_DV[:, self._first_U]
        if (self._class_V >= 0).sum() > len(self._first_U):
            probs_DU = probs_DV @ (self._class_V[:, None] == np.arange(len(self._first_U)))
        probs_PU = torch.from_numpy(probs_DU[context_P])
        h_P = torch.zeros(n_pairs + 2, dtype=torch.double)
        h_P[n_pairs] = 1
        if not ends:  # such rows are cut after their last symbol; one more is sampled, whatever it is
            h_P[:n_pairs] = self._distance_P == 0
        farthest = int(self._distance_P.max())
        found = [self._log(h_P, -1)] if ends else [torch.zeros(n_pairs + 2), self._log(h_P, 0)]
        for n_after in range(len(found) - 1, n_left + 1):
            before_P = h_P[:n_pairs].clone()
            h_P[:n_pairs] = (h_P.index_select(0, next_PU).view(n_pairs, -1) * probs_PU).sum(1)
            if len(found) * n_pairs < _MAX_STORED:
                found.append(before_P)
            found[-1] = self._log(h_P, n_after)
            change_P = (h_P[:n_pairs] - before_P).abs() / h_P[:n_pairs].clamp(min=_LEAST)
            if n_after > farthest and float(change_P.max()) < _SETTLED:
                break
        return found

    def _log(self, h_P: Tensor, n_left: int) -> Tensor:
        """Return log h, finite wherever an accepted end is within ``n_left`` symbols."""
        log_P = h_P.log()
        reaches_P = (self._distance_P <= n_left) & (h_P[: self.n_pairs] == 0)
        log_P[: self.n_pairs].masked_scatter_(reaches_P, _FLOOR - _PER_SYMBOL * self._distance_P[reaches_P].double())
        return log_P.float()

    def initial_state(self, width: int) -> Tensor:
        """Return the pairs of ``width`` rows after the prefix, (C,)."""
        return torch.full((width,), self._start, dtype=torch.long, device=self._device)

    def advance(self, state_C: Tensor, ids_C: Tensor) -> Tensor:
        """Return the pairs after one more symbol, (C,)."""
        return follow(self._next_PV, state_C, ids_C)

    def log_factors(self, state_C: Tensor, length: int) -> Tensor:
        """Return log(h^a g^b) after each id, (C, V); minus infinity where no accepted end is near enough.

        Args:
            state_C: the pairs before the id.
            length: symbols of the rows so far, prefix included.
        """
        n_left = min(self._max_length - length, len(self._log_h) - 1)
        next_CV = self._next_PV.index_select(0, state_C)
        after = next_CV.view(-1)
        log_factors = self._power * self._log_h[n_left].index_select(0, after)
        if self._power_of_mean:
            log_g = self._log_g[n_left].index_select(0, self._group_P.index_select(0, after))
            log_factors += self._power_of_mean * log_g
        return log_factors.view(next_CV.shape)

    def mask(self, logits_CV: Tensor, state_C: Tensor, length: int) -> Tensor:
        """Return logits to which the factors are added; see ``log_factors``."""
        return logits_CV + self.log_factors(state_C, length)


def _log_means(log_h_P: npt.NDArray[Any], begins_P: npt.NDArray[np.bool_], times_P: npt.NDArray[Any]) -> Tensor:
    """Return the logarithm of the mean of h over the pairs of each state, (S + 1,); the last one is 0, for ended rows.

    Args:
        log_h_P: log h of each pair, state by state.
        begins_P: whether a pair is the first of its state.
        times_P: how often its context occurs.
    """
    first_S, group_P = np.flatnonzero(begins_P), np.cumsum(begins_P) - 1
    weighted_P = log_h_P + np.log(times_P / np.add.reduceat(times_P, first_S)[group_P])
    most_S = np.maximum(np.maximum.reduceat(weighted_P, first_S), -np.finfo(np.float64).max)  # where h is 0
    with np.errstate(divide="ignore"):
        log_g_S = most_S + np.log(np.add.reduceat(np.exp(weighted_P - most_S[group_P]), first_S))
    return torch.from_numpy(np.append(log_g_S, 0.0)).float()


def find_free(automaton: RowAutomaton) -> npt.NDArray[np.bool_]:
    """Return the states in which a row is accepted, and after whatever follows too, (S,)."""
    refused_S = automaton.distance_S > 0
    refused_S[-1] = True
    ids = automaton.allowed_V.copy()
    ids[EOS] = False
    edges = Edges(automaton.next_SC[:, np.unique(automaton.class_V[ids])])
    free_S: npt.NDArray[np.bool_] = edges.distances(refused_S) == UNREACHABLE
    return free_S


class TooLarge(Exception):
    """A constraint has too many states for look-ahead."""

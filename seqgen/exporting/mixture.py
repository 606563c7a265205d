"""The parts of a mixture beside the network, as plain values: the counts of a blend, and what a record repeats.

Dimension letters: R nodes, A arcs, V ids, E exponents, I prefixes of training records, C changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seqgen.counting import Blend, Repeats, blend_of
from seqgen.counting.log_linear import FLOOR, LARGEST
from seqgen.counting.repeats import BASE, LEAST_AGREEMENT, LONGEST, SHORTEST
from seqgen.tokenizers import PAD

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


@dataclass(frozen=True)
class CountTables:
    """The n-gram of a blend: nodes are contexts, node 0 the empty one, and arcs lead to longer contexts.

    With m the share of a node that its shorter node has, p(s | node) = m p(s | shorter node) + (probability of the arc
    s, if there is one); below node 0 is ``base_V``. The blend is p_network^a p_ngram^b / Z, where log probabilities are
    at least ``floor``, and a and b within [0, ``max_exponent``]: each is the number of the node + ``of_entropy`` H +
    ``of_largest`` max log p + ``of_position`` log(1 + position), H and p of the network. Where ``word_V`` is given, the
    share of each of its symbols among them all is that by two more exponents, of the same form. After a symbol s the
    node is the target of arc s of the longest suffix that has one, else 0.

    Attributes:
        shorter_R: the node of each context without its first symbol.
        mass_R: m.
        exponents_RE: the numbers of each node, for a and b, and for those among the symbols of words.
        starts_R: the first arc of each node, and after the last one their number, (R + 1,).
        ids_A: the id of each arc, ascending in each node.
        probs_A: its probability.
        next_A: the node that it leads to.
        base_V: the distribution below node 0; 0 for ids that cannot be predicted, which change neither node nor
            position.
        begin: the node after the mark before a text.
        ends: whether texts end, so that positions are counted from 0 after the mark; else the position stays 0.
        word_V: whether a symbol is one of words; None: these have no exponents of their own.
        of_entropy: weights of each exponent.
        of_largest: weights of each exponent.
        of_position: weights of each exponent.
        max_exponent: the largest exponent.
        floor: the smallest log probability, nats.
        prefixes: the prefixes of training records whose probability is lowered; None: none is.
    """

    shorter_R: Array
    mass_R: Array
    exponents_RE: Array
    starts_R: Array
    ids_A: Array
    probs_A: Array
    next_A: Array
    base_V: Array
    begin: int
    ends: bool
    word_V: Array | None
    of_entropy: list[float]
    of_largest: list[float]
    of_position: list[float]
    max_exponent: float
    floor: float
    prefixes: Prefixes | None


@dataclass(frozen=True)
class Prefixes:
    """Changes of the log probabilities after prefixes of training records; the mark before a text leads to prefix 0.

    Attributes:
        usual_I: the change of all ids that have none of their own; of the last prefix, which stands for all others, 0.
        starts_I: the first own change of each prefix, and after the last one their number, (I + 1,).
        ids_C: the id of each change; all other ids that can be predicted lead to the last prefix.
        changes_C: the change of its log probability.
        next_C: the prefix that it leads to.
    """

    usual_I: Array
    starts_I: Array
    ids_C: Array
    changes_C: Array
    next_C: Array


def counts_of(run: Any) -> CountTables | None:
    """Return the counts of a run that is blended with some, else None.

    Args:
        run: a :class:`seqgen.Run`.
    """
    blend = blend_of(run.model)
    if blend is None:
        return None
    graph = blend.graph
    of_entropy, of_largest, of_position = blend.weights_3E.tolist()
    return CountTables(
        shorter_R=graph.shorter_R,
        mass_R=graph.mass_R,
        exponents_RE=blend.exponents_RE.cpu().numpy(),
        starts_R=blend.starts_R.cpu().numpy(),
        ids_A=(graph.keys_A % graph.n_ids).astype(np.int32),
        probs_A=graph.probs_A,
        next_A=graph.next_A,
        base_V=graph.base_V,
        begin=graph.begin,
        ends=blend.counts_positions,
        word_V=None if blend.word_V is None else blend.word_V.cpu().numpy(),
        of_entropy=of_entropy,
        of_largest=of_largest,
        of_position=of_position,
        max_exponent=LARGEST,
        floor=FLOOR,
        prefixes=_prefixes(blend),
    )


def _prefixes(blend: Blend) -> Prefixes | None:
    """Return the discount of training records, with what is the same for most ids stored once."""
    if blend.change_IV is None or blend.next_IV is None:
        return None
    change_IV, next_IV = blend.change_IV.cpu().numpy(), blend.next_IV.cpu().numpy()
    predicted_V = blend.graph.base_V > 0
    last = len(change_IV) - 1
    usual_I = change_IV[:, PAD]  # which leads to no longer prefix
    own_IV = ((change_IV != usual_I[:, None]) | (next_IV != last)) & predicted_V
    return Prefixes(
        usual_I=usual_I,
        starts_I=np.concatenate(([0], np.cumsum(own_IV.sum(1)))).astype(np.int32),
        ids_C=np.nonzero(own_IV)[1].astype(np.int32),
        changes_C=change_IV[own_IV],
        next_C=next_IV[own_IV],
    )


@dataclass(frozen=True)
class RepeatGate:
    """The gate between a model and what a record repeats; ``seqgen.counting.repeats`` has the formula.

    Attributes:
        look_back: the number of last symbols in which matches are looked for.
        base: b of the weight b^m of a match of m symbols.
        shortest: the smallest m that counts.
        longest: the largest m that counts as such; longer matches count as these.
        least_agreement: A / (1 - p_model(end)) below which the gate sees no difference.
        weights: of the gate, in the order of the formula, the constant last.
    """

    look_back: int
    base: float
    shortest: int
    longest: int
    least_agreement: float
    weights: list[float]


def repeats_of(run: Any) -> RepeatGate | None:
    """Return what a run predicts of repetition, if it does.

    Args:
        run: a :class:`seqgen.Run`.
    """
    model = run.model
    if not isinstance(model, Repeats):
        return None
    return RepeatGate(model.look_back, BASE, SHORTEST, LONGEST, LEAST_AGREEMENT, model.weights_G.tolist())


def mixed_with(run: Any) -> str:
    """Return what the network of a run is blended with, as words; "" for nothing.

    Args:
        run: a :class:`seqgen.Run`.
    """
    found = ["counts"] if blend_of(run.model) is not None else []
    found += ["what a record repeats"] if isinstance(run.model, Repeats) else []
    return " and ".join(found)

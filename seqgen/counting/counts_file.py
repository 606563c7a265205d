"""The counts of a run: those of its training part, with the records that samples may repeat, in one file.

Dimension letters: V ids, R nodes, A arcs, N records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seqgen.batches import Encoded, Stream
from seqgen.counting.discount import likely_records, records_of_ids
from seqgen.counting.graph import ARRAY_TYPES, Graph, build_graph
from seqgen.counting.kneser_ney import MAX_ORDER, Records, choose_order
from seqgen.counting.records import records_of_part, thinned
from seqgen.errors import CheckpointError
from seqgen.tokenizers import BOS, EOS, PAD, Vocabulary

if TYPE_CHECKING:
    from seqgen.protocols import Integers


_CLOSE = 1e-3  # of a sum of probabilities to 1
_NAME = "ngram.safetensors"  # of the file, for messages


@dataclass(frozen=True)
class Counts:
    """The n-gram and the training records of a run.

    Attributes:
        graph: the n-gram.
        records: training records whose probability may be lowered; None in one long text, with conditions, and where
            only some records are counted: of so many a sample repeats few.
    """

    graph: Graph
    records: Encoded | None = None


def count_part(part: Encoded | Stream, vocabulary: Vocabulary, most: int | None = None) -> Counts:
    """Count the n-grams of a training part, of the order that predicts each record best from all others.

    Args:
        part: the records, or one long text.
        vocabulary: its symbols.
        most: about how many symbols to count of a longer part; None: all.
    """
    counted = part if most is None else thinned(part, most)
    graph = count_records(records_of_part(counted, vocabulary), vocabulary)
    if counted is not part or isinstance(part, Stream) or vocabulary.conditions:
        return Counts(graph)
    return Counts(graph, likely_records(part, vocabulary.size))


def count_records(records: Records, vocabulary: Vocabulary) -> Graph:
    """Count the n-grams of records, of the order that predicts each record best from all others."""
    orders, counted, _ = choose_order(records)
    allowed_V = vocabulary.allowed_V()
    return build_graph(records, orders, counted, allowed_V / allowed_V.sum())


def dump_counts(counts: Counts) -> bytes:
    """Return counts as the bytes of a safetensors file."""
    from safetensors.numpy import save

    graph, records = counts.graph, counts.records
    arrays = {name: getattr(graph, name) for name in ARRAY_TYPES}
    arrays["begin_and_order"] = np.array([graph.begin, graph.order])
    if records is not None:
        arrays |= {"records": np.asarray(records.flat, dtype=np.int32), "lengths_N": records.lengths_N.astype(np.int64)}
    return save(arrays)


def load_counts(data: bytes, n_ids: int) -> Counts:
    """Return the counts that ``dump_counts`` wrote.

    Args:
        data: the bytes.
        n_ids: V, which they must have.

    Raises:
        CheckpointError: they are damaged or of other symbols.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(data)
        begin, order = arrays.pop("begin_and_order").tolist()
        flat, lengths_N = arrays.pop("records", None), arrays.pop("lengths_N", None)
        graph = Graph(**arrays, begin=begin, order=order)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{_NAME} is damaged: {' '.join(str(error).split())}") from None
    if problem := _unsuitable_array(graph):
        raise CheckpointError(f"{_NAME} is damaged: {problem}")
    if graph.n_ids != n_ids:
        raise CheckpointError(f"{_NAME} has {graph.n_ids} ids, the run {n_ids}")
    if problem := _inconsistency(graph):
        raise CheckpointError(f"{_NAME} is damaged: {problem}")
    if flat is None or lengths_N is None:
        return Counts(graph)
    if not _are_records(flat, lengths_N, graph):
        raise CheckpointError(f"{_NAME} is damaged: its records are not those of its symbols")
    return Counts(graph, records_of_ids(flat, lengths_N))


def _are_records(flat: Integers, lengths_N: Integers, graph: Graph) -> bool:
    """Return whether ids are records, each from its mark to its stop."""
    if flat.dtype != np.int32 or lengths_N.dtype != np.int64 or flat.ndim != 1 or lengths_N.ndim != 1:
        return False
    if (lengths_N < 2).any() or (lengths_N > len(flat)).any() or lengths_N.sum() != len(flat):
        return False
    ends_N = np.cumsum(lengths_N)
    inner = np.ones(len(flat), dtype=np.bool_)
    inner[ends_N - lengths_N] = inner[ends_N - 1] = False
    within = bool(((flat >= 0) & (flat < graph.n_ids)).all())
    framed = (flat[ends_N - lengths_N] == BOS).all() and (flat[ends_N - 1] == EOS).all()
    return within and bool(framed) and not bool(np.isin(flat[inner], [PAD, BOS, EOS]).any())


def _unsuitable_array(graph: Graph) -> str:
    """Return the first array of another type or shape than its own, or ""."""
    size, n_arcs = graph.mass_R.shape[:1], graph.keys_A.shape[:1]
    for name, dtype in ARRAY_TYPES.items():
        array = getattr(graph, name)
        length = {"R": size, "A": n_arcs}.get(name[-1], array.shape[:1])
        if array.dtype != dtype or array.ndim != 1 or array.shape != length:
            return f"{name} has the type {array.dtype} and the shape {list(array.shape)}"
    return ""


def _inconsistency(graph: Graph) -> str:
    """Return what would make an index leave an array or a probability leave its range, or ""."""
    size, begin, order = graph.n_nodes, graph.begin, graph.order
    if not size or not len(graph.keys_A) or not all(isinstance(number, int) for number in (begin, order)):
        return "it has no counts"
    length_R, shorter_R = graph.length_R.astype(np.int16), graph.shorter_R
    sound = (
        0 <= begin < size
        and 1 <= order <= MAX_ORDER
        and shorter_R[0] == length_R[0] == 0
        and ((shorter_R >= 0) & (shorter_R < size)).all()
        and (length_R[shorter_R[1:]] == length_R[1:] - 1).all()
        and (np.diff(length_R) >= 0).all()
        and length_R[-1] < order
        and ((graph.next_A >= 0) & (graph.next_A < size)).all()
        and (np.diff(graph.keys_A) > 0).all()
        and graph.keys_A[0] >= 0
        and graph.keys_A[-1] < size * graph.n_ids
    )
    if not sound:
        return "its indices are not those of a graph"
    shares = (graph.mass_R, graph.probs_A, graph.base_V)
    sum_R = graph.mass_R + np.bincount(graph.keys_A // graph.n_ids, graph.probs_A, size)
    sound = (
        all(((share >= 0) & (share <= 1)).all() for share in shares)
        and (np.abs(sum_R - 1) < _CLOSE).all()
        and abs(float(graph.base_V.sum(dtype=np.float64)) - 1) < _CLOSE
        and not graph.base_V[[PAD, BOS]].any()
        and all((np.isfinite(array) & (array >= 0)).all() for array in (graph.total_R, graph.entropy_R))
    )
    return "" if sound else "its probabilities are not those of distributions"

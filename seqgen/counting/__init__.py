"""Counting beside a network: exact n-gram counts, and the blend of both."""

from seqgen.counting.blend import Blend, entropy
from seqgen.counting.gate import (
    N_FEATURES,
    Observed,
    cross_fitted,
    fit_gate,
    least_shift,
    mixed_nats,
    node_features,
    scored_nats,
    shifted,
)
from seqgen.counting.graph import NGRAM, Graph, build_graph, dump_graph, load_graph, next_node
from seqgen.counting.kneser_ney import MAX_ORDER, Records, choose_order, leave_out_by_order
from seqgen.counting.records import N_BLOCKS, count_part, records_of_part, records_of_texts

__all__ = [
    "MAX_ORDER",
    "NGRAM",
    "N_BLOCKS",
    "N_FEATURES",
    "Blend",
    "Graph",
    "Observed",
    "Records",
    "build_graph",
    "choose_order",
    "count_part",
    "cross_fitted",
    "dump_graph",
    "entropy",
    "fit_gate",
    "least_shift",
    "leave_out_by_order",
    "load_graph",
    "mixed_nats",
    "next_node",
    "node_features",
    "records_of_part",
    "records_of_texts",
    "scored_nats",
    "shifted",
]

"""Counting beside a network: exact n-gram counts, the blend of both, and what a record repeats of itself."""

from seqgen.counting.blend import Blend, entropy
from seqgen.counting.counts_file import Counts, count_part, count_records, dump_counts, load_counts
from seqgen.counting.discount import count_likely, fit_factor, is_first, record_keys, records_of_ids
from seqgen.counting.gate import Observed, cross_fitted
from seqgen.counting.gate_fit import LEAST_RECORDS, Gates, Predictions, cross_fit, most_symbols
from seqgen.counting.graph import Graph, by_frequency, sparse_table
from seqgen.counting.kneser_ney import MAX_ORDER, Records, leave_out_by_order
from seqgen.counting.log_linear import FLOOR, INITIAL_GATES, N_FEATURES, NEUTRAL, exponents, mix, node_features
from seqgen.counting.mixture import Mixture
from seqgen.counting.records import N_BLOCKS, count_symbols, frame_texts, records_of_rows, records_of_texts, thinned
from seqgen.counting.repeats import N_REPEAT_FEATURES, Repeats, blend_of, count_matches, fit_repeats, network_of

__all__ = [
    "FLOOR", "INITIAL_GATES", "LEAST_RECORDS", "MAX_ORDER", "NEUTRAL", "N_BLOCKS", "N_FEATURES", "N_REPEAT_FEATURES",
    "Blend", "Counts", "Gates", "Graph", "Mixture", "Observed", "Predictions", "Records", "Repeats", "blend_of",
    "by_frequency", "count_likely", "count_matches", "count_part", "count_records", "count_symbols", "cross_fit",
    "cross_fitted", "dump_counts", "entropy", "exponents", "fit_factor", "fit_repeats", "frame_texts", "is_first",
    "leave_out_by_order", "load_counts", "mix", "most_symbols", "network_of", "node_features", "record_keys",
    "records_of_ids", "records_of_rows", "records_of_texts", "sparse_table", "thinned",
]  # fmt: skip

"""Sampling new sequences from a model."""

from seqgen.sampling.beam import beam_rows
from seqgen.sampling.conditional import MAX_EXCLUDED, Grammar, Way, find_way, guided_rows
from seqgen.sampling.corrected import Bound
from seqgen.sampling.decoder import Decoder
from seqgen.sampling.filters import RowFilter, filter_rows
from seqgen.sampling.sampler import Sample, Sampler
from seqgen.sampling.search import Top, top_rows

__all__ = [
    "MAX_EXCLUDED",
    "Bound",
    "Decoder",
    "Grammar",
    "RowFilter",
    "Sample",
    "Sampler",
    "Top",
    "Way",
    "beam_rows",
    "filter_rows",
    "find_way",
    "guided_rows",
    "top_rows",
]

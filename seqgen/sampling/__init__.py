"""Sampling new sequences from a model."""

from seqgen.sampling.beam import beam_rows
from seqgen.sampling.conditional import Way, find_way
from seqgen.sampling.corrected import Bound
from seqgen.sampling.decoder import Decoder
from seqgen.sampling.filters import RowFilter, filter_rows
from seqgen.sampling.sampler import Sample, Sampler
from seqgen.sampling.search import Top, top_rows

__all__ = [
    "Bound",
    "Decoder",
    "RowFilter",
    "Sample",
    "Sampler",
    "Top",
    "Way",
    "beam_rows",
    "filter_rows",
    "find_way",
    "top_rows",
]

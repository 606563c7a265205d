"""Sampling new sequences from a model."""

from seqgen.sampling.beam import beam_rows
from seqgen.sampling.decoder import Decoder
from seqgen.sampling.filters import RowFilter, filter_rows
from seqgen.sampling.sampler import Sample, Sampler
from seqgen.sampling.search import Top, top_rows

__all__ = [
    "Decoder",
    "RowFilter",
    "Sample",
    "Sampler",
    "Top",
    "beam_rows",
    "filter_rows",
    "top_rows",
]

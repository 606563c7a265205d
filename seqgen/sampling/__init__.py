"""Sampling new sequences from a model."""

from seqgen.sampling.beam import beam_rows
from seqgen.sampling.border import share_across
from seqgen.sampling.bound import Bound
from seqgen.sampling.conditional import MAX_EXCLUDED, Grammar, Remember, Way, find_way, forget, guided_rows
from seqgen.sampling.decoder import Decoder
from seqgen.sampling.filters import RowFilter, filter_rows, passing_rows
from seqgen.sampling.sample_batch import SampleBatch
from seqgen.sampling.sampler import Sample, Sampler
from seqgen.sampling.search import Top, top_rows
from seqgen.sampling.trial_cache import model_digest, remembering

__all__ = [
    "MAX_EXCLUDED", "Bound", "Decoder", "Grammar", "Remember", "RowFilter", "Sample", "SampleBatch", "Sampler", "Top",
    "Way", "beam_rows", "filter_rows", "find_way", "forget", "guided_rows", "model_digest", "passing_rows",
    "remembering", "share_across", "top_rows",
]  # fmt: skip

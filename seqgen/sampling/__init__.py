"""Drawing new sequences from a model."""

from seqgen.sampling.beam import beam_rows
from seqgen.sampling.decoder import Decoder
from seqgen.sampling.filters import EFFORT, EFFORT_LEAST, Wanted, wanted_rows
from seqgen.sampling.sampler import Sample, Sampler
from seqgen.sampling.search import Top, top_rows
from seqgen.sampling.settings import SampleSettings

__all__ = [
    "EFFORT",
    "EFFORT_LEAST",
    "Decoder",
    "Sample",
    "SampleSettings",
    "Sampler",
    "Top",
    "Wanted",
    "beam_rows",
    "top_rows",
    "wanted_rows",
]

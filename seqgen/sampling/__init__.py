"""Drawing new sequences from a model."""

from seqgen.sampling.filters import Wanted, wanted_rows
from seqgen.sampling.sampler import Sample, Sampler
from seqgen.sampling.settings import SampleSettings

__all__ = ["Sample", "SampleSettings", "Sampler", "Wanted", "wanted_rows"]

"""Drawing new sequences from a model."""

from seqgen.sampling.filters import unique_rows
from seqgen.sampling.sampler import Sample, Sampler
from seqgen.sampling.settings import SampleSettings

__all__ = ["Sample", "SampleSettings", "Sampler", "unique_rows"]

"""Events of a training run, with which a listener is called."""

from seqgen.training import Ended, Evaluating, Progress, Report, Saved, Started

__all__ = ["Ended", "Evaluating", "Progress", "Report", "Saved", "Started"]

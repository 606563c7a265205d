"""Training: the loop, its optimizer and schedule, and the events that it yields."""

from seqgen.training.events import Ended, Evaluating, Event, Progress, Report, Saved, Started
from seqgen.training.state import MAX_COPIES
from seqgen.training.trainer import Trainer

__all__ = [
    "MAX_COPIES", "Ended", "Evaluating", "Event", "Progress", "Report", "Saved", "Started", "Trainer",
]  # fmt: skip

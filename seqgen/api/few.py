"""How the best step is found where there are few records."""

from __future__ import annotations

from seqgen.checkpoint import RunSettings
from seqgen.config import TrainSettings
from seqgen.corpus import Survey
from seqgen.errors import BadOption

FEW_RECORDS = 200


def suiting_few(settings: RunSettings, counted: Survey, *, counts: bool) -> TrainSettings:
    """Return the training settings of a new run, with how its best step is found.

    A handful of held-out records cannot say which step is best, and the last step repeats the records. With fewer than
    200 records the best step is the last at which few samples would be copies, and evaluations are close together;
    ``benchmarks/few_records.py`` compares the two. A run goes by the loss all the same if it begins with the weights of
    another, past learning how records look; if its validation records are in a file, or none are wanted; if most of its
    records are the same, so that copies are what it is to give; and if its model counts.

    Args:
        settings: of the run.
        counted: its records.
        counts: whether its model learns by counting.

    Raises:
        BadOption: copies are to be looked for in one long text.
    """
    train, corpus = settings.train, settings.corpus
    if train.best_by == "copies" and corpus.layout != "lines":
        raise BadOption("best_by=copies is of records, and one long text (--layout stream) has none")
    chosen = settings.start is not None or corpus.valid is not None or not train.split[1]
    few = counted.n_records < FEW_RECORDS and 2 * counted.n_distinct >= counted.n_records
    by = "copies" if few and corpus.layout == "lines" and not chosen and not counts else "loss"
    return train.model_copy(update={"best_by": train.best_by or by})

"""Events of a training run, as plain values for callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqgen.checkpoint import RunSettings
from seqgen.sampling import Sample


@dataclass(frozen=True)
class Started:
    """The first event of a run.

    Attributes:
        settings: the content of run.json.
        step: optimizer steps done before; positive when the run is resumed.
        remarks: short notes on the corpus, such as duplicates and skipped lines.
    """

    settings: RunSettings
    step: int
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class Progress:
    """The progress of a run, a few times per second.

    Attributes:
        step: optimizer steps done.
        share: fraction of the run that is done, 0 to 1.
        loss_nats: of the last batch, nats per symbol.
        bits_per_char: of the last batch.
        tokens_per_s: targets trained on per second, without padding, since training (re)started.
        n_targets: number of these targets.
        elapsed_s: time of training and evaluation, summed over resumes.
        left_s: estimated time left.
    """

    step: int
    share: float
    loss_nats: float
    bits_per_char: float
    tokens_per_s: float
    n_targets: int
    elapsed_s: float
    left_s: float


@dataclass(frozen=True)
class Evaluating:
    """The start of an evaluation.

    Attributes:
        step: optimizer steps done.
        share: fraction of the run that is done, 0 to 1.
    """

    step: int
    share: float


@dataclass(frozen=True)
class Report:
    """The result of an evaluation.

    Attributes:
        metrics: the line added to metrics.jsonl.
        samples: rows sampled from the current model.
    """

    metrics: dict[str, Any]
    samples: Sequence[Sample]


@dataclass(frozen=True)
class Saved:
    """A published checkpoint.

    Attributes:
        step: optimizer steps of the checkpoint.
        path: its folder.
    """

    step: int
    path: Path


@dataclass(frozen=True)
class Ended:
    """The last event of a run.

    Attributes:
        reason: "steps", "epochs", "time", "patience" or "interrupted".
        step: optimizer steps done.
        signal_number: the signal that interrupted it, or 0.
    """

    reason: str
    step: int
    signal_number: int = 0


Event = Started | Progress | Evaluating | Report | Saved | Ended

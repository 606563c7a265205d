"""What a training tells while it runs, as plain values; who listens decides what to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqgen.checkpoint import RunSettings
from seqgen.sampling import Sample


@dataclass(frozen=True)
class Started:
    """The first event.

    Attributes:
        settings: the content of run.json.
        step: optimizer steps done before; more than 0 when the run is resumed.
        remarks: what a person should know of the corpus, a few words each: duplicates, lines that are skipped.
    """

    settings: RunSettings
    step: int
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class Progress:
    """A few times a second.

    Attributes:
        step: optimizer steps done.
        share: done of the whole run, 0 to 1.
        loss_nats: of the last batch, nats per symbol.
        bits_per_char: of the last batch.
        tokens_per_s: targets learned from a second, padding not counted, since training (re)started.
        n_targets: those targets.
        elapsed_s: training and evaluation time, summed over resumes.
        left_s: estimate of what is left.
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
    """Before an evaluation.

    Attributes:
        step: optimizer steps done.
        share: done of the whole run, 0 to 1.
    """

    step: int
    share: float


@dataclass(frozen=True)
class Report:
    """At an evaluation.

    Attributes:
        metrics: the line added to metrics.jsonl.
        samples: rows drawn from the model as it is now.
    """

    metrics: dict[str, Any]
    samples: Sequence[Sample]


@dataclass(frozen=True)
class Saved:
    """A checkpoint was published.

    Attributes:
        step: optimizer steps it holds.
        path: its folder.
    """

    step: int
    path: Path


@dataclass(frozen=True)
class Ended:
    """The last event.

    Attributes:
        reason: "steps", "epochs", "time", "patience" or "interrupted".
        step: optimizer steps done.
        signal_number: which signal interrupted it, or 0.
    """

    reason: str
    step: int
    signal_number: int = 0


Event = Started | Progress | Evaluating | Report | Saved | Ended

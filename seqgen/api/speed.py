"""How fast a run learns and draws."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from seqgen.checkpoint import RunFolder, RunSettings

if TYPE_CHECKING:
    from seqgen.api.run import Run
    from seqgen.batches import Encoded, Stream
    from seqgen.training import Event, Progress

_WARM, _DRAWN = 64, 1000  # rows


class TrainSpeed:
    """Listens to a training: targets learned from a second while it does nothing else, as evaluating.

    The first moments, which are slower, are left out.
    """

    def __init__(self) -> None:
        self._n_targets, self._elapsed_s = 0, 0.0
        self._before: Progress | None = None

    def __call__(self, folder: RunFolder, event: Event) -> None:
        """Hear an event; what lies between two reports of progress was training only."""
        from seqgen.training import Progress

        if not isinstance(event, Progress):
            self._before = None
            return
        if self._before is not None:
            self._n_targets += event.n_targets - self._before.n_targets
            self._elapsed_s += event.elapsed_s - self._before.elapsed_s
        self._before = event

    def tokens_per_s(self) -> float | None:
        """Targets a second; None for a run that was too short to tell."""
        return self._n_targets / self._elapsed_s if self._elapsed_s else None


def whole_tokens_per_s(settings: RunSettings, train: Encoded | Stream, step: int, elapsed_s: float) -> float | None:
    """Targets a second of a whole run, its evaluations counted, from what its checkpoint tells; None at step 0.

    Args:
        settings: of the run.
        train: its training part.
        step: steps it did.
        elapsed_s: in which time.
    """
    from seqgen.batches import Stream, count_batches, make_feed

    if isinstance(train, Stream):  # each step has as many
        feed = make_feed(train, batch_size=settings.train.batch_size, window=settings.train.window, seed=0)
        per_step = float(feed.batch(0).n_targets)
    else:
        per_step = float((train.lengths_N - 1).sum()) / count_batches(len(train), settings.train.batch_size)
    return per_step * step / elapsed_s if step and elapsed_s else None


def samples_per_s(run: Run) -> float:
    """Rows a second, decoded, of 1,000 drawn after a warm-up."""
    run.sample(_WARM)
    started = time.perf_counter()
    n = len(run.sample(_DRAWN))
    return n / (time.perf_counter() - started)

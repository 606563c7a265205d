"""The end of a run, its progress, and the learning rate of each step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from seqgen.config import TrainSettings

_EVERY_FEW = 5  # steps between evaluations of a run on few records; ten can lie between no copies and a third
_EVERY_UNKNOWN = 250  # steps between evaluations when the number of steps is unknown


@dataclass(frozen=True)
class Schedule:
    """The schedule of a run: its limits, evaluations and learning rates.

    Attributes:
        settings: the training settings.
        steps_per_epoch: batches of an epoch.
        stop_step: a step to stop at though the rate falls as over the whole run, as in a refit; None: its end.
    """

    settings: TrainSettings
    steps_per_epoch: int
    stop_step: int | None = None

    def max_steps(self) -> int | None:
        """Return the step at which the run ends at the latest, or None if neither steps nor epochs limit it."""
        limits = [
            self.settings.steps,
            None if self.settings.epochs is None else _round_up(self.settings.epochs * self.steps_per_epoch),
        ]
        given = [limit for limit in limits if limit is not None]
        return max(1, min(given)) if given else None

    def eval_every(self) -> int:
        """Return the steps between evaluations: as set, else about 20 evaluations at least 50 steps apart.

        Where the best step is selected by copies it is 5: few steps lie between learning and copying.
        """
        if self.settings.eval_every is not None:
            return self.settings.eval_every
        if self.settings.best_by == "copies":
            return _EVERY_FEW
        most = self.max_steps()
        every = _EVERY_UNKNOWN if most is None else max(min(50, most), -(-most // 20))
        return min(every, _EVERY_UNKNOWN) if self.settings.time_s is not None else every

    def share(self, step: int, elapsed_s: float, reserved_s: float = 0.0) -> float:
        """Return the fraction of the run that is done, 0 to 1; ``reserved_s`` as in ``ended``."""
        most, time_s = self.max_steps(), self.settings.time_s
        done = [step / most if most else 0.0]
        if time_s is not None:
            done.append(elapsed_s / max(time_s - reserved_s, 1e-9))
        return min(1.0, max(done))

    def progress(self, step: int, elapsed_s: float) -> float:
        """Return the fraction that is done of what will be trained, 0 to 1."""
        return self.share(step, elapsed_s) if self.stop_step is None else min(1.0, step / self.stop_step)

    def lr(self, step: int, share: float) -> float:
        """Return the learning rate of a step: linear warm-up times cosine decay without restarts (arXiv:1608.03983).

        The decay goes over the whole run, so runs of few steps, whose warm-up is much of them, stay below the peak.
        """
        settings = self.settings
        warmup = min(1.0, (step + 1) / settings.warmup_steps) if settings.warmup_steps else 1.0
        if settings.decay == "none":
            return settings.lr * warmup
        decay = settings.final_lr_ratio + (1 - settings.final_lr_ratio) * (1 + math.cos(math.pi * share)) / 2
        return settings.lr * warmup * decay

    def ended(self, step: int, elapsed_s: float, reserved_s: float = 0.0) -> str:
        """Return why the run ends at a step ("steps", "epochs", "time"), or "".

        Args:
            step: optimizer steps done.
            elapsed_s: time since the run started, seconds.
            reserved_s: part of the time limit reserved for the last evaluation, seconds.
        """
        most, settings = self.max_steps(), self.settings
        if settings.time_s is not None and elapsed_s + reserved_s >= settings.time_s:
            return "time"
        if self.stop_step is not None and step >= self.stop_step:
            return "steps"
        if most is not None and step >= most:
            return "steps" if settings.steps is not None and step >= settings.steps else "epochs"
        return ""


def _round_up(steps: float) -> int:
    """Return the next whole number, but that of a product that rounding made a little larger than a whole one."""
    return math.ceil(round(steps, 6))

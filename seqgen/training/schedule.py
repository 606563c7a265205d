"""When a run ends, how far it is, and the learning rate at a step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from seqgen.config import TrainSettings

_EVERY_FEW = 10  # steps between evaluations of a run on few records
_EVERY_UNKNOWN = 250  # steps between evaluations when it is not known how many there will be


@dataclass(frozen=True)
class Schedule:
    """The ends of a run that the settings give, in steps and seconds.

    Attributes:
        settings: the training's settings.
        steps_per_epoch: batches of an epoch.
    """

    settings: TrainSettings
    steps_per_epoch: int

    def most_steps(self) -> int | None:
        """The step at which the run ends at the latest, if steps or epochs limit it."""
        limits = [
            self.settings.steps,
            None if self.settings.epochs is None else math.ceil(self.settings.epochs * self.steps_per_epoch),
        ]
        given = [limit for limit in limits if limit is not None]
        return max(1, min(given)) if given else None

    def eval_every(self) -> int:
        """Steps between evaluations: as set, else about 20 in a run of known steps, at least 50 apart.

        Where the best step is found by copies there are 10: few steps lie between learning and copying.
        """
        if self.settings.eval_every is not None:
            return self.settings.eval_every
        if self.settings.best_by == "copies":
            return _EVERY_FEW
        most = self.most_steps()
        every = _EVERY_UNKNOWN if most is None else max(min(50, most), -(-most // 20))
        return min(every, _EVERY_UNKNOWN) if self.settings.time_s is not None else every

    def share(self, step: int, elapsed_s: float, reserved_s: float = 0.0) -> float:
        """How much of the run's steps is done, 0 to 1; ``reserved_s`` as in ``ended``."""
        most, time_s = self.most_steps(), self.settings.time_s
        done = [step / most if most else 0.0]
        if time_s is not None:
            done.append(elapsed_s / max(time_s - reserved_s, 1e-9))
        return min(1.0, max(done))

    def lr(self, step: int, share: float) -> float:
        """The rate of a step: a linear rise, then a cosine fall (arXiv:1608.03983, eq. 5, without restarts)."""
        settings = self.settings
        rise = min(1.0, (step + 1) / settings.warmup_steps) if settings.warmup_steps else 1.0
        if settings.decay == "none":
            return settings.lr * rise
        fall = settings.final_lr_ratio + (1 - settings.final_lr_ratio) * (1 + math.cos(math.pi * share)) / 2
        return settings.lr * rise * fall

    def ended(self, step: int, elapsed_s: float, reserved_s: float = 0.0) -> str:
        """Why the steps end here, or "".

        Args:
            step: optimizer steps done.
            elapsed_s: time since the run began, seconds.
            reserved_s: of the time limit, what the last evaluation takes.
        """
        most, settings = self.most_steps(), self.settings
        if settings.time_s is not None and elapsed_s + reserved_s >= settings.time_s:
            return "time"
        if most is not None and step >= most:
            return "steps" if settings.steps is not None and step >= settings.steps else "epochs"
        return ""

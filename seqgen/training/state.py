"""Everything a training must remember to go on as if it had never stopped, tensors aside."""

from __future__ import annotations

import math
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seqgen.errors import CheckpointError, Diverged

MAX_COPIES = 0.2
"""Share of samples that would repeat a training record up to which, of few records, a later step is the better one."""


class TrainState(BaseModel):
    """The JSON part of a checkpoint."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    step: int = Field(0, ge=0, lt=2**53, description="optimizer steps done")
    evaluated_step: int = Field(0, ge=-1, description="step of the last evaluation; -1: not even at step 0")
    best_step: int | None = Field(None, description="step with the lowest held-out loss, or the last with few copies")
    best_loss_nats: float | None = Field(None, description="its held-out loss, nats per symbol")
    since_best: int = Field(0, ge=0, description="evaluations since then")
    eval_records: int | None = Field(
        None, ge=1, description="held-out records that an evaluation looks at, chosen by a time limit; None: as set"
    )
    nats: float = Field(0.0, description="training loss since the last evaluation, summed")
    n_targets: int = Field(0, ge=0, description="targets since the last evaluation")
    n_chars: int = Field(0, ge=0, description="characters since the last evaluation")
    n_records: int = Field(0, ge=0, description="records since the last evaluation")
    elapsed_s: float = Field(0.0, ge=0, description="training and evaluation time, summed over resumes")
    ended: str = Field("", description="why the run ended, or empty")
    log_bytes: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict, description="size of each log")

    @classmethod
    def read(cls, data: object) -> Self:
        """Check what state.json holds.

        Raises:
            CheckpointError: it makes no sense.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            raise CheckpointError(f"state.json is damaged: {first['loc']}: {first['msg']}") from None

    def learned_before(self) -> None:
        """Have the weights judged before the first step, to be the best until others are better."""
        self.evaluated_step = -1

    def judged(self, loss_nats: float | None, copies: float | None = None) -> None:
        """Note an evaluation at this step.

        Args:
            loss_nats: held-out loss, nats per symbol; None where nothing is held out.
            copies: the share of samples that would repeat a training record, by which the best step is then found:
                the last with at most ``MAX_COPIES``, else the first; None: the one with the lowest loss.

        Raises:
            Diverged: the loss is not finite.
        """
        self.evaluated_step = self.step
        self.nats, self.n_targets, self.n_chars, self.n_records = 0.0, 0, 0, 0
        if loss_nats is not None and not math.isfinite(loss_nats):
            way = "try a lower --lr" if self.step else "look at the weights that it began with, and at the data"
            raise Diverged(f"the held-out loss at step {self.step} is {loss_nats}; {way}")
        if loss_nats is None and copies is None:
            return
        if self._is_better(loss_nats, copies):
            self.best_step, self.best_loss_nats, self.since_best = self.step, loss_nats, 0
        else:
            self.since_best += 1

    def _is_better(self, loss_nats: float | None, copies: float | None) -> bool:
        if copies is not None:
            return copies <= MAX_COPIES or self.best_step is None
        return self.best_loss_nats is None or (loss_nats is not None and loss_nats < self.best_loss_nats)

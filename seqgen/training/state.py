"""Everything a training must remember to go on as if it had never stopped, tensors aside."""

from __future__ import annotations

import math
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seqgen.errors import CheckpointError, Diverged


class TrainState(BaseModel):
    """The JSON part of a checkpoint."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    step: int = Field(0, ge=0, lt=2**53, description="optimizer steps done")
    evaluated_step: int = Field(0, ge=-1, description="step of the last evaluation; -1: not even at step 0")
    best_step: int | None = Field(None, description="step with the lowest held-out loss")
    best_loss_nats: float | None = Field(None, description="that loss, nats per symbol")
    since_best: int = Field(0, ge=0, description="evaluations since then")
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

    def judged(self, loss_nats: float | None) -> None:
        """Note an evaluation at this step: its held-out loss, nats per symbol; None where nothing is held out.

        Raises:
            Diverged: the loss is not finite.
        """
        self.evaluated_step = self.step
        self.nats, self.n_targets, self.n_chars, self.n_records = 0.0, 0, 0, 0
        if loss_nats is None:
            return
        if not math.isfinite(loss_nats):
            way = "try a lower --lr" if self.step else "look at the weights that it began with, and at the data"
            raise Diverged(f"the held-out loss at step {self.step} is {loss_nats}; {way}")
        if self.best_loss_nats is None or loss_nats < self.best_loss_nats:
            self.best_step, self.best_loss_nats, self.since_best = self.step, loss_nats, 0
        else:
            self.since_best += 1

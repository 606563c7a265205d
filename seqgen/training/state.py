"""The JSON state of a training run, which a resumed run continues from."""

from __future__ import annotations

import math
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seqgen.errors import CheckpointError, Diverged

MAX_COPIES = 0.2
"""Limit on the expected share of copies among samples; on few records, the last step within it is the best one."""


class TrainState(BaseModel):
    """The JSON part of a checkpoint."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    step: int = Field(0, ge=0, lt=2**53, description="optimizer steps done")
    evaluated_step: int = Field(
        0, ge=-1, description="step of the last evaluation; -1: none, and step 0 has to be evaluated"
    )
    best_step: int | None = Field(None, description="step with the lowest held-out loss, or the last with few copies")
    best_loss_nats: float | None = Field(None, description="its held-out loss, nats per symbol")
    since_best: int = Field(0, ge=0, description="evaluations since then")
    eval_records: int | None = Field(
        None, ge=1, description="held-out records of an evaluation, chosen by the time limit; None: as set"
    )
    gate: list[float] | None = Field(
        None, description="weights of the gate between the network and the counts; None: the network alone"
    )
    kept_share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="share of their probability that training records keep in a blend; None: all of it",
    )
    repeats: list[float] | None = Field(
        None, description="weights of the gate of what a record repeats of itself; None: it is not predicted"
    )
    nats: float = Field(0.0, description="training loss since the last evaluation, summed")
    n_targets: int = Field(0, ge=0, description="targets since the last evaluation")
    n_chars: int = Field(0, ge=0, description="characters since the last evaluation")
    n_records: int = Field(0, ge=0, description="records since the last evaluation")
    elapsed_s: float = Field(0.0, ge=0, description="training and evaluation time, summed over resumes")
    ended: str = Field("", description="reason of the run's end, or empty")
    log_bytes: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict, description="size of each log")

    @classmethod
    def read(cls, data: object) -> Self:
        """Return the state of a state.json.

        Raises:
            CheckpointError: the content is invalid.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            raise CheckpointError(f"state.json is damaged: {first['loc']}: {first['msg']}") from None

    def require_initial_evaluation(self) -> None:
        """Require an evaluation before the first step, so that the initial weights may be the best ones."""
        self.evaluated_step = -1

    def record_evaluation(self, loss_nats: float | None, copies: float | None = None) -> None:
        """Record an evaluation at the current step.

        Args:
            loss_nats: held-out loss, nats per symbol; None where nothing is held out.
            copies: the expected share of copies among samples, which selects the best step: the last with at most
                ``MAX_COPIES``, else the first after step 0, the run that this one starts from; None: the
                step with the lowest loss is the best.

        Raises:
            Diverged: the loss is not finite.
        """
        if loss_nats is not None:
            self.require_finite(loss_nats)
        self.evaluated_step = self.step
        self.nats, self.n_targets, self.n_chars, self.n_records = 0.0, 0, 0, 0
        if loss_nats is None and copies is None:
            return
        if self._is_better(loss_nats, copies):
            self.best_step, self.best_loss_nats, self.since_best = self.step, loss_nats, 0
        else:
            self.since_best += 1

    def require_finite(self, loss_nats: float) -> None:
        """Refuse a held-out loss, before samples of the model would fail for the same reason.

        Raises:
            Diverged: it is not finite.
        """
        if not math.isfinite(loss_nats):
            hint = "try a lower --lr" if self.step else "check the initial weights and the data"
            raise Diverged(f"the held-out loss at step {self.step} is {loss_nats}; {hint}")

    def _is_better(self, loss_nats: float | None, copies: float | None) -> bool:
        if copies is not None:
            return copies <= MAX_COPIES or not self.best_step
        return self.best_loss_nats is None or (loss_nats is not None and loss_nats < self.best_loss_nats)

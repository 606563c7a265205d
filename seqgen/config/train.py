"""The settings of a training, each with its unit and range, and the ways to write them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from seqgen.config.options import Options
from seqgen.errors import BadOption

_MAX = 2**63  # of what is counted
_UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def parse_duration_s(text: str | float) -> float:
    """Seconds of "90", "90s", "1.5m", "1.5min" or "2h".

    Raises:
        BadOption: the text is not a positive duration.
    """
    if isinstance(text, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
        seconds = 0.0 if match is None else float(match[1]) * _UNITS_S.get(match[2], 0.0)
    else:
        seconds = float(text)
    if not 0 < seconds < math.inf:
        raise BadOption(f"{text!r:.60} is not a duration; write it like 90s, 5m or 1h")
    return seconds


def parse_count(text: str | int) -> int:
    """How many "50000", "50k" or "1.5M" are.

    Raises:
        BadOption: the text is not a positive count.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmKM]?)", str(text).strip().replace("_", "").replace(",", ""))
    count = 0.0 if match is None else float(match[1]) * {"": 1, "k": 1e3, "m": 1e6}[match[2].lower()]
    if not 0.5 < count < _MAX:
        raise BadOption(f"{text!r:.60} is not a count; write it like 50000, 50k or 1.5M")
    return round(count)


def parse_split(text: str | Sequence[float]) -> tuple[float, float, float]:
    """The shares of training, validation and test of "90/5/5" or "none".

    Returns:
        Three shares that sum to 1; "none" is (1, 0, 0).

    Raises:
        BadOption: not three numbers, or no training part.
    """
    if text == "none":
        return (1.0, 0.0, 0.0)
    try:
        shares = [float(share) for share in (text.split("/") if isinstance(text, str) else text)]
    except ValueError:
        shares = []
    total = sum(shares)
    if len(shares) != 3 or min(shares) < 0 or not (0 < total < math.inf and shares[0] / total > 0):
        raise BadOption(f"{text!r:.60} is not a split; write it like 90/5/5, or none")
    return (shares[0] / total, shares[1] / total, shares[2] / total)


def _duration_s(value: object) -> object:
    try:
        return parse_duration_s(value) if isinstance(value, str | int | float) else value
    except BadOption as error:
        raise ValueError(str(error)) from None


def _split(value: object) -> object:
    try:
        return parse_split(value) if isinstance(value, str | tuple | list) else value
    except BadOption as error:
        raise ValueError(str(error)) from None


MAX_LENGTH = 1_000_000
"""The most symbols of a sampled row."""


def usable_device(value: str) -> str:
    """A device's name, as it is.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", value):
        raise ValueError("a device is auto, cpu, cuda, cuda:N or mps")
    return value


class TrainSettings(Options):
    """How to train. The run ends at the first of ``steps``, ``epochs``, ``time_s`` and early stopping."""

    seed: int = Field(0, ge=0, lt=2**63, description="everything random in training derives from it")
    split: Annotated[tuple[float, float, float], BeforeValidator(_split)] = Field(
        (0.9, 0.05, 0.05), description="shares of training, validation and test; by a hash of the text"
    )
    split_seed: int = Field(0, ge=0, lt=2**63, description="seed of the split, independent of seed")
    steps: int | None = Field(None, ge=1, lt=_MAX, description="optimizer steps")
    epochs: float | None = Field(None, gt=0, le=1e9, description="passes over the training part")
    time_s: Annotated[float | None, BeforeValidator(_duration_s)] = Field(
        None, description="training and evaluation time, seconds or a duration like 5m, summed over resumes"
    )
    batch_size: int = Field(128, ge=1, le=65_536, description="records a step; of a long text, lanes read side by side")
    window: int = Field(128, ge=1, le=65_536, description="symbols of a long text that a step learns from at once")
    lr: float = Field(3e-3, gt=0, le=10, description="peak learning rate")
    warmup_steps: int = Field(50, ge=0, lt=_MAX, description="steps over which the rate rises from zero")
    decay: Literal["cosine", "none"] = Field("cosine", description="how the rate falls after the warm-up")
    final_lr_ratio: float = Field(0.05, ge=0, le=1, description="last rate / peak rate, with decay")
    weight_decay: float = Field(0.01, ge=0, le=1, description="decoupled weight decay of AdamW (arXiv:1711.05101)")
    clip_norm: float = Field(1.0, ge=0, description="largest gradient norm; 0 does not clip")
    eval_every: int | None = Field(
        None,
        ge=1,
        lt=_MAX,
        description="steps between evaluations; left out: about 20 a run; of few records, every 10",
    )
    eval_records: int = Field(
        10_000,
        ge=1,
        lt=_MAX,
        description="most held-out records of an evaluation; with time_s, at most what a twentieth of it allows",
    )
    patience: int = Field(8, ge=0, lt=_MAX, description="evaluations without improvement before stopping; 0: never")
    best_by: Literal["loss", "copies"] | None = Field(
        None,
        description="how the best step is found: lowest held-out loss, or the last that copies few records; left out: "
        "copies for fewer than 200 records",
    )
    save_every_s: float = Field(60.0, gt=0, description="most seconds between checkpoints")
    samples: int = Field(3, ge=0, le=1000, description="samples drawn at an evaluation")
    device: Annotated[str, AfterValidator(usable_device)] = Field("auto", description="auto, cpu, cuda or mps")
    engine: Literal["auto", "fused", "scan", "compiled", "eager"] = Field(
        "auto", description="how steps run over time; auto decides by the cell and the length of the run"
    )
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of products; bfloat16 where it works")
    threads: int | None = Field(
        None, ge=1, le=1024, description="CPU threads; left out: by the sizes of model and batch"
    )

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.steps is None and self.epochs is None and self.time_s is None:
            raise ValueError("give steps, epochs or time_s: the run would never end")
        return self

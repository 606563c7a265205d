"""Settings of a sampler."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from seqgen.config import MAX_LENGTH, Options


class SampleSettings(Options):
    """Settings that say how rows are sampled."""

    seed: int = Field(0, ge=0, lt=2**63, description="row i is the same for every number of rows")
    prefix: str = Field("", description="text that every row starts with")
    temperature: float = Field(
        1.0, ge=0, le=100, description="divides the logits: below 1 sharper, above 1 flatter, 0 greedy"
    )
    top_k: int | None = Field(None, ge=1, description="sample from the k most probable symbols only")
    top_p: float | None = Field(
        None, gt=0, le=1, description="sample from the most probable symbols that reach this probability"
    )
    min_p: float | None = Field(
        None, ge=0, le=1, description="drop symbols below this fraction of the highest probability"
    )
    repetition_penalty: float = Field(
        1.0, ge=1, le=100, description="penalty on symbols that the row already has (arXiv:1909.05858)"
    )
    ban: str = Field("", description="characters that no sampled symbol may contain")
    guidance: float = Field(
        1.0, ge=0, le=100, description="above 1, rows follow the conditions more closely than records do"
    )
    contains: tuple[str, ...] = Field((), description="texts that every row must contain")
    contains_any: tuple[str, ...] = Field((), description="texts of which every row must contain at least one")
    avoid: tuple[str, ...] = Field((), description="texts that no row may contain")
    ends: str = Field("", description="text that every row ends with")
    length: str = Field("", description='number of characters of a row: "5-8", "5", "5-" or "-8"')
    regex: str = Field("", description="regular expression that the whole row must match (extra: constrain)")
    ignore_case: bool = Field(False, description="match letters of either case in these texts and the regex")
    exact: bool = Field(False, description="keep the model's distribution: reject rows that break a constraint")
    max_length: int | None = Field(None, ge=1, le=MAX_LENGTH, description="maximum number of symbols of a row")

    batch_size: int | None = Field(
        None, ge=1, le=65_536, description="rows sampled together, changes no row; default: by the size of the model"
    )

    @field_validator("contains", "contains_any", "avoid", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

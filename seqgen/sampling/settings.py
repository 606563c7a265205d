"""What can be asked of a sampler."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from seqgen.config import MAX_LENGTH, Options


class SampleSettings(Options):
    """How rows are drawn."""

    seed: int = Field(0, ge=0, lt=2**63, description="row i is the same for every number of rows")
    prefix: str = Field("", description="text that every row starts with")
    temperature: float = Field(1.0, ge=0, le=100, description="below 1 is safer, above is bolder; 0 is greedy")
    top_k: int | None = Field(None, ge=1, description="draw among the k likeliest symbols only")
    top_p: float | None = Field(None, gt=0, le=1, description="draw among the likeliest that reach this share")
    min_p: float | None = Field(None, ge=0, le=1, description="least share of the likeliest symbol's probability")
    repetition_penalty: float = Field(
        1.0, ge=1, le=100, description="divides the odds of symbols that the row has already (arXiv:1909.05858)"
    )
    ban: str = Field("", description="characters that no symbol drawn may hold")
    guidance: float = Field(
        1.0, ge=0, le=100, description="above 1, rows are more like the conditions asked for than the records are"
    )
    contains: tuple[str, ...] = Field((), description="texts that every row must hold")
    contains_any: tuple[str, ...] = Field((), description="texts of which every row must hold at least one")
    avoid: tuple[str, ...] = Field((), description="texts that no row may hold")
    ends: str = Field("", description="text that every row ends with")
    length: str = Field("", description='characters of a row: "5-8", "5", "5-" or "-8"')
    regex: str = Field("", description="regular expression that every whole row matches (extra: constrain)")
    ignore_case: bool = Field(False, description="whether these texts and the regex match letters of either case")
    exact: bool = Field(
        False, description="keep the model's distribution: draw freely and give up rows that break a constraint"
    )
    max_length: int | None = Field(None, ge=1, le=MAX_LENGTH, description="symbols at which a row is cut")

    batch_size: int | None = Field(
        None, ge=1, le=65_536, description="rows drawn together, changes no row; left out: by the size of the model"
    )

    @field_validator("contains", "contains_any", "avoid", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

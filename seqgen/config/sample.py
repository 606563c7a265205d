"""The settings of sampling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from seqgen.config.options import Flag, UserConfig
from seqgen.config.values import MAX, MAX_LENGTH, as_validator, parse_range, values_by_name

_DECODING, _CONSTRAINTS, _FILTERS = "Decoding", "Constraints on every row", "Filters"
_TEXT, _TEXTS = "TEXT", "str | Sequence[str]"


class DecodeConfig(UserConfig):
    """The settings by which symbols are sampled, and the constraints that every row satisfies."""

    title: ClassVar[str] = "sample"
    panels: ClassVar[tuple[str, ...]] = ("", _CONSTRAINTS, _FILTERS, _DECODING)

    prefix: Annotated[str, Flag(_CONSTRAINTS)] = Field("", description="text that every row starts with")
    contains: Annotated[tuple[str, ...], Flag(_CONSTRAINTS, metavar=_TEXT, repeated=True, accepts=_TEXTS)] = Field(
        (), description="text that every row contains; may be repeated"
    )
    contains_any: Annotated[
        tuple[str, ...], Flag(_CONSTRAINTS, names=("--contains-file",), metavar="FILE", repeated=True, accepts=_TEXTS)
    ] = Field((), description="file of texts, one per line; every row contains at least one of them")
    avoid: Annotated[tuple[str, ...], Flag(_CONSTRAINTS, metavar=_TEXT, repeated=True, accepts=_TEXTS)] = Field(
        (), description="text that no row contains; may be repeated"
    )
    ends: Annotated[str, Flag(_CONSTRAINTS, metavar=_TEXT)] = Field("", description="text that every row ends with")
    template: Annotated[str, Flag(_CONSTRAINTS, metavar="'Mar*a'")] = Field(
        "", description="text that every row is, with a star for each text to fill in"
    )
    length: Annotated[str, Flag(_CONSTRAINTS, metavar="5-8", accepts="str | int | tuple[int, int]")] = Field(
        "", description="length of every row in characters: 5-8, 5, 5- or -8"
    )
    regex: Annotated[str, Flag(_CONSTRAINTS)] = Field(
        "", description="regular expression that matches every whole row (extra: constrain)"
    )
    ignore_case: Annotated[bool, Flag(_CONSTRAINTS)] = Field(
        False, description="ignore case in --contains, --avoid, --ends, --template and --regex"
    )
    label: Annotated[str | None, Flag(_CONSTRAINTS)] = Field(
        None, description="label of the rows, for runs trained with --condition label"
    )
    given: Annotated[
        Mapping[str, Any],
        BeforeValidator(as_validator(values_by_name, object)),
        Flag(_CONSTRAINTS, metavar="FIELD=VALUE", repeated=True),
    ] = Field({}, description="value of a condition, or of a field that rows begin with; may be repeated")
    max_length: Annotated[int | None, Flag(_CONSTRAINTS, default="twice the longest training record")] = Field(
        None, ge=1, le=MAX_LENGTH, description="number of symbols at which a row is cut, which tables mark by …"
    )
    temperature: Annotated[float, Flag(_DECODING, names=("-t", "--temperature"))] = Field(
        1.0, ge=0, le=100, description="below 1 rows are safer, above 1 bolder; 0 is greedy"
    )
    top_k: Annotated[int | None, Flag(_DECODING)] = Field(
        None, ge=1, description="sample among the k most probable symbols only"
    )
    top_p: Annotated[float | None, Flag(_DECODING)] = Field(
        None, gt=0, le=1, description="sample among the most probable symbols that together reach this probability"
    )
    min_p: Annotated[float | None, Flag(_DECODING)] = Field(
        None, ge=0, le=1, description="drop symbols less probable than this share of the most probable one"
    )
    repetition_penalty: Annotated[float, Flag(_DECODING)] = Field(
        1.0,
        ge=1,
        le=100,
        description="above 1, symbols that the row already contains are less likely (arXiv:1909.05858)",
    )
    ban: Annotated[str, Flag(_DECODING, metavar="CHARACTERS")] = Field(
        "", description="characters that no sampled symbol contains"
    )
    guidance: Annotated[float, Flag(_DECODING)] = Field(
        1.0, ge=0, le=100, description="above 1, --label and --given have a stronger effect than in training"
    )
    processors: Annotated[
        Mapping[str, Mapping[str, Any]],
        Flag(
            _DECODING,
            names=("--processor",),
            metavar="NAME",
            completes="processor",
            repeated=True,
            accepts="Mapping[str, Mapping[str, Any]] | Sequence[str]",
        ),
    ] = Field({}, description="processor of the logits, by its registered name; may be repeated")
    seed: Annotated[int, Flag()] = Field(
        0,
        ge=0,
        lt=2**63,
        description="seed of the rows: another one gives other rows; row i is the same for every number of rows",
    )
    exact: Annotated[bool, Flag()] = Field(
        False, description="keep the model's distribution: sample freely and reject rows that break a constraint"
    )
    batch_size: Annotated[int | None, Flag(default="by the size of the model")] = Field(
        None, ge=1, le=65_536, description="rows sampled together; does not change the rows"
    )

    @field_validator("contains", "contains_any", "avoid", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("ends", "template", "length", "regex", mode="before")
    @classmethod
    def _has_text(cls, value: Any, info: ValidationInfo) -> Any:
        if value == "":
            raise ValueError(f"give a text, or leave {info.field_name} out")
        if info.field_name == "length" and not isinstance(value, str):
            ends = value if isinstance(value, tuple | list) and len(value) == 2 else (value, value)
            if not all(type(end) is int for end in ends):
                raise ValueError("give a number, two, or a text such as '5-8', '5', '5-' or '-8'")
            return f"{ends[0]}-{ends[1]}"
        return value

    @field_validator("processors", mode="before")
    @classmethod
    def _with_options(cls, value: Any) -> Any:
        names = [value] if isinstance(value, str) else value
        return names if isinstance(names, Mapping) else {name: {} for name in names}


class SampleConfig(DecodeConfig):
    """All settings of ``seqgen sample`` and ``Run.sample``: decoding, constraints, and filters of finished rows."""

    decode: Annotated[Literal["sample", "beam", "gumbel"], Flag()] = Field(
        "sample", description="sample; beam: beam search as wide as -n; gumbel: sample without replacement"
    )
    fast: Annotated[bool, Flag()] = Field(
        False, description="guide rows by a constraint, or a grammar with --valid, which changes their distribution"
    )
    unique: Annotated[bool, Flag(_FILTERS)] = Field(False, description="reject duplicate rows")
    novel: Annotated[bool, Flag(_FILTERS)] = Field(
        False, description="reject rows that are training records; held-out ones may remain"
    )
    valid: Annotated[bool, Flag(_FILTERS)] = Field(
        False, description="reject rows that the domain's validator does not accept"
    )
    min_edit: Annotated[int, Flag(_FILTERS)] = Field(
        0, ge=0, le=MAX_LENGTH, description="minimum edit distance from every training record (extra: evaluate)"
    )
    effort: Annotated[int | None, Flag(_FILTERS, default="200 a row, at least 20,000")] = Field(
        None, ge=1, description="maximum rows sampled to find those that pass the filters"
    )

    rows: Annotated[
        tuple[int, int] | None,
        Flag(metavar="A:B", default="as many as -n needs", accepts="str | range | tuple[int, int]"),
    ] = Field(
        None, description="sample the rows numbered A to B - 1 in place of the first -n; filters then apply; 0:1e6"
    )

    @field_validator("rows", mode="before")
    @classmethod
    def _range(cls, value: Any) -> Any:
        if isinstance(value, range) and value.step == 1:
            return value.start, value.stop
        return parse_range(value) if isinstance(value, str) else value

    @field_validator("rows")
    @classmethod
    def _in_order(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not 0 <= value[0] <= value[1] < MAX:
            raise ValueError(
                f"{value[0]}:{value[1]} is not a range of rows: write the first row, then the end, 0:1000000"
            )
        return value

    @property
    def filters(self) -> bool:
        """True if a row may be rejected."""
        return self.unique or self.valid or self.novel or self.min_edit > 0

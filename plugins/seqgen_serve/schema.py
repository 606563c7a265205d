"""The body of a request for completions."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pydantic_core
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

import seqgen
from seqgen_serve.errors import ApiError

_Text = Annotated[str, Field(max_length=10_000)]
_Texts = _Text | Annotated[list[_Text], Field(max_length=100)]
_Tokens = Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1)]
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "suffix": (None, ""),
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "logit_bias": (None, {}),
}
"""Fields of OpenAI's that seqgen has no meaning for, and the values with which they ask for nothing."""


def _as_text(value: object) -> object:
    """Return a number as text."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class StreamOptions(BaseModel):
    """Options of a stream."""

    model_config = ConfigDict(extra="forbid", strict=True)
    include_usage: bool = False
    include_obfuscation: bool = False


class CompletionRequest(BaseModel):
    """A request: OpenAI's fields, and fields with the names and meaning of the flags of ``seqgen sample``.

    Attributes:
        end: with ``echo`` and ``max_tokens`` 0, whether the end of the prompt's sequence is scored as well.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str | None = None
    prompt: (
        str | Annotated[list[str], Field(min_length=1)] | _Tokens | Annotated[list[_Tokens], Field(min_length=1)] | None
    ) = None
    n: int | None = Field(None, ge=1, lt=2**63)
    best_of: int | None = Field(None, ge=1, lt=2**63)
    max_tokens: int | None = Field(None, ge=0, lt=2**63)
    temperature: float | None = Field(None, ge=0, le=100, allow_inf_nan=False)
    top_p: float | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    seed: int | None = Field(None, ge=0, lt=2**63)
    stop: _Text | Annotated[list[_Text], Field(max_length=16)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logprobs: int | None = Field(None, ge=0, le=20)
    echo: bool | None = None
    user: str | None = None
    suffix: Any = None
    presence_penalty: Any = None
    frequency_penalty: Any = None
    logit_bias: Any = None

    end: bool = False
    top_k: int | None = Field(None, ge=1, lt=2**63)
    min_p: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    label: _Text | None = None
    given: dict[str, Annotated[_Text, BeforeValidator(_as_text)]] | None = None
    contains: _Texts | None = None
    avoid: _Texts | None = None
    ends: _Text | None = None
    template: _Text | None = None
    length: _Text | None = None
    regex: _Text | None = None
    ignore_case: bool | None = None
    exact: bool | None = None
    unique: bool | None = None
    novel: bool | None = None
    valid: bool | None = None

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        """The prompts: texts, or ids of symbols."""
        prompt: Any = "" if self.prompt is None else self.prompt
        single = isinstance(prompt, str) or isinstance(prompt[0], int)
        return [prompt] if single else prompt

    @property
    def stops(self) -> list[str]:
        """The texts before which rows end."""
        found = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [text for text in found if text]

    @property
    def constraints(self) -> dict[str, Any]:
        """The settings under which rows are sampled by themselves, as keywords of ``Run.sample``."""
        return {name: value for name in _ALONE if (value := getattr(self, name)) not in (None, False, [])}

    @property
    def decoding(self) -> dict[str, Any]:
        """The settings that rows of a batch may have, as keywords of ``Run.sample``."""
        return {name: value for name in _DECODING if (value := getattr(self, name)) is not None}


_WHOLE = ("contains", "ends", "template", "length", "regex", "unique", "novel", "valid")
"""Settings that a row satisfies as a whole, and not up to a stop."""
_DECODING = ("temperature", "top_p", "top_k", "min_p", "label", "given")
_ALONE = (
    "contains", "avoid", "ends", "template", "length", "regex", "ignore_case", "exact", "unique", "novel", "valid",
)  # fmt: skip


def parse_json(body: bytes) -> Any:
    """Return the value of a body.

    Raises:
        ApiError: it is not JSON.
    """
    try:
        return pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise ApiError(400, f"the body is not JSON: {error}") from None


_MEANT = {
    "prompt": "send a text, a list of texts, the ids of a text, or a list of such lists; none of them empty",
    "given": 'send an object of values by name: {"year": "1999"}',
    "stop": "send a text of at most 10,000 characters, or a list of at most 16 such texts",
    **dict.fromkeys(
        ("contains", "avoid"), "send a text of at most 10,000 characters, or a list of at most 100 such texts"
    ),
    "length": 'send a text: "5-8", "5", "5-" or "-8"',
}
"""Problems of fields for which pydantic would name only one of the types that they may have."""
_TYPES = {
    "string_type": "it is not a text",
    "int_type": "it is not a whole number",
    "float_type": "it is not a number",
    "bool_type": "it is neither true nor false",
    "finite_number": "it is not finite",
    "greater_than_equal": "the least is {ge}",
    "greater_than": "it must be above {gt}",
    "less_than_equal": "the most is {le}",
    "less_than": "it must be below {lt}",
    "model_type": "send an object, such as one with include_usage",
    "string_too_long": "the most is {max_length:,} characters",
}
"""Reasons by the types of pydantic's errors, whose own begin with "Input should"."""
_SHOWN = 60  # characters of a value in a message


def parse_request(body: bytes) -> CompletionRequest:
    """Return the request for completions that a body holds.

    Raises:
        ApiError: it is not JSON, or a field is unknown or has an impossible value.
    """
    value = parse_json(body)
    if not isinstance(value, dict):
        raise ApiError(
            400, f'cannot read the body {as_json(value)}: it is not a JSON object; send {{"model": ..., "prompt": ...}}'
        )
    try:
        request = CompletionRequest.model_validate(value)
    except ValidationError as error:
        raise _refusal(error) from None
    for name, values in _NEUTRAL.items():
        if (given := getattr(request, name)) not in values:
            raise ApiError(
                400, f"cannot use {name} {as_json(given)}: it has no meaning for these models; leave it out", name
            )
    if request.stops and (cut := next((name for name in _WHOLE if name in request.constraints), None)):
        shown = f"stop {as_json(request.stop)} with {cut} {as_json(getattr(request, cut))}"
        raise ApiError(
            400, f"cannot use {shown}: it would cut rows that satisfy {cut} as a whole; leave one of them out", "stop"
        )
    if request.best_of not in (None, 1, request.n or 1):
        raise ApiError(
            400,
            f"cannot use best_of {request.best_of} with n {request.n or 1}: only equal values work; leave best_of out",
            "best_of",
        )
    return request


def _refusal(error: ValidationError) -> ApiError:
    """Return the first problem of a request."""
    problem = error.errors(include_url=False)[0]
    places = [part for part in problem["loc"] if isinstance(part, str)] or [""]
    name = places[0]
    if problem["type"] == "extra_forbidden":
        known = CompletionRequest.model_fields if len(places) == 1 else StreamOptions.model_fields
        of = "" if len(places) == 1 else f" of {name}"
        return ApiError(400, f"unrecognized field {seqgen.short_repr(places[-1])}{of}; known: {', '.join(known)}", name)
    reason = _MEANT.get(name) or _TYPES.get(problem["type"], "").format_map(problem.get("ctx", {})) or problem["msg"]
    field = ".".join(places) if name == "stream_options" else name
    return ApiError(400, f"cannot use {field} {as_json(problem['input'])}: {reason}", name)


def as_json(value: Any) -> str:
    """Return a value as a message shows it: as the client writes it, cut where it is long."""
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"

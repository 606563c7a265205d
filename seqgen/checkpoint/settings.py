"""What run.json holds: everything that was resolved once, so that a run can be resumed and judged later.

Parts are named by registry names (``package:name``), never by import paths.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from seqgen.config import MAX_LENGTH, Options, TrainSettings, usable_device
from seqgen.errors import CheckpointError

FORMAT_VERSION = 1
REGISTERED = r"^[\w.-]+:[a-z][a-z0-9_-]*$"
"""How files name a part: never as a module and what to import from it."""


_VERSION = re.compile(r"[0-9A-Za-z.+!-]{1,40}")


def _needed_version(data: dict[str, Any]) -> str:
    """Which seqgen made a file of an unknown format, as it says itself; it is shown, so it must look like one."""
    made_by = data.get("seqgen")
    return made_by if isinstance(made_by, str) and _VERSION.fullmatch(made_by) else "a newer one"


def _as_in_json(options: dict[str, Any]) -> dict[str, Any]:
    """Options as a file holds them: several values as a list, of a set in their order."""
    return {name: _listed(value) for name, value in options.items()}


def _listed(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value, key=lambda item: (str(type(item)), item))
    return list(value) if isinstance(value, tuple) else value


def _samplable(length: int) -> int:
    """Return the length of a row that can be sampled: records may be longer."""
    return min(length, MAX_LENGTH)


class PartSettings(Options):
    """A part of the run: what it is and how it was set."""

    name: str = Field(pattern=REGISTERED, description="package:name in the registry")
    options: Annotated[dict[str, Any], AfterValidator(_as_in_json)] = Field(
        default_factory=dict, description="every option, defaults included"
    )


class CorpusSettings(PartSettings):
    """The corpus as it was when the run began, or when it last went on with another on purpose."""

    valid: str | None = Field(None, description="path of the user's validation file")
    test: str | None = Field(None, description="path of the user's test file")
    title: str = Field(description="how people call it")
    digest: str = Field(description="SHA-256 over the records in order")
    before: tuple[str, ...] = Field((), description="digests of what the run was trained on before")
    licence: str = Field("", description="under which terms the data may be used")
    layout: Literal["lines", "stream"] = Field("lines", description="records, or one long text")
    multiline: bool = Field(False, description="whether a record may hold line ends")
    domain: str = Field(pattern=REGISTERED, description="what its texts are")
    n_records: int = Field(ge=1, description="records")
    n_chars: int = Field(ge=0, description="characters over all records")
    longest: int = Field(ge=0, description="characters of the longest record")
    parts: dict[str, int] = Field(description="records of train, valid and test")


class EngineSettings(Options):
    """How the run computes; decided once, and used again when it is resumed."""

    name: Literal["fused", "scan", "compiled", "eager"] = Field("fused", description="how steps run over time")
    how: str = Field("", description="what that means for the cells of this run")
    device: Annotated[str, AfterValidator(usable_device)] = Field("cpu", description="where")
    threads: int = Field(ge=1, le=1024, description="CPU threads")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of products while training")


class WarmStartSettings(Options):
    """The weights that the run began with: those of another run."""

    run: str = Field(description="its folder")
    step: int = Field(ge=0, description="of its checkpoint")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the weights")


class RunSettings(Options):
    """The content of run.json."""

    format_version: int = Field(FORMAT_VERSION, ge=1, description="of the run folder")
    seqgen: str = Field(description="version that made it")
    created: str = Field(description="when, in UTC")
    corpus: CorpusSettings
    tokenizer: PartSettings
    model: PartSettings
    cell: PartSettings | None
    train: TrainSettings
    conditions: tuple[str, ...] = Field((), description="label or fields that the model is told")
    augmentation: PartSettings | None = Field(None, description="how records are written anew each epoch")
    start: WarmStartSettings | None = Field(None, description="the weights that it began with; None: fresh ones")
    n_symbols: int = Field(ge=1, le=10_000_000, description="V: every id, the specials too")
    max_length: Annotated[int, AfterValidator(_samplable)] = Field(
        ge=1, le=2**31, description="symbols at which a sample is cut, unless asked otherwise"
    )
    n_parameters: int = Field(ge=0, description="all trainable parameters")
    engine: EngineSettings
    plugins: list[dict[str, str | None]] = Field(description="package, distribution and version of every part's plugin")
    environment: dict[str, str] = Field(description="versions and machine")

    @classmethod
    def read(cls, data: Any, where: str) -> RunSettings:
        """Check what a run.json holds.

        Raises:
            CheckpointError: it is damaged or too new.
        """
        version = data.get("format_version") if isinstance(data, dict) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise CheckpointError(
                f"{where} has format {version}, this seqgen knows {FORMAT_VERSION}: it needs seqgen >= "
                f"{_needed_version(data)}"
            )
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise CheckpointError(f"{where} is damaged: {place or 'content'}: {first['msg']}") from None

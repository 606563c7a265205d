"""The content of run.json: every setting resolved once, so that a run can be resumed and evaluated later.

Parts are stored as registry names (``package:name``), never as import paths.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from seqgen.config import MAX_LENGTH, Options, TrainSettings, device_name
from seqgen.corpus import Splitter
from seqgen.errors import CheckpointError, UsageError, short_repr

FORMAT_VERSION = 1
REGISTERED = r"^[\w.-]+:[a-z][a-z0-9_-]*$"
"""The pattern of a registry name in files: never an import path."""


_MAX_LOOK_BACK = 512  # symbols; a step of sampling looks at each of them
_OF_UNION = ("PartSettings", "tuple[")  # items of pydantic's places that name a member of a union
_VERSION = re.compile(r"[0-9A-Za-z.+!-]{1,40}")


def _needed_version(data: dict[str, Any]) -> str:
    """Return the seqgen version that a file of a newer format names; checked, since it is shown."""
    made_by = data.get("seqgen")
    return made_by if isinstance(made_by, str) and _VERSION.fullmatch(made_by) else "a newer one"


def _as_in_json(options: dict[str, Any]) -> dict[str, Any]:
    """Return options in their JSON form: tuples as lists, sets as sorted lists."""
    listed = dict(options)
    for name in options:
        if isinstance(listed[name], set | frozenset):
            listed[name] = sorted(listed[name], key=lambda item: (str(type(item)), item))
        elif isinstance(listed[name], tuple):
            listed[name] = list(listed[name])
    return listed


class PartSettings(Options):
    """A part of the run: its registry name and options."""

    name: str = Field(pattern=REGISTERED, description="registry name, package:name")
    options: Annotated[dict[str, Any], AfterValidator(_as_in_json)] = Field(
        default_factory=dict, description="every option, defaults included"
    )


class CorpusSettings(PartSettings):
    """The corpus when the run started, or when it last continued with another one."""

    valid: str | None = Field(None, description="path of the validation file")
    test: str | None = Field(None, description="path of the test file")
    divided: bool = Field(False, description="whether the split holds validation records out beside the test file")
    title: str = Field(description="name to show")
    digest: str = Field(description="SHA-256 over the records in order")
    before: tuple[str, ...] = Field((), description="digests of the corpora trained on before")
    licence: str = Field("", description="terms of use of the data")
    layout: Literal["lines", "stream"] = Field("lines", description="separate records, or one long text")
    multiline: bool = Field(False, description="whether a record may hold line ends")
    domain: str = Field(pattern=REGISTERED, description="domain of its texts")
    n_records: int = Field(ge=1, description="number of records")
    n_chars: int = Field(ge=0, description="number of characters over all records")
    longest: int = Field(ge=0, description="length of the longest record in characters")
    parts: dict[str, int] = Field(description="number of records of train, valid and test")
    unseen: dict[str, list[str]] = Field(
        default_factory=dict, description="conditions, as name=value, of held-out parts that no training record has"
    )
    combinations: list[list[str]] | None = Field(
        None, description="conditions, as name=value, that training records have together; None: too many, or not known"
    )

    @property
    def n_own(self) -> int:
        """The number of records without those of the test file."""
        return self.n_records - (self.parts["test"] if self.test is not None else 0)

    @property
    def is_split(self) -> bool:
        """True if the split of the run decides on records: no files hold the held-out ones, or the test ones alone."""
        return self.divided or (self.valid is None and self.test is None)


class EngineSettings(Options):
    """The execution settings of the run, decided once and reused when it is resumed."""

    name: Literal["fused", "scan", "compiled", "eager"] = Field("fused", description="execution of the loop over time")
    how: str = Field("", description="what that means for the cells of this run")
    device: Annotated[str, AfterValidator(device_name)] = Field("cpu", description="device")
    threads: int = Field(ge=1, le=1024, description="CPU threads")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="precision of matrix products in training")


class WarmStartSettings(Options):
    """The run and checkpoint whose weights the run started from."""

    run: str = Field(description="folder of that run")
    step: int = Field(ge=0, description="step of the checkpoint")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the weights")
    learned: tuple[Literal["valid", "test"], ...] | None = Field(
        None, description="held-out parts with records that the weights have learned from; None if that is unknown"
    )


class RefitSettings(Options):
    """The run whose held-out records this one was trained on as well, and the gate that they chose there."""

    run: str = Field(description="folder of that run")
    step: int = Field(ge=0, description="its best step")
    steps: int = Field(ge=1, description="optimizer steps of this run: as many passes over its records")
    gate: list[float] | None = Field(None, description="weights of its gate between network and counts, if blended")
    kept_share: float | None = Field(None, gt=0, le=1, description="share that training records keep in its blend")
    repeats: list[float] | None = Field(None, description="weights of its gate of what a record repeats, if it has one")


def lengths_with_refit(n_train: int, n_valid: int) -> float:
    """Return how many times as long as a run it and its refit take: as many passes, over all these records."""
    return 2 + n_valid / n_train


class RunSettings(Options):
    """The content of run.json."""

    format_version: int = Field(FORMAT_VERSION, ge=1, description="format version of the run folder")
    seqgen: str = Field(description="version of seqgen that wrote it")
    created: str = Field(description="time of creation, UTC")
    corpus: CorpusSettings
    tokenizer: PartSettings
    model: PartSettings
    cell: PartSettings | Annotated[tuple[PartSettings, ...], Field(min_length=2, max_length=256)] | None
    train: TrainSettings
    conditions: tuple[str, ...] = Field((), description="label or fields that the model is conditioned on")
    augmentation: PartSettings | None = Field(None, description="augmentation applied to records anew each epoch")
    start: WarmStartSettings | None = Field(None, description="warm start; None for random weights")
    refit: RefitSettings | None = Field(None, description="run of which this is the refit, or None")
    n_symbols: int = Field(ge=1, le=10_000_000, description="V, including special symbols")
    max_length: Annotated[int, AfterValidator(lambda length: min(length, MAX_LENGTH))] = Field(  # records may be longer
        ge=1, le=2**31, description="default maximum length of a sample, in symbols"
    )
    n_parameters: int = Field(ge=0, description="number of trainable parameters")
    engine: EngineSettings
    plugins: list[dict[str, str | None]] = Field(description="plugins of parts: package, distribution, version, code")
    environment: dict[str, str] = Field(description="versions of libraries, and the machine")

    @property
    def cells(self) -> tuple[PartSettings, ...]:
        """The cells: one if it is the same in all layers, one for each layer otherwise, none if there are none."""
        if self.cell is None:
            return ()
        return self.cell if isinstance(self.cell, tuple) else (self.cell,)

    @property
    def architecture(self) -> str:
        """The names of its cells, with commas between; without cells, the name of its model."""
        return ",".join(part.name.rpartition(":")[2] for part in self.cells or (self.model,))

    @property
    def look_back(self) -> int:
        """The number of last symbols in which what a record repeats is looked for."""
        return min(self.max_length, _MAX_LOOK_BACK)

    @property
    def splitter(self) -> Splitter:
        """Return the splitter of the records into training, validation and test."""
        return Splitter(self.train.split, self.train.split_seed, joined=self.refit is not None)

    def with_values(self, section: str, values: Mapping[str, Any]) -> RunSettings:
        """Return the settings with other values in one section, such as "train" or "engine"."""
        return self.model_copy(update={section: getattr(self, section).model_copy(update=values)})

    @classmethod
    def read(cls, data: Any, where: str) -> RunSettings:
        """Validate the content of a run.json.

        Raises:
            CheckpointError: it is damaged or of a newer format.
        """
        version = data.get("format_version") if isinstance(data, dict) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise CheckpointError(
                f"{where} has format {version}, this seqgen reads up to {FORMAT_VERSION}: it needs seqgen >= "
                f"{_needed_version(data)}"
            )
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            if first["loc"][:1] == ("cell",):  # of the members of the union, the one that the value is like
                first = max(
                    (one for one in error.errors() if one["loc"][:1] == ("cell",)), key=lambda one: len(one["loc"])
                )
            place = ".".join(str(item) for item in first["loc"] if not str(item).startswith(_OF_UNION))
            raise CheckpointError(f"{where} is damaged: {place or 'content'}: {first['msg']}") from None


# -- compared

_LEARNING = ("corpus", "tokenizer", "model", "cell", "train", "conditions", "augmentation", "start")
_SAME = (*_LEARNING, "n_symbols", "max_length")
_SHOWN = (*_LEARNING, "refit", "engine", "environment")
_LEARNED = "start.learned"
_RECORDED_LATER = (_LEARNED, "corpus.unseen", "corpus.combinations")  # older versions did not record these
_DERIVED = (
    "start.sha256", _LEARNED, "corpus.digest", "corpus.before", "corpus.n_records", "corpus.n_chars", "corpus.longest",
    "corpus.parts", "corpus.unseen", "corpus.combinations", "engine.how", "engine.threads", "refit.step", "refit.gate",
    "refit.kept_share", "refit.repeats",
)  # fmt: skip
"""Settings that follow from the corpus, the engine or the run of a refit, and are not shown."""
_OF_REFIT = tuple(f"train.{name}" for name in ("steps", "epochs", "time_s", "best_by", "refit", "blend", "repeats"))
"""Settings that a refit does not take over from its run."""
_OF_SPLIT = "train.split"  # and train.split_seed


def flatten(settings: RunSettings, tables: Sequence[str]) -> dict[str, Any]:
    """Return some sections of the settings as one dictionary with dotted names such as "train.lr"."""

    def leaves(prefix: str, value: Any) -> dict[str, Any]:
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            value = {str(n): item for n, item in enumerate(value, 1)}
        if not isinstance(value, dict):
            return {prefix: value}
        return {name: leaf for key, item in value.items() for name, leaf in leaves(f"{prefix}.{key}", item).items()}

    dumped = settings.model_dump(mode="json")
    return {name: leaf for table in tables for name, leaf in leaves(table, dumped[table]).items()}


def flatten_used(settings: RunSettings, tables: Sequence[str]) -> dict[str, Any]:
    """Return what ``flatten`` does without a split that files replace, and without what follows from both."""
    unused = ("corpus.divided", *([] if settings.corpus.is_split else [_OF_SPLIT]))
    return {name: value for name, value in flatten(settings, tables).items() if not name.startswith(unused)}


def find_differences(runs: Mapping[str, RunSettings]) -> dict[str, dict[str, Any]]:
    """Return the settings that differ between runs.

    Args:
        runs: the settings of each run, by name.

    Returns:
        For each setting, named as in ``-o``, its value in each run; None where a run lacks it. Of a refit, its run is
        shown, and of held-out files these; what follows from them is no difference.
    """
    tables = {run: flatten_used(settings, _SHOWN) for run, settings in runs.items()}
    names = dict.fromkeys(name for table in tables.values() for name in table if not name.startswith(_DERIVED))
    found = {name: {run: table.get(name) for run, table in tables.items()} for name in names}
    follows = {
        run: (_OF_REFIT if settings.refit is not None else ()) + (() if settings.corpus.is_split else (_OF_SPLIT,))
        for run, settings in runs.items()
    }
    return {
        name.replace(".options.", "."): values
        for name, values in found.items()
        if len({repr(value) for run, value in values.items() if not name.startswith(follows[run])}) > 1
    }


def check_same(planned: RunSettings, found: RunSettings, folder: Path) -> None:
    """Refuse an existing run with other settings than planned.

    Args:
        planned: the settings that the run should have.
        found: the settings that it has.
        folder: the run folder.

    Raises:
        UsageError: they differ; the line names the first difference.
    """
    before, now = (flatten(settings, _SAME) for settings in (found, planned))
    for name in before | now:
        if not name.startswith(_RECORDED_LATER) and before.get(name) != now.get(name):
            was, wanted = (_with(name, table.get(name)) for table in (before, now))
            raise UsageError(f"cannot continue {str(folder)!r}: it was trained {was}, not {wanted}; pass another --out")


def _with(name: str, value: Any) -> str:
    """Return how a message says that a setting has a value."""
    return f"without {name}" if value is None else f"with {name} {short_repr(value)}"

"""The settings of a training run: those that run.json keeps, and those by which a user chooses its parts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from seqgen.config.options import Flag, Options, UserConfig, flags_of
from seqgen.config.values import MAX, Layer, as_validator, device_name, parse_duration_s, parse_split
from seqgen.errors import BadOption, short_repr

_MODEL, _END, _DATA, _MORE = "The model", "Stopping", "The data", "Other settings"
_RECOMMENDED = "as recommended"
_BESIDE_TEST = (0.95, 0.05, 0.0)  # shares of the records beside a file of test records
_CELLS = "str | type | CellSpec | Sequence[str | type | CellSpec]"
ENDS = ("steps", "epochs", "time_s")
"""Settings of training that end a run; patience may end it earlier."""
LEAST_HELD_OUT = 5
"""Validation records below which the best step is a matter of chance, and nothing is blended by them."""


def says_end(train: Mapping[str, Any]) -> bool:
    """Return whether options of training say when the run ends."""
    return any(train.get(end) is not None for end in ENDS)


def without_ends(train: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of training without those that say when the run ends."""
    return {name: value for name, value in train.items() if name not in ENDS}


def split_hint(test: object) -> str:
    """Return the option that holds more records out, beside a file of test records or without one."""
    return "--split 90/10/0" if test else "--split 80/10/10"


class TrainSettings(Options):
    """The table ``train`` of run.json; a run ends at the first of ``steps``, ``epochs``, ``time_s`` and patience."""

    no_options: ClassVar[Mapping[str, str]] = {
        "condition": "give --condition NAME",
        "augment": "give --augment NAME",
        "domain": "give --domain NAME",
    }
    seed: Annotated[int, Flag(_MORE)] = Field(
        0, ge=0, lt=2**63, description="seed of all random numbers: the same seed gives the same run"
    )
    split: Annotated[
        tuple[float, float, float],
        BeforeValidator(as_validator(parse_split, str, tuple, list)),
        Flag(_DATA, metavar="A/B/C|none", default="90/5/5", accepts="str | Sequence[float]"),
    ] = Field(
        (0.9, 0.05, 0.05),
        description="shares like 80/10/10 of training, validation and test records, by a hash of the text",
    )
    split_seed: int = Field(0, ge=0, lt=2**63, description="seed of the split, independent of seed")
    steps: Annotated[int | None, Flag(_END, default=_RECOMMENDED)] = Field(
        None, ge=1, lt=MAX, description="stop after this many optimizer steps"
    )
    epochs: Annotated[float | None, Flag(_END)] = Field(
        None, gt=0, le=1e9, description="stop after this many passes over the training records"
    )
    time_s: Annotated[
        float | None,
        BeforeValidator(as_validator(parse_duration_s, str, int, float)),
        Flag(_END, names=("--time",), metavar="DURATION", keyword="time", accepts="str | float"),
    ] = Field(None, description="stop after this much training and evaluation, like 60s, 5m or 1h, summed over resumes")
    batch_size: Annotated[int, Flag(_MORE)] = Field(
        128,
        ge=1,
        le=65_536,
        description="records per step, of a file 32 to 128 by its size; for one long text, lanes side by side",
    )
    window: int = Field(128, ge=1, le=65_536, description="symbols per lane and step, for one long text")
    lr: Annotated[float, Flag(_MORE)] = Field(
        3e-3, gt=0, le=10, description="peak learning rate; a run of a few hundred steps decays before it is reached"
    )
    warmup_steps: int = Field(50, ge=0, lt=MAX, description="steps over which the learning rate rises from zero")
    decay: Literal["cosine", "none"] = Field(
        "cosine", description="fall of the learning rate over the whole run, warm-up included"
    )
    final_lr_ratio: float = Field(
        0.05, ge=0, le=1, description="final learning rate as a share of the peak, with decay"
    )
    weight_decay: float = Field(0.01, ge=0, le=1, description="decoupled weight decay of AdamW (arXiv:1711.05101)")
    clip_norm: float = Field(1.0, ge=0, description="largest gradient norm; 0 does not clip")
    eval_every: int | None = Field(
        None,
        ge=1,
        lt=MAX,
        description="steps between evaluations; default: about 20 evaluations a run, every 10 steps for few records",
    )
    eval_records: int = Field(
        10_000,
        ge=1,
        lt=MAX,
        description="maximum held-out records per evaluation; with time_s, as many as fit in a twentieth of it",
    )
    patience: int = Field(
        8, ge=0, lt=MAX, description="evaluations without improvement before the run stops; 0: never stop early"
    )
    best_by: Literal["loss", "copies"] | None = Field(
        None,
        description="criterion of the best step: lowest held-out loss, or the last step that copies few records; "
        "default: copies for fewer than 200 records",
    )
    blend: Annotated[Literal["auto", "ngram", "none"] | None, Flag(_MODEL, metavar="auto|ngram|none")] = Field(
        None,
        description="blend with n-gram counts: always (ngram), never (none), or if it lowers the held-out loss (auto); "
        "default: auto; none below 200 records or with conditions; beyond four million symbols auto counts only a part",
    )
    exponents: Literal["fitted", "sharp", "words"] | None = Field(
        None,
        description="exponents of network and counts in a blend: fitted to held-out symbols; sharp: 0.9 for the "
        "network, and only those of the counts are fitted, which keeps a syntax; or words: sharp, but fitted among "
        "letters, digits and underscores; default: fitted; for texts with a syntax sharp, or words as the domain says",
    )
    repeats: Annotated[Literal["auto", "on", "none"] | None, Flag(_MODEL, metavar="auto|on|none")] = Field(
        None,
        description="predict repetition within a record (a cache model): on, none, or if that lowers the held-out loss "
        "(auto); default: auto; with --blend none, none",
    )
    refit: Annotated[bool, Flag(_END)] = Field(
        False,
        description="then train a second run, on training and validation records, for as many passes as were best",
    )
    pieces: int = Field(
        1,
        ge=1,
        le=1024,
        description="pieces of a batch whose gradients are summed along a tree; with workers 8, which share them",
    )
    timeout_s: float = Field(
        300.0, gt=0, le=1e6, description="seconds after which a worker that does not answer ends the run"
    )
    save_every_s: float = Field(60.0, gt=0, description="maximum seconds between checkpoints")
    samples: int = Field(3, ge=0, le=1000, description="samples shown at each evaluation")
    track: Annotated[
        tuple[str, ...], Flag(_MORE, metavar="NAME[=PLACE]", repeated=True, accepts="str | Sequence[str]")
    ] = Field((), description="send metrics and samples to this tracker, like tensorboard=DIR; may be repeated")
    device: Annotated[str, AfterValidator(device_name), Flag(_MORE)] = Field(
        "auto", description="device to compute on: auto, cpu, cuda or mps"
    )
    engine: Annotated[Literal["auto", "fused", "scan", "compiled", "eager"], Flag(_MORE, metavar="NAME")] = Field(
        "auto", description="engine that runs steps over time: auto, fused, scan, compiled or eager"
    )
    compile_ahead: bool = Field(
        False,
        description="compile the steps in the background, for later runs of the same sizes with the engine compiled",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="precision of matrix products; bfloat16 is used only where the device computes in it"
    )
    threads: int | None = Field(
        None, ge=1, le=1024, description="CPU threads; default: by the sizes of model and batch"
    )

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if not says_end(vars(self)):
            raise ValueError("give steps, epochs or time: the run would never end")
        return self


def _of(panel: str, kind: str, default: str = "", accepts: str = "") -> Flag:
    """Return the flag of a registered name."""
    return Flag(panel, metavar="NAME", default=default, completes=kind, accepts=accepts)


class TrainConfig(TrainSettings, UserConfig):
    """All settings of ``seqgen train`` and ``seqgen.train``, as far as the user gives them.

    Values are validated when they are merged with those of TOML, ``-o`` and ``recommended``, since only then is known
    which part each belongs to.
    """

    title: ClassVar[str] = "train"
    panels: ClassVar[tuple[str, ...]] = (_DATA, _MODEL, _END, _MORE)
    corpus: Annotated[
        str | Path | tuple[str | Path, ...] | None,
        Flag(
            _DATA, metavar="NAME|FILE", completes="corpus", repeated=True, accepts="str | Path | Sequence[str | Path]"
        ),
    ] = Field(
        None,
        description="corpus to learn from: a registered name, a file of text, JSON or CSV, a folder, a .zip archive, "
        "a pattern in quotes, or - for standard input; may be repeated for several files",
    )
    cell: Annotated[str | None, _of(_MODEL, "cell", "gru", _CELLS)] = Field(
        None, description="recurrent cell of each layer (seqgen list cells); a stack has one a layer: gru,mlp,gru"
    )
    model: Annotated[str | None, _of(_MODEL, "model", "recurrent", "str | type | ModelSpec")] = Field(
        None, description="model around the cells (seqgen list models)"
    )
    hidden: Annotated[int | None, Flag(_MODEL, part="model", default=_RECOMMENDED)] = Field(
        None, description="units of each layer"
    )
    layers: Annotated[int | None, Flag(_MODEL, part="model", default=_RECOMMENDED)] = Field(
        None, description="number of recurrent layers"
    )
    embedding: Annotated[int | None, Flag(_MODEL, part="model", default=_RECOMMENDED)] = Field(
        None, description="size of the embedding of each symbol"
    )
    dropout: Annotated[float | None, Flag(_MODEL, part="model", default=_RECOMMENDED)] = Field(
        None, description="dropout probability between layers and before the head"
    )
    params: Annotated[int | None, Flag(_MODEL, metavar="N", accepts="int | str")] = Field(
        None, description="choose --hidden so that the model has at most this many parameters, like 50k"
    )
    tokenizer: Annotated[str | None, _of(_DATA, "tokenizer", "the domain's", "str | type | TokenizerSpec")] = Field(
        None, description="tokenizer that cuts texts into symbols (seqgen list tokenizers)"
    )
    domain: Annotated[str | None, _of(_DATA, "domain", "the corpus's", "str | DomainSpec")] = Field(
        None, description="domain of the texts, such as smiles (seqgen list domains)"
    )
    layout: Annotated[Literal["lines", "stream"] | None, Flag(_DATA, metavar="lines|stream")] = Field(
        None, description="lines: one record per line; stream: one long text, such as a novel"
    )
    text_field: Annotated[str | None, Flag(_DATA, metavar="F", part="corpus")] = Field(
        None, description="field that holds the text, in a JSON or CSV file"
    )
    label_field: Annotated[str | None, Flag(_DATA, metavar="F", part="corpus")] = Field(
        None, description="field that holds the label, in a JSON or CSV file"
    )
    condition: Annotated[tuple[str, ...], Flag(_DATA, metavar="F,...", accepts="str | Sequence[str]")] = Field(
        (), description="condition the model on the label or on these fields (comma-separated)"
    )
    augment: Annotated[str | None, _of(_DATA, "augmentation", "", "str | AugmentationSpec")] = Field(
        None, description="augmentation that rewrites each record anew in every epoch"
    )
    valid: Annotated[str | Path | None, Flag(_DATA, names=("--valid-file",), metavar="FILE", accepts="str | Path")] = (
        Field(None, description="file of validation records, instead of a split")
    )
    test: Annotated[str | Path | None, Flag(_DATA, names=("--test-file",), metavar="FILE", accepts="str | Path")] = (
        Field(None, description="file of test records, beside which the default split is 95/5/0")
    )
    start: Annotated[
        str | Path | None,
        Flag(_MORE, names=("--from",), metavar="RUN", completes="run", accepts="str | PathLike[str]"),
    ] = Field(None, description="start from the weights of this run, with its settings unless others are given")
    workers: Annotated[int | None, Flag(_MORE, metavar="N", default="this process alone")] = Field(
        None,
        ge=1,
        le=1024,
        description="processes that share each batch, a power of two; the result is the same for 1, 2, 4 and 8",
    )
    on: Annotated[str | None, Flag(_MORE, metavar="NAME", completes="executor", default="local")] = Field(
        None, description="executor that runs the other workers, with options as -o executor.NAME=VALUE"
    )
    out: Annotated[Path | None, Flag(_MORE, metavar="DIR", default="the next in runs/", accepts="str | Path")] = Field(
        None, description="folder of the new run"
    )
    config: Annotated[Path | None, Flag(_MORE, metavar="FILE.toml", accepts="str | Path")] = Field(
        None, description="TOML file with the tables train, model, cell, tokenizer, corpus and augmentation"
    )
    options: Annotated[
        Mapping[str, Any],
        Flag(_MORE, names=("-o", "--option"), metavar="PART.NAME=VALUE", completes="option", repeated=True),
    ] = Field(
        {},
        description="any other setting, like zoneout=0.1 or cell.activation=tanh, several values as NAME=A,B "
        "(see seqgen show train, show model recurrent, show cell vanilla); may be repeated",
    )

    def part(self, part: str) -> dict[str, Any]:
        """Return the given settings that are options of a part, by name: "train", "model" or "corpus"."""
        if part == "train":
            own = set(TrainSettings.model_fields)
        else:
            own = {name for name, flag in flags_of(type(self)).items() if flag.part == part}
        return {name: getattr(self, name) for name in type(self).model_fields if name in own & self.model_fields_set}

    def holds_out(self, layout: str) -> bool:
        """Return whether a split may hold validation records out beside a file of test records, as of records it may.

        Args:
            layout: "lines" or "stream".
        """
        return self.test is not None and self.valid is None and layout == "lines"

    def takes_split(self, layout: str, split: Any) -> bool:
        """Return whether the records beside held-out files may be split so: beside test records, without them.

        Args:
            layout: "lines" or "stream".
            split: as a user gives it.

        Raises:
            BadOption: it is no split.
        """
        return self.holds_out(layout) and not parse_split(split)[2]

    def split_beside_files(self, layout: str, split: Any) -> dict[str, Any]:
        """Return the split of the records beside held-out files as an option of training; {} where another one holds.

        Beside a file of test records alone, a twentieth of the records is held out for validation.

        Args:
            layout: "lines" or "stream".
            split: the split that the user gives, or None.

        Raises:
            BadOption: a split is given beside a validation file or a long text, or leaves a share for the test.
        """
        if not (self.valid or self.test):
            return {}
        if split is None:
            return {"split": _BESIDE_TEST} if self.holds_out(layout) else {}
        shown = short_repr(split)
        if not self.holds_out(layout):
            what = "--valid-file" if self.valid else "--test-file of one long text"
            files = "held-out files (--valid-file, --test-file)"
            raise BadOption(f"cannot split {shown} beside {what}: give {files} or a --split, not both")
        if not self.takes_split(layout, split):
            raise BadOption(f"cannot split {shown} beside a test file: leave no share for the test, as in 95/5/0")
        return {}

    def with_toml(self, toml: Layer) -> Self:
        """Return the settings with the conditions and augmentation of [train] and the domain of [corpus], or their own.

        Args:
            toml: the tables; ``condition``, ``augment`` and ``domain`` are taken out of them.

        Raises:
            BadOption: ``condition``, of the settings or the table, is neither a text nor a list of texts, or a name in
                it is empty; ``augment`` or ``domain`` is no text, or the table [augmentation] names another
                augmentation.
        """
        table, domain = toml.get("train", {}), toml.get("corpus", {}).pop("domain", None)
        fields, augment = _fields(table.pop("condition", []), " of [train]"), table.pop("augment", None)
        if domain is not None and not (isinstance(domain, str) and domain):
            raise BadOption(f'cannot use domain {domain!r} of [corpus]: write the name of one, domain = "NAME"')
        if augment is not None and not (isinstance(augment, str) and augment):
            raise BadOption(f'cannot use augment {augment!r} of [train]: write the name of one, augment = "NAME"')
        named = toml.get("augmentation", {}).get("name", augment)
        if augment is not None and named != augment:
            raise BadOption(
                f"cannot use augment {augment!r} of [train]: [augmentation] names {named!r}; keep one of them"
            )
        of_toml = {"augment": self.augment or augment, "domain": self.domain or domain}
        return self.model_copy(update={"condition": _fields(self.condition) or fields, **of_toml})


def _fields(condition: Any, of: str = "") -> tuple[str, ...]:
    """Return the fields that a condition names, of a text or of several; only a text has commas between names.

    Raises:
        BadOption: it is neither, or a name is empty.
    """
    names = condition.split(",") if isinstance(condition, str) else condition or ()
    if not isinstance(names, list | tuple) or not all(isinstance(one, str) for one in names):
        raise BadOption(f'cannot use condition {short_repr(condition)}{of}: write fields, condition = ["label"]')
    if not all(map(str.strip, names)):
        raise BadOption(
            f"cannot use condition {short_repr(condition)}{of}: a name in it is empty; write the names of fields, with "
            "commas between"
        )
    return tuple(map(str.strip, names))

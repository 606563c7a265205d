"""What a plugin hands in: frozen descriptions that are cheap to make and load what they name when asked.

Every spec has a ``name``, a one-line ``summary``, and a ``source`` (paper or origin of data). What can be built also
has ``load`` (``"package.module:Name"`` or a function) and ``options`` (the options as a pydantic model, named in the
same way; left out, they are derived from the keyword-only parameters of what ``load`` gives, by their annotations or,
where there is none, by the types of plain defaults).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_ENDING = re.compile(r"\.[a-z0-9_-]+")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
PARTS = ("corpus", "tokenizer", "model", "cell", "augmentation", "train")
"""The parts of a run that have options, as they are named in ``-o PART.NAME=VALUE`` and in ``recommended``."""


def load_reference(reference: str) -> Any:
    """What ``"package.module:Name"`` names; import errors pass through."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def _check(condition: bool, complaint: str) -> None:
    if not condition:
        raise ValueError(complaint)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What all specs have.

    Attributes:
        name: how users call it, ``[a-z][a-z0-9_-]*``.
        summary: one line for lists.
        source: the paper ("arXiv:1412.3555") or the origin of the data.
        aliases: what else people call it: an unknown name that is one of these is answered with ``name``.

    Raises:
        ValueError: a field has an impossible value.
    """

    name: str
    summary: str
    source: str = ""
    aliases: tuple[str, ...] = ()
    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Refuse names that the command line could not spell."""
        named = isinstance(self.name, str) and _NAME.fullmatch(self.name) is not None
        _check(named, f"the name {self.name!r} is not of the form [a-z][a-z0-9_-]*")
        _check(
            isinstance(self.summary, str) and bool(self.summary.strip()) and "\n" not in self.summary,
            f"{self.name}: the summary must be one line",
        )
        texts = isinstance(self.aliases, tuple) and all(isinstance(alias, str) for alias in self.aliases)
        _check(texts, f"{self.name}: aliases={self.aliases!r} are not like ('rnn',)")


@dataclass(frozen=True, kw_only=True)
class LoadableSpec(Spec):
    """A spec of something that can be built.

    Attributes:
        load: ``"package.module:Name"``, or the function or class itself.
        options: the pydantic model of the options, or where it is; None derives it from what ``load`` gives.
    """

    load: str | Callable[..., Any]
    options: str | type | None = None

    def __post_init__(self) -> None:
        """Refuse references that cannot be followed."""
        super().__post_init__()
        for value in (self.load, self.options):
            if isinstance(value, str):
                _check(
                    _REFERENCE.fullmatch(value) is not None,
                    f'{self.name}: {value!r} is not of the form "package.module:Name"',
                )
        _check(
            isinstance(self.load, str) or callable(self.load),
            f"{self.name}: load must be a string or a function",
        )

    def resolve(self) -> Any:
        """What ``load`` names; whatever its import raises passes through."""
        return load_reference(self.load) if isinstance(self.load, str) else self.load

    def signature_source(self) -> Callable[..., Any]:
        """The callable whose keyword-only parameters are the options."""
        target: Callable[..., Any] = self.resolve()
        return target


def _check_recommended(name: str, recommended: Mapping[str, Mapping[str, Any]]) -> None:
    for part, values in recommended.items():
        _check(part in PARTS, f"{name}: recommended has the part {part!r}, not one of {', '.join(PARTS)}")
        _check(isinstance(values, Mapping), f"{name}: recommended[{part!r}] must be a mapping of options")


@dataclass(frozen=True, kw_only=True)
class CorpusSpec(LoadableSpec):
    """A corpus: ``load(**options)`` gives a restartable iterable of :class:`seqgen.Record`.

    Attributes:
        licence: under which terms the data may be used.
        layout: "lines" (a record is a sequence) or "stream" (one long text).
        multiline: whether a record may hold line ends.
        domain: the name of what its texts are; None means plain text.
        labels: the labels that records carry, if any.
        network: whether loading needs the network.
        canonical: whether each text is its own canonical form, as the validator gives it, which spares asking.
        recommended: settings that suit it, by part: ``{"train": {"steps": 2000}}``.
    """

    licence: str
    layout: str = "lines"
    multiline: bool = False
    domain: str | None = None
    labels: tuple[str, ...] = ()
    network: bool = False
    canonical: bool = False
    recommended: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    kind: ClassVar[str] = "corpus"

    def __post_init__(self) -> None:
        """Refuse an unknown layout or part."""
        super().__post_init__()
        _check(self.layout in ("lines", "stream"), f"{self.name}: layout {self.layout!r} is not lines or stream")
        _check(isinstance(self.licence, str), f"{self.name}: licence {self.licence!r} is not a text")
        _check(self.domain is None or isinstance(self.domain, str), f"{self.name}: domain is not a name")
        _check_recommended(self.name, self.recommended)


@dataclass(frozen=True, kw_only=True)
class TokenizerSpec(LoadableSpec):
    """A tokenizer: ``load`` gives a class that keeps the contract of :class:`seqgen.Tokenizer`."""

    kind: ClassVar[str] = "tokenizer"

    def signature_source(self) -> Callable[..., Any]:
        """A tokenizer's options are those of its ``fit``."""
        fit: Callable[..., Any] = self.resolve().fit
        return fit


@dataclass(frozen=True, kw_only=True)
class ArchitectureSpec(LoadableSpec):
    """What cells and models have.

    Attributes:
        recommended: settings that suit it, by part: ``{"train": {"lr": 1e-3}}``.
        tf: the classes of TensorFlow 1 that it answers, each with the options that make it so:
            ``{"BasicLSTMCell": {}, "LSTMCell": {"peepholes": True}}``.
    """

    recommended: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tf: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an unknown part, and what no class can be called."""
        super().__post_init__()
        _check_recommended(self.name, self.recommended)
        for theirs, values in self.tf.items():
            _check(_IDENTIFIER.fullmatch(theirs) is not None, f"{self.name}: tf has {theirs!r}, not a class's name")
            _check(isinstance(values, Mapping), f"{self.name}: tf[{theirs!r}] must be a mapping of options")


@dataclass(frozen=True, kw_only=True)
class CellSpec(ArchitectureSpec):
    """A cell: ``load`` gives a subclass of :class:`seqgen.Cell` or :class:`seqgen.StepCell`."""

    kind: ClassVar[str] = "cell"


@dataclass(frozen=True, kw_only=True)
class ModelSpec(ArchitectureSpec):
    """A whole model: ``load(n_symbols, **options)`` gives a module that keeps the contract of :class:`seqgen.Model`.

    Attributes:
        uses_cell: whether ``load`` takes a second argument, ``make_cell(input_size, hidden_size)``, which builds one
            layer of the chosen cell; a model that does not is trained without ``--cell``.
    """

    uses_cell: bool = False
    kind: ClassVar[str] = "model"


@dataclass(frozen=True, kw_only=True)
class ValidatorSpec(LoadableSpec):
    """A validator: ``load(**options)`` gives an object with ``validate(text) -> Verdict``."""

    kind: ClassVar[str] = "validator"


@dataclass(frozen=True, kw_only=True)
class MetricSpec(LoadableSpec):
    """A metric: ``load(**options)`` gives a function of samples and reference texts to named figures."""

    kind: ClassVar[str] = "metric"


@dataclass(frozen=True, kw_only=True)
class RendererSpec(LoadableSpec):
    """A renderer: ``load(**options)`` gives a function of a text to something rich can print."""

    kind: ClassVar[str] = "renderer"


@dataclass(frozen=True, kw_only=True)
class ProcessorSpec(LoadableSpec):
    """A decoding step: ``load(**options)`` gives a function of (logits_BV, ids_BT) to logits_BV."""

    kind: ClassVar[str] = "processor"


@dataclass(frozen=True, kw_only=True)
class AugmentationSpec(LoadableSpec):
    """Another way to write a record: ``load(**options)`` gives a function of (text, random) to an equivalent text.

    Each epoch of a training with ``--augment NAME`` sees its records anew.
    """

    kind: ClassVar[str] = "augmentation"


@dataclass(frozen=True, kw_only=True)
class DomainSpec(Spec):
    """What a text is: the parts, all by name, that belong together.

    Attributes:
        tokenizer: the tokenizer used unless the user chooses another.
        validator: tells valid texts and their canonical form; None accepts everything.
        renderer: shows a text; None shows it as it is.
        metrics: figures that mean something here.
        endings: how files are called whose texts are such, without the user saying so: ``(".smi",)``.
    """

    tokenizer: str = "char"
    validator: str | None = None
    renderer: str | None = None
    metrics: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    kind: ClassVar[str] = "domain"

    def __post_init__(self) -> None:
        """Refuse endings that no file has."""
        super().__post_init__()
        fit = isinstance(self.endings, tuple) and all(_ENDING.fullmatch(str(ending)) for ending in self.endings)
        _check(fit, f"{self.name}: endings={self.endings!r} are not like ('.smi',), in small letters")


SPEC_TYPES: tuple[type[Spec], ...] = (
    CorpusSpec, TokenizerSpec, CellSpec, ModelSpec, DomainSpec, ValidatorSpec, MetricSpec, RendererSpec, ProcessorSpec,
    AugmentationSpec,
)  # fmt: skip
KINDS: dict[str, str] = {"corpus": "corpora"} | {
    spec.kind: spec.kind + "s" for spec in SPEC_TYPES if spec.kind != "corpus"
}
"""Kind to plural, as hooks (``register_cells``) and ``seqgen list`` spell it."""

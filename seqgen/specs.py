"""What a plugin hands in: frozen descriptions that are cheap to make and load what they name when asked.

Every spec has a ``name``, a one-line ``summary``, and a ``source`` (paper or origin of data). What can be built also
has ``load`` (``"package.module:Name"`` or a function) and ``options`` (the options as a pydantic model, named in the
same way; left out, they are derived from the keyword-only parameters of what ``load`` gives, by their annotations or,
where there is none, by the types of plain defaults).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from seqgen.spec_base import LoadableSpec as LoadableSpec
from seqgen.spec_base import Spec as Spec
from seqgen.spec_base import check
from seqgen.spec_base import load_reference as load_reference

_ENDING = re.compile(r"\.[a-z0-9_-]+")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
PARTS = ("corpus", "tokenizer", "model", "cell", "augmentation", "train")
"""The parts of a run that have options, as they are named in ``-o PART.NAME=VALUE`` and in ``recommended``."""


def _check_recommended(name: str, recommended: Mapping[str, Mapping[str, Any]]) -> None:
    for part, values in recommended.items():
        check(part in PARTS, f"{name}: recommended has the part {part!r}, not one of {', '.join(PARTS)}")
        check(isinstance(values, Mapping), f"{name}: recommended[{part!r}] must be a mapping of options")


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
        check(self.layout in ("lines", "stream"), f"{self.name}: layout {self.layout!r} is not lines or stream")
        check(isinstance(self.licence, str), f"{self.name}: licence {self.licence!r} is not a text")
        check(self.domain is None or isinstance(self.domain, str), f"{self.name}: domain is not a name")
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
            check(_IDENTIFIER.fullmatch(theirs) is not None, f"{self.name}: tf has {theirs!r}, not a class's name")
            check(isinstance(values, Mapping), f"{self.name}: tf[{theirs!r}] must be a mapping of options")


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
class ReportSpec(LoadableSpec):
    """A report: ``load(**options)`` returns a :class:`seqgen.Report`, which writes an evaluation to a file."""

    kind: ClassVar[str] = "report"


@dataclass(frozen=True, kw_only=True)
class DomainSpec(Spec):
    """What a text is: the parts, all by name, that belong together.

    Attributes:
        tokenizer: the tokenizer used unless the user chooses another.
        validator: tells valid texts and their canonical form; None accepts everything.
        renderer: shows a text; None shows it as it is.
        metrics: figures that mean something here.
        endings: how files are called whose texts are such, without the user saying so: ``(".smi",)``.
        columns: names of fields of tables whose texts are such, in small letters, the preferred one first:
            ``("smiles", "canonical_smiles")``. Such a field of a file is its text unless the user chooses another.
        trailing_names: whether a line of plain text may have white space and a name after its text, which itself has
            no white space.
    """

    tokenizer: str = "char"
    validator: str | None = None
    renderer: str | None = None
    metrics: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    trailing_names: bool = False
    kind: ClassVar[str] = "domain"

    def __post_init__(self) -> None:
        """Refuse endings that no file has, and columns that would never be found."""
        super().__post_init__()
        fit = isinstance(self.endings, tuple) and all(_ENDING.fullmatch(str(ending)) for ending in self.endings)
        check(fit, f"{self.name}: endings={self.endings!r} are not like ('.smi',), in small letters")
        fit = isinstance(self.columns, tuple) and all(
            isinstance(name, str) and name and name == name.casefold() for name in self.columns
        )
        check(fit, f"{self.name}: columns={self.columns!r} are not like ('smiles',), in small letters")
        check(isinstance(self.trailing_names, bool), f"{self.name}: trailing_names={self.trailing_names!r} is no bool")


SPEC_TYPES: tuple[type[Spec], ...] = (
    CorpusSpec, TokenizerSpec, CellSpec, ModelSpec, DomainSpec, ValidatorSpec, MetricSpec, RendererSpec, ProcessorSpec,
    AugmentationSpec, ReportSpec,
)  # fmt: skip
KINDS: dict[str, str] = {"corpus": "corpora"} | {
    spec.kind: spec.kind + "s" for spec in SPEC_TYPES if spec.kind != "corpus"
}
"""Kind to plural, as hooks (``register_cells``) and ``seqgen list`` spell it."""

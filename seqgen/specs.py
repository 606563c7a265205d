"""Specs: frozen descriptions of the parts that a plugin registers, cheap to create and loading the part on demand.

Every spec has a ``name``, a one-line ``summary``, and a ``source`` (paper or origin of data). Specs of parts that can
be built also have ``load`` (``"package.module:Name"`` or a callable) and ``options`` (a pydantic model, referenced in
the same way). Without ``options`` they are derived from the keyword-only parameters of what ``load`` names: from their
annotations or, without one, from the types of plain default values.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from seqgen.errors import did_you_mean, short_repr

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_SUFFIX = re.compile(r"\.[a-z0-9_-]+")


def is_reference(value: object) -> bool:
    """Return whether something is a text of the form ``"package.module:Name"``."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def load_reference(reference: Any) -> Any:
    """Import and return what ``"package.module:Name"`` names, or the object itself; import errors pass through."""
    if not isinstance(reference, str):
        return reference
    named, _, name = reference.partition(":")
    module = importlib.import_module(named)
    try:
        return getattr(module, name)
    except AttributeError as error:
        known = [one for one, value in vars(module).items() if callable(value) and not one.startswith("_")]
        raise AttributeError(f"{error}{did_you_mean(name, known)}", name=name, obj=module) from None


def are_suffixes(found: object) -> bool:
    """Return whether something is a tuple or list of suffixes of files in lower case, such as ``(".html", ".htm")``."""
    return isinstance(found, tuple | list) and all(isinstance(one, str) and _SUFFIX.fullmatch(one) for one in found)


def _are_names(found: object) -> bool:
    """Return whether something is a tuple or list of strings."""
    return isinstance(found, tuple | list) and all(isinstance(name, str) for name in found)


def check(condition: bool, complaint: str) -> None:
    """Raise ValueError with the complaint unless the condition holds."""
    if not condition:
        raise ValueError(complaint)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The common fields of all specs.

    Attributes:
        name: the name for users, matching ``[a-z][a-z0-9_-]*``.
        summary: a one-line description for listings.
        source: the paper ("arXiv:1412.3555") or the origin of the data.
        aliases: other names of it, for which messages suggest ``name``.

    Raises:
        ValueError: a field has an invalid value.
    """

    name: str
    summary: str
    source: str = ""
    aliases: tuple[str, ...] = ()
    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Validate the name, the summary and the aliases."""
        named = isinstance(self.name, str) and _NAME.fullmatch(self.name) is not None
        check(named, f"the name {self.name!r} is not of the form [a-z][a-z0-9_-]*")
        fit = isinstance(self.summary, str) and bool(self.summary.strip()) and "\n" not in self.summary
        check(fit, f"{self.name}: the summary must be one line")
        fit = isinstance(self.aliases, tuple) and _are_names(self.aliases)
        check(fit, f"{self.name}: aliases={self.aliases!r} is not a tuple of names like ('rnn',)")


@dataclass(frozen=True, kw_only=True)
class LoadableSpec(Spec):
    """A spec of a part that can be built.

    Attributes:
        load: ``"package.module:Name"``, or the function or class itself.
        options: the pydantic model of the options, or a reference to it; None derives it from what ``load`` names.
    """

    load: str | Callable[..., Any]
    options: str | type | None = None

    def __post_init__(self) -> None:
        """Validate the form of references."""
        super().__post_init__()
        for value in (self.load, self.options):
            fit = not isinstance(value, str) or is_reference(value)
            check(fit, f'{self.name}: {value!r} is not of the form "package.module:Name"')
        check(isinstance(self.load, str) or callable(self.load), f"{self.name}: load must be a string or a function")

    def resolve(self) -> Any:
        """Return what ``load`` names; import errors pass through."""
        return load_reference(self.load)

    def signature_source(self) -> Callable[..., Any]:
        """Return the callable whose keyword-only parameters are the options."""
        target: Callable[..., Any] = self.resolve()
        return target


PARTS = ("corpus", "tokenizer", "model", "cell", "augmentation", "train")
"""The parts of a run that have options, as named in ``-o PART.NAME=VALUE`` and in ``recommended``."""


def _check_recommended(name: str, recommended: Mapping[str, Mapping[str, Any]]) -> None:
    fit = isinstance(recommended, Mapping)
    check(fit, f"{name}: recommended={short_repr(recommended)} is not a mapping of parts to options")
    for part, values in recommended.items():
        check(part in PARTS, f"{name}: recommended has the part {part!r}, not one of {', '.join(PARTS)}")
        check(isinstance(values, Mapping), f"{name}: recommended[{part!r}] must be a mapping of options")


@dataclass(frozen=True, kw_only=True)
class CorpusSpec(LoadableSpec):
    """A corpus: ``load(**options)`` returns a restartable iterable of :class:`seqgen.Record`.

    Attributes:
        licence: the terms of use of the data.
        layout: "lines" (a record is a sequence) or "stream" (one long text).
        multiline: whether a record may hold line ends.
        domain: the name of the domain of its texts; None for plain text.
        labels: the labels of its records, if any.
        network: whether loading needs the network.
        canonical: whether each text is its own canonical form, so that the validator need not compute it.
        recommended: recommended settings by part: ``{"train": {"steps": 2000}}``.
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
        """Validate the layout and the parts in ``recommended``."""
        super().__post_init__()
        check(self.layout in ("lines", "stream"), f"{self.name}: layout {self.layout!r} is neither lines nor stream")
        check(isinstance(self.licence, str), f"{self.name}: licence {self.licence!r} is not a string")
        check(self.domain is None or isinstance(self.domain, str), f"{self.name}: domain {self.domain!r} is not a name")
        check(_are_names(self.labels), f"{self.name}: labels={short_repr(self.labels)} is not a tuple like ('f', 'm')")
        _check_recommended(self.name, self.recommended)


@dataclass(frozen=True, kw_only=True)
class TokenizerSpec(LoadableSpec):
    """A tokenizer: ``load`` names a class that implements :class:`seqgen.Tokenizer`."""

    kind: ClassVar[str] = "tokenizer"

    def signature_source(self) -> Callable[..., Any]:
        """Return ``fit``, whose keyword-only parameters are the options."""
        fit: Callable[..., Any] = self.resolve().fit
        return fit


@dataclass(frozen=True, kw_only=True)
class ArchitectureSpec(LoadableSpec):
    """The common fields of cells and models.

    Attributes:
        recommended: recommended settings by part: ``{"train": {"lr": 1e-3}}``.
        tf: the equivalent classes of TensorFlow 1, each with the options that make it equivalent:
            ``{"BasicLSTMCell": {}, "CudnnLSTM": {"forget_bias": 0.0}}``.
    """

    recommended: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tf: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Validate the parts in ``recommended`` and the class names in ``tf``."""
        super().__post_init__()
        _check_recommended(self.name, self.recommended)
        check(isinstance(self.tf, Mapping), f"{self.name}: tf={short_repr(self.tf)} does not map classes to options")
        for theirs, values in self.tf.items():
            check(theirs.isidentifier(), f"{self.name}: tf has {theirs!r}, which is not a class name")
            check(isinstance(values, Mapping), f"{self.name}: tf[{theirs!r}] must be a mapping of options")


@dataclass(frozen=True, kw_only=True)
class CellSpec(ArchitectureSpec):
    """A cell: ``load`` names a subclass of :class:`seqgen.Cell` or :class:`seqgen.StepCell`.

    Attributes:
        remembers: whether its state carries anything from step to step; a layer without a state, such as an MLP, is for
            stacks, and is left out where all cells are compared.
    """

    remembers: bool = True
    kind: ClassVar[str] = "cell"


@dataclass(frozen=True, kw_only=True)
class ModelSpec(ArchitectureSpec):
    """A whole model: ``load(n_symbols, **options)`` returns a module that implements :class:`seqgen.Model`.

    Attributes:
        uses_cell: whether ``load`` takes a second argument ``make_cell(input_size, hidden_size)`` that builds a layer
            of the chosen cell, the n-th call the n-th layer; other models are trained without ``--cell``.
    """

    uses_cell: bool = False
    kind: ClassVar[str] = "model"


@dataclass(frozen=True, kw_only=True)
class ValidatorSpec(LoadableSpec):
    """A validator: ``load(**options)`` returns an object with ``validate(text) -> Verdict``."""

    kind: ClassVar[str] = "validator"


@dataclass(frozen=True, kw_only=True)
class MetricSpec(LoadableSpec):
    """A metric: ``load(**options)`` returns a function of samples and reference texts that returns named numbers."""

    kind: ClassVar[str] = "metric"


@dataclass(frozen=True, kw_only=True)
class RendererSpec(LoadableSpec):
    """A renderer: ``load(**options)`` returns a function from a text to something that rich can print."""

    kind: ClassVar[str] = "renderer"


@dataclass(frozen=True, kw_only=True)
class ProcessorSpec(LoadableSpec):
    """A logits processor: ``load(**options)`` returns a function from (logits_BV, ids_BT) to logits_BV."""

    kind: ClassVar[str] = "processor"


@dataclass(frozen=True, kw_only=True)
class AugmentationSpec(LoadableSpec):
    """An augmentation: ``load(**options)`` returns a function from (text, random) to an equivalent text.

    With ``--augment NAME`` it is applied to the records anew in each epoch.
    """

    kind: ClassVar[str] = "augmentation"


@dataclass(frozen=True, kw_only=True)
class ReportSpec(LoadableSpec):
    """A report: ``load(**options)`` returns a :class:`seqgen.Report`, which writes an evaluation to a file."""

    kind: ClassVar[str] = "report"


@dataclass(frozen=True, kw_only=True)
class ExporterSpec(LoadableSpec):
    """An exporter: ``load(**options)`` returns a :class:`seqgen.Exporter`, which writes a run in another form.

    Attributes:
        compares: how what it writes is compared with the run, one line: "logits of 64 steps, to 1e-4".
    """

    compares: str
    kind: ClassVar[str] = "exporter"

    def __post_init__(self) -> None:
        """Validate ``compares``."""
        super().__post_init__()
        said = isinstance(self.compares, str) and bool(self.compares.strip()) and "\n" not in self.compares
        check(said, f"{self.name}: compares={short_repr(self.compares)} is not a line about how files are compared")


@dataclass(frozen=True, kw_only=True)
class ExecutorSpec(LoadableSpec):
    """An executor: ``load(workers, **options)`` returns a context manager of a ``concurrent.futures.Executor``.

    It may have a method ``gang(n, timeout_s)``, which reserves workers for the next ``n`` calls of ``submit``, so that
    all of them run at the same time, and returns the host name or address at which the workers reach this process. It
    raises TimeoutError where they are not there after ``timeout_s`` seconds, and keeps none. ``seqgen train --on``
    needs it.
    """

    kind: ClassVar[str] = "executor"


@dataclass(frozen=True, kw_only=True)
class ReaderSpec(LoadableSpec):
    """A reader of files: ``load(**options)`` returns a :class:`seqgen.Reader`, built anew for each pass.

    Attributes:
        endings: the suffixes of files that it reads, in lower case and without ".gz": ``(".fasta", ".fa")``.
        matches: ``"package.module:name"`` of a function, or the function itself, from the name of a file and its first
            4,096 bytes, unpacked, to whether the reader reads it; None goes by ``endings`` alone.
        text: whether it reads lines of text, which core decodes; else it gets the file, opened for reading bytes.
        table: whether it yields rows, mappings of column names to values, of which the user chooses the text and label;
            else it yields records.
        example: the content of a small file in its format, or a function that returns it, or a reference to either;
            the conformance kit reads it.
    """

    endings: tuple[str, ...] = ()
    matches: str | Callable[[str, bytes], bool] | None = None
    text: bool = True
    table: bool = False
    example: str | bytes | Callable[[], bytes]
    kind: ClassVar[str] = "reader"

    def __post_init__(self) -> None:
        """Validate ``endings``, the flags and the form of references."""
        super().__post_init__()
        fit = isinstance(self.endings, tuple) and are_suffixes(self.endings)
        check(fit, f"{self.name}: endings={self.endings!r} is no tuple of lower-case suffixes of one dot: ('.fa',)")
        check(bool(self.endings) or self.matches is not None, f"{self.name}: it needs endings, or matches")
        for flag in ("text", "table"):
            check(isinstance(getattr(self, flag), bool), f"{self.name}: {flag}={getattr(self, flag)!r} is not a bool")
        for name in ("matches", "example"):
            value = getattr(self, name)
            fit = isinstance(value, bytes) if name == "example" else value is None
            fault = 'is neither of the form "package.module:name" nor a function'
            check(fit or is_reference(value) or callable(value), f"{self.name}: {name}={short_repr(value)} {fault}")


_BETWEEN_WORDS = re.compile(r"[\s_-]+")


def spelt_alike(name: str) -> str:
    """Return the name of a column as domains' names are compared: ``Canonical SMILES`` is ``canonical_smiles``."""
    return _BETWEEN_WORDS.sub("_", name.strip().casefold())


@dataclass(frozen=True, kw_only=True)
class DomainSpec(Spec):
    """A kind of text, and the names of the parts that go with it.

    Attributes:
        tokenizer: the default tokenizer.
        validator: the validator of its texts; None accepts everything.
        renderer: the renderer of its texts; None shows the plain text.
        metrics: the metrics of its texts.
        endings: the suffixes of files that are assigned to this domain automatically: ``(".smi",)``.
        columns: the names, in lower case and in order of preference, of table columns that are assigned to this domain
            automatically: ``("smiles", "canonical_smiles")``. It is the text unless the user chooses another. A table
            may write them with capitals, and with blanks or hyphens.
        trailing_names: whether a line of plain text may have white space and a name after the text, which has none.
        syntax: whether texts follow rules over longer distances than counts see, such as brackets or line formats, so
            that blends have sharp exponents by default; "words": not among letters, digits and underscores, as in code.
        automaton: ``"package.module:Name"`` of a function or class that returns the :class:`seqgen.TextAutomaton` of
            its texts, or the function or class itself: the grammar that ``--valid`` looks ahead with; None: none.
    """

    tokenizer: str = "char"
    validator: str | None = None
    renderer: str | None = None
    metrics: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    trailing_names: bool = False
    syntax: bool | Literal["words"] = False
    automaton: str | Callable[[], Any] | None = None
    kind: ClassVar[str] = "domain"

    def __post_init__(self) -> None:
        """Validate ``metrics``, ``endings``, ``columns``, the flags and ``automaton``."""
        super().__post_init__()
        fit = isinstance(self.endings, tuple) and are_suffixes(self.endings)
        check(fit, f"{self.name}: endings={self.endings!r} is not a tuple of lower-case suffixes like ('.smi',)")
        fit = isinstance(self.columns, tuple) and _are_names(self.columns)
        fit = fit and all(name and name == name.casefold() for name in self.columns)
        check(fit, f"{self.name}: columns={self.columns!r} is not a tuple of lower-case names like ('smiles',)")
        check(_are_names(self.metrics), f"{self.name}: metrics={self.metrics!r} is not a tuple of names like ('bars',)")
        fit = isinstance(self.trailing_names, bool)
        check(fit, f"{self.name}: trailing_names={self.trailing_names!r} is not a bool")
        fit = isinstance(self.syntax, bool) or self.syntax == "words"
        check(fit, f"{self.name}: syntax={self.syntax!r} is neither a bool nor 'words'")
        fit = self.automaton is None or is_reference(self.automaton) or callable(self.automaton)
        check(fit, f'{self.name}: automaton={self.automaton!r} is neither "package.module:Name" nor a function')


SPEC_TYPES: dict[str, type[Spec]] = {spec.kind: spec for spec in (
    CorpusSpec, TokenizerSpec, CellSpec, ModelSpec, DomainSpec, ValidatorSpec, MetricSpec, RendererSpec, ProcessorSpec,
    AugmentationSpec, ReportSpec, ExporterSpec, ExecutorSpec, ReaderSpec,
)}  # fmt: skip
KINDS: dict[str, str] = {kind: kind + "s" for kind in SPEC_TYPES} | {"corpus": "corpora"}
"""The plural of each kind, as in hooks (``register_cells``) and ``seqgen list``."""

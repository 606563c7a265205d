"""Resolution of a training configuration: parts found, options merged and checked, before anything is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from seqgen.api.corpora import FILE, corpus_options, fold_reader_options, open_corpus, read_file_as, sort_out_corpus
from seqgen.api.encoded_corpus import ignore
from seqgen.api.layer_cells import (
    by_layer,
    cell_fields,
    cells_of,
    find_cells,
    kind_of,
    recommended_by_all,
    with_layer_tables,
    without_overruled,
)
from seqgen.config import (
    ENDS,
    Layer,
    TrainConfig,
    TrainSettings,
    assign,
    build_options,
    keep_known,
    merge,
    read_toml,
    says_end,
    split_hint,
    split_names,
    split_warning,
    without_ends,
)
from seqgen.corpus import Corpus, title_of
from seqgen.errors import BadOption, UsageError, did_you_mean, short_repr
from seqgen.plugins import Plugins, get_referenced
from seqgen.protocols import learns
from seqgen.registry import Entry
from seqgen.specs import PARTS, CorpusSpec, DomainSpec, ModelSpec

if TYPE_CHECKING:
    from seqgen.api.warm_start import WarmStart

MODEL, _CELL = "seqgen:recurrent", "gru"  # unless the user names others
_DEFAULT_STEPS = 2000
_SHARED = {"pieces": 8, "threads": 1}  # of several workers, which leave one another's cores alone
_STREAM = {"batch_size": 32}  # lanes of a long text, unless the user gives a number
_LAYOUT_OPTION = ((None, "layout"), ("corpus", "layout"))
Layout = Literal["lines", "stream"]
_FLAGGED = ("train", "model", "corpus")  # parts some of whose options have flags of their own


@dataclass(frozen=True)
class ResolvedConfig:
    """A training run whose every part and option is known.

    Attributes:
        config: the user's, with held-out files, number of parameters and the weights to start from.
        parts: corpus, domain, tokenizer, model and, if the run has them, augmentation and cell, or cell.1, cell.2 and
            so on if its layers have different cells or options.
        options: every option of each part, defaults included.
        train: the settings of training.
        layout: "lines" or "stream".
        conditions: "label" or fields on which the model is conditioned.
        start: the run whose weights it starts from, or None.
        open: the options, as (part, name), that neither the user nor a part of the run says anything about.
        divided: whether the split holds validation records out beside the test file.
    """

    config: TrainConfig
    parts: Mapping[str, Entry]
    options: Layer
    train: TrainSettings
    layout: Layout
    conditions: tuple[str, ...]
    start: WarmStart | None = None
    open: frozenset[tuple[str, str]] = frozenset()
    divided: bool = False

    @property
    def split_hint(self) -> str:
        """The option that holds more records out, for messages."""
        return split_hint(self.config.test)

    @property
    def corpus(self) -> Entry:
        """The corpus."""
        return self.parts["corpus"]

    @property
    def tokenizer(self) -> Entry:
        """The tokenizer."""
        return self.parts["tokenizer"]

    @property
    def model(self) -> Entry:
        """The model."""
        return self.parts["model"]

    @property
    def domain(self) -> DomainSpec:
        """The domain of its texts."""
        return self.parts["domain"].spec_as(DomainSpec)

    @property
    def counts(self) -> bool:
        """True if its model learns by counting."""
        return learns(self.model.load())

    @property
    def cells(self) -> tuple[Entry, ...]:
        """The cells: one if it is the same in all layers, one for each layer otherwise, none if there are none."""
        return tuple(cells_of(self.parts))

    @property
    def augmentation(self) -> Entry | None:
        """The augmentation, if records are rewritten in every epoch."""
        return self.parts.get("augmentation")

    @property
    def title(self) -> str:
        """The name of the corpus in messages: a file's without its ending."""
        return title_of(self.options["corpus"]["path"]) if self.corpus.qualified == FILE else self.corpus.spec.name

    def open_corpus(self, plugins: Plugins, *, new: bool = False) -> Corpus:
        """Open the corpus, with its held-out files; ``new`` as in ``seqgen.api.corpora.open_corpus``."""
        held, options = (self.config.valid, self.config.test, self.layout), self.options["corpus"]
        return open_corpus(self.corpus, options, *held, divided=self.divided, new=new, plugins=plugins)


def resolve(
    config: TrainConfig,
    plugins: Plugins,
    start: WarmStart | None = None,
    warn: Callable[[str], None] = ignore,
) -> ResolvedConfig:
    """Find the parts and merge the options of a training run.

    Precedence, the first wins: flag or keyword, ``-o``, TOML, what corpus, model and cell recommend, default. A run
    that starts from the weights of another takes what is not given from there.

    Args:
        config: what the user gives.
        plugins: the registered parts.
        start: the run whose weights it starts from.
        warn: called with one line for each address that is fetched, for a split of TOML that is not used, and for
            a split whose sum looks like a typing error.

    Raises:
        UsageError: an unknown name, an unknown option or an impossible value.
    """
    given = _collect(config, plugins, start, warn)
    corpus, domain, of_corpus, reading = _find_corpus(given, plugins, warn)
    parts = {"corpus": corpus, "domain": domain} | _other_parts(given, domain, plugins)
    fields = _option_names(given, parts)
    layout = _layout(given, corpus)
    conditions = _conditions(given, layout, "augmentation" in parts)
    asked = given.asked(parts, fields)
    said = merge(without_overruled(given.toml, asked), asked) | {"corpus": of_corpus}
    if corpus.qualified == FILE:
        of_corpus["layout"] = layout
    config = given.config if start is None else start.filled_in(given.config, parts, said)
    _check_params(config, fields["model"], said.get("model", {}), given.toml.get("model", {}))
    known = (_recommended if start is None else start.recommended)(parts, fields, said)
    parts, known, said = by_layer(parts, known, said)
    merged = merge(_suiting(layout, reading), known, said)
    for part, values in merged.items():
        if part not in fields and part not in parts and values:
            raise BadOption(f"this run has no {part}, so no option {next(iter(values))!r} of one")
    train, unsaid = _train_options(config, merged, said.get("train", {}), fields)
    split = said.get("train", {}).get("split")
    as_before = start is not None and given.config.test is None and split is None
    train |= {} if as_before else config.split_beside_files(layout, split)
    settings = TrainSettings(**build_options(TrainSettings, train, "train"))
    if line := split_warning("none" if split is None else split):
        warn(line)
    options = {part: entry.options(merged.get(part, {})) for part, entry in parts.items() if kind_of(part) in PARTS}
    if start is not None:
        start.check_options(options, parts, plugins)
    held_out = start.settings.corpus.divided if start is not None and as_before else settings.split[1] > 0
    divided = held_out and config.holds_out(layout)
    return ResolvedConfig(config, parts, options, settings, layout, conditions, start, unsaid, divided)


@dataclass(frozen=True)
class _Given:
    """The settings that a user gives for a run.

    Attributes:
        config: flags or keywords, with conditions, augmentation and domain of TOML.
        toml: the other values of TOML by table.
        names: names of parts by kind, of TOML, else of the run to start from.
        assignments: those of ``-o``, as (part or None, name, value).
        start: the run to start from, or None.
    """

    config: TrainConfig
    toml: Layer
    names: Mapping[str, str]
    assignments: Sequence[tuple[str | None, str, Any]]
    start: WarmStart | None

    def of_corpus(self, corpus: Entry, implied: Mapping[str, Any]) -> dict[str, Any]:
        """Return the given options of a corpus; ``implied`` are those of its name, last if that is of TOML."""
        fields, toml = corpus.option_names(), self.toml.get("corpus", {})
        assigned = {
            name: value for part, name, value in self.assignments if part == "corpus" or (not part and name in fields)
        }
        last = implied if self.config.corpus is not None else {}
        return corpus_options(corpus, implied, toml, assigned, self.config.part("corpus"), last)

    def asked(self, parts: Mapping[str, Entry], fields: Mapping[str, list[str]]) -> Layer:
        """Return the options of flags or keywords and ``-o``."""
        no_options = {part: getattr(parts[part].options_model, "no_options", {}) for part in fields if part in parts}
        flags = {part: self.config.part(part) for part in _FLAGGED}
        return merge(assign(self.assignments, fields, no_options), flags)


def _collect(config: TrainConfig, plugins: Plugins, start: WarmStart | None, warn: Callable[[str], None]) -> _Given:
    """Read the TOML file and sort out what the user gives.

    Raises:
        UsageError: a name is empty, the file is unreadable or has unknown tables, or a part is not that of the weights.
    """
    for kind in ("model", "tokenizer", "domain", "augment"):
        if getattr(config, kind) == "":
            raise BadOption(f"--{kind} is empty: write the name of one, or leave it out")
    toml = read_toml(Path(config.config)) if config.config else {}
    if "reader" in toml:
        toml.setdefault("corpus", {})["reader_options"] = toml.pop("reader")
    split, beside = toml.get("train", {}).get("split"), config.valid or config.test
    if split is not None and beside and not config.takes_split("lines", split):
        del toml["train"]["split"]
        warn(f"the split {short_repr(split)} of {str(config.config)!r} is not used, since held-out files are given")
    config = config.with_toml(toml)
    names = _names(toml, config.config)
    toml = with_layer_tables(toml)
    if start is not None:
        names = {**start.names, **start.checked(config, names, plugins)}
    return _Given(config, toml, names, fold_reader_options(split_names(config.options)), start)


def _option_names(given: _Given, parts: Mapping[str, Entry]) -> dict[str, list[str]]:
    """Return the names of the options of each part, and of training."""
    fields = {part: entry.option_names() for part, entry in parts.items() if part in PARTS}
    fields |= cell_fields(parts, [*given.toml, *(part for part, _, _ in given.assignments if part)])
    return fields | {"train": list(TrainSettings.model_fields)}


def _conditions(given: _Given, layout: Layout, augmented: bool) -> tuple[str, ...]:
    """Return the fields on which the model is conditioned; of a warm start, those of the weights.

    Raises:
        BadOption: a name cannot be one, one long text would be conditioned or augmented, or the weights have others.
    """
    conditions = tuple(dict.fromkeys(given.config.condition))
    if named := [field for field in conditions if "=" in field]:  # symbols of conditions are field=value
        raise BadOption(f"cannot condition on {named[0]!r}: a field with '=' in its name; rename it")
    if layout == "stream" and (conditions or augmented):
        raise BadOption("one long text (--layout stream) has no records to condition or to augment")
    return conditions if given.start is None else given.start.conditions(layout, conditions)


def _train_options(
    config: TrainConfig, merged: Layer, given: Mapping[str, Any], fields: Mapping[str, list[str]]
) -> tuple[dict[str, Any], frozenset[tuple[str, str]]]:
    """Return the options of training, with an end, and the options as (part, name) that nothing is said about."""
    unsaid = {(part, name) for part, names in fields.items() for name in names if name not in merged.get(part, {})}
    train = dict(merged["train"])
    if says_end(train):
        unsaid -= {("train", end) for end in ENDS}
    else:
        train["steps"] = _DEFAULT_STEPS
    if config.workers is not None:
        train |= {name: value for name, value in _SHARED.items() if name not in given}
    return train, frozenset(unsaid)


def _check_params(
    config: TrainConfig, fields: Sequence[str], given: Mapping[str, Any], of_toml: Mapping[str, Any]
) -> None:
    """Refuse a number of parameters that cannot choose the width of a model.

    Raises:
        BadOption: the model has no width, or it is given.
    """
    if config.params is not None and ("hidden" not in fields or "hidden" in given):
        problem = "give --params or --hidden, not both" if "hidden" in fields else "this model has no width"
        where = f" (hidden is in {str(config.config)!r})" if "hidden" in of_toml else ""
        raise BadOption(f"--params {config.params} chooses the width: {problem}{where}")


def _suiting(layout: Layout, reading: Layer) -> Layer:
    """Return the options that suit a layout, and a file as it is read; all others win over them."""
    if layout == "lines":
        return reading
    of_lines = ("trailing_names", "headings", "reader")  # text is then read as it is
    of_fields = {name: value for name, value in reading["corpus"].items() if name not in of_lines}
    return {"train": _STREAM, "corpus": of_fields}


def _layout(given: _Given, corpus: Entry) -> Layout:
    """Return whether the corpus is read as records or as one long text.

    Raises:
        BadOption: neither, or the corpus has no such layout.
    """
    own = corpus.spec_as(CorpusSpec).layout
    assigned = [value for part, name, value in given.assignments if (part, name) in _LAYOUT_OPTION]
    wanted = given.config.layout or (str(assigned[-1]) if assigned else given.toml.get("corpus", {}).get("layout"))
    layout = wanted or (given.start.settings.corpus.layout if given.start is not None else own)
    if layout not in ("lines", "stream"):
        raise BadOption(f"a layout is lines or stream, not {layout!r}")
    if layout == "lines" and own == "stream":
        raise BadOption(f"corpus {corpus.spec.name} is one long text: it has no layout lines")
    return layout  # type: ignore[return-value]


def _names(toml: Layer, config: Path | None) -> dict[str, str]:
    """Take the names of parts out of the tables of a configuration file."""
    for part, values in toml.items():
        if part not in PARTS:
            raise BadOption(f"{str(config)!r} has the table [{part}]{did_you_mean(part, PARTS)}")
        if part == "cell" and isinstance(values.get("name"), list):
            values["name"] = ",".join(map(str, values["name"]))
        if not isinstance(values.get("name", ""), str):
            raise BadOption(f"{str(config)!r}: the name of [{part}] is {values['name']!r}, not a text")
    return {part: values.pop("name") for part, values in toml.items() if "name" in values and part != "train"}


def _find_corpus(
    given: _Given, plugins: Plugins, warn: Callable[[str], None]
) -> tuple[Entry, Entry, dict[str, Any], Layer]:
    """Return the corpus, the domain of its texts, its given options, and those by which its file is read."""
    registry, config, start = plugins.registry, given.config, given.start
    wanted = config.corpus if config.corpus is not None else given.names.get("corpus")
    if wanted is None:
        known = ", ".join(name for name in registry.names("corpus") if name != "file") or "none"
        raise UsageError(f"say what to learn from: --corpus FILE or --corpus NAME; known names: {known}")
    corpus, implied = sort_out_corpus(wanted, plugins, warn)
    domain, reading = None, dict[str, Any]()
    if config.domain:
        domain = registry.get("domain", config.domain, plugins.failed_hint)
    elif start is not None and (corpus.qualified == FILE or start.reads(corpus)):
        domain = registry.get("domain", start.settings.corpus.domain, plugins.failed_hint)
    elif corpus.qualified != FILE:
        domain = get_referenced(corpus, "domain", corpus.spec_as(CorpusSpec).domain or "text", plugins)
    options = given.of_corpus(corpus, implied)
    if corpus.qualified == FILE and options.get("path"):
        corpus.options({"path": options["path"]})  # refuses what is no path
        before = {} if start is None else start.columns(corpus, options)
        domain, reading = read_file_as(options, plugins, domain, before)
    return corpus, domain or registry.get("domain", "seqgen:text"), options, {"corpus": reading}


def _other_parts(given: _Given, domain: Entry, plugins: Plugins) -> dict[str, Entry]:
    """Return tokenizer, model, cells and augmentation by kind, as far as the run has them.

    Raises:
        UsageError: a name is unknown, or a cell is given to a model that has none.
    """
    registry, hint, config, names = plugins.registry, plugins.failed_hint, given.config, given.names
    tokenizer = config.tokenizer or names.get("tokenizer")
    model = registry.get("model", config.model or names.get("model") or MODEL, hint)
    uses_cell = model.spec_as(ModelSpec).uses_cell
    cell_name = config.cell if config.cell is not None else names.get("cell")
    if not uses_cell and cell_name is not None:
        raise UsageError(f"the model {model.spec.name!r} is not made of cells: leave --cell {cell_name} out")
    parts = {
        "tokenizer": registry.get("tokenizer", tokenizer, hint)
        if tokenizer
        else get_referenced(domain, "tokenizer", domain.spec_as(DomainSpec).tokenizer, plugins),
        "model": model,
    }
    if uses_cell:
        near = model if cell_name is None else None  # another plugin's cell of that name is not the default
        parts |= find_cells(_CELL if cell_name is None else cell_name, registry, hint, near)
    augmentation = config.augment or names.get("augmentation")
    if given.start is not None:
        augmentation = augmentation or given.start.augmentation_of(domain)
    if augmentation:
        parts["augmentation"] = registry.get("augmentation", augmentation, hint)
    return parts


def _recommended(parts: Mapping[str, Entry], fields: Mapping[str, list[str]], given: Layer) -> Layer:
    """Return the recommended options of this run: the model wins over the corpus, and the cells over both."""
    of_parts = (parts["corpus"].recommended, parts["model"].recommended, recommended_by_all(cells_of(parts)))
    known = keep_known(merge({"train": {}}, *of_parts), fields)
    if says_end(given.get("train", {})):
        known["train"] = without_ends(known["train"])
    return known

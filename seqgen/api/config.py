"""Resolution of a training configuration: parts found, options merged and checked, before anything is read."""

from __future__ import annotations

import contextlib
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
    Layer,
    TrainConfig,
    TrainSettings,
    assign,
    build_options,
    merge,
    read_toml,
    split_names,
    split_warning,
)
from seqgen.corpus import Corpus, title_of
from seqgen.errors import BadOption, SeqgenError, UsageError, did_you_mean
from seqgen.plugins import Plugins, get_referenced
from seqgen.protocols import learns
from seqgen.registry import Entry
from seqgen.specs import PARTS, CorpusSpec, DomainSpec, ModelSpec

if TYPE_CHECKING:
    from seqgen.api.warm_start import WarmStart

_MODEL, _CELL = "seqgen:recurrent", "gru"  # unless the user names others
_DEFAULT_STEPS = 2000
_ENDS = ("steps", "epochs", "time_s")
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
    """

    config: TrainConfig
    parts: Mapping[str, Entry]
    options: Layer
    train: TrainSettings
    layout: Layout
    conditions: tuple[str, ...]
    start: WarmStart | None = None
    open: frozenset[tuple[str, str]] = frozenset()

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
        held = self.config.valid, self.config.test
        return open_corpus(self.corpus, self.options["corpus"], *held, self.layout, new=new, plugins=plugins)


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
    flags = {part: config.part(part) for part in _FLAGGED}
    toml = read_toml(Path(config.config)) if config.config else {}
    if "reader" in toml:
        toml.setdefault("corpus", {})["reader_options"] = toml.pop("reader")
    if (config.valid or config.test) and toml.get("train", {}).pop("split", None) is not None:
        warn(f"the split of {str(config.config)!r} is not used, since held-out files are given")
    config = config.with_toml(toml)
    names = _names(toml, config.config)
    toml = with_layer_tables(toml)
    if start is not None:
        names = {**start.names, **start.checked(config, names, plugins)}
    assignments = fold_reader_options(split_names(config.options))
    parts, of_corpus, reading = _find_parts(config, assignments, names, toml, plugins, start, warn)
    fields = {part: entry.option_names() for part, entry in parts.items() if part in PARTS}
    fields |= cell_fields(parts, [*toml, *(part for part, _, _ in assignments if part)])
    fields["train"] = list(TrainSettings.model_fields)
    no_options = {part: getattr(parts[part].options_model, "no_options", {}) for part in fields if part in parts}
    layout = _layout(config, assignments, parts["corpus"], toml, start)
    conditions = tuple(dict.fromkeys(config.condition))
    if named := [field for field in conditions if "=" in field]:  # symbols of conditions are field=value
        raise BadOption(f"cannot condition on {named[0]!r}: a field with '=' in its name; rename it")
    if layout == "stream" and (conditions or "augmentation" in parts):
        raise BadOption("one long text (--layout stream) has no records to condition or to augment")
    if start is not None:
        conditions = start.conditions(layout, conditions)
    asked = merge(assign(assignments, fields, no_options), flags)
    given = merge(without_overruled(toml, asked), asked) | {"corpus": of_corpus}
    if parts["corpus"].qualified == FILE:
        of_corpus["layout"] = layout
    if (config.valid or config.test) and "split" in given.get("train", {}):
        raise BadOption("give held-out files (--valid-file, --test-file) or a --split, not both")
    if start is not None:
        config = start.filled_in(config, parts, given)
    _check_params(config, fields["model"], given.get("model", {}), toml.get("model", {}))
    known = _recommended(parts, fields, given) if start is None else _as_in(start, parts, fields, given)
    parts, known, given = by_layer(parts, known, given)
    merged = merge(_suiting(layout, reading), known, given)
    for part, values in merged.items():
        if part not in fields and part not in parts and values:
            raise BadOption(f"this run has no {part}, so no option {next(iter(values))!r} of one")
    names_by_part = [(part, name) for part, names in fields.items() for name in names]
    unsaid = {(part, name) for part, name in names_by_part if name not in merged.get(part, {})}
    if _ends_said(merged):
        unsaid -= {("train", end) for end in _ENDS}
    else:
        merged["train"]["steps"] = _DEFAULT_STEPS
    if config.workers is not None:
        merged["train"] |= {name: value for name, value in _SHARED.items() if name not in given.get("train", {})}
    train = TrainSettings(**build_options(TrainSettings, merged["train"], "train"))
    if line := split_warning(given.get("train", {}).get("split", "none")):
        warn(line)
    options = {part: entry.options(merged.get(part, {})) for part, entry in parts.items() if kind_of(part) in PARTS}
    if start is not None:
        start.check_options(options, parts, plugins)
    return ResolvedConfig(config, parts, options, train, layout, conditions, start, frozenset(unsaid))


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


def _layout(
    config: TrainConfig,
    assignments: Sequence[tuple[str | None, str, Any]],
    corpus: Entry,
    toml: Layer,
    start: WarmStart | None,
) -> Layout:
    """Return whether the corpus is read as records or as one long text.

    Raises:
        BadOption: neither, or the corpus has no such layout.
    """
    own = corpus.spec_as(CorpusSpec).layout
    assigned = [value for part, name, value in assignments if (part, name) in _LAYOUT_OPTION]
    wanted = config.layout or (str(assigned[-1]) if assigned else toml.get("corpus", {}).get("layout"))
    layout = wanted or (start.settings.corpus.layout if start is not None else own)
    if layout not in ("lines", "stream"):
        raise BadOption(f"a layout is lines or stream, not {layout!r}")
    if layout == "lines" and own == "stream":
        raise BadOption(f"corpus {corpus.spec.name} is one long text: it has no layout lines")
    return layout  # type: ignore[return-value]


def hint_on_keyword(keyword: str, names: Mapping[str, str | None], plugins: Plugins) -> str:
    """Return how to give an option that is taken for a keyword of ``train``; "" if no part has such an option.

    Args:
        keyword: the name.
        names: the names of the parts that the user gives, or None, by kind.
        plugins: the registered parts.
    """
    for kind, name in {**names, "model": names.get("model") or _MODEL}.items():
        for one in (name or "").split(",") if kind in PARTS else ():
            with contextlib.suppress(SeqgenError):  # there is no such part, or it is broken
                entry = plugins.registry.get(kind, one)
                if keyword in entry.option_names():
                    return f'; it is an option of the {entry.label}: write options={{"{kind}.{keyword}": ...}}'
    return ""


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


def _find_parts(
    config: TrainConfig,
    assignments: Sequence[tuple[str | None, str, Any]],
    names: Mapping[str, str],
    toml: Layer,
    plugins: Plugins,
    start: WarmStart | None,
    warn: Callable[[str], None],
) -> tuple[dict[str, Entry], dict[str, Any], Layer]:
    """Return the parts by kind, the given options of the corpus, and those by which its file is read."""
    registry, hint = plugins.registry, plugins.failed_hint
    wanted = config.corpus if config.corpus is not None else names.get("corpus")
    if wanted is None:
        known = ", ".join(name for name in registry.names("corpus") if name != "file") or "none"
        raise UsageError(f"say what to learn from: --corpus FILE or --corpus NAME; known names: {known}")
    corpus, implied = sort_out_corpus(wanted, plugins, warn)
    domain, reading = None, dict[str, Any]()
    if config.domain:
        domain = registry.get("domain", config.domain, hint)
    elif start is not None and (corpus.qualified == FILE or start.reads(corpus)):
        domain = registry.get("domain", start.settings.corpus.domain, hint)
    elif corpus.qualified != FILE:
        domain = get_referenced(corpus, "domain", corpus.spec_as(CorpusSpec).domain or "text", plugins)
    fields = corpus.option_names()
    assigned = {name: value for part, name, value in assignments if part == "corpus" or (not part and name in fields)}
    layers = [implied, toml.get("corpus", {}), assigned, config.part("corpus")]
    given = corpus_options(corpus, *layers, implied if config.corpus is not None else {})
    if corpus.qualified == FILE and given.get("path"):
        corpus.options({"path": given["path"]})  # refuses what is no path
        before = {} if start is None else start.columns(corpus, given)
        domain, reading = read_file_as(given, plugins, domain, before)
    elif domain is None:
        domain = plugins.registry.get("domain", "seqgen:text")
    tokenizer = config.tokenizer or names.get("tokenizer")
    model = registry.get("model", config.model or names.get("model") or _MODEL, hint)
    uses_cell = model.spec_as(ModelSpec).uses_cell
    cell_name = config.cell if config.cell is not None else names.get("cell")
    if not uses_cell and cell_name is not None:
        raise UsageError(f"the model {model.spec.name!r} is not made of cells: leave --cell {cell_name} out")
    parts = {
        "corpus": corpus,
        "domain": domain,
        "tokenizer": registry.get("tokenizer", tokenizer, hint)
        if tokenizer
        else get_referenced(domain, "tokenizer", domain.spec_as(DomainSpec).tokenizer, plugins),
        "model": model,
    }
    if uses_cell:
        near = model if cell_name is None else None  # another plugin's cell of that name is not the default
        parts |= find_cells(_CELL if cell_name is None else cell_name, registry, hint, near)
    augmentation = config.augment or names.get("augmentation") or (start.augmentation_of(domain) if start else None)
    if augmentation:
        parts["augmentation"] = registry.get("augmentation", augmentation, hint)
    return parts, given, {"corpus": reading}


def _recommended(parts: Mapping[str, Entry], fields: Mapping[str, list[str]], asked: Layer) -> Layer:
    """Return the recommended options of this run: the model wins over the corpus, and the cells over both."""
    of_parts = (parts["corpus"].recommended, parts["model"].recommended, recommended_by_all(cells_of(parts)))
    known = _existing(merge({"train": {}}, *of_parts), fields)
    if _ends_said(asked):
        known["train"] = _without_ends(known["train"])
    return known


def _as_in(start: WarmStart, parts: Mapping[str, Entry], fields: Mapping[str, list[str]], asked: Layer) -> Layer:
    """Return the options of the run to start from that still exist, with its end unless another is given.

    What another corpus recommends for training and as dropout wins over what served that of the run; sizes are those
    of the weights.

    Raises:
        BadOption: a part, or the same corpus, no longer has an option that the weights were made with.
    """
    corpus = parts["corpus"]
    other = None if start.reads(corpus) else corpus
    there = {name: part.options for name, part in start.parts.items()}
    there["corpus"] = dict(start.read_as(corpus, asked.get("corpus", {})))
    for kind, options in there.items():
        for name, value in options.items() if kind != "corpus" or other is None else ():
            if name not in fields.get(kind, ()):
                gone = f"the {kind} of that run had the option {name!r}, {value!r}, which it has no more"
                raise BadOption(f"{gone}: use the plugin as it was")
    there["train"] = start.train_settings(asked)
    better: Layer = {"train": {}}
    if other is not None:
        said = other.recommended
        better["train"] = dict(said.get("train", {}))
        better["model"] = {name: value for name, value in said.get("model", {}).items() if name == "dropout"}
    if _ends_said(asked):
        there["train"], better["train"] = map(_without_ends, (there["train"], better["train"]))
    elif _ends_said(better):
        there["train"] = _without_ends(there["train"])
    return merge(_existing(merge(there, better), fields), start.augmentation_options(parts.get("augmentation")))


def _without_ends(train: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in train.items() if name not in _ENDS}


def _ends_said(asked: Layer) -> bool:
    return any(asked.get("train", {}).get(end) is not None for end in _ENDS)


def _existing(layer: Layer, fields: Mapping[str, list[str]]) -> dict[str, dict[str, Any]]:
    """Return the options that this run has."""
    return {
        part: {name: value for name, value in values.items() if name in fields.get(part, ())}
        for part, values in layer.items()
    }

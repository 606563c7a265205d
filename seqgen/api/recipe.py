"""From what was asked to what will be done: names resolved, options merged and checked, before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from seqgen.api.environment import FILE, named_by, option_fields, sort_out_corpus
from seqgen.api.reading import read_file_as
from seqgen.api.recommended import as_in, recommended
from seqgen.api.request import Request, with_configuration
from seqgen.config import Layer, TrainSettings, assign, build_options, merge, read_toml
from seqgen.errors import BadOption, UsageError, did_you_mean
from seqgen.plugins import Plugins
from seqgen.registry import Entry
from seqgen.specs import PARTS, CorpusSpec, DomainSpec, ModelSpec

if TYPE_CHECKING:
    from seqgen.api.warm_start import Start

_CELL = "gru"  # unless the user names one
_STREAM = {"batch_size": 32}  # lanes of a long text, unless asked otherwise
_LAYOUT_OPTION = ((None, "layout"), ("corpus", "layout"))
Layout = Literal["lines", "stream"]
_RECOMMENDING = ("corpus", "model", "cell")  # a later one wins


@dataclass(frozen=True)
class Recipe:
    """A training whose every part and option is known.

    Attributes:
        corpus: the corpus.
        domain: what its texts are.
        tokenizer: the tokenizer.
        model: the model.
        cell: the cell, if the model is made of cells.
        options: every option of each part, defaults included.
        train: the settings of the training.
        valid: a file of validation records, or None.
        test: a file of test records, or None.
        params: the most parameters the model may have, or None if its width is given.
        layout: "lines" or "stream".
        conditions: "label" or fields that the model is told.
        augmentation: how records are written anew each epoch, or None.
        start: the run whose weights it begins with, or None.
    """

    corpus: Entry
    domain: Entry
    tokenizer: Entry
    model: Entry
    cell: Entry | None
    options: Layer
    train: TrainSettings
    valid: Path | None
    test: Path | None
    params: int | None
    layout: Layout
    conditions: tuple[str, ...]
    augmentation: Entry | None
    start: Start | None = None

    @property
    def title(self) -> str:
        """How people call the corpus."""
        return Path(self.options["corpus"]["path"]).stem if self.corpus.qualified == FILE else self.corpus.spec.name

    @property
    def entries(self) -> list[Entry]:
        """The specs behind all parts."""
        parts = [self.corpus, self.domain, self.tokenizer, self.model, self.cell, self.augmentation]
        return [part for part in parts if part is not None]


def resolve(request: Request, plugins: Plugins) -> Recipe:
    """Resolve names and options: a flag wins over the TOML file, that over what corpus, model and cell recommend.

    Of a training that begins with the weights of another run, what is not said is as it was there.

    Raises:
        UsageError: an unknown name, an unknown option or an impossible value.
    """
    if (request.valid or request.test) and "split" in request.flags.get("train", {}):
        raise BadOption("give held-out files (--valid-file, --test-file) or a --split, not both")
    toml = read_toml(request.config) if request.config else {}
    request = with_configuration(request, toml)
    names, start = _names(toml, request.config), request.start
    if start is not None:
        names = {**start.names, **start.checked(request, names, plugins)}
    parts, implied, reading = _find_parts(request, names, toml, plugins)
    fields = {part: option_fields(entry) for part, entry in parts.items() if part in PARTS}
    fields["train"] = list(TrainSettings.model_fields)
    layout = _layout(request, parts["corpus"], toml)
    conditions = tuple(dict.fromkeys(request.conditions))
    if layout == "stream" and (conditions or "augmentation" in parts):
        raise BadOption("one long text (--layout stream) has no records to condition or to augment")
    if start is not None:
        conditions = start.conditions(layout, conditions)
    if parts["corpus"].qualified == FILE:
        implied = merge(implied, {"corpus": {"layout": layout}})
    asked = merge(implied, toml, request.flags, assign(request.assignments, fields))
    if start is not None:
        request = start.filled_in(request, parts, asked)
    _check_params(request.params, fields["model"], asked.get("model", {}))
    if start is None:
        known = recommended([parts[part] for part in _RECOMMENDING if part in parts], fields, asked)
    else:
        corpus = parts["corpus"]
        read_as = start.read_as(corpus, asked.get("corpus", {}))
        known = as_in(start.settings, fields, asked, read_as, None if start.reads(corpus) else corpus)
        known = merge(known, start.augmentation_options(parts.get("augmentation")))
    merged = merge(_suiting(layout, reading), known, asked)
    for part, values in merged.items():
        if part not in fields and values:
            raise BadOption(f"this run has no {part}, so no option {next(iter(values))!r} of one")
    train = TrainSettings(**build_options(TrainSettings, merged["train"], "train"))
    options = {part: parts[part].options(merged.get(part, {})) for part in fields if part != "train"}
    if start is not None:
        start.check_options(options, parts, plugins)
    held_out = [None if path is None else Path(path) for path in (request.valid, request.test)]
    return Recipe(
        parts["corpus"],
        parts["domain"],
        parts["tokenizer"],
        parts["model"],
        parts.get("cell"),
        options,
        train,
        held_out[0],
        held_out[1],
        request.params,
        layout,
        conditions,
        parts.get("augmentation"),
        start,
    )


def _check_params(params: int | None, fields: Sequence[str], asked: Mapping[str, Any]) -> None:
    """Refuse a number of parameters that cannot choose the width of a model.

    Raises:
        BadOption: the model has no width, or it is given.
    """
    if params is not None and ("hidden" not in fields or "hidden" in asked):
        problem = "give --params or --hidden, not both" if "hidden" in fields else "this model has no width"
        raise BadOption(f"--params {params} chooses the width: {problem}")


def _suiting(layout: Layout, reading: Layer) -> Layer:
    """Return the options that suit a layout, and a file as it is read; whatever else is known of a run wins."""
    if layout == "lines":
        return reading
    of_fields = {name: value for name, value in reading["corpus"].items() if name != "trailing_names"}
    return {"train": _STREAM, "corpus": of_fields}


def _layout(request: Request, corpus: Entry, toml: Layer) -> Layout:
    """Whether the corpus is seen as records or as one long text.

    Raises:
        BadOption: neither, or what cannot be had with the other wishes.
    """
    assert isinstance(corpus.spec, CorpusSpec)
    assigned = [value for part, name, value in request.assignments if (part, name) in _LAYOUT_OPTION]
    wanted = request.layout or (str(assigned[-1]) if assigned else toml.get("corpus", {}).get("layout"))
    layout = wanted or (request.start.settings.corpus.layout if request.start is not None else corpus.spec.layout)
    if layout not in ("lines", "stream"):
        raise BadOption(f"a layout is lines or stream, not {layout!r}")
    if layout == "lines" and corpus.spec.layout == "stream":
        raise BadOption(f"corpus {corpus.spec.name} is one long text: it has no layout lines")
    return layout  # type: ignore[return-value]


def _names(toml: Layer, config: Path | None) -> dict[str, str]:
    """Take the names of parts out of the tables of a configuration."""
    for part, values in toml.items():
        if part not in PARTS:
            raise BadOption(f"{str(config)!r} has the table [{part}]{did_you_mean(part, PARTS)}")
        if not isinstance(values.get("name", ""), str):
            raise BadOption(f"{str(config)!r}: the name of [{part}] is {values['name']!r}, not a text")
    return {part: values.pop("name") for part, values in toml.items() if "name" in values and part != "train"}


def _said_of_corpus(request: Request, toml: Layer, fields: Sequence[str]) -> dict[str, Any]:
    """Return the corpus's options as far as they are given, a flag winning over the TOML file."""
    assigned = {name: value for part, name, value in request.assignments if part == "corpus" or name in fields}
    return {**toml.get("corpus", {}), **request.flags.get("corpus", {}), **assigned}


def _find_parts(
    request: Request, names: Mapping[str, str], toml: Layer, plugins: Plugins
) -> tuple[dict[str, Entry], Layer, Layer]:
    """The parts by kind, the options that the corpus's name implies, and those by which its file suits its domain."""
    registry, hint = plugins.registry, plugins.failed_hint()
    wanted = request.corpus if request.corpus is not None else names.get("corpus")
    if wanted is None:
        known = ", ".join(registry.names("corpus")) or "none is registered"
        raise UsageError(f"say what to learn from: --corpus NAME or --corpus FILE; names: {known}")
    corpus, implied = sort_out_corpus(wanted, plugins)
    assert isinstance(corpus.spec, CorpusSpec)
    domain, reading = None, dict[str, Any]()
    if request.domain:
        domain = registry.get("domain", request.domain, hint)
    elif request.start is not None and (corpus.qualified == FILE or request.start.reads(corpus)):
        domain = registry.get("domain", request.start.settings.corpus.domain, hint)
    elif corpus.qualified != FILE:
        domain = named_by(corpus, "domain", corpus.spec.domain or "text", plugins)
    said = implied | _said_of_corpus(request, toml, option_fields(corpus))
    if corpus.qualified == FILE and said.get("path"):
        domain, reading = read_file_as(corpus, said, plugins, domain)
    elif domain is None:
        domain = plugins.registry.get("domain", "seqgen:text")
    assert isinstance(domain.spec, DomainSpec)
    tokenizer = request.tokenizer or names.get("tokenizer")
    model = registry.get("model", request.model or names.get("model") or "recurrent", hint)
    assert isinstance(model.spec, ModelSpec)
    cell_name = request.cell if request.cell is not None else names.get("cell")
    if not model.spec.uses_cell and cell_name is not None:
        raise UsageError(f"the model {model.spec.name!r} is not made of cells: leave --cell {cell_name} out")
    parts = {
        "corpus": corpus,
        "domain": domain,
        "tokenizer": registry.get("tokenizer", tokenizer, hint)
        if tokenizer
        else named_by(domain, "tokenizer", domain.spec.tokenizer, plugins),
        "model": model,
    }
    if model.spec.uses_cell:
        near = model if cell_name is None else None  # a stranger's cell of that name is not the default
        parts["cell"] = registry.get("cell", _CELL if cell_name is None else cell_name, hint, near)
    augmentation = request.augment or names.get("augmentation")
    if augmentation is None and request.start is not None:
        augmentation = request.start.augmentation_of(domain)
    if augmentation:
        parts["augmentation"] = registry.get("augmentation", augmentation, hint)
    return parts, {"corpus": implied}, {"corpus": reading}

"""From what was asked to what will be done: names resolved, options merged and checked, before anything is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqgen.api.setup import file_options, option_fields, sort_out_corpus
from seqgen.config import Layer, TrainSettings, assign, build_options, merge, options_model, read_toml
from seqgen.errors import BadOption, UsageError, did_you_mean
from seqgen.plugins import Plugins
from seqgen.registry import Entry
from seqgen.specs import PARTS, CellSpec, CorpusSpec, DomainSpec, ModelSpec

DEFAULT_STEPS = 2000
_ENDS = ("steps", "epochs", "time_s")


@dataclass(frozen=True)
class Request:
    """What a user asks of a training; None and empty mean: not said.

    Attributes:
        corpus: a registered name, or a file.
        cell: the cell's name.
        model: the model's name.
        tokenizer: the tokenizer's name.
        domain: the domain's name.
        valid: a file of validation records.
        test: a file of test records.
        flags: options by part.
        assignments: (part or None, name, value), as ``-o`` gives them.
        config: a TOML file.
    """

    corpus: str | Path | None = None
    cell: str | None = None
    model: str | None = None
    tokenizer: str | None = None
    domain: str | None = None
    valid: str | Path | None = None
    test: str | Path | None = None
    flags: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    assignments: Iterable[tuple[str | None, str, Any]] = ()
    config: Path | None = None


@dataclass(frozen=True)
class Recipe:
    """A training whose every part and option is known.

    Attributes:
        corpus: a registered corpus, or a file.
        domain: what its texts are.
        tokenizer: the tokenizer.
        model: the model.
        cell: the cell, if the model is made of cells.
        options: every option of each part, defaults included.
        train: the settings of the training.
        valid: a file of validation records, or None.
        test: a file of test records, or None.
    """

    corpus: Entry | Path
    domain: Entry
    tokenizer: Entry
    model: Entry
    cell: Entry | None
    options: Layer
    train: TrainSettings
    valid: Path | None
    test: Path | None

    @property
    def title(self) -> str:
        """How people call the corpus."""
        return self.corpus.stem if isinstance(self.corpus, Path) else self.corpus.spec.name

    @property
    def entries(self) -> list[Entry]:
        """The specs behind all parts."""
        parts = (self.corpus, self.domain, self.tokenizer, self.model, self.cell)
        return [part for part in parts if isinstance(part, Entry)]


def resolve(request: Request, plugins: Plugins) -> Recipe:
    """Resolve names and options: a flag wins over the TOML file, that over what corpus, model and cell recommend.

    Raises:
        UsageError: an unknown name, an unknown option or an impossible value.
    """
    toml = read_toml(request.config) if request.config else {}
    for part in toml:
        if part not in PARTS:
            raise BadOption(f"{str(request.config)!r} has the table [{part}]{did_you_mean(part, PARTS)}")
    names = {part: values.pop("name") for part, values in toml.items() if "name" in values and part != "train"}
    parts = _find_parts(request, names, plugins)
    corpus, model, cell = parts["corpus"], parts["model"], parts["cell"]
    fields = {part: option_fields(parts[part]) for part in ("tokenizer", "model", "cell") if parts[part]}
    if isinstance(corpus, Path):
        fields["corpus"] = list(options_model(file_options()).model_fields.keys())
    else:
        fields["corpus"] = option_fields(corpus)
    fields["train"] = list(TrainSettings.model_fields)
    asked = merge(toml, request.flags, assign(request.assignments, fields))
    merged = merge(_recommended((corpus, model, cell), fields, asked), asked)
    for part in merged:
        if part not in fields and merged[part]:
            raise BadOption(f"this run has no {part}, so no option {next(iter(merged[part]))!r} of one")
    options: Layer = {}
    for part in ("tokenizer", "model", "cell"):
        if part in fields:
            options[part] = parts[part].options(merged.get(part, {}))
    if isinstance(corpus, Path):
        file_model = options_model(file_options())
        options["corpus"] = build_options(file_model, merged.get("corpus", {}), "a corpus file")
    else:
        options["corpus"] = corpus.options(merged.get("corpus", {}))
    train = TrainSettings(**build_options(TrainSettings, merged["train"], "train"))
    held_out = [None if path is None else Path(path) for path in (request.valid, request.test)]
    return Recipe(corpus, parts["domain"], parts["tokenizer"], model, cell, options, train, held_out[0], held_out[1])


def _find_parts(request: Request, names: Mapping[str, str], plugins: Plugins) -> dict[str, Any]:
    registry, hint = plugins.registry, plugins.broken_hint()
    wanted = request.corpus if request.corpus is not None else names.get("corpus")
    if wanted is None:
        known = ", ".join(registry.names("corpus")) or "none is registered"
        raise UsageError(f"say what to learn from: --corpus NAME or --corpus FILE; names: {known}")
    corpus = sort_out_corpus(wanted, plugins)
    own_domain = corpus.spec.domain if isinstance(corpus, Entry) and isinstance(corpus.spec, CorpusSpec) else None
    domain = registry.get("domain", request.domain or own_domain or "text", hint)
    assert isinstance(domain.spec, DomainSpec)
    tokenizer = request.tokenizer or names.get("tokenizer") or domain.spec.tokenizer
    model = registry.get("model", request.model or names.get("model") or "recurrent", hint)
    assert isinstance(model.spec, ModelSpec)
    cell_name = request.cell or names.get("cell")
    if not model.spec.uses_cell and cell_name:
        raise UsageError(f"the model {model.spec.name!r} is not made of cells: leave --cell {cell_name} out")
    cell = registry.get("cell", cell_name or "gru", hint) if model.spec.uses_cell else None
    return {
        "corpus": corpus,
        "domain": domain,
        "tokenizer": registry.get("tokenizer", tokenizer, hint),
        "model": model,
        "cell": cell,
    }


def _recommended(parts: Iterable[Any], fields: Mapping[str, list[str]], asked: Layer) -> Layer:
    """What the parts recommend, as far as this run has such options; a later part wins over an earlier one."""
    specs = [part.spec for part in parts if isinstance(part, Entry)]
    layers = [spec.recommended for spec in specs if isinstance(spec, CorpusSpec | ModelSpec | CellSpec)]
    merged = merge({"train": {}}, *layers)
    known = {
        part: {name: value for name, value in values.items() if name in fields.get(part, ())}
        for part, values in merged.items()
    }
    if any(asked.get("train", {}).get(end) is not None for end in _ENDS):
        known["train"] = {name: value for name, value in known["train"].items() if name not in _ENDS}
    elif not any(end in known["train"] for end in _ENDS):
        known["train"]["steps"] = DEFAULT_STEPS
    return known

"""Warm start: a training run that starts from the weights of another run."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.api.corpora import FILE
from seqgen.api.factories import blank_model, difference, part_entry, read_vocabulary
from seqgen.api.layer_cells import by_part, cell_settings, kind_of, split_cells
from seqgen.api.missing_plugin import changed_plugins
from seqgen.checkpoint import (
    PartSettings,
    RunFolder,
    RunSettings,
    Snapshot,
    WarmStartSettings,
    find_run,
    lengths_with_refit,
)
from seqgen.config import keep_known, merge, says_end, without_ends
from seqgen.corpus import find_places, guess_form, is_address, is_pattern, name_of, real_paths, suffix_of
from seqgen.errors import BadOption, CheckpointError, NoSuchRun, SeqgenError, short_repr
from seqgen.plugins import Plugins
from seqgen.protocols import learns
from seqgen.registry import Entry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from seqgen.config import Layer, TrainConfig
    from seqgen.tokenizers import Vocabulary


_COLUMNS, _OF_READER = ("text_field", "label_field"), ("reader", "reader_options")
_OF_FORM = ("form", *_COLUMNS, "fields", "separator", "trailing_names", "headings", *_OF_READER)  # a file of some form


@dataclass(frozen=True)
class WarmStart:
    """The run whose weights another run starts from.

    Attributes:
        folder: its folder.
        settings: its run.json.
        vocabulary: its symbols.
        snapshot: its checkpoint, without the state of the optimizer.
    """

    folder: RunFolder
    settings: RunSettings
    vocabulary: Vocabulary
    snapshot: Snapshot

    @property
    def recorded(self) -> WarmStartSettings:
        """The entry ``start`` of the new run's run.json."""
        from safetensors.torch import save

        digest = hashlib.sha256(save(dict(self.snapshot.model))).hexdigest()
        return WarmStartSettings(run=str(self.folder.path.resolve()), step=self.snapshot.state["step"], sha256=digest)

    @property
    def parts(self) -> dict[str, PartSettings]:
        """The parts whose weights these are: model, tokenizer, and cell or cell.1, cell.2 and so on."""
        own = self.settings
        return {"model": own.model, "tokenizer": own.tokenizer, **by_part(own.cells)}

    @property
    def names(self) -> dict[str, str]:
        """The names of its parts and of its corpus, by kind; those of a stack of cells with commas between."""
        own = self.settings
        found = {"model": own.model.name, "tokenizer": own.tokenizer.name, "corpus": own.corpus.name}
        return found | ({"cell": ",".join(part.name for part in own.cells)} if own.cells else {})

    def reads(self, corpus: Entry) -> bool:
        """Return whether a corpus is read as the one of this run was, maybe from another file."""
        return corpus.qualified == self.settings.corpus.name

    def is_of(self, corpus: Entry, options: Mapping[str, Any]) -> bool:
        """Return whether a corpus, with the options that are given, is the one that this run was trained on."""
        own = self.settings.corpus.options.get("path")
        path = options.get("path", own)
        same = path == own or (path is not None and own is not None and real_paths(path) == real_paths(own))
        return same and self.reads(corpus)

    def read_as(self, corpus: Entry, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the options by which this run's corpus was read; without those of fields if the form differs.

        The columns of another file are found anew; see ``columns``.
        """
        if not self.reads(corpus):
            return {}
        own = self.settings.corpus.options
        if corpus.qualified != FILE:
            return own
        if "path" not in options:
            return own
        left_out = _COLUMNS if self._has_form(options["path"]) else _OF_FORM
        if _suffixes(own["path"]) != _suffixes(options["path"]):
            left_out = (*left_out, *_OF_READER)
        return {name: value for name, value in own.items() if value is not None and name not in left_out}

    def columns(self, corpus: Entry, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the columns that this run's file was read from, if another one of its form is read."""
        if not (corpus.qualified == FILE and self.reads(corpus) and self._has_form(options["path"])):
            return {}
        return {name: self.settings.corpus.options.get(name) for name in (*_COLUMNS, "fields")}

    def _has_form(self, path: Any) -> bool:
        """Return whether a path has the form of this run's file."""
        own = self.settings.corpus.options
        said = own.get("form", "auto")
        before, now = (_form_of(one) or (said if said != "auto" else "text") for one in (own["path"], path))
        return bool(now == (before if said == "auto" else said))

    def checked(self, config: TrainConfig, names: Mapping[str, str], plugins: Plugins) -> Mapping[str, str]:
        """Return the names of parts that a TOML file gives, once they and the user's are those of the weights.

        Raises:
            BadOption: a model, cell or tokenizer is another, or another width is to be solved for.
        """
        if config.params is not None:
            raise BadOption(f"--from {self.folder.name}: its weights have their width, so --params cannot choose one")
        given = {"model": config.model, "cell": config.cell, "tokenizer": config.tokenizer}
        for kind, flag in given.items():
            name, own = flag or names.get(kind), self.names.get(kind)
            if name is None:
                continue
            asked = split_cells(name) if kind == "cell" else [name]
            if ",".join(plugins.registry.get(kind, one).qualified for one in asked) != own:
                raise BadOption(f"--from {self.folder.name}: its {kind} is {own or 'none'}, so it cannot be {name!r}")
        return names

    def filled_in(self, config: TrainConfig, parts: Mapping[str, Entry], given: Layer) -> TrainConfig:
        """Return the configuration, on the same corpus with the held-out files of this run.

        Raises:
            BadOption: a file of that run that would be read is gone.
        """
        corpus = self.settings.corpus
        if not self.is_of(parts["corpus"], given.get("corpus", {})):
            return config
        if parts["corpus"].qualified == FILE:
            self._need(corpus.options["path"], "corpus", "--corpus")
        held_out, split = {"valid": corpus.valid, "test": corpus.test}, given.get("train", {}).get("split")
        if config.valid or config.test:
            return config
        if split is not None and not config.model_copy(update=held_out).takes_split(corpus.layout, split):
            return config
        for part, file in held_out.items():
            if file is not None:
                self._need(file, f"{part} file", f"--{part}-file or --split")
        return config.model_copy(update=held_out)

    def recommended(self, parts: Mapping[str, Entry], fields: Mapping[str, list[str]], given: Layer) -> Layer:
        """Return the options of this run that still exist, with its end unless another is given.

        What another corpus recommends for training and as dropout wins over what served that of this run; sizes are
        those of the weights.

        Args:
            parts: of the new run.
            fields: the names of their options, and of those of training.
            given: the options that the user gives.

        Raises:
            BadOption: a part, or the same corpus, no longer has an option that the weights were made with.
        """
        corpus = parts["corpus"]
        other = None if self.reads(corpus) else corpus
        there = {name: part.options for name, part in self.parts.items()}
        there["corpus"] = dict(self.read_as(corpus, given.get("corpus", {})))
        for kind, options in there.items():
            for name, value in options.items() if kind != "corpus" or other is None else ():
                if name not in fields.get(kind, ()):
                    gone = f"the {kind} of that run had the option {name!r}, {value!r}, which it has no more"
                    raise BadOption(f"{gone}: use the plugin as it was")
        there["train"] = self.train_settings(given)
        better: Layer = {"train": {}}
        if other is not None:
            said = other.recommended
            better["train"] = dict(said.get("train", {}))
            better["model"] = {name: value for name, value in said.get("model", {}).items() if name == "dropout"}
        if says_end(given.get("train", {})):
            there["train"], better["train"] = map(without_ends, (there["train"], better["train"]))
        elif says_end(better["train"]):
            there["train"] = without_ends(there["train"])
        return merge(keep_known(merge(there, better), fields), self.augmentation_options(parts.get("augmentation")))

    def augmentation_of(self, domain: Entry) -> str | None:
        """Return the name of its augmentation, if the domain is the same."""
        own = self.settings.augmentation
        return own.name if own is not None and domain.qualified == self.settings.corpus.domain else None

    def augmentation_options(self, augmentation: Entry | None) -> Layer:
        """Return the options of its augmentation, if the new run uses the same."""
        own = self.settings.augmentation
        same = own is not None and augmentation is not None and own.name == augmentation.qualified
        return {"augmentation": dict(own.options)} if own is not None and same else {}

    def train_settings(self, asked: Layer) -> dict[str, Any]:
        """Return its settings of training, but for those that were decided for its list.

        Args:
            asked: the options of this training; without counts it is without what records repeat as well.
        """
        left_out = {"best_by", "exponents", "refit"}
        if self.settings.refit is not None:  # these were decided by the held-out records of its first run
            left_out |= {"blend", "repeats"}
        if asked.get("train", {}).get("blend") == "none":
            left_out.add("repeats")
        train, parts = self.settings.train, self.settings.corpus.parts
        given = train.model_dump(exclude=left_out)
        if train.refit and train.time_s is not None:  # the limit of both runs, of which this one got a share
            given["time_s"] = round(train.time_s * lengths_with_refit(parts["train"], parts["valid"]), 6)
        return given

    def _need(self, paths: str | Sequence[str], what: str, option: str) -> None:
        for path in [paths] if isinstance(paths, str) else paths:
            if not (Path(path).exists() or is_pattern(path) or is_address(path)):
                raise BadOption(f"--from {self.folder.name}: its {what} {path!r} is gone: give another by {option}")

    def check_options(self, options: Layer, parts: Mapping[str, Entry], plugins: Plugins) -> None:
        """Refuse options with which model, cell or tokenizer would be others than those of the weights.

        Args:
            options: of this training.
            parts: whose options they are.
            plugins: what these come from.

        Raises:
            BadOption: they would be.
        """
        own, name = self.settings, self.folder.name
        stored = self.parts
        if "cell" in stored and "cell" not in parts:  # layers with options of their own
            same = stored.pop("cell")
            stored |= {part: same for part in parts if kind_of(part) == "cell"}
        differing = {
            kind: _differing(options[kind], _as_now(parts[kind], part.options)) for kind, part in stored.items()
        }
        if differing["tokenizer"]:
            raise BadOption(f"--from {name}: its tokenizer has {'; '.join(differing['tokenizer'])}")
        cell, model = cell_settings(parts, options), PartSettings(name=own.model.name, options=options["model"])
        blank = blank_model(plugins, own.model_copy(update={"model": model, "cell": cell}))
        if learns(blank):
            raise BadOption(f"--from {name}: its model counts and has no weights to start from")
        if blank is not None and (problem := difference(self.snapshot.model, blank.state_dict())):
            asked = [f"{part}.{line}" for part in stored if part != "tokenizer" for line in differing[part]]
            problem = f"they have {'; '.join(asked)}" if asked else problem
            raise BadOption(f"--from {name}: its weights do not fit the model that is asked for: {problem}")

    def load_into(self, model: nn.Module, vocabulary: Vocabulary) -> None:
        """Load the weights into a fresh model; those of new symbols stay fresh.

        Raises:
            BadOption: the model or the vocabulary is another than theirs.
        """
        import torch

        from seqgen.tokenizers import map_ids

        try:
            places = torch.tensor(map_ids(vocabulary, self.vocabulary))
        except KeyError as error:
            problem = f"its symbol {short_repr(error.args[0], 40)} is not in the vocabulary"
            raise BadOption(f"--from {self.folder.name}: {problem}") from None
        sizes = self.vocabulary.size, vocabulary.size
        fresh, known = model.state_dict(), self.snapshot.model
        moved = {
            name: _moved(tensor, fresh[name], places, sizes) if name in fresh else tensor
            for name, tensor in known.items()
        }
        if problem := difference(moved, fresh):
            raise BadOption(f"--from {self.folder.name}: its weights do not fit the model that is asked for: {problem}")
        model.load_state_dict(moved)

    def conditions(self, layout: str, asked: tuple[str, ...]) -> tuple[str, ...]:
        """Return the conditions of the weights.

        Raises:
            BadOption: others are asked for, or another layout.
        """
        own = self.settings
        if layout != own.corpus.layout:
            raise BadOption(f"--from {self.folder.name}: it learned {own.corpus.layout}, so it cannot learn {layout}")
        if asked and set(asked) != set(own.conditions):
            now = f"it is conditioned on {', '.join(own.conditions)}" if own.conditions else "it has no conditions"
            raise BadOption(f"--from {self.folder.name}: {now}, so --condition cannot be {', '.join(asked)}")
        return own.conditions


def find_warm_start(run: str | PathLike[str], plugins: Plugins, warn: Callable[[str], None]) -> WarmStart:
    """Return the run to start from, with its best checkpoint.

    Raises:
        NoSuchRun: there is none.
        CheckpointError: no checkpoint can be used, or a plugin is missing.
    """
    folder = find_run(run)
    settings = folder.settings()
    for part, own in (("model", settings.model), *(("cell", cell) for cell in settings.cells)):
        part_entry(plugins, part, own.name, settings)
    for line in changed_plugins(plugins, settings):
        warn(line)
    vocabulary, snapshot = read_vocabulary(folder, settings, plugins), folder.load_best(warn)
    return WarmStart(folder, settings, vocabulary, replace(snapshot, train={}))


def _as_now(entry: Entry, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options of a run as the part declares them now; new ones have their defaults."""
    known = entry.option_names()
    return entry.options({name: value for name, value in stored.items() if name in known})


def _differing(asked: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    return [f"{name} {own[name]!r}, not {value!r}" for name, value in asked.items() if own[name] != value]


def _suffixes(path: str | Sequence[str]) -> set[str]:
    """Return the suffixes of the files of one path or of several; of the paths, where these are gone."""
    with contextlib.suppress(SeqgenError):
        return {suffix_of(name_of(place)) for place in find_places(path)}
    return {suffix_of(one) for one in ([path] if isinstance(path, str) else path)}


def _form_of(path: str | Sequence[str]) -> str | None:
    """Return the form of a file, or of the first of several files, by its suffix; None if it is gone."""
    with contextlib.suppress(SeqgenError):
        return guess_form(name_of(find_places(path)[0]))
    return None


def reload_warm_start(recorded: WarmStartSettings, plugins: Plugins) -> WarmStart:
    """Return the weights that a run started from, for one that has no checkpoint of its own yet.

    Raises:
        CheckpointError: they are gone, or others now.
    """
    problem = "has no checkpoint yet, and the weights of {} that it started from are {}: train it anew"
    try:
        folder = find_run(Path(recorded.run), Path(recorded.run).parent)
        settings = folder.settings()
        start = WarmStart(folder, settings, read_vocabulary(folder, settings, plugins), folder.load(recorded.step))
    except (NoSuchRun, CheckpointError) as error:
        raise CheckpointError(f"the run {problem.format(short_repr(recorded.run, 200), 'gone')} ({error})") from None
    if start.recorded.sha256 != recorded.sha256:
        raise CheckpointError(f"the run {problem.format(short_repr(recorded.run, 200), 'no longer the same')}")
    return start


def _moved(known: Tensor, fresh: Tensor, places: Tensor, sizes: tuple[int, int]) -> Tensor:
    """Return a tensor with the trained entries of known symbols, along each dimension that has grown."""
    if known.ndim != fresh.ndim:
        return known
    pairs = list(enumerate(zip(known.shape, fresh.shape, strict=True)))
    grown = [dim for dim, pair in pairs if pair == sizes and pair[0] != pair[1]]
    moved = known
    for at, dim in enumerate(grown):
        base = fresh
        for later in grown[at + 1 :]:
            base = base.index_select(later, places)
        if any(base.shape[other] != moved.shape[other] for other in range(base.ndim) if other != dim):
            return known
        moved = base.index_copy(dim, places, moved.to(base.dtype))
    return moved

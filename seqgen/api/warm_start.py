"""A training that begins with the weights of another run: what it takes over, and what must then be as it was there."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.api.environment import FILE, ignore, option_fields
from seqgen.api.factories import changed_plugins, part_entry, read_vocabulary
from seqgen.checkpoint import PartSettings, RunFolder, RunSettings, Snapshot, WarmStartSettings, find_run
from seqgen.corpus import guess_form
from seqgen.errors import BadOption, CheckpointError, NoSuchRun
from seqgen.plugins import Plugins
from seqgen.registry import Entry
from seqgen.render import visible

if TYPE_CHECKING:
    from seqgen.api.data import Data
    from seqgen.api.recipe import Recipe
    from seqgen.api.request import Request
    from seqgen.config import Layer
    from seqgen.tokenizers import Vocabulary


_SHOWN = 12  # new symbols
_OF_FORM = (
    "form",
    "text_field",
    "label_field",
    "fields",
    "separator",
    "trailing_names",
)  # options of a file of some form


@dataclass(frozen=True)
class Start:
    """The run whose weights a training begins with.

    Attributes:
        folder: where it is.
        settings: its run.json.
        vocabulary: its symbols.
        snapshot: its checkpoint, of which the optimizer's part is left out.
    """

    folder: RunFolder
    settings: RunSettings
    vocabulary: Vocabulary
    snapshot: Snapshot

    @property
    def said(self) -> WarmStartSettings:
        """What run.json says of it."""
        from safetensors.torch import save

        digest = hashlib.sha256(save(dict(self.snapshot.model))).hexdigest()
        return WarmStartSettings(run=str(self.folder.path.resolve()), step=self.snapshot.state["step"], sha256=digest)

    @property
    def parts(self) -> dict[str, PartSettings]:
        """What the weights are of, by kind."""
        own = self.settings
        found = {"model": own.model, "cell": own.cell, "tokenizer": own.tokenizer}
        return {kind: part for kind, part in found.items() if part is not None}

    @property
    def names(self) -> dict[str, str]:
        """The names of its parts and of its corpus, by kind."""
        return {kind: part.name for kind, part in self.parts.items()} | {"corpus": self.settings.corpus.name}

    def reads(self, corpus: Entry) -> bool:
        """Whether a corpus is read as the one of this run was, maybe from elsewhere."""
        return corpus.qualified == self.settings.corpus.name

    def is_of(self, corpus: Entry, options: Mapping[str, Any]) -> bool:
        """Whether a corpus, with the options that are said, is the one that this run has learned from."""
        own = self.settings.corpus.options.get("path")
        path = options.get("path", own)
        return self.reads(corpus) and (path == own or (None not in (path, own) and _place(path) == _place(own)))

    def read_as(self, corpus: Entry, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """The options by which a corpus is read as this run's was: without those of fields if its form is another."""
        if not self.reads(corpus):
            return {}
        own = self.settings.corpus.options
        if corpus.qualified != FILE:
            return own
        said, paths = own.get("form", "auto"), (own["path"], options.get("path", own["path"]))
        before, now = (guess_form(Path(path)) or (said if said != "auto" else "text") for path in paths)
        same = now == (before if said == "auto" else said)
        return own if same else {name: value for name, value in own.items() if name not in _OF_FORM}

    def checked(self, request: Request, names: Mapping[str, str], plugins: Plugins) -> Mapping[str, str]:
        """The names of parts that a file gives, where they and those asked for are the ones of the weights.

        Raises:
            BadOption: a model, cell or tokenizer is another, or another width is to be solved for.
        """
        if request.params is not None:
            raise BadOption(f"--from {self.folder.name}: its weights have their width, so --params cannot choose one")
        asked = {"model": request.model, "cell": request.cell, "tokenizer": request.tokenizer}
        for kind, flag in asked.items():
            name, own = flag or names.get(kind), self.names.get(kind)
            if name is not None and plugins.registry.get(kind, name).qualified != own:
                raise BadOption(f"--from {self.folder.name}: its {kind} is {own or 'none'}, so it cannot be {name!r}")
        return names

    def filled_in(self, request: Request, parts: Mapping[str, Entry], asked: Layer) -> Request:
        """What is asked, on the same corpus its held-out files too.

        Raises:
            BadOption: a file of that run that would be read is gone.
        """
        corpus = self.settings.corpus
        if not self.is_of(parts["corpus"], asked.get("corpus", {})):
            return request
        if parts["corpus"].qualified == FILE:
            self._need(corpus.options["path"], "corpus", "--corpus")
        if not (request.valid or request.test or "split" in asked.get("train", {})):
            for file, part in ((corpus.valid, "valid"), (corpus.test, "test")):
                if file is not None:
                    self._need(file, f"{part} file", f"--{part}-file or --split")
            request = replace(request, valid=corpus.valid, test=corpus.test)
        return request

    def augmentation_of(self, domain: Entry) -> str | None:
        """The name of its augmentation, if texts are of the domain that this is for."""
        own = self.settings.augmentation
        return own.name if own is not None and domain.qualified == self.settings.corpus.domain else None

    def augmentation_options(self, augmentation: Entry | None) -> Layer:
        """The options of its augmentation, if that is the one that is wanted."""
        own = self.settings.augmentation
        same = own is not None and augmentation is not None and own.name == augmentation.qualified
        return {"augmentation": dict(own.options)} if own is not None and same else {}

    def _need(self, path: str, what: str, option: str) -> None:
        if not Path(path).exists():
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
        from seqgen.api.rebuild import blank_model, difference

        own, name = self.settings, self.folder.name
        others = {
            kind: _differing(options[kind], _as_now(parts[kind], part.options)) for kind, part in self.parts.items()
        }
        if others["tokenizer"]:
            raise BadOption(f"--from {name}: its tokenizer has {'; '.join(others['tokenizer'])}")
        cell = None if own.cell is None else PartSettings(name=own.cell.name, options=options["cell"])
        model = PartSettings(name=own.model.name, options=options["model"])
        blank = blank_model(plugins, own.model_copy(update={"model": model, "cell": cell}))
        if hasattr(blank, "learn"):
            raise BadOption(f"--from {name}: its model counts, it has no weights to go on from")
        if blank is not None and (problem := difference(self.snapshot.model, blank.state_dict())):
            asked = [f"{part}.{line}" for part in ("model", "cell") for line in others.get(part, ())]
            problem = f"they have {'; '.join(asked)}" if asked else problem
            raise BadOption(f"--from {name}: its weights do not fit the model that is asked for: {problem}")

    def remarks(self, data: Data, recipe: Recipe) -> list[str]:
        """What a person should know who goes on with these weights on a corpus, a line each."""
        from seqgen.tokenizers import new_tokens

        lines, own = [], self.settings
        given_NC = getattr(data.encoded["train"], "conditions_NC", None)
        if given_NC is not None and not given_NC.any():
            asked = " or ".join(own.conditions)
            way = "--label-field or -o fields= says where it stands"
            lines.append(f"no record has {asked}, which {self.folder.name} was told: {way}")
        if new := new_tokens(data.vocabulary, self.vocabulary):
            shown = " ".join(map(_told, new[:_SHOWN])) + (" ..." if len(new) > _SHOWN else "")
            lines.append(f"{self.folder.name} has not learned {len(new)} of the symbols, which start fresh: {shown}")
        files = [None if path is None else str(path.resolve()) for path in (recipe.valid, recipe.test)]
        now = recipe.train.split, recipe.train.split_seed, *files
        before = own.train.split, own.train.split_seed, own.corpus.valid, own.corpus.test
        held_out = len(data.encoded["valid"]) + len(data.encoded["test"])
        same = data.survey.digest == own.corpus.digest or self.is_of(recipe.corpus, recipe.options["corpus"])
        if held_out and now != before and same:
            lines.append(
                f"other records are held out than in {self.folder.name}, which has learned from some of them: losses "
                "on them say little"
            )
        return lines

    def conditions(self, layout: str, asked: tuple[str, ...]) -> tuple[str, ...]:
        """The conditions of the weights.

        Raises:
            BadOption: others are asked for, or another layout.
        """
        own = self.settings
        if layout != own.corpus.layout:
            raise BadOption(f"--from {self.folder.name}: it learned {own.corpus.layout}, so it cannot learn {layout}")
        if asked and set(asked) != set(own.conditions):
            told = f"told {', '.join(own.conditions)}" if own.conditions else "not told any condition"
            raise BadOption(f"--from {self.folder.name}: it was {told}, so it cannot be told {', '.join(asked)}")
        return own.conditions


def find_start(run: str | Path, base: Path, plugins: Plugins, warn: Callable[[str], None] = ignore) -> Start:
    """A run to begin with: its best checkpoint.

    Raises:
        NoSuchRun: there is none.
        CheckpointError: no checkpoint can be used, or a plugin is missing.
    """
    folder = find_run(run, base)
    settings = folder.settings()
    for kind, part in (("model", settings.model), ("cell", settings.cell)):
        if part is not None:
            part_entry(plugins, kind, part.name, settings)
    for line in changed_plugins(plugins, settings):
        warn(line)
    vocabulary, snapshot = read_vocabulary(folder, settings, plugins), folder.load_best(warn)
    return Start(folder, settings, vocabulary, replace(snapshot, train={}))


def _as_now(entry: Entry, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Options of a run as they are called now; one that has come since has its default."""
    known = option_fields(entry)
    return entry.options({name: value for name, value in stored.items() if name in known})


def _differing(asked: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    return [f"{name} {own[name]!r}, not {value!r}" for name, value in asked.items() if own[name] != value]


def _told(symbol: str) -> str:
    """A symbol as it is seen: what is blank or stands on another by its number."""
    blank = len(symbol) == 1 and unicodedata.category(symbol)[0] in "ZM"
    return f"U+{ord(symbol):04X}" if blank else visible(symbol)


def _place(path: object) -> str:
    return os.path.realpath(str(path))


def start_again(said: WarmStartSettings, plugins: Plugins) -> Start:
    """The weights that a run began with, for one that has no checkpoint of its own yet.

    Raises:
        CheckpointError: they are gone, or others now.
    """
    problem = "has no checkpoint yet, and the weights of {!r:.200} that it began with are {}: train it anew"
    try:
        folder = find_run(Path(said.run), Path(said.run).parent)
        settings = folder.settings()
        start = Start(folder, settings, read_vocabulary(folder, settings, plugins), folder.load(said.step))
    except (NoSuchRun, CheckpointError) as error:
        raise CheckpointError(f"the run {problem.format(said.run, 'gone')} ({error})") from None
    if start.said.sha256 != said.sha256:
        raise CheckpointError(f"the run {problem.format(said.run, 'others now')}")
    return start

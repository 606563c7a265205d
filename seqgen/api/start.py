"""A training that begins with the weights of another run: what it takes over, and what must then be as it was there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.api.parts import read_vocabulary
from seqgen.api.setup import ignore
from seqgen.checkpoint import RunFolder, RunSettings, Snapshot, StartSettings, find_run
from seqgen.errors import BadOption, CheckpointError, NoSuchRun
from seqgen.plugins import Plugins
from seqgen.registry import Entry
from seqgen.render import visible

if TYPE_CHECKING:
    from torch import Tensor, nn

    from seqgen.api.data import Data
    from seqgen.api.request import Request
    from seqgen.config import TrainSettings
    from seqgen.tokenizers import Vocabulary


_SHOWN = 12  # new symbols


@dataclass(frozen=True)
class Start:
    """The run whose weights a training begins with.

    Attributes:
        folder: where it is.
        settings: its run.json.
        vocabulary: its symbols.
        snapshot: its checkpoint.
    """

    folder: RunFolder
    settings: RunSettings
    vocabulary: Vocabulary
    snapshot: Snapshot

    @property
    def said(self) -> StartSettings:
        """What run.json says of it."""
        from safetensors.torch import save

        digest = hashlib.sha256(save(dict(self.snapshot.model))).hexdigest()
        return StartSettings(run=str(self.folder.path.resolve()), step=self.snapshot.state["step"], sha256=digest)

    @property
    def names(self) -> dict[str, str]:
        """Its parts, by kind."""
        settings = self.settings
        parts = {"model": settings.model, "cell": settings.cell, "tokenizer": settings.tokenizer}
        return {kind: part.name for kind, part in parts.items() if part is not None} | {"corpus": settings.corpus.name}

    def is_of(self, corpus: Entry, implied: Mapping[str, Any]) -> bool:
        """Whether a corpus, with the options that its name implies, is the one that this run has learned from."""
        own = self.settings.corpus
        return corpus.qualified == own.name and implied.get("path", own.options.get("path")) == own.options.get("path")

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

    def filled_in(self, request: Request) -> Request:
        """What is asked, on the same corpus: its held-out files and augmentation too, unless others are asked for."""
        corpus, augmentation = self.settings.corpus, self.settings.augmentation
        if not (request.valid or request.test or "split" in request.flags.get("train", {})):
            request = replace(request, valid=corpus.valid, test=corpus.test)
        if request.augment is None and augmentation is not None:
            request = replace(request, augment=augmentation.name)
        return request

    def remarks(self, data: Data, train: TrainSettings, *held_out: Path | None) -> list[str]:
        """What a person should know who goes on with these weights on a corpus, a line each.

        Args:
            data: the corpus.
            train: how it is split.
            held_out: files of validation and test records.
        """
        from seqgen.tokenizers import new_in

        lines, own = [], self.settings
        if new := new_in(data.vocabulary, self.vocabulary):
            shown = " ".join(map(visible, new[:_SHOWN])) + (" ..." if len(new) > _SHOWN else "")
            lines.append(f"{self.folder.name} has not learned {len(new)} of the symbols, which start fresh: {shown}")
        files = tuple(None if path is None else str(path.resolve()) for path in held_out)
        split = (train.split, train.split_seed, *files)
        if data.survey.digest == own.corpus.digest and split != (
            own.train.split, own.train.split_seed, own.corpus.valid, own.corpus.test,
        ):  # fmt: skip
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
    return Start(folder, settings, read_vocabulary(folder, settings, plugins), folder.load_best(warn))


def start_again(said: StartSettings, plugins: Plugins) -> Start:
    """The weights that a run began with, for one that has no checkpoint of its own yet.

    Raises:
        CheckpointError: they are gone, or others now.
    """
    problem = "has no checkpoint yet, and the weights of {!r} that it began with are {}: train it anew"
    try:
        folder = find_run(Path(said.run), Path(said.run).parent)
        settings = folder.settings()
        start = Start(folder, settings, read_vocabulary(folder, settings, plugins), folder.load(said.step))
    except (NoSuchRun, CheckpointError) as error:
        raise CheckpointError(f"the run {problem.format(said.run, 'gone')} ({error})") from None
    if start.said.sha256 != said.sha256:
        raise CheckpointError(f"the run {problem.format(said.run, 'others now')}")
    return start


def take_over(model: nn.Module, start: Start, vocabulary: Vocabulary) -> None:
    """Give a fresh model the weights of another run; what belongs to symbols that are new stays fresh.

    Raises:
        BadOption: the model is another than theirs.
    """
    import torch

    from seqgen.api.rebuild import difference
    from seqgen.tokenizers import places_in

    if hasattr(model, "learn"):
        raise BadOption(f"--from {start.folder.name}: its model counts, it has no weights to go on from")
    places = torch.tensor(places_in(vocabulary, start.vocabulary))
    sizes = start.vocabulary.size, vocabulary.size
    fresh, known = model.state_dict(), start.snapshot.model
    moved = {
        name: _moved(tensor, fresh[name], places, sizes) if name in fresh else tensor for name, tensor in known.items()
    }
    if problem := difference(moved, fresh):
        raise BadOption(f"--from {start.folder.name}: its weights do not fit the model that is asked for: {problem}")
    model.load_state_dict(moved)


def _moved(known: Tensor, fresh: Tensor, places: Tensor, sizes: tuple[int, int]) -> Tensor:
    """A tensor whose entries for known symbols are the known ones, along each dimension that has grown with them."""
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

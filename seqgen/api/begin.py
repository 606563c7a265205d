"""A training begun: the corpus read, the width solved, the model tried out, the run folder made."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from seqgen.api.corpus_checks import blaming, count_known
from seqgen.api.data import Data, Progress, learn, no_progress, unchanging
from seqgen.api.engine import decide_engine
from seqgen.api.environment import FILE, ignore, open_new_corpus
from seqgen.api.factories import build_around_cell, build_model
from seqgen.api.few import suiting_few
from seqgen.api.go import Listener, go
from seqgen.api.recipe import Recipe
from seqgen.api.resource_checks import refuse_beyond_memory
from seqgen.api.round_trip import check_order, check_tokenizer
from seqgen.api.run import RUNS, Run
from seqgen.api.run_metadata import describe, with_width
from seqgen.api.trial import part_at_fault, try_out
from seqgen.api.weights import take_over
from seqgen.api.width import solve_width
from seqgen.checkpoint import RunFolder, RunSettings
from seqgen.corpus import Splitter
from seqgen.errors import BadOption, PluginError
from seqgen.files import dump_json
from seqgen.plugins import Plugins
from seqgen.signals import graceful_stop
from seqgen.specs import CorpusSpec

if TYPE_CHECKING:
    from seqgen.tokenizers import Vocabulary
    from seqgen.training import Event


@dataclass(frozen=True)
class Hearers:
    """Who is told what: events of the training, one-line warnings, progress before it."""

    listener: Listener | None = None
    warn: Callable[[str], None] = ignore
    progress: Progress = no_progress


def hearers(listener: Listener | None, warn: Callable[[str], None], progress: Progress | bool | None) -> Hearers:
    """Who is told what, a progress line among them where one is wanted."""
    from seqgen.api.progress import ProgressLine, in_ipython

    if progress is not None and not isinstance(progress, bool):
        return Hearers(listener, warn, progress)
    if not (listener is None and in_ipython() if progress is None else progress):
        return Hearers(listener, warn)
    line = ProgressLine()

    def both(folder: RunFolder, event: Event) -> None:
        line(folder, event)
        if listener is not None:
            listener(folder, event)

    return Hearers(both, line.write if warn is ignore else warn, line.on_progress)


def read(recipe: Recipe, hear: Hearers) -> Data:
    """The corpus of a training, counted and encoded.

    Raises:
        CorpusError: it is unreadable, empty or has no training part.
    """
    splitter, spec = Splitter(recipe.train.split, recipe.train.split_seed), recipe.corpus.spec
    if isinstance(spec, CorpusSpec) and spec.network:
        hear.warn(f"the corpus {spec.name} is read over the network")
    corpus = open_new_corpus(recipe.corpus, recipe.options["corpus"], recipe.valid, recipe.test, recipe.layout)
    tokenizer, options = recipe.tokenizer, recipe.options["tokenizer"]

    def tried(vocabulary: Vocabulary, texts: Sequence[str]) -> None:
        if recipe.corpus.qualified != FILE:
            check_order(recipe.corpus, corpus, texts)
        if line := check_tokenizer(tokenizer, vocabulary, texts):
            hear.warn(line)

    with unchanging(corpus, recipe.title), blaming(tokenizer, "cannot encode the corpus"):
        begun = recipe.start.vocabulary if recipe.start is not None else None
        conditions = recipe.conditions
        data = learn(
            corpus, recipe.title, tokenizer, options, splitter, conditions, hear.progress, begun, hear.warn, tried
        )
    if recipe.start is not None:
        for line in recipe.start.remarks(data, recipe):
            hear.warn(line)
    if n_controls := data.survey.n_controls:
        hear.warn(f"control characters ({n_controls:,}) are kept as symbols, and escaped where a terminal shows them")
    if (recipe.valid or recipe.test) and data.vocabulary.ends and (n_known := count_known(corpus)):
        hear.warn(f"{n_known:,} held-out records stand in the training part too; losses on them say little")
    return data


def plan(recipe: Recipe, plugins: Plugins, data: Data) -> RunSettings:
    """What run.json will hold, the width and how the best step is found decided; parameters and engine are not yet.

    Raises:
        BadOption: even the smallest model has more parameters than are allowed; or memory does not hold so many.
        PluginError: a part cannot be built.
    """
    settings = describe(recipe, plugins, data)
    train = suiting_few(settings, data.survey, counts=hasattr(recipe.model.load(), "learn"))
    settings = settings.model_copy(update={"train": train})
    if recipe.params is None:
        return settings
    refuse_beyond_memory(recipe.params)
    return with_width(settings, solve_width(partial(_count, plugins, settings), recipe.params))


def begin(
    recipe: Recipe, settings: RunSettings, plugins: Plugins, data: Data, out: RunFolder | None, hear: Hearers
) -> Run:
    """Build the model, try it out, decide how to compute, make the run folder and train.

    Args:
        recipe: what to do.
        settings: what ``plan`` made of it.
        plugins: what its parts come from.
        data: what ``read`` made of its corpus.
        out: the run folder, which must not exist; None: the next free number under ``runs/``.
        hear: who is told what.

    Raises:
        PluginError: a part does not keep its contract.
        UsageError: the folder is taken, or the device is not there.
        Diverged, Interrupted, DiskError: as in training.
    """
    from seqgen.model import count_parameters

    model = build_model(plugins, settings)
    n_parameters = count_parameters(model)
    if not n_parameters and not hasattr(model, "learn"):
        raise PluginError(f"{recipe.model.full_label} has no parameter to train")
    if recipe.start is not None:
        take_over(model, recipe.start, data.vocabulary)
    with blaming(part_at_fault(recipe.model, recipe.cell), "fails on its first batch"):
        alone, fresh = partial(build_around_cell, plugins, settings), recipe.start is None
        try_out(model, data, recipe.model, recipe.cell, alone, fresh=fresh)
        engine = decide_engine(model, data, recipe.train, n_parameters, hear.warn)
    settings = settings.model_copy(update={"n_parameters": n_parameters, "engine": engine})
    described = {
        "name": recipe.tokenizer.qualified,
        "conditions": list(data.vocabulary.conditions),
        "data": data.vocabulary.tokenizer.to_json(),
    }
    files = {"tokenizer.json": dump_json(described), "run.json": dump_json(settings.model_dump(mode="json"))}
    if out is not None:
        _refuse_taken(out.path)
    with graceful_stop() as stop:  # from here on a signal leaves a run that is saved
        if out is not None:
            folder = RunFolder.create(out.path, files, out.root)
        else:
            architecture = recipe.cell or recipe.model
            stem = re.sub(r"[^\w.-]+", "-", f"{recipe.title[:60]}-{architecture.spec.name}")
            folder = RunFolder.create_numbered(RUNS, stem, files)
        with folder.locked() as held:
            return go(held, settings, plugins, data, model, hear.listener, hear.warn, stop)


def _refuse_taken(out: Path) -> None:
    """Refuse a run folder that can never be new."""
    taken = {Path.cwd(): "the current folder", Path(out.resolve().anchor): "the root of the file system"}
    if what := taken.get(out.resolve()):
        raise BadOption(f"--out {str(out)!r} is {what}; name a new one")


def _count(plugins: Plugins, settings: RunSettings, width: int) -> int:
    """The trainable parameters of a run's model at another width."""
    return count_planned(plugins, with_width(settings, width))


def count_planned(plugins: Plugins, settings: RunSettings) -> int:
    """Return the trainable parameters of the model of a planned run.

    Raises:
        PluginError: a part cannot be built.
    """
    from seqgen.model import count_parameters

    return count_parameters(build_model(plugins, settings))

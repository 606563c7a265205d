"""A training begun: the corpus read, the width solved, the model tried out, the run folder made."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from seqgen.api.data import Data, Progress, learn, no_progress, unchanging
from seqgen.api.describe import describe, with_width
from seqgen.api.engine import decide_engine
from seqgen.api.go import Listener, go
from seqgen.api.parts import build_model
from seqgen.api.prepare import blaming, count_known
from seqgen.api.recipe import Recipe
from seqgen.api.room import refuse_beyond_memory
from seqgen.api.run import RUNS, Run
from seqgen.api.setup import FILE, ignore, named_by, open_corpus
from seqgen.api.trial import try_out
from seqgen.api.weights import take_over
from seqgen.api.width import solve_width
from seqgen.checkpoint import RunFolder, RunSettings
from seqgen.corpus import Splitter
from seqgen.errors import BadOption, MissingExtra, PluginError, UnknownSymbol
from seqgen.files import FolderLock, dump_json
from seqgen.plugins import Plugins
from seqgen.registry import Entry
from seqgen.specs import CorpusSpec, DomainSpec

if TYPE_CHECKING:
    from seqgen.tokenizers import Vocabulary

_LOOKED_AT = 1000  # records


@dataclass(frozen=True)
class Hearers:
    """Who is told what: events of the training, one-line warnings, progress before it."""

    listener: Listener | None = None
    warn: Callable[[str], None] = ignore
    progress: Progress = no_progress


def read(recipe: Recipe, hear: Hearers) -> Data:
    """The corpus of a training, counted and encoded.

    Raises:
        CorpusError: it is unreadable, empty or has no training part.
    """
    splitter, spec = Splitter(recipe.train.split, recipe.train.split_seed), recipe.corpus.spec
    if isinstance(spec, CorpusSpec) and spec.network:
        hear.warn(f"the corpus {spec.name} is read over the network")
    corpus = open_corpus(recipe.corpus, recipe.options["corpus"], recipe.valid, recipe.test, recipe.layout)
    tokenizer, options = recipe.tokenizer, recipe.options["tokenizer"]
    with unchanging(corpus, recipe.title), blaming(tokenizer, "cannot encode the corpus"):
        begun = recipe.start.vocabulary if recipe.start is not None else None
        data = learn(corpus, recipe.title, tokenizer, options, splitter, recipe.conditions, hear.progress, begun)
    if recipe.start is not None:
        for line in recipe.start.remarks(data, recipe):
            hear.warn(line)
    if n_controls := data.survey.n_controls:
        hear.warn(f"control characters ({n_controls:,}) are kept as symbols, and escaped where a terminal shows them")
    if (recipe.valid or recipe.test) and data.vocabulary.ends and (n_known := count_known(corpus)):
        hear.warn(f"{n_known:,} held-out records stand in the training part too; losses on them say little")
    return data


def doubts(recipe: Recipe, plugins: Plugins, vocabulary: Vocabulary) -> list[str]:
    """Lines on what will be learned otherwise than it seems: records that are not valid, or not rewritten."""
    asked = (
        recipe.corpus.qualified == FILE or recipe.augmentation is not None or hasattr(recipe.tokenizer.load(), "doubt")
    )
    if recipe.layout != "lines" or not asked:
        return []  # a corpus may be slow to read
    corpus = open_corpus(recipe.corpus, recipe.options["corpus"], recipe.valid, recipe.test, recipe.layout)
    texts = [record.text for record in itertools.islice(corpus, _LOOKED_AT)]
    found = (
        _of_domain(recipe, plugins, texts),
        _of_tokenizer(recipe.tokenizer, texts),
        _of_augmentation(recipe, vocabulary, texts),
    )
    return [line for line in found if line]


def _of_tokenizer(entry: Entry, texts: list[str]) -> str:
    """What a tokenizer itself says of texts that it can cut and is not made for."""
    with blaming(entry, "fails on the first records"):
        tokenizer = entry.load()
        line = tokenizer.doubt(texts) if hasattr(tokenizer, "doubt") else ""
        return f"tokenizer {entry.spec.name}: {line}" if line else ""


def _of_domain(recipe: Recipe, plugins: Plugins, texts: list[str]) -> str:
    """A file of the user's whose records are no members of the domain: ``CCO mol17`` would be learned as it stands."""
    spec = recipe.domain.spec
    assert isinstance(spec, DomainSpec)
    if recipe.corpus.qualified != FILE or spec.validator is None:
        return ""
    try:
        validator = named_by(recipe.domain, "validator", spec.validator, plugins).use({})
    except MissingExtra:
        return ""
    verdicts = [validator.validate(text) for text in texts]
    refused = [(text, verdict.reason) for text, verdict in zip(texts, verdicts, strict=True) if not verdict.ok]
    if not refused:
        return ""
    text, reason = refused[0]
    alone = all(any(map(str.isspace, text.strip())) for text, _ in refused) and 2 * len(refused) > len(texts)
    more = "; a line must be the text alone: cut -f1 FILE, or cut -d' ' -f1, takes the first field" if alone else ""
    return (
        f"{len(refused)} of the first {len(texts)} records are not valid for the domain {spec.name}, "
        f"such as {text[:60]!r}: {reason[:120]}; they are learned as they stand{more}"
    )


def _of_augmentation(recipe: Recipe, vocabulary: Vocabulary, texts: list[str]) -> str:
    """An augmentation that writes what the tokenizer has not seen: such a record stays as it is."""
    if recipe.augmentation is None:
        return ""
    with blaming(recipe.augmentation, "fails on its first record"):
        augment = recipe.augmentation.use(recipe.options["augmentation"])
        written = [augment(text, Random(index)) for index, text in enumerate(texts)]
    problems = list[str]()
    for text in written:
        try:
            vocabulary.encode(text)
        except UnknownSymbol as error:
            problems.append(str(error))
    if not problems:
        return ""
    return (
        f"{len(problems)} of the first {len(texts)} records stay as they are, since what the augmentation "
        f"{recipe.augmentation.spec.name} writes has symbols that the corpus has not: {problems[0]}"
    )


def plan(recipe: Recipe, plugins: Plugins, data: Data) -> RunSettings:
    """What run.json will hold, the width solved; the parameters and the engine are not known yet.

    Raises:
        BadOption: even the smallest model has more parameters than are allowed; or memory does not hold so many.
        PluginError: a part cannot be built.
    """
    settings = describe(recipe, plugins, data)
    if recipe.params is None:
        return settings
    refuse_beyond_memory(recipe.params)
    return with_width(settings, solve_width(partial(_count, plugins, settings), recipe.params))


def begin(recipe: Recipe, settings: RunSettings, plugins: Plugins, data: Data, out: Path | None, hear: Hearers) -> Run:
    """Build the model, try it out, decide how to compute, make the run folder and train.

    Args:
        recipe: what to do.
        settings: what ``plan`` made of it.
        plugins: what its parts come from.
        data: what ``read`` made of its corpus.
        out: the run folder; None: the next free number under ``runs/``.
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
        raise PluginError(f"{recipe.model.who} has no parameter to train")
    if recipe.start is not None:
        take_over(model, recipe.start, data.vocabulary)
    with blaming(recipe.cell or recipe.model, "fails on its first batch"):
        try_out(model, data, recipe.model, recipe.cell or recipe.model)
        engine = decide_engine(model, data, recipe.train, n_parameters, hear.warn)
    settings = settings.model_copy(update={"n_parameters": n_parameters, "engine": engine})
    described = {
        "name": recipe.tokenizer.qualified,
        "conditions": list(data.vocabulary.conditions),
        "data": data.vocabulary.tokenizer.to_json(),
    }
    files = {"tokenizer.json": dump_json(described), "run.json": dump_json(settings.model_dump(mode="json"))}
    if out is not None and out.resolve() == Path.cwd():
        raise BadOption(f"--out {str(out)!r} is the current folder; name a new one")
    if out is not None:
        folder = RunFolder.create(out, files)
    else:
        architecture = recipe.cell or recipe.model
        stem = re.sub(r"[^\w.-]+", "-", f"{recipe.title[:60]}-{architecture.spec.name}")
        folder = RunFolder.create_numbered(RUNS, stem, files)
    lock = FolderLock(folder.path)
    try:
        return go(folder, settings, plugins, data, model, hear.listener, hear.warn)
    finally:
        lock.release()


def _count(plugins: Plugins, settings: RunSettings, width: int) -> int:
    """The trainable parameters of a run's model at another width."""
    from seqgen.model import count_parameters

    return count_parameters(build_model(plugins, with_width(settings, width)))

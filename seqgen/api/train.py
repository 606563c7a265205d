"""Training from Python: ``train`` and ``resume``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.api.begin import begin, hearers, plan, read
from seqgen.api.chosen import SomePlugins, choose_parts, choose_plugins
from seqgen.api.corpus_checks import read_again
from seqgen.api.data import Progress
from seqgen.api.engine import is_there, ready_engine
from seqgen.api.environment import ignore
from seqgen.api.factories import changed_plugins, corpus_of, given_again, read_vocabulary
from seqgen.api.go import Listener, go
from seqgen.api.missing_plugin import with_a_way_out
from seqgen.api.preflight import doubts
from seqgen.api.recipe import resolve
from seqgen.api.request import Request
from seqgen.api.run import RUNS, Run
from seqgen.api.run_metadata import environment, with_corpus
from seqgen.api.warm_start import find_start, start_again
from seqgen.api.weights import take_over
from seqgen.checkpoint import RunFolder, RunSettings, WarmStartSettings, find_run
from seqgen.config import parse_count, parse_duration_s, split_names
from seqgen.errors import BadOption, CheckpointError, UnknownName
from seqgen.plugins import Plugins
from seqgen.signals import graceful_stop
from seqgen.specs import AugmentationSpec, CellSpec, DomainSpec, ModelSpec, TokenizerSpec

if TYPE_CHECKING:
    from seqgen.tokenizers import Vocabulary


def train(
    corpus: str | Path | None = None,
    *,
    cell: str | type | CellSpec | None = None,
    model: str | type | ModelSpec | None = None,
    tokenizer: str | type | TokenizerSpec | None = None,
    domain: str | DomainSpec | None = None,
    hidden: int | None = None,
    layers: int | None = None,
    embedding: int | None = None,
    dropout: float | None = None,
    steps: int | None = None,
    epochs: float | None = None,
    time: str | float | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    seed: int | None = None,
    split: str | None = None,
    valid: str | Path | None = None,
    test: str | Path | None = None,
    device: str | None = None,
    engine: str | None = None,
    params: int | str | None = None,
    layout: str | None = None,
    condition: str | Sequence[str] = (),
    augment: str | AugmentationSpec | None = None,
    start: str | Path | None = None,
    text_field: str | None = None,
    label_field: str | None = None,
    options: Mapping[str, Any] | None = None,
    config: str | Path | None = None,
    out: str | Path | None = None,
    plugins: SomePlugins = None,
    listener: Listener | None = None,
    warn: Callable[[str], None] = ignore,
    progress: Progress | bool | None = None,
) -> Run:
    """Train a model on a corpus, in a new run folder.

    Args:
        corpus: a registered name, or a text file with a record a line.
        cell: the layer; ``gru`` unless said otherwise. A name, the class of a cell, or a seqgen.CellSpec; so too the
            model, tokenizer, domain (no class) and augmentation (no class). To open a run of a class again it is given
            again: ``seqgen.load(run, plugins=[MyCell])``.
        model: the model; ``recurrent`` unless said otherwise.
        tokenizer: how text becomes symbols; that of the domain unless said otherwise.
        domain: what the texts are; the corpus knows, a file is plain ``text``.
        hidden: units of a layer.
        layers: how many layers.
        embedding: features of a symbol.
        dropout: share of features dropped between layers and before the head.
        steps: optimizer steps.
        epochs: passes over the training part.
        time: seconds, or a duration like "60s" or "5m".
        batch_size: records a step.
        lr: peak learning rate.
        seed: everything random in training derives from it.
        split: shares of training, validation and test like "90/5/5", or "none".
        valid: a file of validation records.
        test: a file of test records.
        device: auto, cpu, cuda or mps.
        engine: how steps run over time: auto, fused, scan, compiled or eager.
        params: choose the units of a layer so that the model has at most so many parameters, like 50_000 or "50k".
        layout: "lines" (a record a line), or "stream" for one long text.
        condition: "label" or fields that the model is told, to be asked for when sampling.
        augment: an augmentation, by which every epoch sees its records written anew.
        start: a run, by folder or name: begin with the weights of its best checkpoint, and what is not said (the
            corpus too) is as it was there. Symbols that are new come beside those it knows.
        text_field: the field of a JSON or CSV file that is the text.
        label_field: the field that is the label.
        options: any option by ``"part.name"``, or by its bare name when only one part has it.
        config: a TOML file with tables [train] [model] [cell] [tokenizer] [corpus] [augmentation], each with its
            options and, but for [train], a ``name``; [train] may have ``condition`` and ``augment``.
        out: the run folder; left out: ``runs/<corpus>-<cell>-001`` or the next free number.
        plugins: left out: all that are installed; a list ``["mycell.py", module, MyCell, object_with_hooks, spec]``:
            these too.
        listener: is told of progress, reports and checkpoints, as ``listener(folder, event)``; one that raises
            KeyboardInterrupt stops the run as Ctrl-C does. ``seqgen.ProgressLine()`` is one.
        warn: is told, in one line, of what may not be meant.
        progress: whether a ``seqgen.ProgressLine`` shows how it goes; left out: where there is no listener, in IPython
            and notebooks. Or a function, which is told what is being done before training, how many records are done,
            and of how many.

    Returns:
        The finished run.

    Raises:
        UsageError: something was asked that cannot be done.
        CheckpointError: ``start`` has no checkpoint that can be used.
        CorpusError: the corpus is unreadable or empty.
        Diverged: the loss is not finite; the last good checkpoint stays.
        Interrupted: a signal came, such as Ctrl-C; the run is saved and can be resumed. It is the error's ``run``.
        DiskError: the disk refused.
    """
    train_flags = {
        "steps": steps, "epochs": epochs, "time_s": None if time is None else parse_duration_s(time),
        "batch_size": batch_size, "lr": lr, "seed": seed, "split": split, "device": device, "engine": engine,
    }  # fmt: skip
    model_flags = {"hidden": hidden, "layers": layers, "embedding": embedding, "dropout": dropout}
    corpus_flags = {"text_field": text_field, "label_field": label_field}
    flags = {
        part: {name: value for name, value in values.items() if value is not None}
        for part, values in (("train", train_flags), ("model", model_flags), ("corpus", corpus_flags))
    }
    asked = {"cell": cell, "model": model, "tokenizer": tokenizer, "domain": domain, "augmentation": augment}
    plugins, names = choose_parts(plugins, asked)
    request = Request(
        corpus,
        names["cell"],
        names["model"],
        names["tokenizer"],
        names["domain"],
        valid,
        test,
        flags,
        split_names(options or {}),
        Path(config) if config else None,
        None if params is None else parse_count(params),
        layout,
        condition.split(",") if isinstance(condition, str) else condition,
        names["augmentation"],
        None if start is None else find_start(start, RUNS, plugins, warn),
    )
    hear = hearers(listener, warn, progress)
    try:
        recipe = resolve(request, plugins)
    except UnknownName as error:
        if plugins.failed():  # likelier one of these would have had it
            raise
        raise with_a_way_out(error) from None
    for line in given_again(recipe.entries, plugins):
        hear.warn(line)
    data = read(recipe, hear)
    for line in doubts(recipe, plugins, data.vocabulary):
        hear.warn(line)
    folder = None if out is None else RunFolder(Path(out))
    return begin(recipe, plan(recipe, plugins, data), plugins, data, folder, hear)


def resume(
    run: str | Path | None = None,
    *,
    allow_corpus_change: bool = False,
    plugins: SomePlugins = None,
    listener: Listener | None = None,
    warn: Callable[[str], None] = ignore,
    progress: Progress | bool | None = None,
) -> Run:
    """Go on with a run from its newest valid checkpoint; the result is what it would have been without a stop.

    Args:
        run: its folder, or a name under ``runs/``; left out: the newest run that has not ended.
        allow_corpus_change: go on even if the corpus is not what it was; then the result is another.
        plugins: left out: all that are installed; a list ``["mycell.py", module, MyCell, object_with_hooks, spec]``:
            these too.
        listener: is told of progress, reports and checkpoints.
        warn: is told, in one line, when a damaged checkpoint is passed over.
        progress: as ``train`` takes it.

    Returns:
        The finished run; one that had ended already is returned as it is.

    Raises:
        NoSuchRun: there is none.
        RunLocked: another process is training it.
        CheckpointError: no checkpoint can be used, or a plugin is missing.
        CorpusError: the corpus is not what it was.
    """
    from seqgen.api.rebuild import rebuild_model

    plugins, hear = choose_plugins(plugins), hearers(listener, warn, progress)
    warn = hear.warn
    with find_run(run, RUNS, unfinished=True).locked() as folder:
        folder.clean()
        settings = folder.settings()
        snapshot = folder.load_latest(warn)
        if snapshot is not None and snapshot.state.get("ended"):
            return Run(folder, settings, plugins)
        settings = _warn_of_changes(settings, plugins, warn)
        model = rebuild_model(plugins, settings, None if snapshot is None else snapshot.model)
        vocabulary = read_vocabulary(folder, settings, plugins)
        if snapshot is None and settings.start is not None:
            _begin_again(model, settings.start, plugins, vocabulary)
        changed = warn if allow_corpus_change else None
        way_out = "restore it, train anew, or go on with what is there now: --allow-corpus-change"
        corpus = corpus_of(settings, plugins)
        data = read_again(corpus, settings, vocabulary, hear.progress, warn=warn, changed=changed, way_out=way_out)
        ready_engine(model, data, settings.engine, settings.train, warn)
        if data.survey.digest != settings.corpus.digest:
            settings = with_corpus(settings, data)
            folder.record_corpus(settings.corpus)
        with graceful_stop() as stop:
            return go(folder, settings, plugins, data, model, hear.listener, warn, stop, snapshot)


def _begin_again(model: Any, said: WarmStartSettings, plugins: Plugins, vocabulary: Vocabulary) -> None:
    """Give a model the weights that its run began with."""
    try:
        take_over(model, start_again(said, plugins), vocabulary)
    except BadOption as error:
        raise CheckpointError(
            f"run.json and tokenizer.json do not fit the weights that the run began with: {error}"
        ) from None


def _warn_of_changes(settings: RunSettings, plugins: Plugins, warn: Callable[[str], None]) -> RunSettings:
    """The same bytes are promised on the same machine and torch only; elsewhere the run goes on, with a word.

    Returns:
        The settings, with a device that is there.
    """
    now, engine = environment(), settings.engine
    if not is_there(engine.device):
        instead = "cuda" if is_there("cuda") else "cpu"
        warn(f"the run began on {engine.device!r}, which is not here: it goes on on {instead!r}, as another run would")
        settings = settings.model_copy(update={"engine": engine.model_copy(update={"device": instead})})
    for name in ("torch", "machine", *(["gpu"] if engine.device.startswith("cuda") and "gpu" in now else [])):
        before = settings.environment.get(name)
        if before != now[name]:
            warn(f"the run began with {name} {before}, this is {now[name]}: its result may differ in the last bits")
    for line in changed_plugins(plugins, settings):
        warn(line)
    return settings

"""Training: a plan whose corpus is read and whose every setting is known, then the run itself."""

from __future__ import annotations

import contextlib
import dataclasses
import operator
import re
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex, Unpack

from seqgen.api.config import MODEL, ResolvedConfig, resolve
from seqgen.api.corpora import FILE, CorpusName
from seqgen.api.data_parallel import (
    Workers,
    check_buffers,
    check_devices,
    choose_workers,
    follow_if_launched,
    launched_processes,
)
from seqgen.api.encoded_corpus import CorpusReading, EncodedCorpus, unchanging
from seqgen.api.factories import build_around_cell, build_model
from seqgen.api.missing_plugin import changed_plugins, with_hint
from seqgen.api.open_run import plugins_for
from seqgen.api.preflight import check_model, corpus_warnings, domain_validator, part_at_fault, start_warnings
from seqgen.api.run import Run
from seqgen.api.run_metadata import count_trained, given_again, made_here, run_files, settle
from seqgen.api.training_run import OpenedTraining, run_training
from seqgen.api.warm_start import find_warm_start
from seqgen.checkpoint import RUNS, RunFolder, RunSettings, check_same, refit_path
from seqgen.compute import as_torch_starts
from seqgen.config import TrainConfig, TrainSettings, build_options, parse_count, split_executor_options
from seqgen.corpus import Corpus, Splitter, TextFile, stamps_of
from seqgen.divided_corpus import DividedCorpus
from seqgen.errors import BadOption, CorpusError, MissingExtra, PluginError, UnknownName, UsageError
from seqgen.executors import LOCAL
from seqgen.plugins import Plugins, PluginsArgument, check_trackers, choose_parts, hint_on_keyword
from seqgen.plugins.round_trip import check_order, check_tokenizer
from seqgen.protocols import learns
from seqgen.registry import attribute_errors
from seqgen.signals import graceful_stop, reraise_signal
from seqgen.specs import CorpusSpec

if TYPE_CHECKING:
    from seqgen.keywords import TrainKeywords
    from seqgen.render.progress import Listener, OnProgress
    from seqgen.tokenizers import Vocabulary

Warn = Callable[[str], None]
_KINDS = {"cell": "cell", "model": "model", "tokenizer": "tokenizer", "domain": "domain", "augment": "augmentation"}


@as_torch_starts()
def train(
    corpus: CorpusName | None = None,
    *,
    plugins: PluginsArgument = None,
    listener: Listener | None = None,
    warn: Warn | None = None,
    progress: OnProgress | bool | None = None,
    **settings: Unpack[TrainKeywords],
) -> Run:
    """Train a model on a corpus, in a new run folder.

    Args:
        corpus: a registered name; or a file, a folder, a .zip archive, a pattern like "data/*.csv", or a list of these.
        plugins: None: all that are installed; a list ``["mycell.py", module, MyCell, object_with_hooks, spec]``: these
            too.
        listener: called with the run folder and each event: progress, reports and checkpoints; if it raises
            KeyboardInterrupt, the run stops as after Ctrl-C. ``seqgen.ProgressLine()`` is one.
        warn: called with one line for each warning.
        progress: whether a ``seqgen.ProgressLine`` is shown; None: in IPython and notebooks where there is no listener.
            Or a function of (activity, records done, records in total or None), called while the corpus is read.
        settings: see :class:`seqgen.keywords.TrainKeywords`. A cell, model or tokenizer may be a class, and these, a
            domain and an augmentation a spec; such a run is opened by ``seqgen.load(run, plugins=[MyCell])``.

    Returns:
        The finished run; with ``refit`` its refit.

    Raises:
        UsageError: a setting is unknown or impossible.
        CheckpointError: the run to start from has no usable checkpoint.
        CorpusError: the corpus is unreadable or empty.
        Diverged: the loss is not finite; the last good checkpoint stays.
        Interrupted: a signal came, such as Ctrl-C; the run is saved and can be resumed. It is the error's ``run``.
        DiskError: the disk is full or refuses.
        WorkerLost: a process of several that share the batches has ended; the last checkpoint stays.
    """
    from seqgen.render.progress import with_progress_line

    follow_if_launched(plugins)
    listener, warn, progress = with_progress_line(listener, warn, progress)
    if (out := settings.get("out")) is not None:  # before the work, and again after it
        _refuse_taken(Path(out), refit=bool(settings.get("refit")))
    if settings.get("workers") is None and (launched := launched_processes()) > 1:
        settings["workers"] = launched
    executor, settings["options"] = split_executor_options(settings.get("options") or {})
    choose = partial(choose_workers, settings.get("workers"), settings.get("on"), executor)
    planned = plan(corpus, plugins=plugins, warn=warn, progress=progress, **settings)
    workers = choose(planned.settings.train.pieces, planned.plugins)
    with planned.opened(workers=workers) as opened:
        run = run_training(opened, listener)
    if not run.settings.train.refit:
        return run
    from seqgen.api.resume import refit_by

    return refit_by(choose, run.path, run.plugins, listener, warn, progress)


def plan(
    corpus: CorpusName | None = None,
    *,
    plugins: PluginsArgument = None,
    warn: Warn | None = None,
    progress: OnProgress | bool | None = None,
    cache: MutableMapping[str, EncodedCorpus] | None = None,
    **settings: Unpack[TrainKeywords],
) -> TrainingPlan:
    """Read a corpus and settle every setting of a training run, without writing anything.

    Args:
        corpus: as ``seqgen.train`` takes it.
        plugins: as ``seqgen.train`` takes them.
        warn: called with one line for each warning.
        progress: whether a ``seqgen.ProgressLine`` is shown, or a function called while the corpus is read.
        cache: corpora that plans share: what was read with the same options, and has not changed, is not read again.
        settings: see :class:`seqgen.keywords.TrainKeywords`.

    Raises:
        UsageError, CheckpointError, CorpusError, PluginError: as ``train``.
    """
    from seqgen.render.progress import with_progress_line

    _, warn, progress = with_progress_line(None, warn, progress)
    parts = {kind: settings.pop(keyword, None) for keyword, kind in _KINDS.items()}  # type: ignore[misc]
    plugins, names = choose_parts(plugins_for(settings.get("start"), plugins), parts)
    named = {keyword: names[kind] for keyword, kind in _KINDS.items()}
    parts_here = {**names, "model": names["model"] or MODEL}
    config = TrainConfig.of(
        {"corpus": corpus, **settings, **named}, lambda keyword: hint_on_keyword(keyword, parts_here, plugins)
    )
    if config.params is not None:
        config = config.model_copy(update={"params": parse_count(config.params)})
    start = None if config.start is None else find_warm_start(config.start, plugins, warn)
    try:
        resolved = resolve(config, plugins, start, warn)
    except UnknownName as error:
        if plugins.failed():  # one of these is more likely to have had it
            raise
        raise with_hint(error) from None
    for line in given_again(resolved.parts.values(), plugins):
        warn(line)
    if resolved.train.track:
        check_trackers(plugins, resolved.train.track)
    data = _read(resolved, plugins, warn, progress, {} if cache is None else cache)
    for line in corpus_warnings(resolved, plugins, data.vocabulary):
        warn(line)
    settled = settle(resolved, plugins, data)
    if resolved.train.exponents is not None and settled.train.blend == "none":
        warn(f"exponents={resolved.train.exponents} changes nothing: this run has no counts to blend with")
    return TrainingPlan(resolved, settled, plugins, data, warn)


def _read(
    resolved: ResolvedConfig,
    plugins: Plugins,
    warn: Warn,
    progress: OnProgress,
    cache: MutableMapping[str, EncodedCorpus],
) -> EncodedCorpus:
    """Return the encoded corpus, from the cache if it was read with the same options.

    Raises:
        CorpusError: it is unreadable, empty or has no training part.
    """
    options = {part: resolved.options[part] for part in ("corpus", "tokenizer")}
    split = resolved.train.split, resolved.train.split_seed
    config = resolved.config
    names = resolved.corpus.qualified, resolved.tokenizer.qualified, resolved.layout, resolved.conditions
    paths = [options["corpus"].get("path"), config.valid, config.test]  # a file may be written anew between two plans
    specs = resolved.corpus.spec, resolved.tokenizer.spec  # another one may have the name
    key = repr((names, options, split, config.valid, config.test, config.start, list(map(stamps_of, paths)), specs))
    if key not in cache:
        cache[key] = _encode(resolved, plugins, warn, progress)
    return cache[key]


def _encode(resolved: ResolvedConfig, plugins: Plugins, warn: Warn, progress: OnProgress) -> EncodedCorpus:
    """Return the corpus, counted and encoded."""
    from seqgen.evaluation import unseen_condition_warnings

    spec, config, start = resolved.corpus.spec_as(CorpusSpec), resolved.config, resolved.start
    if spec.network:
        warn(f"the corpus {spec.name} is read over the network")
    corpus = resolved.open_corpus(plugins, new=True)
    tokenizer = resolved.tokenizer

    def check(vocabulary: Vocabulary, texts: Sequence[str]) -> None:
        if resolved.corpus.qualified != FILE:
            check_order(resolved.corpus, corpus, texts)
        if line := check_tokenizer(tokenizer, vocabulary, texts):
            warn(line)

    n_readers = config.workers if config.on in (None, LOCAL) else None
    with unchanging(corpus, resolved.title), attribute_errors(tokenizer, "cannot encode the corpus"):
        divided = DividedCorpus.of(corpus, resolved.title, tokenizer.qualified, n_readers, plugins)
        data = CorpusReading(corpus, resolved.title, progress, warn, divided).learn(
            tokenizer,
            resolved.options["tokenizer"],
            Splitter(resolved.train.split, resolved.train.split_seed),
            resolved.conditions,
            None if start is None else start.vocabulary,
            check,
        )
    for part, path in (("valid", config.valid), ("test", config.test)):
        if path is not None and not len(data.encoded[part]):
            raise CorpusError(
                f"the file of held-out records {str(path)!r} holds none: leave --{part}-file out, or fill it"
            )
    if start is not None:
        for line in start_warnings(resolved, start, data):
            warn(line)
    for line in data.survey.warnings(of_lines=isinstance(corpus.source, TextFile)):
        warn(line)
    if (config.valid or config.test) and data.vocabulary.ends:
        for line in _of_held_out(resolved, plugins, corpus, data):
            warn(line)
    for line in unseen_condition_warnings(data.encoded, data.vocabulary):
        warn(line)
    return data


def _of_held_out(resolved: ResolvedConfig, plugins: Plugins, corpus: Corpus, data: EncodedCorpus) -> list[str]:
    """Return warnings about records of held-out files that lack conditions, or are training records too."""
    from seqgen.evaluation import canonical_form, leakage_warnings, lost_conditions

    validator = None
    with contextlib.suppress(MissingExtra):
        validator = domain_validator(resolved.parts["domain"], plugins)
    form = None if validator is None else partial(canonical_form, validator=validator)
    splitter = Splitter(resolved.train.split, resolved.train.split_seed)
    found = partial(leakage_warnings, corpus, data.encoded, data.survey, splitter)
    lost = lost_conditions(data.encoded, data.vocabulary.slots)
    try:
        return lost + found(form, str if corpus.canonical else form)
    except Exception as error:
        reraise_signal()
        if not (failure := plugins.describe_failure(error)):
            raise
        return [*lost, *found(None), f"other spellings of held-out records are not counted: {failure}"]


@dataclass(frozen=True)
class TrainingPlan:
    """A training run whose corpus is read and whose every setting is known.

    Attributes:
        resolved: its parts and options.
        settings: what run.json will hold; ``n_parameters`` and ``engine`` follow when it is trained.
        plugins: the plugins of its parts.
        data: its corpus, encoded.
        warn: called with one line for each warning.
    """

    resolved: ResolvedConfig
    settings: RunSettings
    plugins: Plugins
    data: EncodedCorpus
    warn: Warn

    @property
    def n_parameters(self) -> int:
        """The number of trainable parameters.

        Raises:
            PluginError: a part cannot be built.
        """
        return count_trained(self.plugins, self.settings)

    def with_seed(self, seed: int) -> TrainingPlan:
        """Return the same plan with another seed, created now.

        Raises:
            BadOption: it is no seed.
        """
        seed = operator.index(seed) if isinstance(seed, SupportsIndex) else seed  # a number of numpy is one
        train = TrainSettings(**build_options(TrainSettings, dict(self.settings.train) | {"seed": seed}, "train"))
        return dataclasses.replace(self, settings=self.settings.model_copy(update={**made_here(), "train": train}))

    def check_run(self, run: Run) -> None:
        """Refuse a run that was trained with other settings, or with another version or code of a plugin.

        Raises:
            UsageError: it was; the message names the first difference.
        """
        check_same(self.settings, run.settings, run.path)
        if changed := changed_plugins(self.plugins, run.settings):
            raise UsageError(f"{str(run.path)!r}: {changed[0]}: remove it, or give another --out")

    @as_torch_starts()
    def train(
        self,
        out: str | Path | None = None,
        *,
        listener: Listener | None = None,
        warn: Warn | None = None,
        root: str | Path | None = None,
    ) -> Run:
        """Build the model, check it, choose the engine, create the run folder and train.

        Args:
            out: the run folder, which must not exist; None: ``out`` of the settings, or else the next number under
                ``runs/``.
            listener: as ``seqgen.train`` takes it.
            warn: called with one line for each warning; None: that of the plan.
            root: a folder above ``out`` below which no link is followed; None: ``out`` itself.

        Raises:
            PluginError: a part breaks its contract.
            UsageError: the folder exists, or the device does not; or the listener cannot be called with an event.
            Diverged, Interrupted, DiskError: as ``seqgen.train``.
        """
        from seqgen.render.progress import with_progress_line

        listener, warn, _ = with_progress_line(listener, warn or self.warn, False)
        with self.opened(out, warn=warn, root=root) as opened:
            return run_training(opened, listener)

    @contextlib.contextmanager
    def opened(
        self,
        out: str | Path | None = None,
        *,
        warn: Warn | None = None,
        root: str | Path | None = None,
        workers: Workers | None = None,
    ) -> Iterator[OpenedTraining]:
        """Create the run folder and keep it locked; what ``run_training`` trains.

        Args:
            out: as ``train`` takes it, and so ``root``.
            warn: called with one line for each warning; None: that of the plan.
            root: as ``train`` takes it.
            workers: the processes that share its batches; None: this one alone.
        """
        warn = warn or self.warn
        resolved, data = self.resolved, self.data
        settings, model = self._built(warn)
        workers = workers or Workers()
        check_devices(settings.engine.device, workers.number, workers.on)
        check_buffers(model, data, settings, workers.number)
        files, counts = run_files(settings, data)
        out = resolved.config.out if out is None else out
        with graceful_stop() as stop:  # from here on a signal leaves a run that is saved
            if out is not None:
                _refuse_taken(Path(out), refit=settings.train.refit)
                folder = RunFolder.create(Path(out), files, None if root is None else Path(root))
            else:
                stem = re.sub(r"[^\w.-]+", "-", f"{resolved.title[:60]}-{settings.architecture[:60]}")
                folder = RunFolder.create_numbered(RUNS, stem, files)
            files.clear()  # the counts may be large
            with folder.locked() as held:
                yield OpenedTraining(held, settings, self.plugins, data, model, warn, stop, counts, workers=workers)

    def _built(self, warn: Warn) -> tuple[RunSettings, Any]:
        """Return the complete settings and the model, checked on a small batch and set to its engine."""
        from seqgen.model import count_parameters
        from seqgen.training.engine_choice import decide_engine

        resolved, data, settings = self.resolved, self.data, self.settings
        model = build_model(self.plugins, settings)
        n_parameters = count_parameters(model)
        if not n_parameters and not learns(model):
            raise PluginError(f"{resolved.model.full_label} has no parameter to train")
        if resolved.start is not None:
            resolved.start.load_into(model, data.vocabulary)
        with attribute_errors(part_at_fault(resolved), "fails on its first batch"):
            check_model(model, data, resolved, partial(build_around_cell, self.plugins, settings), warn)
            engine = decide_engine(model, data.encoded, data.vocabulary, settings.train, n_parameters, warn)
        return settings.model_copy(update={"n_parameters": n_parameters, "engine": engine}), model


def _refuse_taken(out: Path, *, refit: bool) -> None:
    """Refuse a run folder that can never be new or is there, and one whose refit is there."""
    if refit and (other := refit_path(out)).exists():
        raise BadOption(f"--out {str(out)!r}: its refit would be {str(other)!r}, which is there; name another one")
    taken = {Path.cwd(): "the current folder", Path(out.resolve().anchor): "the root of the file system"}
    if what := taken.get(out.resolve()):
        raise BadOption(f"--out {str(out)!r} is {what}; name a new one")
    RunFolder(out).refuse_existing()

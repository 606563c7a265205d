"""A run on disk: sample from it, score texts with it, evaluate it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from seqgen.api.encoded_corpus import count, ignore
from seqgen.api.factories import check_unchanged, corpus_of, domain_automaton, domain_part, read_vocabulary
from seqgen.api.missing_plugin import changed_plugins
from seqgen.checkpoint import RUNS, RunFolder, RunSettings, damaged_logs, find_run
from seqgen.corpus import PARTS, Corpus, Record
from seqgen.errors import BadOption, CheckpointError, CorpusError, MissingExtra, NoSuchFile
from seqgen.plugins import Plugins, PluginsArgument, choose_plugins
from seqgen.protocols import TextAutomaton, Verdict
from seqgen.publishing import Exportable
from seqgen.render.curve import loss_curve
from seqgen.render.html import run_html
from seqgen.render.tabular import Picture, Tabular

if TYPE_CHECKING:
    from seqgen.api.sample import NextSymbol
    from seqgen.evaluation import ReferenceScores
    from seqgen.keywords import DecodeKeywords, EvaluateKeywords, SampleKeywords
    from seqgen.render.results import EvaluationResult, Samples, Scores
    from seqgen.sampling import Sample, SampleBatch, Top
    from seqgen.tokenizers import Vocabulary


def load(
    run: str | Path | None = None,
    *,
    checkpoint: str | int = "best",
    plugins: PluginsArgument = None,
    warn: Callable[[str], None] = ignore,
    reads_corpus: bool = True,
) -> Run:
    """Open a finished or interrupted run.

    Args:
        run: its folder, or a name under ``runs/``; None: the newest run with a checkpoint.
        checkpoint: "best", "latest", or a step.
        plugins: None: all that are installed; a list ``["mycell.py", module, MyCell, object_with_hooks, spec]``: these
            too.
        warn: called with one line for each warning, such as a damaged checkpoint that is skipped.
        reads_corpus: whether what needs the corpus may open the file or address that the run names.

    Raises:
        NoSuchRun: there is none.
        CheckpointError: its run.json is damaged or too new.
    """
    folder = find_run(run, RUNS)
    return Run(folder, folder.settings(), choose_plugins(plugins), checkpoint, warn, reads_corpus)


class Run(Tabular, Exportable):
    """A run on disk; its model, vocabulary and corpus are loaded when they are first used.

    Args:
        folder: its folder.
        settings: its run.json.
        plugins: the plugins of its parts.
        checkpoint: "best", "latest", or a step.
        warn: called with one line for each warning.
        reads_corpus: whether the corpus may be opened.

    Attributes:
        checked_fields: fields that rows may begin with, verified already.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: RunSettings,
        plugins: Plugins,
        checkpoint: str | int = "best",
        warn: Callable[[str], None] = ignore,
        reads_corpus: bool = True,
    ) -> None:
        self.folder, self.settings, self.plugins = folder, settings, plugins
        self._checkpoint, self.warn, self._reads_corpus = checkpoint, warn, reads_corpus
        self.checked_fields: set[tuple[tuple[str, str], ...]] = set()

    def __repr__(self) -> str:
        """Return the call that opens it."""
        return f"seqgen.load({str(self.folder.path)!r})"

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the lines of metrics.jsonl, all with the same names; None where a line has no value."""
        names = dict.fromkeys(name for line in self.metrics for name in line)
        return [{name: line.get(name) for name in names} for line in self.metrics]

    def _repr_html_(self) -> str:
        title = f"{self.folder.name}: {self.settings.architecture}, {self.settings.n_parameters:,} parameters"
        rows = self.folder.samples.rows()
        return run_html([title], self.metrics, [row["text"] for row in rows if row["step"] == rows[-1]["step"]])

    def plot(self) -> Picture:
        """Return a picture of its losses over the steps."""
        return Picture(loss_curve(self.metrics, f"loss of {self.folder.name}").encode())

    # -- its parts

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl: step, losses in nats per symbol, bits per character; warns if it is damaged."""
        for line in damaged_logs(self.folder):
            self.warn(line)
        return self.folder.metrics.rows()

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        """The symbols."""
        _ = self._loaded  # the checkpoint vouches for tokenizer.json
        return read_vocabulary(self.folder, self.settings, self.plugins)

    @functools.cached_property
    def state(self) -> Mapping[str, Any]:
        """The JSON part of the checkpoint in use."""
        return self._loaded[1]

    @property
    def model(self) -> Any:
        """The model with the checkpoint's weights, a ``torch.nn.Module`` in evaluation mode."""
        return self._loaded[0]

    @functools.cached_property
    def _loaded(self) -> tuple[Any, Mapping[str, Any]]:
        from seqgen.api.factories import predictor_of, rebuild_model

        snapshot = self.folder.load_chosen(self._checkpoint, self.warn)
        for line in changed_plugins(self.plugins, self.settings):
            self.warn(line)
        model = rebuild_model(self.plugins, self.settings, snapshot.model)
        try:
            model.load_state_dict(snapshot.model)
        except RuntimeError as error:
            raise CheckpointError(f"the checkpoint does not fit run.json: {' '.join(str(error).split())}") from None
        return predictor_of(self.folder, self.settings, self.plugins, model, snapshot.state).eval(), snapshot.state

    @functools.cached_property
    def corpus(self) -> Corpus:
        """The corpus it was trained on, opened again.

        Raises:
            SeqgenError: it no longer exists.
        """
        if not self._reads_corpus:
            raise CorpusError(f"the corpus of the run {self.folder.name!r} is not opened here")
        return corpus_of(self.settings, self.plugins)

    @functools.cached_property
    def learned(self) -> Corpus:
        """The corpus, verified to be the one it was trained on.

        Raises:
            CorpusError: it has changed since.
            SeqgenError: it no longer exists.
        """
        try:
            counted = count(self.corpus, self.settings.corpus.title)
        except NoSuchFile as error:
            raise NoSuchFile(f"{error}, on which the run {self.folder.name} was trained") from None
        check_unchanged(counted, self.settings)
        return self.corpus

    @property
    def domain(self) -> str:
        """The name of the corpus's domain."""
        return self.settings.corpus.domain.rpartition(":")[2]

    @functools.cached_property
    def automaton(self) -> TextAutomaton | None:
        """The automaton of the corpus's domain, or None."""
        return domain_automaton(self.settings, self.plugins)

    @functools.cached_property
    def validator(self) -> Any:
        """The validator of the corpus's domain, or None.

        Raises:
            MissingExtra: it needs a package that is not installed.
        """
        return domain_part(self.settings, self.plugins, "validator")

    @functools.cached_property
    def lacking(self) -> MissingExtra | None:
        """The error of a validator that needs a package that is not installed; else None."""
        try:
            _ = self.validator
        except MissingExtra as error:
            return error
        return None

    @property
    def validator_here(self) -> Any:
        """The validator; None also if it needs a package that is not installed."""
        return None if self.lacking else self.validator

    @functools.cached_property
    def renderer(self) -> Any:
        """The renderer of the corpus's domain, or None."""
        return domain_part(self.settings, self.plugins, "renderer")

    # -- sampling

    def sample(self, n: int = 10, **settings: Unpack[SampleKeywords]) -> Samples:
        """Sample ``n`` rows, as a list that notebooks show; see :meth:`iter_samples` for the settings and errors."""
        from seqgen.render.results import Samples

        label = {"label": settings["label"]} if settings.get("label") is not None else {}
        describe = functools.partial(self.describe, given={**(settings.get("given") or {}), **label})
        return Samples(self.iter_samples(n, **settings), describe, lambda: self.renderer)

    def iter_samples(
        self,
        n: int = 10,
        *,
        warn: Callable[[str], None] | None = None,
        check: Callable[[], None] | None = None,
        **settings: Unpack[SampleKeywords],
    ) -> Iterator[Sample]:
        """Sample rows one after another.

        Args:
            n: number of rows.
            warn: called with one line if the model seldom satisfies a constraint, which says how its rows are found
                and whether that changes their distribution (``exact`` never does); None: that of the run.
            check: called before each symbol is sampled; an exception that it raises ends the sampling.
            settings: see :class:`seqgen.keywords.SampleKeywords`.

        Raises:
            BadOption: an unknown setting or an impossible value.
            UsageError: a label or field that the run does not know, ``valid`` where there is no validator, or a
                constraint that no row can satisfy.
            UnknownSymbol: the prefix has a symbol that the corpus did not have.
            CorpusError: ``novel`` or ``min_edit``, and the corpus is not the one the run was trained on.
            TooFewRows: fewer were found, after these have been returned.
        """
        from seqgen.api.sample import iter_rows
        from seqgen.config import SampleConfig

        yield from iter_rows(self, n, SampleConfig.validated(settings), warn or self.warn, None, check)

    def sample_batch(self) -> AbstractContextManager[SampleBatch]:
        """Open a batch: rows of several requests, sampled in the same calls of the model; see its methods."""
        from seqgen.api.sample import open_batch

        return open_batch(self)

    def top(self, n: int = 20, *, n_nodes: int = 100_000, **settings: Unpack[DecodeKeywords]) -> Top:
        """Find the ``n`` most probable rows by best-first search, and how many of them are proven to be.

        Args:
            n: number of rows.
            n_nodes: the effort: the most prefixes that are expanded.
            settings: see :class:`seqgen.keywords.DecodeKeywords`.
        """
        from seqgen.api.sample import find_top
        from seqgen.config import DecodeConfig

        return find_top(self, n, n_nodes, DecodeConfig.validated(settings))

    def next_symbols(
        self,
        prefix: str = "",
        n: int | None = None,
        *,
        label: str | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> list[NextSymbol]:
        """Return the symbols that may follow a prefix, the most probable first; the end is one of them.

        Args:
            prefix: the beginning of the sequence.
            n: number of symbols; None: all, whose probabilities sum to 1.
            label: label of the sequences.
            given: values of conditions, or of fields that come before the prefix.

        Raises:
            UnknownSymbol: the prefix has a symbol that the corpus did not have.
            UsageError: a label or field that the run does not know.
        """
        from seqgen.api.conditioning import Conditioning
        from seqgen.api.sample import next_symbols

        return next_symbols(self, prefix, n, Conditioning.of(self, label, given or {}))

    def describe(self, samples: Sequence[Sample], *, given: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return a row for each sample: row, text, cut, the conditions, bits_per_char and where.

        Args:
            samples: samples of this run.
            given: values of conditions or fields under which they were sampled and are scored, by name.

        Returns:
            ``bits_per_char`` and ``where`` ("train", "valid", "test" or "new") are None if they are not known.
        """
        from seqgen.api.score import describe_samples

        return describe_samples(self, samples, given or {})

    # -- scoring and evaluation

    def score(self, texts: str | Sequence[str], *, given: Mapping[str, Any] | None = None, top: int = 0) -> Scores:
        """Score texts (or one text): nats, bits per character, and nats of each symbol.

        Args:
            texts: the texts.
            given: values of conditions under which they are scored.
            top: number of the most probable symbols to return for each position.

        Raises:
            UnknownSymbol: a text has a symbol that the corpus did not have.
        """
        from seqgen.api.score import score_texts

        return score_texts(self, [texts] if isinstance(texts, str) else texts, given or {}, top)

    def scale(self, *, given: Mapping[str, Any] | None = None) -> ReferenceScores | None:
        """Return the scores of at most 10,000 held-out records; None without any, or for one long text.

        ``run.scale().percentile(score.bits_per_char)`` ranks a score. Records are scored without conditions that are
        not ``given``.
        """
        from seqgen.api.score import scale

        return scale(self, given or {})

    def verdict(self, text: str) -> Verdict:
        """Return the verdict of the domain's validator; without one every text is valid.

        Raises:
            MissingExtra: it needs a package that is not installed.
        """
        return Verdict(True) if self.validator is None else self.validator.validate(text)

    def canonical(self, text: str) -> str:
        """Return the form by which "unique" and "novel" compare texts; without a validator, the text itself."""
        from seqgen.evaluation import canonical_form

        return canonical_form(text, self.validator_here)

    def recorded_form(self, text: str) -> str:
        """Return the canonical form of a record of the corpus, which may declare that its records are canonical."""
        return text if self.corpus.canonical else self.canonical(text)

    def where(self, texts: Sequence[str]) -> dict[str, str]:
        """Return the part of the corpus that has each text: "train", "valid", "test" or "new".

        Raises:
            CorpusError: the corpus is not the one the run was trained on.
        """
        from seqgen.evaluation import membership

        return membership(texts, self.learned, self.settings.splitter, self.canonical, self.recorded_form)

    def records(self, part: Literal["train", "valid", "test"]) -> Iterator[Record]:
        """Return the records of a part of the corpus, in its order.

        Raises:
            BadOption: there is no such part, or the corpus is one long text, which has no records.
            CorpusError: the corpus is not the one the run was trained on.
        """
        if part not in PARTS:
            raise BadOption(f"a part is train, valid or test, not {part!r}")
        if not self.vocabulary.ends:
            raise BadOption("one long text has no records")
        splitter = self.settings.splitter
        return (record for record in self.learned if splitter.part(record) == part)

    def evaluate(
        self, n: int | None = None, *, log: Callable[[str], None] = ignore, **settings: Unpack[EvaluateKeywords]
    ) -> EvaluationResult:
        """Evaluate the run: held-out losses, baselines, and metrics of ``n`` samples.

        Args:
            n: number of samples; None: 500.
            log: called with a few words at the start of each stage.
            settings: see :class:`seqgen.keywords.EvaluateKeywords`.

        Returns:
            Metrics by name, as a dictionary; ``seqgen.METRICS`` has the meaning of each. ``_low`` and ``_high`` are the
            ends of a 95% interval, ``_chance`` is the value of held-out (for distances, training) records. Metrics
            without a meaning for the run are left out, with a line in ``notes``.
        """
        from seqgen.api.evaluate import evaluate
        from seqgen.config import EvaluateConfig
        from seqgen.render.results import EvaluationResult

        metrics, labels, _ = evaluate(self, EvaluateConfig.validated({"n": n, **settings}), log)
        return EvaluationResult(metrics, labels)

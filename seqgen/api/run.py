"""A run on disk: sample from it, score texts with it, evaluate it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from seqgen.api.encoded_corpus import ignore
from seqgen.api.open_run import OpenRun, plugins_for
from seqgen.checkpoint import find_run
from seqgen.compute import computing
from seqgen.config import DecodeConfig, EvaluateConfig, SampleConfig
from seqgen.corpus import PARTS, Record
from seqgen.errors import BadOption, CheckpointError, TooFewRows
from seqgen.plugins import PluginsArgument, choose_plugins
from seqgen.render.curve import loss_curve
from seqgen.render.html import run_html
from seqgen.render.tabular import Picture, Tabular

if TYPE_CHECKING:
    from seqgen.api.score import NextSymbol
    from seqgen.evaluation import ReferenceScores
    from seqgen.keywords import DecodeKeywords, EvaluateKeywords, SampleKeywords
    from seqgen.protocols import Exported
    from seqgen.render.results import EvaluationResult, Samples, Scores
    from seqgen.sampling import Sample, SampleBatch, Top


def load(
    run: str | PathLike[str] | None = None,
    *,
    checkpoint: str | int = "best",
    plugins: PluginsArgument = None,
    warn: Callable[[str], None] = ignore,
    reads_corpus: bool = True,
) -> Run:
    """Open a finished or interrupted run.

    Args:
        run: its folder, a name under ``runs/`` or another ``Run``; None: the newest run with a checkpoint.
        checkpoint: "best", "latest", or a step.
        plugins: None: all that are installed, or those of an open ``run``; a list
            ``["mycell.py", module, MyCell, object_with_hooks, spec]``: the installed ones and these.
        warn: called with one line for each warning, such as a damaged checkpoint that is skipped.
        reads_corpus: whether what needs the corpus may open the file or address that the run names.

    Raises:
        NoSuchRun: there is none.
        CheckpointError: its run.json is damaged or too new.
    """
    folder = find_run(run)
    return Run(folder, folder.settings(), choose_plugins(plugins_for(run, plugins)), checkpoint, warn, reads_corpus)


class Run(OpenRun, Tabular):
    """A run on disk; its model, vocabulary and corpus are loaded when they are first used. ``seqgen.load`` opens it."""

    def to_rows(self) -> list[dict[str, Any]]:
        """Return the lines of metrics.jsonl, all with the same names; None where a line has no value."""
        names = dict.fromkeys(name for line in self.metrics for name in line)
        return [{name: line.get(name) for name in names} for line in self.metrics]

    def _repr_html_(self) -> str:
        from seqgen.render.result_lines import result_lines

        title = f"{self.folder.name}: {self.settings.architecture}, {self.settings.n_parameters:,} parameters"
        rows = self.folder.samples.rows()
        lines = [title]
        with contextlib.suppress(CheckpointError):  # of a run that has none yet, the rest is shown
            lines += result_lines(self.settings, self.state, self.metrics, self.model)
        return run_html(lines, self.metrics, [row["text"] for row in rows if row["step"] == rows[-1]["step"]])

    def plot(self) -> Picture:
        """Return a picture of its losses over the steps."""
        return Picture(loss_curve(self.metrics, f"loss of {self.folder.name}").encode())

    # -- sampling

    def sample(self, n: int | None = None, **settings: Unpack[SampleKeywords]) -> Samples:
        """Sample rows, as a list that notebooks show.

        Args:
            n: number of rows; None: 10, or those of the range ``rows`` that pass.
            settings: such as ``temperature``, ``prefix``, ``contains``, ``length``, ``novel``, ``valid`` or ``seed``:
                the options of ``seqgen sample --help``, with ``_`` for ``-``; :class:`seqgen.keywords.SampleKeywords`
                has all of them.

        Raises:
            BadOption, UsageError, UnknownSymbol, CorpusError, TooFewRows: as :meth:`iter_samples`.
        """
        from seqgen.render.results import Samples

        rows = self.iter_samples(n, **settings)
        label = {"label": settings["label"]} if settings.get("label") is not None else {}
        describe = functools.partial(self.describe, given={**(settings.get("given") or {}), **label})
        found: list[Sample] = []
        try:
            found.extend(rows)
        except TooFewRows as error:
            error.rows = Samples(found, describe, lambda: self.renderer)
            raise
        return Samples(found, describe, lambda: self.renderer)

    def iter_samples(
        self,
        n: int | None = None,
        *,
        warn: Callable[[str], None] | None = None,
        check: Callable[[], None] | None = None,
        **settings: Unpack[SampleKeywords],
    ) -> Iterator[Sample]:
        """Sample rows one after another.

        Args:
            n: number of rows; None: 10, or those of the range ``rows`` that pass.
            warn: called with one line if the model seldom satisfies a constraint, which says how its rows are found
                and whether that changes their distribution (``exact`` never does); None: that of the run.
            check: called before each symbol is sampled; an exception that it raises ends the sampling.
            settings: as for :meth:`sample`.

        Raises:
            BadOption: an unknown setting or an impossible value.
            UsageError: a label or field that the run does not know, ``valid`` where there is no validator, or a
                constraint that no row can satisfy.
            UnknownSymbol: the prefix has a symbol that the corpus did not have.
            CorpusError: ``novel`` or ``min_edit``, and the corpus is not the one the run was trained on.
            TooFewRows: fewer were found, after these have been returned.
        """
        from seqgen.api.sample import iter_rows

        if n is not None and settings.get("rows") is not None:
            raise BadOption("rows says which rows are tried, and n how many are kept: drop one of them")
        n = 10 if n is None else n
        return iter_rows(self, n, SampleConfig.validated(settings), warn or self.warn, None, check)

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
        from seqgen.api.score import next_symbols

        return next_symbols(self, prefix, n, Conditioning.of(self, label, given or {}))

    def describe(self, samples: Sequence[Sample], *, given: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return a row for each sample: row, text, cut, valid and canonical, conditions, bits_per_char and where.

        Args:
            samples: samples of this run.
            given: values of conditions or fields under which they were sampled and are scored, by name.

        Returns:
            ``valid`` and ``canonical``, the form that "unique" and "novel" compare, are there if the domain has a
            validator and no condition has that name; the form of an invalid text is None. ``bits_per_char`` and
            ``where`` are None if they are not known. ``where`` is "train", "valid" or "test" of a record of that part,
            else "not valid" of an invalid text, and "new" of any other.
        """
        from seqgen.api.score import describe_samples

        return describe_samples(self, samples, given or {})

    # -- scoring, evaluation and export

    def score(
        self,
        texts: str | Iterable[str],
        *,
        label: str | None = None,
        given: Mapping[str, Any] | None = None,
        top: int = 0,
    ) -> Scores:
        """Score texts (or one text): nats, bits per character, and nats of each symbol.

        Args:
            texts: the texts.
            label: the label under which they are scored.
            given: values of conditions under which they are scored.
            top: number of the most probable symbols to return for each position.

        Raises:
            UnknownSymbol: a text has a symbol that the corpus did not have.
            UsageError: the run was not trained with such a condition.
        """
        from seqgen.api.score import conditions, score_texts

        scored_under = conditions(self, label, given or {})
        return score_texts(self, [texts] if isinstance(texts, str) else texts, scored_under, top)

    def reference_scores(self, *, given: Mapping[str, Any] | None = None) -> ReferenceScores | None:
        """Return the scores of at most 10,000 held-out records; None without any, or for one long text.

        ``run.reference_scores().percentile(score.bits_per_char)`` ranks a score; 100: likelier than all records.
        Records are scored without conditions that are not ``given``.

        Raises:
            UsageError: the run was not trained with such a condition.
        """
        from seqgen.api.score import conditions, reference_scores

        return reference_scores(self, conditions(self, None, given or {}))

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

        Raises:
            Exception: that of a metric or report of a plugin that failed.
        """
        from seqgen.api.evaluate import evaluate
        from seqgen.render.results import EvaluationResult

        metrics, labels, _, failures = evaluate(self, EvaluateConfig.validated({"n": n, **settings}), log)
        if failures:
            raise failures[0]
        return EvaluationResult(metrics, labels)

    def export(self, name: str, path: str | Path, **options: Any) -> Exported:
        """Write the run in another form, compare that with the run, and only then put it in place.

        Args:
            name: of a registered exporter, such as "page" (``seqgen list exporters``).
            path: the file or folder to make; an existing file is replaced.
            options: of the exporter (``seqgen show exporter page``).

        Raises:
            UnknownName: there is no such exporter.
            BadOption: an unknown option, or an invalid value.
            ExportRefused: the form cannot hold the run, or what was written differs from it; nothing is left behind.
            DiskError: writing failed.
        """
        from seqgen.publishing import publish

        exporter = self.plugins.find("exporter", name).use(options)
        with computing(self.settings.engine.threads):
            return publish(exporter, self, Path(path))

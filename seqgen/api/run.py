"""A trained run: sample from it, score texts with it, judge it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from seqgen.api.chosen import SomePlugins, choose_plugins
from seqgen.api.conditioning import Wishes, as_conditions
from seqgen.api.corpus_checks import splitter_of
from seqgen.api.environment import computing, ignore
from seqgen.api.stored import StoredRun
from seqgen.checkpoint import find_run
from seqgen.corpus import PARTS, Record
from seqgen.errors import BadOption
from seqgen.protocols import Verdict

if TYPE_CHECKING:
    from seqgen.api.next_symbols import NextSymbol
    from seqgen.api.reports import Reports
    from seqgen.api.sample import Decoding, Processors
    from seqgen.evaluation import ReferenceScores, Score
    from seqgen.sampling import Sample, Top

RUNS = Path("runs")
"""Where runs are kept, relative to the current folder."""


def load(
    run: str | Path | None = None,
    *,
    checkpoint: str | int = "best",
    plugins: SomePlugins = None,
    warn: Callable[[str], None] = ignore,
) -> Run:
    """A finished or interrupted run.

    Args:
        run: its folder, or a name under ``runs/``; left out: the newest run with a checkpoint.
        checkpoint: "best", "latest", or a step.
        plugins: left out: all that are installed; a list ``["mycell.py", module, MyCell, object_with_hooks, spec]``:
            these too.
        warn: is told, in one line, when a damaged checkpoint is passed over.

    Raises:
        NoSuchRun: there is none.
        CheckpointError: its run.json is damaged or too new.
    """
    folder = find_run(run, RUNS)
    return Run(folder, folder.settings(), choose_plugins(plugins), checkpoint, warn)


class Run(StoredRun):
    """A run, to draw from, to score with and to judge; see :class:`StoredRun` for what it is made of."""

    def sample(self, n: int = 10, **options: Any) -> list[Sample]:
        """Draw ``n`` rows; see :meth:`iter_samples` for the options and errors."""
        return list(self.iter_samples(n, **options))

    def iter_samples(
        self,
        n: int = 10,
        *,
        unique: bool = False,
        valid: bool = False,
        novel: bool = False,
        min_edit: int = 0,
        effort: int | None = None,
        decode: Decoding = "draw",
        label: str | None = None,
        given: Mapping[str, Any] | None = None,
        processors: Processors | None = None,
        warn: Callable[[str], None] | None = None,
        **options: Any,
    ) -> Iterator[Sample]:
        """Draw rows one after another.

        Args:
            n: how many.
            unique: leave out rows whose canonical form has come before.
            valid: leave out rows that the domain's validator refuses.
            novel: leave out rows whose canonical form has been trained on.
            min_edit: leave out rows less than so many insertions, deletions and exchanges from a training record.
            effort: rows looked at, at most; None: 200 for each one asked, at least 20,000.
            decode: "draw"; or "beam", the likeliest rows that a beam of ``n`` finds; or "gumbel", rows drawn without
                replacement.
            label: draw rows of this label; the run must have been trained with ``condition="label"``.
            given: values of conditions or of fields that the rows begin with.
            processors: further decoding steps by registered name: some names, or a mapping to their options.
            warn: called with one line where the model seldom satisfies a constraint, so that rows are guided to it,
                which changes their distribution; left out: that of the run. ``exact`` is recommended.
            options: prefix, seed, temperature, top_k, top_p, min_p, repetition_penalty, ban, guidance, contains,
                contains_any, avoid, ends, length, regex, ignore_case, exact, max_length, batch_size.

        Raises:
            BadOption: an unknown option or an impossible value.
            UsageError: a label or field that the run does not know, ``valid`` where there is no validator, or a
                constraint that no row can satisfy.
            UnknownSymbol: the prefix holds a symbol that the corpus did not.
            CorpusError: ``novel`` or ``min_edit``, and the corpus is not what the run learned from.
            TooFewRows: fewer were found, after these have been given.
        """
        from seqgen.api.sample import Filters, iter_rows

        filters = Filters(unique, valid, novel, min_edit, effort)
        wishes = Wishes.of(self, label, given or {})
        yield from iter_rows(self, n, filters, wishes, decode, processors or {}, options, warn or self.warn)

    def describe(self, samples: Sequence[Sample], *, given: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return a row for each sample: row, text, cut, what was given, bits_per_char, and where it stands.

        Args:
            samples: of this run.
            given: values of conditions or fields under which they were sampled, by name; they are scored so.

        Returns:
            ``bits_per_char`` and ``where`` ("train", "valid", "test" or "new") are None where they cannot be known.
        """
        from seqgen.api.described import describe_samples

        return describe_samples(self, samples, given or {})

    def top(
        self,
        n: int = 20,
        *,
        n_nodes: int = 100_000,
        label: str | None = None,
        given: Mapping[str, Any] | None = None,
        processors: Processors | None = None,
        **options: Any,
    ) -> Top:
        """The ``n`` most probable rows, and how many of them are proven to be it: best-first search.

        Args:
            n: how many.
            n_nodes: the effort: beginnings looked at, at most.
            label: as for :meth:`iter_samples`, and so the others.
            given: values of conditions or of fields that the rows begin with.
            processors: further decoding steps by registered name: some names, or a mapping to their options.
            options: those of :meth:`iter_samples`.
        """
        from seqgen.api.sample import find_top

        return find_top(self, n, n_nodes, Wishes.of(self, label, given or {}), processors or {}, options)

    def next_symbols(
        self,
        prefix: str = "",
        n: int | None = None,
        *,
        label: str | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> list[NextSymbol]:
        """What may come after a prefix, the likeliest first, each with its probability; the end is one of them.

        Args:
            prefix: how the sequence begins.
            n: how many; None: all, whose probabilities sum to 1.
            label: of sequences of this label.
            given: values of conditions or of fields that come before the prefix.

        Raises:
            UnknownSymbol: the prefix holds a symbol that the corpus did not.
            UsageError: a label or field that the run does not know.
        """
        from seqgen.api.next_symbols import next_symbols

        return next_symbols(self, prefix, n, Wishes.of(self, label, given or {}))

    def score(self, texts: str | Sequence[str], *, given: Mapping[str, Any] | None = None) -> list[Score]:
        """How likely the model finds texts (or one text): nats, bits per character, nats of each symbol.

        Args:
            texts: what to score.
            given: values of conditions under which they are scored.

        Raises:
            UnknownSymbol: a text holds a symbol that the corpus did not.
        """
        from seqgen.evaluation import score

        texts = [texts] if isinstance(texts, str) else texts
        with computing(self.settings.engine.threads):
            return score(self.model, self.vocabulary, texts, as_conditions(given or {}))

    def scale(self, *, given: Mapping[str, Any] | None = None) -> ReferenceScores | None:
        """What at most 10,000 test (else validation) records score; None where nothing is held out, or in a long text.

        ``run.scale().percentile(score.bits_per_char)`` ranks a score. Conditions not ``given`` are told of no record.
        """
        from seqgen.api.score import scale

        return scale(self, given or {})

    def verdict(self, text: str) -> Verdict:
        """What the domain's validator says of a text; without one every text is valid.

        Raises:
            MissingExtra: it needs what is not installed.
        """
        return Verdict(True) if self.validator is None else self.validator.validate(text)

    def canonical(self, text: str) -> str:
        """The form by which "unique" and "novel" compare texts; where the validator is ``lacking``, as they stand."""
        from seqgen.evaluation import canonical_form

        return canonical_form(text, self.validator_here)

    def recorded_form(self, text: str) -> str:
        """The canonical form of a record of the corpus, which may be known to be its own."""
        return text if self.corpus.canonical else self.canonical(text)

    def where(self, texts: Sequence[str]) -> dict[str, str]:
        """Where texts stand in the corpus: "train", "valid", "test" or "new".

        Raises:
            CorpusError: the corpus is not what the run learned from.
        """
        from seqgen.evaluation import membership

        return membership(texts, self.learned, splitter_of(self.settings), self.canonical, self.recorded_form)

    def records(self, part: Literal["train", "valid", "test"]) -> Iterator[Record]:
        """The records of a part of the corpus, as they are, in its order.

        Raises:
            BadOption: there is no such part, or the corpus is one long text, which has no records.
            CorpusError: the corpus is not what the run learned from.
        """
        if part not in PARTS:
            raise BadOption(f"a part is train, valid or test, not {part!r}")
        if not self.vocabulary.ends:
            raise BadOption("one long text has no records")
        splitter = splitter_of(self.settings)
        return (record for record in self.learned if splitter.part(record) == part)

    def evaluate(
        self,
        n: int = 500,
        *,
        seed: int = 0,
        reference: str | None = None,
        html: str | Path | None = None,
        reports: Reports | None = None,
        tell: Callable[[str], None] = ignore,
        **options: Any,
    ) -> dict[str, Any]:
        """Judge the run: held-out losses, a ladder of baselines, and figures of ``n`` samples.

        Args:
            n: how many samples.
            seed: of the samples.
            reference: a corpus, by name or file, with which metrics compare the samples; None: the held-out records.
            html: the file of the report "html", a page with plots; needs the extra ``plot``.
            reports: files of other reports, by name.
            tell: is told, in a few words, what is being done.
            options: of the reference corpus (``path``, ...) and, by ``"name.option"``, of metrics and reports.

        Returns:
            Figures by name; ``seqgen.METRICS`` says what each means and its unit. ``_low`` and ``_high`` are the
            ends of a 95% interval, ``_chance`` is what held-out (of distances, training) records score. What has no
            meaning for the run is left out, and said in ``notes``.
        """
        from seqgen.api.evaluate import evaluate

        page = {} if html is None else {"html": html}
        return evaluate(self, n, seed, reference, options, {**(reports or {}), **page}, tell)[0]

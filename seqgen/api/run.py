"""A trained run: sample from it, score texts with it, judge it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.api.parts import build_model, changed_plugins, corpus_of, domain_part, read_vocabulary
from seqgen.api.prepare import splitter_of
from seqgen.api.setup import SomePlugins, choose_plugins, computing, ignore
from seqgen.api.wishes import Wishes, as_conditions
from seqgen.checkpoint import RunFolder, RunSettings, find_run
from seqgen.corpus import Corpus
from seqgen.errors import BadOption, CheckpointError
from seqgen.plugins import Plugins
from seqgen.protocols import Verdict

if TYPE_CHECKING:
    from seqgen.evaluation import Scale, Score
    from seqgen.sampling import Sample
    from seqgen.tokenizers import Vocabulary

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
        plugins: left out: all that are installed; a list of files ``["mycell.py"]``: these too.
        warn: is told, in one line, when a damaged checkpoint is passed over.

    Raises:
        NoSuchRun: there is none.
        CheckpointError: its run.json is damaged or too new.
    """
    folder = find_run(run, RUNS)
    return Run(folder, folder.settings(), choose_plugins(plugins), checkpoint, warn)


class Run:
    """A run on disk; its model is read when it is first needed.

    Args:
        folder: where it is.
        settings: its run.json.
        plugins: what its parts come from.
        checkpoint: "best", "latest", or a step.
        warn: is told of damaged checkpoints that are passed over.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: RunSettings,
        plugins: Plugins,
        checkpoint: str | int = "best",
        warn: Callable[[str], None] = ignore,
    ) -> None:
        self.folder, self.settings, self.plugins = folder, settings, plugins
        self._checkpoint, self._warn = checkpoint, warn

    def __repr__(self) -> str:
        """Where it is."""
        return f"seqgen.load({str(self.folder.path)!r})"

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl: step, losses in nats per symbol, bits per character."""
        return self.folder.metrics.rows()

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        """The symbols."""
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
        snapshot = self._snapshot()
        for line in changed_plugins(self.plugins, self.settings):
            self._warn(line)
        model = build_model(self.plugins, self.settings)
        try:
            model.load_state_dict(snapshot.model)
        except RuntimeError as error:
            raise CheckpointError(f"the checkpoint does not fit run.json: {' '.join(str(error).split())}") from None
        return model.eval(), snapshot.state

    def _snapshot(self) -> Any:
        if self._checkpoint == "best":
            return self.folder.load_best(self._warn)
        if self._checkpoint == "latest":
            snapshot = self.folder.load_latest(self._warn)
            if snapshot is None:
                raise CheckpointError(f"the run {self.folder.name!r} has no checkpoint yet: seqgen resume {self.path}")
            return snapshot
        if not str(self._checkpoint).isdecimal():
            raise BadOption(f"a checkpoint is best, latest or a step, not {self._checkpoint!r}")
        return self.folder.load(int(self._checkpoint))

    # -- sampling

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
        label: str | None = None,
        given: Mapping[str, Any] | None = None,
        processors: Mapping[str, Mapping[str, Any]] | None = None,
        **options: Any,
    ) -> Iterator[Sample]:
        """Draw rows one after another.

        Args:
            n: how many.
            unique: leave out rows whose canonical form has come before.
            valid: leave out rows that the domain's validator refuses.
            novel: leave out rows whose canonical form has been trained on.
            label: draw rows of this label; the run must have been trained with ``condition="label"``.
            given: values of conditions or of fields that the rows begin with.
            processors: further decoding steps by registered name, with their options.
            options: prefix, seed, temperature, top_k, top_p, min_p, max_length, batch_size.

        Raises:
            BadOption: an unknown option or an impossible value.
            UsageError: a label or field that the run does not know, or ``valid`` where there is no validator.
            UnknownSymbol: the prefix holds a symbol that the corpus did not.
            TooFewRows: fewer were found, after these have been given.
        """
        from seqgen.api.drawing import iter_rows

        filters = {"unique": unique, "valid": valid, "novel": novel}
        yield from iter_rows(self, n, filters, Wishes.of(self, label, given or {}), processors or {}, options)

    # -- judging

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

    def scale(self, *, given: Mapping[str, Any] | None = None) -> Scale | None:
        """What at most 10,000 test (else validation) records score; None where nothing is held out, or in a long text.

        ``run.scale().percentile(score.bits_per_char)`` ranks a score. Conditions not ``given`` are told of no record.
        """
        from seqgen.api.scoring import scale

        return scale(self, given or {})

    @functools.cached_property
    def corpus(self) -> Corpus:
        """The corpus it was trained on, opened again.

        Raises:
            SeqgenError: it is no longer there.
        """
        return corpus_of(self.settings, self.plugins)

    @functools.cached_property
    def validator(self) -> Any:
        """The validator of the corpus's domain, or None."""
        return domain_part(self.settings, self.plugins, "validator")

    @functools.cached_property
    def renderer(self) -> Any:
        """The renderer of the corpus's domain, or None."""
        return domain_part(self.settings, self.plugins, "renderer")

    def verdict(self, text: str) -> Verdict:
        """What the domain's validator says of a text; without one every text is valid."""
        return Verdict(True) if self.validator is None else self.validator.validate(text)

    def canonical(self, text: str) -> str:
        """The form by which "unique" and "novel" compare texts."""
        from seqgen.evaluation import canonical_form

        return canonical_form(text, self.validator)

    def recorded_form(self, text: str) -> str:
        """The canonical form of a record of the corpus, which may be known to be its own."""
        return text if self.corpus.canonical else self.canonical(text)

    def where(self, texts: Sequence[str]) -> dict[str, str]:
        """Where texts stand in the corpus: "train", "valid", "test" or "new"."""
        from seqgen.evaluation import membership

        return membership(texts, self.corpus, splitter_of(self.settings), self.canonical, self.recorded_form)

    def evaluate(
        self,
        n: int = 500,
        *,
        seed: int = 0,
        reference: str | None = None,
        html: str | Path | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Judge the run: held-out losses, a ladder of baselines, and figures of ``n`` samples.

        Args:
            n: how many samples.
            seed: of the samples.
            reference: a corpus, by name or file, with which metrics compare the samples; None: the held-out records.
            html: a file that a page with plots is written to; needs the extra ``plot``.
            options: of the reference corpus (``path``, ...) and, by ``"metric.option"``, of the domain's metrics.

        Returns:
            Figures by name; ``seqgen.render.FIGURES`` says what each means and its unit. ``_low`` and ``_high`` are the
            ends of a 95% interval, ``_chance`` is what held-out (of distances, training) records score. What has no
            meaning for the run is left out, and said in ``notes``.
        """
        from seqgen.api.judging import evaluate

        return evaluate(self, n, seed, reference, options, html)

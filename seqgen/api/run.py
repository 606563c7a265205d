"""A trained run: sample from it, score texts with it, judge it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.api.parts import build_model, changed_plugins, corpus_of, domain_part, read_vocabulary
from seqgen.api.prepare import splitter_of
from seqgen.api.setup import SomePlugins, choose_plugins, computing, ignore
from seqgen.checkpoint import RunFolder, RunSettings, find_run
from seqgen.config import build_options
from seqgen.corpus import Corpus
from seqgen.errors import BadOption, CheckpointError
from seqgen.plugins import Plugins

if TYPE_CHECKING:
    from seqgen.evaluation import Score
    from seqgen.protocols import Processor
    from seqgen.sampling import Sample, Sampler
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
        processors: Mapping[str, Mapping[str, Any]] | None = None,
        **options: Any,
    ) -> Iterator[Sample]:
        """Draw rows one after another.

        Args:
            n: how many.
            unique: leave out rows whose canonical form has come before.
            processors: further decoding steps by registered name, with their options.
            options: prefix, seed, temperature, top_k, top_p, min_p, max_length, batch_size.

        Raises:
            BadOption: an unknown option or an impossible value.
            UnknownSymbol: the prefix holds a symbol that the corpus did not.
            TooFewRows: ``unique`` found fewer, after those it found have been given.
        """
        if not isinstance(n, int) or n < 0:
            raise BadOption(f"the number of rows must be a whole number, at least 0, not {n!r}")
        from seqgen.sampling import unique_rows

        sampler = self._sampler(options, processors or {})
        rows = unique_rows(sampler.rows(), n, self.canonical) if unique else sampler.take(n)
        with computing(self.settings.engine.threads):
            yield from rows

    def _sampler(self, options: Mapping[str, Any], processors: Mapping[str, Mapping[str, Any]]) -> Sampler:
        from seqgen.sampling import Sampler, SampleSettings

        given = {name: value for name, value in options.items() if value is not None}
        settings = SampleSettings(
            **build_options(SampleSettings, {"max_length": self.settings.max_length} | given, "sample")
        )
        registry = self.plugins.registry
        steps: list[Processor] = [registry.get("processor", name).build(values) for name, values in processors.items()]
        return Sampler(
            self.model, self.vocabulary, settings, multiline=self.settings.corpus.multiline, processors=steps
        )

    # -- judging

    def score(self, texts: str | Sequence[str]) -> list[Score]:
        """How likely the model finds texts (or one text): nats, bits per character, nats of each symbol.

        Raises:
            UnknownSymbol: a text holds a symbol that the corpus did not.
        """
        from seqgen.evaluation import score

        texts = [texts] if isinstance(texts, str) else texts
        with computing(self.settings.engine.threads):
            return score(self.model, self.vocabulary, texts)

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

    def canonical(self, text: str) -> str:
        """The form by which "unique" and "novel" compare texts."""
        from seqgen.evaluation import canonical_form

        return canonical_form(text, self.validator)

    def where(self, texts: Sequence[str]) -> dict[str, str]:
        """Where texts stand in the corpus: "train", "valid", "test" or "new"."""
        from seqgen.evaluation import membership

        return membership(texts, self.corpus, splitter_of(self.settings), self.canonical)

    def evaluate(self, n: int = 500, *, seed: int = 0) -> dict[str, Any]:
        """Judge the run: held-out losses, and figures of ``n`` samples.

        Returns:
            Bits per character of the validation and test parts (those that are not empty); the valid, unique and
            novel shares of the samples; and whatever the metrics of the domain give.
        """
        from seqgen.api.judging import evaluate

        return evaluate(self, n, seed)

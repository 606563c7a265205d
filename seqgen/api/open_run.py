"""An open run: its parts, loaded when they are first used.

Sampling, scoring and evaluation take it; :class:`seqgen.Run` adds their methods.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.api.encoded_corpus import CorpusReading, EncodedCorpus, check_unchanged, ignore, missing_corpus, read_again
from seqgen.api.factories import (
    corpus_of,
    domain_entry,
    domain_part,
    predictor_of,
    read_vocabulary,
    rebuild_model,
)
from seqgen.api.missing_plugin import changed_plugins
from seqgen.checkpoint import RunFolder, RunSettings, damaged_logs
from seqgen.corpus import Corpus
from seqgen.errors import CheckpointError, CorpusError, MissingExtra
from seqgen.plugins import Plugins, PluginsArgument, choose_plugins
from seqgen.protocols import TextAutomaton, Verdict

if TYPE_CHECKING:
    from seqgen.tokenizers import Vocabulary


def plugins_for(run: object, plugins: PluginsArgument) -> PluginsArgument:
    """Return the plugins for a call that takes a run: those that are passed, or else those of an open run.

    Those of a run that was opened without any of its own stay the default, to which no part that is passed is added.
    """
    if plugins is not None or not isinstance(run, OpenRun) or run.plugins is choose_plugins():
        return plugins
    return run.plugins


class OpenRun:
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
        self._path = str(folder.path.absolute())  # the current folder may change
        self.checked_fields: set[tuple[tuple[str, str], ...]] = set()

    def __fspath__(self) -> str:
        """Return the run folder, so that a run can be passed where one is named."""
        return self._path

    def __repr__(self) -> str:
        """Return the call that opens it."""
        return f"seqgen.load({str(self.folder.path)!r})"

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
        snapshot = self.folder.load_chosen(self._checkpoint, self.warn)
        for line in self.changed_plugins():
            self.warn(line)
        model = rebuild_model(self.plugins, self.settings, snapshot.model)
        try:
            model.load_state_dict(snapshot.model)
        except RuntimeError as error:
            raise CheckpointError(f"the checkpoint does not fit run.json: {' '.join(str(error).split())}") from None
        return predictor_of(self.folder, self.settings, self.plugins, model, snapshot.state).eval(), snapshot.state

    def changed_plugins(self) -> list[str]:
        """Return a line for each plugin whose version, file or code is not the one that the run was made with."""
        return changed_plugins(self.plugins, self.settings)

    @functools.cached_property
    def corpus(self) -> Corpus:
        """The corpus it was trained on, opened again.

        Raises:
            UsageError: it no longer exists.
        """
        if not self._reads_corpus:
            raise CorpusError(f"the corpus of the run {self.folder.name!r} is not opened here")
        return corpus_of(self.settings, self.plugins)

    @functools.cached_property
    def learned(self) -> Corpus:
        """The corpus, verified to be the one it was trained on.

        Raises:
            CorpusError: it has changed since.
            UsageError: it no longer exists.
        """
        with missing_corpus(self.folder.name):
            counted = CorpusReading(self.corpus, self.settings.corpus.title).count()
        check_unchanged(counted, self.settings)
        return self.corpus

    def read_corpus(self) -> EncodedCorpus:
        """Return the corpus, verified to be the one it was trained on and encoded with its symbols.

        Raises:
            CorpusError: it has changed since.
            UsageError: it no longer exists.
        """
        with missing_corpus(self.folder.name):
            return read_again(self.corpus, self.settings, self.vocabulary, warn=self.warn)

    @property
    def domain(self) -> str:
        """The name of the corpus's domain."""
        return self.settings.corpus.domain.rpartition(":")[2]

    @functools.cached_property
    def automaton(self) -> TextAutomaton | None:
        """The automaton of the corpus's domain, or None."""
        return domain_entry(self.settings, self.plugins)[0].automaton()

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

    def where(self, texts: str | Iterable[str]) -> dict[str, str]:
        """Return the part of the corpus that has each text (or one text): "train", "valid", "test" or "new".

        Raises:
            CorpusError: the corpus is not the one the run was trained on.
        """
        from seqgen.evaluation import membership

        texts = [texts] if isinstance(texts, str) else texts
        return membership(texts, self.learned, self.settings.splitter, self.canonical, self.recorded_form)

"""What is kept of a run: its settings, symbols, weights, corpus, and the parts of its domain."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.api.corpus_checks import check_unchanged
from seqgen.api.data import count
from seqgen.api.environment import ignore
from seqgen.api.factories import changed_plugins, corpus_of, domain_part, read_vocabulary
from seqgen.checkpoint import RunFolder, RunSettings, damaged_logs
from seqgen.corpus import Corpus
from seqgen.errors import BadOption, CheckpointError, MissingExtra, NoSuchFile
from seqgen.plugins import Plugins

if TYPE_CHECKING:
    from seqgen.tokenizers import Vocabulary


class StoredRun:
    """A run on disk; its model is read when it is first needed.

    Args:
        folder: where it is.
        settings: its run.json.
        plugins: what its parts come from.
        checkpoint: "best", "latest", or a step.
        warn: is told of damaged checkpoints that are passed over, and of what is asked that was never learned.

    Attributes:
        granted: fields that rows were asked to begin with, and can.
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
        self._checkpoint, self.warn = checkpoint, warn
        self.granted: set[tuple[tuple[str, str], ...]] = set()

    def __repr__(self) -> str:
        """Where it is."""
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
        from seqgen.api.rebuild import rebuild_model

        snapshot = self._snapshot()
        for line in changed_plugins(self.plugins, self.settings):
            self.warn(line)
        model = rebuild_model(self.plugins, self.settings, snapshot.model)
        try:
            model.load_state_dict(snapshot.model)
        except RuntimeError as error:
            raise CheckpointError(f"the checkpoint does not fit run.json: {' '.join(str(error).split())}") from None
        return model.eval(), snapshot.state

    def _snapshot(self) -> Any:
        if self._checkpoint == "best":
            return self.folder.load_best(self.warn)
        if self._checkpoint == "latest":
            snapshot = self.folder.load_latest(self.warn)
            if snapshot is None:
                raise CheckpointError(f"the run {self.folder.name!r} has no checkpoint yet: seqgen resume {self.path}")
            return snapshot
        if not str(self._checkpoint).isdecimal():
            raise BadOption(f"a checkpoint is best, latest or a step, not {self._checkpoint!r}")
        return self.folder.load(int(self._checkpoint))

    @functools.cached_property
    def corpus(self) -> Corpus:
        """The corpus it was trained on, opened again.

        Raises:
            SeqgenError: it is no longer there.
        """
        return corpus_of(self.settings, self.plugins)

    @functools.cached_property
    def learned(self) -> Corpus:
        """The corpus, found to hold what was learned from.

        Raises:
            CorpusError: it has changed since.
            SeqgenError: it is no longer there.
        """
        try:
            counted = count(self.corpus, self.settings.corpus.title)
        except NoSuchFile as error:
            raise NoSuchFile(f"{error}, from which the run {self.folder.name} learned") from None
        check_unchanged(counted, self.settings)
        return self.corpus

    @functools.cached_property
    def validator(self) -> Any:
        """The validator of the corpus's domain, or None.

        Raises:
            MissingExtra: it needs what is not installed.
        """
        return domain_part(self.settings, self.plugins, "validator")

    @functools.cached_property
    def lacking(self) -> MissingExtra | None:
        """Why the validator cannot be asked: it needs what is not installed; else None."""
        try:
            _ = self.validator
        except MissingExtra as error:
            return error
        return None

    @property
    def validator_here(self) -> Any:
        """The validator; None also where it needs what is not installed."""
        return None if self.lacking else self.validator

    @functools.cached_property
    def renderer(self) -> Any:
        """The renderer of the corpus's domain, or None."""
        return domain_part(self.settings, self.plugins, "renderer")

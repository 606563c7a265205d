"""The view of a run that sampling, scoring and evaluation have; ``seqgen.Run`` fits it.

These modules are called by :class:`seqgen.Run` and so cannot import it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from seqgen.checkpoint import RunFolder, RunSettings
from seqgen.corpus import Corpus
from seqgen.errors import MissingExtra
from seqgen.plugins import Plugins
from seqgen.protocols import TextAutomaton, Verdict

if TYPE_CHECKING:
    from seqgen.evaluation import Score
    from seqgen.tokenizers import Vocabulary


class OpenRun(Protocol):
    """A run whose parts are loaded when they are first used; see :class:`seqgen.Run` for each member."""

    folder: RunFolder
    settings: RunSettings
    plugins: Plugins
    warn: Callable[[str], None]
    checked_fields: set[tuple[tuple[str, str], ...]]

    @property
    def path(self) -> Path: ...
    @property
    def metrics(self) -> list[dict[str, Any]]: ...
    @property
    def vocabulary(self) -> Vocabulary: ...
    @property
    def model(self) -> Any: ...
    @property
    def state(self) -> Mapping[str, Any]: ...
    @property
    def corpus(self) -> Corpus: ...
    @property
    def learned(self) -> Corpus: ...
    @property
    def domain(self) -> str: ...
    @property
    def automaton(self) -> TextAutomaton | None: ...
    @property
    def validator(self) -> Any: ...
    @property
    def lacking(self) -> MissingExtra | None: ...
    @property
    def validator_here(self) -> Any: ...
    def verdict(self, text: str) -> Verdict: ...
    def canonical(self, text: str) -> str: ...
    def recorded_form(self, text: str) -> str: ...
    def where(self, texts: Sequence[str]) -> dict[str, str]: ...
    def score(self, texts: str | Sequence[str], *, given: Mapping[str, Any] | None = None) -> list[Score]: ...

"""Planning the runs of a study, which share the corpora that were read."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import seqgen
from seqgen import commands
from seqgen_tune.dimension import as_keywords

_MOST_CORPORA = 4  # kept: where the tokenizer is searched, each trial may have its own


@dataclass(frozen=True)
class Planner:
    """Plans the runs of a study.

    Attributes:
        plugins: the result of ``seqgen.choose_plugins``.
        warn: called with one line for each warning.
        progress: called while the corpus is read, as in ``seqgen.plan``.
        cache: corpora that were read already.
    """

    plugins: Any
    warn: Callable[[str], None]
    progress: Any = None
    cache: MutableMapping[str, Any] = field(default_factory=dict)

    def plan(
        self, corpus: str | Path | Sequence[str | Path] | None, values: Mapping[str, Any], fixed: Mapping[str, Any]
    ) -> seqgen.TrainingPlan:
        """Return the plan of a run with the values of a trial and the fixed settings.

        Raises:
            UsageError: they are impossible.
            CorpusError: the corpus is unreadable or empty, or has no validation part.
        """
        if len(self.cache) >= _MOST_CORPORA:
            self.cache.clear()
        keywords: dict[str, Any] = as_keywords(values, fixed)
        plan = seqgen.plan(
            corpus, plugins=self.plugins, warn=self.warn, progress=self.progress, cache=self.cache, **keywords
        )
        if not len(plan.data.encoded["valid"]):
            title, more = plan.resolved.title, plan.resolved.split_hint
            raise seqgen.CorpusError(
                f"corpus {title!r} has no record in its validation part; try {more} or --valid-file FILE"
            )
        return plan

    def continue_command(self, path: Path) -> str:
        """Return the command that continues the study in a folder, with the plugin files that are loaded."""
        return f"seqgen tune --out {shlex.quote(str(path))}{commands.plugin_flags(self.plugins)}"

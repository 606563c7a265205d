"""Every hook of seqgen. A plugin implements any of them, marked with ``@seqgen.hookimpl``.

``register_*`` hooks get a function ``register`` and call it with one spec at a time; they run once, when the program
starts, and must not import anything heavy. ``on_*`` hooks are told what happens while a run is trained; what they
return is ignored, and a hook that raises is not called again.

Hooks only ever gain optional arguments, and an implementation may take fewer than there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from seqgen import specs

if TYPE_CHECKING:
    import typer

PLUGIN_API = (1, 0)
"""Version of the hooks: the second number grows when something is added, the first when something breaks."""

hookspec = pluggy.HookspecMarker("seqgen")
hookimpl = pluggy.HookimplMarker("seqgen")


@hookspec
def register_corpora(register: Callable[[specs.CorpusSpec], None]) -> None:
    """Hand in corpora."""


@hookspec
def register_tokenizers(register: Callable[[specs.TokenizerSpec], None]) -> None:
    """Hand in tokenizers."""


@hookspec
def register_cells(register: Callable[[specs.CellSpec], None]) -> None:
    """Hand in cells."""


@hookspec
def register_models(register: Callable[[specs.ModelSpec], None]) -> None:
    """Hand in models that are not embedding, stack of cells and head."""


@hookspec
def register_domains(register: Callable[[specs.DomainSpec], None]) -> None:
    """Hand in domains."""


@hookspec
def register_validators(register: Callable[[specs.ValidatorSpec], None]) -> None:
    """Hand in validators."""


@hookspec
def register_metrics(register: Callable[[specs.MetricSpec], None]) -> None:
    """Hand in metrics."""


@hookspec
def register_renderers(register: Callable[[specs.RendererSpec], None]) -> None:
    """Hand in renderers."""


@hookspec
def register_processors(register: Callable[[specs.ProcessorSpec], None]) -> None:
    """Hand in decoding steps."""


@hookspec
def register_augmentations(register: Callable[[specs.AugmentationSpec], None]) -> None:
    """Hand in other ways to write a record."""


@hookspec
def register_reports(register: Callable[[specs.ReportSpec], None]) -> None:
    """Hand in reports: files that present an evaluation."""


@hookspec
def register_commands(app: typer.Typer) -> None:
    """Add commands to ``app``, a Typer of this plugin's own that core mounts; names already taken are refused."""


@hookspec
def on_run_start(path: Path, settings: Mapping[str, Any]) -> None:
    """Training starts or resumes.

    Args:
        path: the run folder.
        settings: the content of its run.json.
    """


@hookspec
def on_report(path: Path, metrics: Mapping[str, Any]) -> None:
    """A line was added to metrics.jsonl.

    Args:
        path: the run folder.
        metrics: the line: step, losses in nats per symbol, bits per character.
    """


@hookspec
def on_checkpoint(path: Path, step: int, checkpoint: Path) -> None:
    """A checkpoint was published.

    Args:
        path: the run folder.
        step: the optimizer steps it holds.
        checkpoint: its folder.
    """


@hookspec
def on_run_end(path: Path, reason: str) -> None:
    """Training ended.

    Args:
        path: the run folder.
        reason: "steps", "epochs", "time", "patience", "interrupted", "diverged" or "failed".
    """

"""The hooks of seqgen; a plugin implements any of them, marked with ``@seqgen.hookimpl``.

``register_*`` hooks receive a function ``register`` and call it with one spec at a time; they run once, when the
program starts, and must not import anything heavy. ``on_*`` hooks are callbacks for events of a training run; their
return value is ignored, and a hook that raises is not called again.

Hooks only ever gain optional arguments, and an implementation may take fewer than there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from seqgen import specs

if TYPE_CHECKING:
    import typer

PLUGIN_API = (1, 3)
"""Version of the hooks: (major, minor). Additions raise the minor number, breaking changes the major one."""

hookspec = pluggy.HookspecMarker("seqgen")
hookimpl = pluggy.HookimplMarker("seqgen")


@hookspec
def register_corpora(register: Callable[[specs.CorpusSpec], None]) -> None:
    """Register corpora."""


@hookspec
def register_tokenizers(register: Callable[[specs.TokenizerSpec], None]) -> None:
    """Register tokenizers."""


@hookspec
def register_cells(register: Callable[[specs.CellSpec], None]) -> None:
    """Register cells."""


@hookspec
def register_models(register: Callable[[specs.ModelSpec], None]) -> None:
    """Register whole models, for architectures other than embedding, stack of cells and head."""


@hookspec
def register_domains(register: Callable[[specs.DomainSpec], None]) -> None:
    """Register domains."""


@hookspec
def register_validators(register: Callable[[specs.ValidatorSpec], None]) -> None:
    """Register validators."""


@hookspec
def register_metrics(register: Callable[[specs.MetricSpec], None]) -> None:
    """Register metrics."""


@hookspec
def register_renderers(register: Callable[[specs.RendererSpec], None]) -> None:
    """Register renderers."""


@hookspec
def register_processors(register: Callable[[specs.ProcessorSpec], None]) -> None:
    """Register logits processors."""


@hookspec
def register_augmentations(register: Callable[[specs.AugmentationSpec], None]) -> None:
    """Register augmentations."""


@hookspec
def register_reports(register: Callable[[specs.ReportSpec], None]) -> None:
    """Register reports: files that present an evaluation."""


@hookspec
def register_exporters(register: Callable[[specs.ExporterSpec], None]) -> None:
    """Register exporters: other forms that a run is written in."""


@hookspec
def register_executors(register: Callable[[specs.ExecutorSpec], None]) -> None:
    """Register executors: where independent tasks run."""


@hookspec
def register_readers(register: Callable[[specs.ReaderSpec], None]) -> None:
    """Register readers: formats of files that a corpus may be in."""


@hookspec
def register_trackers(register: Callable[[str, Callable[[str], None]], None]) -> None:
    """Offer names for ``--track NAME`` or ``--track NAME=PLACE``, whose events the ``on_*`` hooks of the plugin handle.

    ``register(name, check)`` is called once a name; ``check(place)`` is called before training starts, with "" where no
    place is given, and raises an error of seqgen if runs cannot be tracked there. The values that the user gave are
    ``settings["train"]["track"]`` of ``on_run_start``.
    """


@hookspec
def register_commands(app: typer.Typer) -> None:
    """Add commands to ``app``, a Typer of this plugin that core mounts; names that are already taken are refused."""


@hookspec
def on_run_start(path: Path, settings: Mapping[str, Any]) -> None:
    """Handle the start of training, or its resumption.

    Args:
        path: the run folder.
        settings: the content of its run.json.
    """


@hookspec
def on_report(path: Path, metrics: Mapping[str, Any], samples: Sequence[str]) -> None:
    """Handle a new line in metrics.jsonl.

    Args:
        path: the run folder.
        metrics: the line: step, losses in nats per symbol, bits per character.
        samples: the texts sampled at that step.
    """


@hookspec
def on_checkpoint(path: Path, step: int, checkpoint: Path) -> None:
    """Handle a new checkpoint.

    Args:
        path: the run folder.
        step: its number of optimizer steps.
        checkpoint: the checkpoint folder.
    """


@hookspec
def on_run_end(path: Path, reason: str) -> None:
    """Handle the end of training.

    Args:
        path: the run folder.
        reason: "steps", "epochs", "time", "patience", "interrupted", "diverged" or "failed".
    """

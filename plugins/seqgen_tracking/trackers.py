"""The adapters of TensorBoard, MLflow, and of Weights & Biases and trackio, which have one interface."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import seqgen
from seqgen_tracking.sender import Report, Tracker

PROJECT = "seqgen"
"""The project or experiment of runs, where neither the user nor a variable of the tracker names one."""
_PARTS = ("corpus", "tokenizer", "model", "cell", "train", "augmentation", "engine")
_COUNTED = ("n_parameters", "n_symbols", "max_length", "seqgen")
_LONGEST = 500  # characters of a setting


def check_installed(name: str) -> None:
    """Refuse a tracker whose library is not installed.

    Raises:
        MissingExtra: it is not.
    """
    if importlib.util.find_spec(name) is None:
        raise seqgen.MissingExtra(name, f"the tracker {name!r}")


@dataclass(frozen=True)
class RunFacts:
    """A run as a tracker describes it.

    Attributes:
        path: the run folder.
        name: its name.
        id: the same for the run whenever it is resumed, and for no other.
        settings: numbers and texts by name, like "train.lr".
        resumed: whether the tracker has a part of the run already.
    """

    path: Path
    name: str
    id: str
    settings: dict[str, Any]
    resumed: bool

    @classmethod
    def of(cls, path: Path, settings: Mapping[str, Any], *, resumed: bool) -> RunFacts:
        """Return the facts of a run by the content of its run.json."""
        identity = json.dumps([path.name, settings["created"], settings["corpus"]["digest"]])
        found: dict[str, Any] = {name: settings[name] for name in _COUNTED}
        for part in _PARTS:
            _flatten(part, settings[part], found)
        return cls(path, path.name, hashlib.sha256(identity.encode()).hexdigest()[:16], found, resumed)


def _flatten(name: str, value: Any, found: dict[str, Any]) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _flatten(name if key == "options" else f"{name}.{key}", item, found)
    elif isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
        for number, item in enumerate(value, 1):  # the cells of a stack
            _flatten(f"{name}.{number}", item, found)
    elif value is not None and value != "":
        plain = isinstance(value, bool | int | float | str)
        found[name] = value if plain and not isinstance(value, str) else str(value)[:_LONGEST]


def open_tracker(name: str, place: str, facts: RunFacts) -> Tracker:
    """Open a run in a tracker, or continue it.

    Args:
        name: of the tracker.
        place: a folder for tensorboard, an address for mlflow, a project for the others; "": as the tracker has it.
        facts: of the run.
    """
    if name == "tensorboard":
        return TensorBoard(place, facts)
    if name == "mlflow":
        return MLflow(place, facts)
    return Wandb(name, place, facts)


class TensorBoard:
    """A folder of event files; see ``open_tracker``."""

    def __init__(self, place: str, facts: RunFacts) -> None:
        module: Any = importlib.import_module("torch.utils.tensorboard")
        folder = Path(place) / facts.name if place else facts.path / "tensorboard"
        self._writer = module.SummaryWriter(str(folder))
        if not facts.resumed:
            for summary in module.summary.hparams(facts.settings, {"valid_bits_per_char": None}):
                self._writer.file_writer.add_summary(summary)

    def send(self, report: Report) -> None:
        """Write the numbers and samples of a step."""
        for name, value in report.metrics.items():
            self._writer.add_scalar(name, value, report.step)
        if report.samples:
            self._writer.add_text("samples", _indented(report.samples), report.step)
        self._writer.flush()

    def end(self, reason: str) -> None:
        """Write the reason, and close the file."""
        self._writer.add_text("ended", reason)
        self._writer.close()


def _indented(samples: Sequence[str]) -> str:
    """Return texts as a block of code of Markdown, in which no character means anything."""
    return "\n".join(f"    {line}" for text in samples for line in text.splitlines() or [""])


class MLflow:
    """A run of MLflow; see ``open_tracker``."""

    _STATUS: ClassVar = {"failed": "FAILED", "diverged": "FAILED", "interrupted": "KILLED"}

    def __init__(self, place: str, facts: RunFacts) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Param

        self._client = MlflowClient(place or None)
        title = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        known = self._client.get_experiment_by_name(title)
        experiment = known.experiment_id if known is not None else self._client.create_experiment(title)
        found = self._client.search_runs([experiment], f"tags.seqgen_id = '{facts.id}'", max_results=1)
        if found:
            self._id = found[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
            return
        tags = {"seqgen_id": facts.id, "mlflow.runName": facts.name, "seqgen_folder": str(facts.path.resolve())}
        self._id = self._client.create_run(experiment, tags=tags).info.run_id
        self._client.log_batch(self._id, params=[Param(name, str(value)) for name, value in facts.settings.items()])

    def send(self, report: Report) -> None:
        """Log the numbers of a step, and its samples as a text file."""
        import time

        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, report.step) for name, value in report.metrics.items()]
        self._client.log_batch(self._id, metrics=metrics)
        if report.samples:
            self._client.log_text(self._id, "\n".join(report.samples), f"samples/step-{report.step:08d}.txt")

    def end(self, reason: str) -> None:
        """Tag the run with the reason, and end it."""
        self._client.set_tag(self._id, "seqgen_ended", reason)
        self._client.set_terminated(self._id, self._STATUS.get(reason, "FINISHED"))


class Wandb:
    """A run of Weights & Biases or trackio; see ``open_tracker``."""

    def __init__(self, name: str, place: str, facts: RunFacts) -> None:
        self._module: Any = importlib.import_module(name)
        project = place or os.environ.get(f"{name.upper()}_PROJECT", PROJECT)
        if name == "wandb":
            settings = self._module.Settings(console="off", silent=True)
            more = {"id": facts.id, "name": facts.name, "settings": settings}
        else:  # whose runs are known by their names
            more = {"name": f"{facts.name}-{facts.id[:6]}", "embed": False}
        self._run: Any = self._module.init(project=project, config=facts.settings, resume="allow", **more)

    def send(self, report: Report) -> None:
        """Log the numbers and samples of a step."""
        samples = {"samples": "\n".join(report.samples)} if report.samples else {}
        self._run.log({**report.metrics, **samples}, step=report.step)

    def end(self, reason: str) -> None:
        """Log the reason, and end the run."""
        self._run.config["ended"] = reason
        self._run.finish()

"""seqgen learns from any list of sequences and makes more of them; everything that can vary is a plugin.

What plugin authors and Python users need is here, in ``__all__``; everything else may change without notice. Names
are loaded when they are first used, so that importing seqgen imports neither torch nor numpy nor pydantic.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "seqgen.hookspecs": ("PLUGIN_API", "hookimpl"),
    "seqgen.specs": (
        "CorpusSpec", "TokenizerSpec", "CellSpec", "ModelSpec", "DomainSpec", "ValidatorSpec", "MetricSpec",
        "RendererSpec", "ProcessorSpec", "AugmentationSpec", "ReportSpec", "ExporterSpec", "ExecutorSpec",
        "ReaderSpec",
    ),
    "seqgen.corpus": ("Record", "Reader", "read_lines", "TextFile", "PackageFiles"),
    "seqgen.protocols": (
        "Verdict", "State", "Tokenizer", "Model", "Validator", "Metric", "Renderer", "Processor", "Augmentation",
        "Report", "Exporter", "Exported", "TextAutomaton",
    ),
    "seqgen.metrics": ("METRICS", "Evaluation", "MetricRow", "format_metric"),
    "seqgen.files": ("write_atomic",),
    "seqgen.cells": ("Cell", "StepCell", "Dropout", "Recurrent", "Stack", "linear_scan"),
    "seqgen.config": ("OptionRange", "Options"),
    "seqgen.errors": (
        "SeqgenError", "UsageError", "UnknownName", "BadOption", "UnknownSymbol", "MissingExtra", "NoSuchFile",
        "NoSuchRun", "RunLocked", "CorpusError", "CheckpointError", "MissingPlugin", "PluginError", "Diverged",
        "DiskError", "TooFewRows", "WorkerLost", "TaskFailed", "Interrupted", "ExportRefused",
        "short_repr",
    ),
    "seqgen.executors": ("Task", "TaskResult", "run_tasks"),
    "seqgen.records_file": ("write_records",),
    "seqgen.api.train": ("train", "plan", "TrainingPlan"),
    "seqgen.api.resume": ("refit", "resume"),
    "seqgen.api.run": ("load", "Run"),
    "seqgen.work_folder": ("WorkFolder",),
    "seqgen.plugins": ("choose_plugins", "failure_reason", "option_names", "option_ranges"),
    "seqgen.training": ("Progress",),
    "seqgen.render.progress": ("ProgressLine",),
    "seqgen.sampling": ("Sample", "SampleBatch"),
    "seqgen.evaluation": ("Score",),
    "seqgen.tokenizers": ("nearest",),
    "seqgen.render": ("export_svg", "place_of", "visible", "visible_lines"),
    "seqgen.render.html": ("export_html",),
    "seqgen.render.tabular": ("Picture", "Tabular"),
}  # fmt: skip
_MODULES = ("commands", "events", "exporting", "measure")
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted([*_MODULE_OF, *_MODULES, "__version__"])

if TYPE_CHECKING:
    from seqgen import commands as commands
    from seqgen import events as events
    from seqgen import exporting as exporting
    from seqgen import measure as measure
    from seqgen.api.resume import refit as refit
    from seqgen.api.resume import resume as resume
    from seqgen.api.run import Run as Run
    from seqgen.api.run import load as load
    from seqgen.api.train import TrainingPlan as TrainingPlan
    from seqgen.api.train import plan as plan
    from seqgen.api.train import train as train
    from seqgen.cells import Cell as Cell
    from seqgen.cells import Dropout as Dropout
    from seqgen.cells import Recurrent as Recurrent
    from seqgen.cells import Stack as Stack
    from seqgen.cells import StepCell as StepCell
    from seqgen.cells import linear_scan as linear_scan
    from seqgen.config import OptionRange as OptionRange
    from seqgen.config import Options as Options
    from seqgen.corpus import PackageFiles as PackageFiles
    from seqgen.corpus import Reader as Reader
    from seqgen.corpus import Record as Record
    from seqgen.corpus import TextFile as TextFile
    from seqgen.corpus import read_lines as read_lines
    from seqgen.errors import *  # noqa: F403
    from seqgen.evaluation import Score as Score
    from seqgen.executors import Task as Task
    from seqgen.executors import TaskResult as TaskResult
    from seqgen.executors import run_tasks as run_tasks
    from seqgen.files import write_atomic as write_atomic
    from seqgen.hookspecs import PLUGIN_API as PLUGIN_API
    from seqgen.hookspecs import hookimpl as hookimpl
    from seqgen.metrics import METRICS as METRICS
    from seqgen.metrics import Evaluation as Evaluation
    from seqgen.metrics import MetricRow as MetricRow
    from seqgen.metrics import format_metric as format_metric
    from seqgen.plugins import choose_plugins as choose_plugins
    from seqgen.plugins import failure_reason as failure_reason
    from seqgen.plugins import option_names as option_names
    from seqgen.plugins import option_ranges as option_ranges
    from seqgen.protocols import Augmentation as Augmentation
    from seqgen.protocols import Exported as Exported
    from seqgen.protocols import Exporter as Exporter
    from seqgen.protocols import Metric as Metric
    from seqgen.protocols import Model as Model
    from seqgen.protocols import Processor as Processor
    from seqgen.protocols import Renderer as Renderer
    from seqgen.protocols import Report as Report
    from seqgen.protocols import State as State
    from seqgen.protocols import TextAutomaton as TextAutomaton
    from seqgen.protocols import Tokenizer as Tokenizer
    from seqgen.protocols import Validator as Validator
    from seqgen.protocols import Verdict as Verdict
    from seqgen.records_file import write_records as write_records
    from seqgen.render import export_svg as export_svg
    from seqgen.render import place_of as place_of
    from seqgen.render import visible as visible
    from seqgen.render import visible_lines as visible_lines
    from seqgen.render.html import export_html as export_html
    from seqgen.render.progress import ProgressLine as ProgressLine
    from seqgen.render.tabular import Picture as Picture
    from seqgen.render.tabular import Tabular as Tabular
    from seqgen.sampling import Sample as Sample
    from seqgen.sampling import SampleBatch as SampleBatch
    from seqgen.specs import AugmentationSpec as AugmentationSpec
    from seqgen.specs import CellSpec as CellSpec
    from seqgen.specs import CorpusSpec as CorpusSpec
    from seqgen.specs import DomainSpec as DomainSpec
    from seqgen.specs import ExecutorSpec as ExecutorSpec
    from seqgen.specs import ExporterSpec as ExporterSpec
    from seqgen.specs import MetricSpec as MetricSpec
    from seqgen.specs import ModelSpec as ModelSpec
    from seqgen.specs import ProcessorSpec as ProcessorSpec
    from seqgen.specs import ReaderSpec as ReaderSpec
    from seqgen.specs import RendererSpec as RendererSpec
    from seqgen.specs import ReportSpec as ReportSpec
    from seqgen.specs import TokenizerSpec as TokenizerSpec
    from seqgen.specs import ValidatorSpec as ValidatorSpec
    from seqgen.tokenizers import nearest as nearest
    from seqgen.training import Progress as Progress
    from seqgen.work_folder import WorkFolder as WorkFolder


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name in _MODULES:
        return importlib.import_module(f"seqgen.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'seqgen' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_MODULE_OF[name]), name)
    return value


def __dir__() -> list[str]:
    """The public names."""
    return __all__

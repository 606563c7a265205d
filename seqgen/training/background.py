"""The process that compiles a run's steps in the background: when there is one, its start and its end."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from seqgen.cells import can_compile
from seqgen.checkpoint import EngineSettings
from seqgen.config import TrainSettings
from seqgen.training.engine_choice import has_compiler

_END_S = 10.0  # in which the process ends by itself


def why_not_ahead(model: Any, train: TrainSettings, engine: EngineSettings) -> str:
    """Return why the steps of a run are not compiled in the background, a clause; "" if they can be.

    Args:
        model: set to its engine.
        train: the training settings.
        engine: the engine of the run.
    """
    if engine.name == "compiled":
        return "they are compiled already"
    if train.time_s is not None:
        return "the time of the run is limited, and the compiler would take some of it"
    if train.pieces > 1 or engine.device != "cpu":
        return "only those of whole batches on a CPU are kept"
    if not can_compile(model):
        return "the model has none that can be compiled"
    if not (hasattr(os, "killpg") and has_compiler()):
        return "there is no C++ compiler" if hasattr(os, "killpg") else "this system has no process groups"
    return ""


@contextlib.contextmanager
def compiling_ahead(job: Mapping[str, Any] | None) -> Iterator[None]:
    """Compile steps at the lowest priority meanwhile, in a process that ends with the context, done or not.

    Args:
        job: as ``seqgen.tasks.compile.compile_job`` takes it; None: nothing is compiled.
    """
    if job is None:
        yield
        return
    command = [sys.executable, "-c", "from seqgen.tasks.compile import main; main()"]
    process = subprocess.Popen(  # noqa: S603  # our own interpreter
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdin is not None
    try:
        with contextlib.suppress(OSError):  # it has ended: the run goes on without
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.flush()
        yield
    finally:
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

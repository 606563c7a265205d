"""The compilation of a run's steps in the background, which fills the cache for later runs.

A run starts ``main`` in a process, and ends it by closing its standard input, as the system does if the run is killed.
That process starts the compiler at the lowest priority, in a group of its own, so that all that the compiler starts
ends with it, and in a temporary folder that it removes then. Only whole libraries get into the cache, by renaming.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

_LOWEST = 19


def main() -> None:
    """Run the compiler on the job in the first line of standard input, until it ends or standard input is closed."""
    job = sys.stdin.buffer.readline()
    with tempfile.TemporaryDirectory(prefix="seqgen-") as folder:
        env = {"TMPDIR": folder, "TORCHINDUCTOR_CACHE_DIR": folder, "TORCHINDUCTOR_COMPILE_THREADS": "1"}
        program = "from seqgen.tasks.compile import compile_job; compile_job()"
        compiler = subprocess.Popen(  # noqa: S603  # our own interpreter
            [sys.executable, "-c", program],
            env={**os.environ, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.setpriority(os.PRIO_PGRP, compiler.pid, _LOWEST)
        threading.Thread(target=_end_with_run, args=(compiler.pid,), daemon=True).start()
        compiler.communicate(job)


def _end_with_run(group: int) -> None:
    sys.stdin.buffer.read()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def compile_job() -> None:
    """Compile the steps of a model, described in JSON on standard input, into the cache.

    The keys are "settings", the content of run.json; "files", plugin files; "n_rows", the rows of a batch; and "cache",
    the folder of libraries.
    """
    from seqgen.api.factories import rebuild_model
    from seqgen.checkpoint import RunSettings
    from seqgen.compute import computing
    from seqgen.engine.aot_cache import keep_in
    from seqgen.plugins import choose_plugins
    from seqgen.training.engine_choice import compile_for

    job = json.load(sys.stdin)
    settings = RunSettings.read(job["settings"], "the run")
    model = rebuild_model(choose_plugins(job["files"]), settings, None)
    keep_in(Path(job["cache"]))
    with computing(settings.engine.threads):
        compile_for(model, job["n_rows"], settings.n_symbols, settings.engine.precision)

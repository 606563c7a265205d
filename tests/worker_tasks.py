"""Functions that tests run as tasks, in processes of their own."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import seqgen


def square(x):
    return x * x


def refuse(cell):
    raise seqgen.UnknownName("cell", cell, ["gru", "lstm"])


def fail():
    return 1 / 0


def give_set():
    return {1}


def stop():
    raise seqgen.Interrupted(15, "stopped")


def die(path, times):
    """Kill this process, but for all calls after the first few; return their number."""
    counter = Path(path)
    known = counter.read_text() if counter.exists() else ""
    if len(known) < times:
        counter.write_text(known + "x")
        os.kill(os.getpid(), signal.SIGKILL)
    return len(known)


def wait(path, seconds):
    Path(path).write_text(str(os.getpid()))
    time.sleep(seconds)


def cells():
    return seqgen.choose_plugins().registry.names("cell")


def n_threads():
    import torch

    return torch.get_num_threads()

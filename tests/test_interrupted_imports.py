"""Ctrl-C during the import of a plugin: the message names the plugin."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

HANGS = """
import sys, time
print("hanging", file=sys.stderr, flush=True)
time.sleep(300)
"""
SWALLOWS = """
import sys, time
print("hanging", file=sys.stderr, flush=True)
try:
    time.sleep(300)
except BaseException as error:
    raise RuntimeError("no data") from error
"""
LAZY = """
import seqgen


@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="late", summary="s", source="t", load="slow_part:Late"))
"""


def interrupt(folder, number, *arguments):
    """Run the command until a plugin says that it hangs, send a signal, and return exit code and the last line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "seqgen", *arguments], cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
    )  # fmt: skip
    try:
        assert process.stderr is not None
        while (line := process.stderr.readline()) and line != "hanging\n":
            pass
        assert line, "it ended before it hung"
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
        return process.returncode, stderr.splitlines()
    finally:
        process.kill()
        process.wait()


@pytest.mark.full
@pytest.mark.parametrize("source", [HANGS, SWALLOWS], ids=["hangs", "swallows"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_plugin_that_was_being_imported_is_named(tmp_path, source, number):
    (tmp_path / "slowly.py").write_text(source)
    code, lines = interrupt(tmp_path, number, "list", "cells", "--plugin", "slowly.py")
    assert code == 128 + number
    (line,) = lines
    assert (
        line.startswith(f"seqgen: ended by {number.name}; plugin slowly (slowly.py ") and "was being imported" in line
    )


@pytest.mark.full
def test_the_part_whose_module_was_being_imported_is_named(tmp_path):
    (tmp_path / "lately.py").write_text(LAZY)
    (tmp_path / "slow_part.py").write_text(HANGS)
    code, lines = interrupt(
        tmp_path, signal.SIGINT, "train", "--corpus", "names", "--cell", "late", "--plugin", "lately.py"
    )
    assert code == 130
    assert lines[-1].startswith("seqgen: ended by SIGINT; cell late of lately (lately.py "), lines


@pytest.mark.full
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers that signal here")
@pytest.mark.parametrize("delay_s", [0.0003, 0.003])
def test_a_signal_while_torch_sets_itself_up_aborts_nothing(delay_s):
    """An exception raised in the C++ of ``_c10d_init`` ends the process with SIGABRT and a dump of its stack."""
    code = f"""
import signal, sys
from seqgen.signals import raise_signalled
def at_call(frame, event, function):
    if event == "c_call" and getattr(function, "__name__", "") == "_c10d_init":
        sys.setprofile(None)
        signal.setitimer(signal.ITIMER_REAL, {delay_s})
signal.signal(signal.SIGALRM, raise_signalled)
sys.setprofile(at_call)
import torch, time
time.sleep(60)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 128 + signal.SIGALRM
    assert done.stderr == "seqgen: ended by SIGALRM\n"

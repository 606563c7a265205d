"""Memory that stays with the process while it computes."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory as it likes")
PAGES = """
import resource, threading, torch
from seqgen.compute import computing, keeping_memory
SIZE_B, TIMES = 100 << 20, 6
ANEW = TIMES * SIZE_B // resource.getpagesize()
def pages_asked_for():  # pages that the system gives while a large piece is taken and freed several times
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(TIMES):
        torch.ones(SIZE_B // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
"""


def in_a_process_of_its_own(code):
    """Run the code where no test before has shaped the memory: glibc serves a thread from several arenas.

    It maps a piece of more than 64 MiB apart in every arena but the first, whatever it is told.
    """
    done = subprocess.run([sys.executable, "-c", PAGES + code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.full
def test_freed_memory_is_used_again_within_and_given_back_after():
    in_a_process_of_its_own("""
assert pages_asked_for() > 0.9 * ANEW, "the piece is too small to tell"
with computing():
    with keeping_memory():
        pages_asked_for()
    assert pages_asked_for() < 0.1 * ANEW, "the outermost one counts"
assert pages_asked_for() > 0.9 * ANEW
""")


@pytest.mark.full
def test_it_works_in_a_thread_and_after_an_error():
    in_a_process_of_its_own("""
def work():
    try:
        with keeping_memory():
            torch.ones(SIZE_B // 4)
            raise ZeroDivisionError
    except ZeroDivisionError:
        ended.append(True)
ended = []
thread = threading.Thread(target=work)
thread.start()
thread.join()
assert ended and pages_asked_for() > 0.9 * ANEW
""")

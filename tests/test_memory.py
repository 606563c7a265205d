"""Memory that stays with the process while it computes."""

from __future__ import annotations

import platform
import threading

import pytest
import torch

from seqgen.compute import computing, keeping_memory

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory as it likes")
SIZE_B, PAGE_B, TIMES = 100 << 20, resource.getpagesize(), 6


def pages_asked_for():
    """Pages of memory that the system gives while a large piece is taken and freed several times."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(TIMES):
        torch.ones(SIZE_B // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.full
def test_freed_memory_is_used_again_within_and_given_back_after():
    anew = TIMES * SIZE_B // PAGE_B
    assert pages_asked_for() > 0.9 * anew, "the piece is too small to tell"
    with computing():
        with keeping_memory():
            pages_asked_for()
        assert pages_asked_for() < 0.1 * anew, "the outermost one counts"
    assert pages_asked_for() > 0.9 * anew


def test_it_works_in_a_thread_and_after_an_error():
    def work():
        with pytest.raises(ZeroDivisionError), keeping_memory():
            torch.ones(SIZE_B // 4)
            raise ZeroDivisionError

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert pages_asked_for() > 0.9 * TIMES * SIZE_B // PAGE_B

"""A signal while a constraint is built ends the command, and the processes it began."""

import os
import random
import signal
import subprocess
import time

import pytest

from conftest import finish, run_seqgen

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
GRACE_S = 10  # 2 s are promised; a machine that runs many tests at once may be slow


def children_of(process):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.full
@pytest.mark.promise("R32")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_regex_and_its_child_process(tiny_run, tmp_path, number):
    """A regex that takes minutes and gigabytes where nothing ends it."""
    process = run_seqgen("sample", tiny_run.path, "--regex", "[a-z]*[aeiou].{30}", cwd=tmp_path)
    while not (children := children_of(process)):
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(number)
    result = finish(process, timeout_s=GRACE_S)
    assert result.code == 128 + number and result.err.count("\n") == 1
    assert not any(map(is_there, children))


@pytest.mark.promise("R32")
@pytest.mark.slow
def test_a_signal_ends_any_constraint(tiny_run, tmp_path, record_property):
    """Long lists, long texts and long rows, each interrupted at random moments."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 12))) for _ in range(10_000)]
    wishes = [
        [argument for word in words[:3000] for argument in ("--avoid", word)] + ["--length", "5-8"],
        ["--contains", "a" * 30_000],
        ["--length", "30000", "--max-length", "32000"],
        ["--regex", r"\w*a\w{6}"],
        ["--regex", r"\w{100}"],
    ]
    n_ended = 0
    for wanted in wishes:
        for number in SIGNALS:
            process = run_seqgen("sample", tiny_run.path, "-n", 2000, *wanted, cwd=tmp_path)
            time.sleep(1.5 + 2 * rng.random())
            process.send_signal(number)
            result = finish(process, timeout_s=GRACE_S)
            assert result.code in (128 + number, 0, 2, -number), result.err  # the last: as Python shut down
            n_ended += result.code == 128 + number
    assert n_ended >= 3
    record_property("cases", len(wishes) * len(SIGNALS))

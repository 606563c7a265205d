"""Memory that a constraint takes, and the time from a signal to the end of its command."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from conftest import finish, run_seqgen
from seqgen.sampling import automata, state_graph
from seqgen.sampling.state_graph import Edges
from test_constraints import CORPORA, sampler

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="memory and time of a process are in /proc")
MAX_MB = 110
"""Memory beside that of the same command without a constraint, which is mostly torch."""
MAX_S = 1.0
"""Time that a process may compute after a signal; that it waits for others is not counted.

A second is what is promised. Usual are hundredths; a library that is being loaded cannot be interrupted, and one of
those of torch took 0.38 s where two processes loaded them on slow cores.
"""


def random_words(n):
    rng, words = random.Random(0), {}
    while len(words) < n:
        words["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 12)))] = None
    return list(words)


def random_regex(rng, depth=3):
    """A pattern that Python reads as the library does."""
    kind = rng.randrange(5) if depth else 0
    if kind == 0:
        return rng.choice(["a", "r", "n", "[a-m]", "[^aeiou]", ".", r"\w", "(?:an|el)"])
    if kind == 1:
        return f"(?:{random_regex(rng, depth - 1)})" + rng.choice(["*", "+", "?", "{2,5}", "{3}", "{0,12}"])
    if kind == 2:
        return f"(?:{random_regex(rng, depth - 1)}|{random_regex(rng, depth - 1)})"
    return random_regex(rng, depth - 1) + random_regex(rng, depth - 1)


def traced_mb(work):
    """Return the most memory that Python and numpy have while something is computed."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def peak_mb(command, cwd):
    """Run a program, and return the most memory that it, or any process that it began, has had; and its output."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return int(done.stderr.split()[-1]) / 1024, done.stdout


PEAK = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, *sys.argv[1:]])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""


@pytest.mark.full
def test_a_list_of_words_takes_a_few_times_the_memory_of_its_table():
    words = random_words(10_000)
    table_mb = automata.contains(words).next_KC.nbytes / 2**20
    assert 4 < table_mb < 8
    assert traced_mb(lambda: automata.contains(words)) < 2.5 * table_mb
    assert traced_mb(lambda: sampler(CORPORA["bytes"], avoid=tuple(words))) < 10 * table_mb  # a second table, and more


def test_edges_are_followed_some_at_a_time(monkeypatch):
    rng = np.random.default_rng(0)
    edges = Edges(rng.integers(-1, 50, (50, 4)).astype(np.int32))
    accepts_S = np.arange(50) % 17 == 3
    found = edges.distances(accepts_S).tolist(), edges.endless().tolist()
    monkeypatch.setattr(state_graph, "_BATCH_SIZE", 3)
    assert (edges.distances(accepts_S).tolist(), edges.endless().tolist()) == found


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 1000, 50_000])
def test_a_command_with_a_list_of_words_stays_small_and_every_row_obeys(n, tiny_run, tmp_path):
    words = random_words(n)
    (tmp_path / "words.txt").write_text("\n".join(words))
    command = ["-m", "seqgen", "sample", tiny_run.path, "-n", 50]
    before_mb, _ = peak_mb(command, tmp_path)
    wanted = re.compile("|".join(words))
    for flag in ("--contains-file", "--avoid-file"):
        mb, rows = peak_mb([*command, flag, "words.txt"], tmp_path)
        assert mb - before_mb < MAX_MB, (flag, mb, before_mb)
        found = [wanted.search(row) is not None for row in rows.splitlines()]
        assert len(found) == 50 and all(found) == any(found) == (flag == "--contains-file")


REGEXES = """
import random, re, resource, sys
from test_constraint_costs import random_regex
from test_constraints import CORPORA, sampler
from seqgen.errors import UsageError
list(sampler(CORPORA["names"], regex="[a-z]{9}").take(3))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
n_possible = 0
for n in range(int(sys.argv[1])):
    pattern = random_regex(random.Random(n), 4)
    try:
        rows = list(sampler(CORPORA["names"], regex=pattern).take(3))
    except UsageError:  # too large, or no row of these symbols
        continue
    n_possible += 1
    assert len(rows) == 3 and all(re.fullmatch(pattern, row.text) for row in rows), (pattern, rows)
peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(n_possible, (peaks[0] - before) / 1024, peaks[1] / 1024)
"""


@LINUX
@pytest.mark.slow
def test_regexes_stay_small_and_every_row_obeys():
    done = subprocess.run(
        [sys.executable, "-c", REGEXES, "200"], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    n_possible, more_mb, child_mb = map(float, done.stdout.split())
    assert n_possible > 150
    assert more_mb < MAX_MB, done.stdout
    assert child_mb < 400, done.stdout  # of a process that compiles a pattern, which begins as a copy of this one


# -- signals


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize("wanted", [("--contains-file", "words.txt"), ("--regex", ".*a.{6}")])
def test_a_command_ends_soon_after_a_signal(wanted, tiny_run, tmp_path):
    """In all phases: while it imports, builds the automaton, tries rows and samples them."""
    (tmp_path / "words.txt").write_text("\n".join(random_words(50_000)))
    for after_s in np.linspace(0.5, 6, 8):
        out = tmp_path / f"after-{after_s:.1f}.txt"  # one that no other command writes
        process = run_seqgen("sample", tiny_run.path, "-n", 10**6, *wanted, "--out", out, cwd=tmp_path)
        while process.poll() is None and computed_s(process) < after_s:
            time.sleep(0.01)
        before_s = computed_s(process)
        process.send_signal(signal.SIGINT)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert computed_s(process) - before_s < MAX_S
        assert finish(process).code == 128 + signal.SIGINT


def computed_s(process):
    """Return the seconds that a process has computed; it may have ended, if nobody has waited for it."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


MARKING = '''
"""Files that show what Python does at the end of a process."""
import atexit, os, pathlib, signal
import seqgen

atexit.register(pathlib.Path("atexit").touch)

class Freed:
    def __del__(self, touch=pathlib.Path("freed").touch):
        touch()

freed = Freed()

class Words:
    def __iter__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        yield seqgen.Record("a")

@seqgen.hookimpl
def register_corpora(register):
    register(seqgen.CorpusSpec(name="words", summary="s", load=lambda: Words(), source="here", licence="none"))
'''


@pytest.mark.full
def test_python_frees_no_modules_after_a_signal_but_calls_what_is_to_be_called_at_exit(tmp_path):
    (tmp_path / "marking.py").write_text(MARKING)
    for command, code, files in (
        (("list", "corpora"), 0, ["atexit", "freed"]),
        (("train", "--corpus", "words"), 128 + signal.SIGTERM, ["atexit"]),
    ):
        result = finish(run_seqgen(*command, "--plugin", "marking.py", cwd=tmp_path))
        assert result.code == code, result.err
        found = [name for name in ("atexit", "freed") if (tmp_path / name).exists()]
        assert found == files
        for name in found:
            (tmp_path / name).unlink()

"""Steps compiled in the background: for later runs only, at the lowest priority, and never longer than the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import seqgen
from conftest import finish, run_seqgen
from resuming import SMALL, Stopper, digests
from seqgen.api.training_run import _job_ahead
from seqgen.engine import aot_cache
from seqgen.errors import Interrupted
from seqgen.files import SafePath

GRU = {**SMALL, "cell": "gru", "blend": "none", "split": "none"}
AHEAD = {"compile_ahead": True, "samples": 0, "eval_every": 10}


@pytest.mark.full
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"cell": "gru", "steps": None, "time": "1s"}, "the time of the run is limited"),
        ({"cell": "transformer"}, "the model has none that can be compiled"),
        ({"cell": "gru", "workers": 1}, "only those of whole batches on a CPU are kept"),
    ],
)
def test_a_run_that_cannot_compile_ahead_says_why(words, tmp_path, settings, reason):
    said: list[str] = []
    seqgen.train(words, **{**GRU, "steps": 2, **settings}, options=AHEAD, warn=said.append, out=tmp_path / "run")
    (line,) = [line for line in said if "compile_ahead" in line]
    assert line.startswith(f"compile_ahead: no steps are compiled in the background: {reason}")


def test_parts_of_this_process_cannot_be_compiled_in_another(words, tmp_path, compiler, plugins):
    class Mine(plugins.registry.get("cell", "gru").load()):
        pass

    said: list[str] = []
    seqgen.train(words, **{**GRU, "cell": Mine}, steps=2, options=AHEAD, warn=said.append, out=tmp_path / "run")
    assert [line for line in said if "compile_ahead" in line and line.endswith("Mine exists in this process only")]


def libraries():
    """Return the libraries in the cache with the times at which they were written."""
    folder = aot_cache.libraries_folder() / "ahead"
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} if folder.exists() else {}


@pytest.mark.full
def test_the_run_itself_stays_as_it_is(words, tmp_path, compiler):
    """In its bytes and its engine, while the compiler runs beside it, and when it is resumed."""
    plain = seqgen.train(words, **GRU, steps=20, options=AHEAD | {"compile_ahead": False}, out=tmp_path / "plain")
    with pytest.raises(Interrupted):
        seqgen.train(words, **GRU, steps=20, options=AHEAD, listener=Stopper(10), out=tmp_path / "run")
    run = seqgen.resume(tmp_path / "run")
    assert digests(run.path) == digests(plain.path) and run.settings.engine == plain.settings.engine


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # within torch, if it must compile here after all
def test_what_is_compiled_is_what_a_later_run_needs(words, tmp_path, compiler):
    """The job of a run, here at the usual priority: at the lowest one it may take long."""
    settings = {**GRU, "layers": 2, "steps": 20}
    with seqgen.plan(words, **settings, options=AHEAD).opened(tmp_path / "run") as opened:
        job = json.dumps(_job_ahead(opened))
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "elsewhere")}
    program = "from seqgen.tasks.compile import compile_job; compile_job()"
    subprocess.run([sys.executable, "-c", program], input=job, text=True, env=environment, check=True)
    made = libraries()
    assert len(made) == 2  # forward and backward, of both layers
    compiled = seqgen.train(words, **settings, engine="compiled", options={"samples": 0}, out=tmp_path / "compiled")
    assert compiled.settings.engine.how == "GRUCell by its traced step, compiled in chunks of 8"
    assert libraries() == made


def processes_of(folder: Path) -> dict[int, str]:
    """Return the commands of the processes whose environment names a folder."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "environ").read_bytes():
                found[int(process.name)] = (process / "cmdline").read_bytes().decode()
        except OSError:  # it has ended
            continue
    found.pop(os.getpid(), None)
    return {number: command for number, command in found.items() if command}  # one that has ended has none


def wait_for(condition, timeout_s=600):
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("how", ["kill", "end"])
def test_the_compiler_ends_with_the_run_and_leaves_nothing_half_written(words, tmp_path, compiler, how):
    (tmp_path / "temporary").mkdir()
    steps = 10**6 if how == "kill" else 200
    arguments = ["--cell", "gru", "--engine", "fused", "--hidden", 12, "--steps", steps, "-o", "compile_ahead=true"]
    run = run_seqgen(
        "train", "--corpus", words, *arguments, "-o", "patience=0", "-o", "samples=0", "--out", tmp_path / "run",
        cwd=tmp_path, env={"TMPDIR": str(tmp_path / "temporary")},
    )  # fmt: skip
    compiling = {}

    def begun():
        compiling.update({n: c for n, c in processes_of(tmp_path).items() if "compile_job" in c})
        return compiling or run.poll() is not None

    try:
        wait_for(begun)
        wait_for(lambda: all(os.getpriority(os.PRIO_PROCESS, number) == 19 for number in compiling), 60)
        if how == "kill":
            wait_for(lambda: any((tmp_path / "temporary").glob("seqgen-*/*")))  # the compiler writes
        else:
            assert finish(run, 600).code == 0
    finally:
        run.kill()
        run.communicate()
    assert compiling
    wait_for(lambda: not processes_of(tmp_path))
    assert not any((tmp_path / "temporary").iterdir())
    for name in libraries():
        assert aot_cache._load_valid(SafePath(aot_cache.libraries_folder()) / "ahead" / name) is not None

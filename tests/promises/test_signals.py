"""A signal at any moment: the run is saved, the exit code is the shell's, and resuming ends in the same bytes."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import seqgen
import seqgen.cli
from conftest import WORDS, Result, finish, one_in, read_again, run_seqgen
from resuming import digests
from seqgen import signals
from seqgen.checkpoint import RunFolder

NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
BELL = (
    f"WORDS = {WORDS!r}\n"
    + '''
import os, pathlib, signal
import seqgen, torch

def ring(place, nth=1):
    """Raise the signal asked for, the nth time that this place is reached.

    TWICE: the second one right after it; -1: what is hit makes an error of its own of it, as pydantic does.
    """
    wanted, number, twice = os.environ.get("RING", "- 0 0").split()
    if wanted != place:
        return
    seen[place] = seen.get(place, 0) + 1
    if seen[place] == nth:
        try:
            os.kill(os.getpid(), int(number))
        except KeyboardInterrupt as error:
            if int(twice) < 0:
                raise ValueError(f"cannot build: {error}") from None
            raise
        finally:
            if int(twice) > 0:
                os.kill(os.getpid(), signal.SIGTERM)

seen = {}
ring("import")
plain_fsync = os.fsync

def fsync(descriptor):
    run = pathlib.Path(os.environ["RING_RUN"])
    if run.exists() and not (run / "checkpoints").exists():
        ring("publish")  # its folder has just been put in place
    if any('"step": 20,' in state.read_text() for state in run.glob("checkpoints/.tmp-*/state.json")):
        ring("save", 2)
    plain_fsync(descriptor)

if os.environ.get("RING", "").startswith(("save", "publish")):
    os.fsync = fsync

class Words:
    passes = 0

    def __iter__(self):
        self.passes += 1
        if os.environ.get("MARK"):
            pathlib.Path(os.environ["MARK"]).touch()
        for index, word in enumerate(WORDS):
            if index == 20:
                ring("count" if self.passes == 1 else "encode")
            yield seqgen.Record(word)

class Bell(seqgen.Cell):
    """Looks at one symbol only, and says where it is asked from."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        ring("build")
        self.linear = torch.nn.Linear(input_size, hidden_size)
        self.drop = torch.nn.Dropout(0.2)

    def initial_state(self, batch_size):
        return self.linear.weight.new_zeros(batch_size, 1)

    def forward(self, x_BTI, state):
        if self.training:
            ring("trial")
            ring("train", 14)
        elif x_BTI.shape[1] > 1:
            ring("probe")
            ring("evaluate", 9)  # the seventh is the last of the trial
        else:
            ring("look")
            if pathlib.Path(os.environ.get("RING_RUN", "run")).exists():  # before, a batch is read by symbols
                ring("draw", 5)
        return torch.tanh(self.drop(self.linear(x_BTI))), state + 1

@seqgen.hookimpl
def register_corpora(register):
    register(seqgen.CorpusSpec(name="bells", summary="s", source="s", licence="l", load=Words))

@seqgen.hookimpl
def register_cells(register):
    register(seqgen.CellSpec(name="bell", summary="s", load=Bell))
'''
)
TRAIN = (
    "train", "--corpus", "bells", "--cell", "bell", "--hidden", 8, "--batch-size", 8, "--steps", 30,
    "-o", "eval_every=10", "-o", "samples=3", "-o", "patience=0", "--split", "80/10/10",
    "--plugin", "bell.py", "--out", "run",
)  # fmt: skip
BEFORE = ["import", "count", "encode", "build", "probe", "trial"]  # there is no run yet
WITHIN = ["publish", "train", "evaluate", "draw", "save"]


@pytest.fixture(autouse=True)
def heard(monkeypatch):
    """A shell lets what it starts in the background ignore SIGINT; here it is heard."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(os, "fsync", os.fsync)  # which the plugin replaces
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def bell(in_tmp, monkeypatch, cli):
    """Return a function that runs the command line here with a bell to ring; the plugin is imported again each time."""
    (in_tmp / "bell.py").write_text(BELL)
    read_again(monkeypatch)

    def call(*arguments, ring=None, number=0, twice=0):
        sys.modules.pop("bell", None)
        monkeypatch.setenv("RING", f"{ring} {int(number)} {twice}" if ring else "- 0 0")
        monkeypatch.setenv("RING_RUN", str(in_tmp / "run"))
        return cli(*arguments)

    yield call
    sys.modules.pop("bell", None)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Digests of the run that nothing stopped."""
    folder = tmp_path_factory.mktemp("straight")
    (folder / "bell.py").write_text(BELL)
    sys.modules.pop("bell", None)
    with contextlib.chdir(folder):
        assert seqgen.cli.main([str(argument) for argument in TRAIN]) == 0
    return digests(folder / "run")


UNSAVED = "; training had not begun, so nothing is saved (Ctrl-C saves a run once it trains)"


def is_said(line, number, phase, lost=""):
    """Return whether a line names the signal, and the part of the plugin being imported or built, else what is lost."""
    ended = re.escape(f"seqgen: ended by {number.name}")
    if phase == "import":
        return re.fullmatch(rf"{ended}; plugin bell \(bell\.py \w+\) was being imported", line)
    if phase != "build":
        return line == f"seqgen: ended by {number.name}{lost}"
    return re.fullmatch(rf"{ended}(; \w+ \w+ of (bell \(bell\.py \w+\)|the plugin under test) was being loaded)", line)


@pytest.mark.full
@pytest.mark.promise("R7")
@pytest.mark.parametrize(("phase", "number"), [(phase, NUMBERS[n % 3]) for n, phase in enumerate(BEFORE)])
def test_a_signal_before_there_is_a_run(phase, number, bell, in_tmp, expected):
    started = time.monotonic()
    stopped = bell(*TRAIN, ring=phase, number=number)
    assert stopped.code == 128 + number and time.monotonic() - started < 10
    (line,) = stopped.err.splitlines()
    assert is_said(line, number, phase, UNSAVED) and stopped.out == "", line
    assert not (in_tmp / "run").exists()
    assert bell(*TRAIN).code == 0 and digests(in_tmp / "run") == expected


@pytest.mark.promise("R7")
@pytest.mark.parametrize("phase", one_in(3, BEFORE))
def test_a_signal_that_somebody_took_for_an_error_is_heeded(phase, bell, in_tmp):
    stopped = bell(*TRAIN, ring=phase, number=signal.SIGTERM, twice=-1)
    (line,) = stopped.err.splitlines()
    assert is_said(line, signal.SIGTERM, phase, UNSAVED) and (stopped.code, stopped.out) == (143, ""), line
    assert not (in_tmp / "run").exists() and bell(*TRAIN, "--steps", 1).code == 0


@pytest.mark.promise("R7")
@pytest.mark.parametrize("phase", ["import", pytest.param("build", marks=pytest.mark.full)])
def test_no_check_fails_because_of_a_signal(phase, bell):
    stopped = bell("plugins", "check", "bell.py", ring=phase, number=signal.SIGTERM, twice=-1)
    assert stopped.code == 143 and is_said(stopped.err.splitlines()[-1], signal.SIGTERM, phase), stopped.err


def test_a_signal_that_pydantic_met_ends_the_training_as_it_begins():
    with contextlib.suppress(signals.Signalled):
        signals.raise_signalled(signal.SIGTERM, None)
    try:
        with signals.graceful_stop() as stop:
            assert stop.signal_number == signal.SIGTERM
    finally:
        signals.clear_signal()
    signals.reraise_signal()


@pytest.mark.full
@pytest.mark.promise("R7")
@pytest.mark.parametrize(("phase", "number"), [(phase, NUMBERS[n % 3]) for n, phase in enumerate(WITHIN)])
def test_a_signal_within_a_run_saves_it(phase, number, bell, in_tmp, expected):
    started = time.monotonic()
    stopped = bell(*TRAIN, ring=phase, number=number)
    assert stopped.code == 128 + number and time.monotonic() - started < 10
    last = stopped.err.splitlines()[-1]
    step = int(
        re.search(r"seqgen: stopped at step (\d+), saved; continue with: seqgen resume run --plugin bell.py$", last)[1]
    )
    assert seqgen.load("run", plugins=["bell.py"]).folder.load_latest(pytest.fail).state["step"] == step
    assert "Traceback" not in stopped.err and (phase != "save" or step == 20)
    assert bell("resume", "run", "--plugin", "bell.py").code == 0
    assert digests(in_tmp / "run") == expected


@pytest.mark.promise("R7")
@pytest.mark.parametrize("phase", one_in(4, ["count", "encode", "trial", "probe"]))
def test_a_signal_while_resuming(phase, bell, in_tmp, expected):
    assert bell(*TRAIN, ring="save", number=signal.SIGTERM).code == 143
    assert bell("resume", "run", "--plugin", "bell.py", ring=phase, number=signal.SIGINT).code == 130
    assert bell("resume", "run", "--plugin", "bell.py").code == 0 and digests(in_tmp / "run") == expected


@pytest.mark.promise("R7")
@pytest.mark.parametrize(
    ("command", "phase"),
    one_in(
        4,
        itertools.starmap(
            pytest.param,
            [
                (("sample", "run", "-n", 9), "import"),
                (("sample", "run", "-n", 9), "build"),
                (("sample", "run", "-n", 9), "draw"),
                (("evaluate", "run", "-n", 20), "draw"),
                (("evaluate", "run", "-n", 20), "count"),
                (("score", "anna", "--run", "run"), "probe"),
                (("top", "run"), "look"),
                (("show", "corpus", "bells"), "count"),
            ],
        ),
    ),
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_signal_during_other_commands_is_one_line(command, phase, bell):
    assert bell(*TRAIN).code == 0
    stopped = bell(*command, "--plugin", "bell.py", ring=phase, number=signal.SIGTERM)
    assert stopped.code == 143, stopped.err
    assert is_said(stopped.err.splitlines()[-1], signal.SIGTERM, phase) and "Traceback" not in stopped.err, stopped.err


@pytest.mark.full
@pytest.mark.promise("R7")
@pytest.mark.parametrize("phase", ["count", "train", "evaluate"])
def test_a_signal_during_a_bench_keeps_what_was_measured(phase, bell):
    bench = (
        "bench", "--corpus", "bells", "--cells", "bell", "--params", 3000, "--steps", 20, "--split", "80/10/10",
        "--plugin", "bell.py", "--out", "all",
    )  # fmt: skip
    stopped = bell(*bench, ring=phase, number=signal.SIGINT)
    assert stopped.code == 130 and "Traceback" not in stopped.err, stopped.err
    if phase != "count":
        assert "the scores so far are in all" in stopped.err.splitlines()[-1]
    assert bell(*bench, ring="build", number=signal.SIGINT, twice=-1).code == 130
    assert bell(*bench).code == 0


@pytest.mark.promise("R7")
@pytest.mark.slow
@pytest.mark.parametrize("phase", ["count", "train", "draw", "save"])
def test_a_second_signal_ends_at_once_and_the_checkpoint_before_is_whole(phase, in_tmp, bell, expected):
    env = {"RING": f"{phase} 2 1", "RING_RUN": str(in_tmp / "run"), "OMP_NUM_THREADS": "1"}
    (in_tmp / "bell.py").write_text(BELL)
    stopped = finish(run_seqgen(*TRAIN, cwd=in_tmp, env=env))
    assert stopped.code == 143 and "Traceback" not in stopped.err
    if phase == "count":
        assert not (in_tmp / "run").exists()
        return
    steps = {int(path.name.partition("-")[2]) for path in (in_tmp / "run" / "checkpoints").glob("step-*")}
    assert (10 in steps) == (phase != "draw") and 20 not in steps  # the first are drawn before there is one
    assert bell("resume", "run", "--plugin", "bell.py").code == 0
    assert digests(in_tmp / "run") == expected


def test_a_signal_while_the_program_starts_is_one_line():
    program = "import os, signal; from seqgen.signals import *; install_handler(exit_now); os.kill(os.getpid(), 2)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (result.returncode, result.stderr) == (130, b"seqgen: ended by SIGINT\n")


@pytest.fixture
def interrupted(cli, monkeypatch):
    """Return a function that runs a command during which a function is called that sends a signal instead."""

    def send(*_, **__):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    def call(place, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(place, send)
            return cli(*arguments)

    return call


def test_a_signal_before_training_begins_says_that_nothing_is_saved(interrupted, in_tmp):
    stopped = interrupted("seqgen.api.train.plan", "train", "--corpus", "names", "--out", "run")
    assert (stopped.code, stopped.err) == (130, f"seqgen: ended by SIGINT{UNSAVED}\n")
    assert not (in_tmp / "run").exists()


@pytest.mark.parametrize("place", ["seqgen.cli.sample_files.write_atomic", "seqgen.cli.sample.load_run"])
def test_a_signal_before_a_file_of_samples_is_written_says_so(place, interrupted, tiny_run, in_tmp):
    stopped = interrupted(place, "sample", tiny_run.path, "-n", 3, "--out", "big.csv")
    assert (stopped.code, stopped.err) == (130, "seqgen: ended by SIGINT; 'big.csv' was not written\n")
    without = interrupted("seqgen.cli.sample.load_run", "sample", tiny_run.path, "-n", 3)
    assert (without.code, without.err) == (130, "seqgen: ended by SIGINT\n")


IMPORTING = """
import os, sys, types
from importlib.machinery import ModuleSpec
from seqgen.signals import describe_loss, raise_signalled, signal_handlers
sys.modules["torch"] = torch = types.ModuleType("torch")
torch.__spec__ = ModuleSpec("torch", None)
torch.__spec__._initializing = True
with signal_handlers(raise_signalled), describe_loss(lambda: "the file was not written"), describe_loss(lambda: ""):
    os.kill(os.getpid(), 2)
"""


def test_a_signal_while_torch_is_imported_says_what_is_not_saved():
    result = subprocess.run([sys.executable, "-c", IMPORTING], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (130, "seqgen: ended by SIGINT; the file was not written\n")


DESTRUCTOR = """
import os, signal, sys, time
from seqgen.signals import raise_signalled, signal_handlers, signals_of_destructors
class Dying:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)  # the exception of the handler is raised before it, and ignored
with signal_handlers(raise_signalled), signals_of_destructors():
    try:
        Dying()
        time.sleep(60)
    except KeyboardInterrupt as error:
        print(error)
"""


def test_a_signal_whose_exception_a_destructor_swallows_is_delivered_again():
    result = subprocess.run([sys.executable, "-c", DESTRUCTOR], capture_output=True, text=True, timeout=50)
    assert (result.returncode, result.stdout, result.stderr) == (0, "ended by SIGTERM\n", "")


def spent_s(process: subprocess.Popen[bytes]) -> float:
    """Seconds that a child has computed; it may have ended, if nobody has waited for it."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


N_SIGNALS = 50


@pytest.mark.promise("R7")
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_fifty_signals_at_random_moments(in_tmp, bell, record_property, request):
    """From the first reading of the corpus to the end, two at a time; then each run is resumed, or begun again."""
    record_property("cases", N_SIGNALS)
    random.seed("signals")
    train = [120 if part == 30 else part for part in TRAIN[:-1]]
    train.insert(1, "-q")
    (in_tmp / "bell.py").write_text(BELL)
    assert bell(*train, "straight").code == 0
    expected = digests(in_tmp / "straight")

    def start(name: object) -> tuple[subprocess.Popen[bytes], float]:
        """A training, and when it began to read its corpus."""
        mark = in_tmp / f"mark-{name}"
        process = run_seqgen(*train, f"run-{name}", cwd=in_tmp, env={"MARK": str(mark), "OMP_NUM_THREADS": "1"})
        request.addfinalizer(process.kill)
        while not mark.exists() and process.poll() is None:
            time.sleep(0.005)
        return process, time.monotonic()

    first, began = start("timed")
    finish(first)
    whole_s = time.monotonic() - began

    def strike(case: tuple[int, float, signal.Signals]) -> Result:
        nonlocal whole_s
        number, after, sent = case
        process, began = start(number)
        time.sleep(after * whole_s)
        if process.poll() is not None:  # others may compute no more
            whole_s = min(whole_s, time.monotonic() - began)
            return finish(process)
        before_s, asked = spent_s(process), time.monotonic()
        process.send_signal(sent)
        computed_s = 0.0
        while process.poll() is None:
            with contextlib.suppress(OSError):
                computed_s = spent_s(process) - before_s
            time.sleep(0.01)
        # Ten seconds; where others compute too, what it does in half of that when it is alone.
        assert time.monotonic() - asked < 10 or computed_s < 5, number
        return finish(process)

    cases = [(number, random.uniform(0, 0.7), random.choice(NUMBERS)) for number in range(N_SIGNALS)]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(strike, cases))
    counts = dict.fromkeys(["nothing yet", "saved", "complete"], 0)
    for (number, _, sent), result in zip(cases, results, strict=True):
        run = in_tmp / f"run-{number}"
        # A process that is done falls to the signal itself, which a shell calls by the same number.
        assert result.code in (0, 128 + sent, -sent) and "Traceback" not in result.err, (number, result.err)
        if not run.exists():
            counts["nothing yet"] += 1
            assert result.code == 128 + sent and bell(*train, run).code == 0
        elif RunFolder(run).load_latest(pytest.fail).state["ended"]:  # not at the last step, before it was judged
            counts["complete"] += 1
        else:
            counts["saved"] += 1
            assert result.code == 128 + sent and bell("resume", run, "--plugin", "bell.py").code == 0
        assert digests(run) == expected, (number, result.err)
    print(f" {counts}; a run takes {whole_s:.1f} s after it begins to read")
    assert counts["saved"] >= N_SIGNALS // 10, counts

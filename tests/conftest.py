"""Shared fixtures: a tiny corpus, a tiny run, and ways to call the command line."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

# Hundreds of tests start processes, and each worker imports every test: without bytecode all would compile all of it.
# Set before the imports below, whose assertions pytest rewrites and stores as bytecode.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import hypothesis
import pytest
from _pytest.mark import ParameterSet

import seqgen
from seqgen.plugins import Plugins, entry_point_candidates
from seqgen.pytest_plugin import WORDS, Result, load_plugins, seqgen_cli, seqgen_corpus
from seqgen.registry import Entry

collect_ignore = ["packages"]  # what others have written, with tests of their own

ROOT = Path(__file__).resolve().parent.parent

hypothesis.settings.register_profile("seqgen", deadline=None, max_examples=50, derandomize=True)
hypothesis.settings.load_profile("seqgen")


def pytest_configure(config: pytest.Config) -> None:
    """Give all processes of a session one cache of their own: what a user has cached neither helps a test nor grows."""
    if not hasattr(config, "workerinput"):  # workers have the environment of the process that starts them
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        os.environ.setdefault("PIP_CACHE_DIR", str(home / "pip"))  # packages need not be fetched again
        folder = tempfile.TemporaryDirectory(prefix="seqgen-cache-", ignore_cleanup_errors=True)
        os.environ["XDG_CACHE_HOME"] = folder.name
        config.add_cleanup(folder.cleanup)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Stop where the installed distribution is older than pyproject.toml, whose plugins would then be missing."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    found = {point.name for point in importlib.metadata.entry_points(group="seqgen") if point.dist.name == "seqgen-lm"}
    if found != listed["seqgen"].keys():
        changed = ", ".join(sorted(found ^ listed["seqgen"].keys()))
        raise pytest.UsageError(f"the plugins of pyproject.toml have changed ({changed}): pip install -e . again")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests that need a GPU where there is none."""
    if item.get_closest_marker("gpu") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no GPU (CUDA) here")


def read_again(monkeypatch: pytest.MonkeyPatch, most_records: int = 0, most_chars: int = 0) -> None:
    """Corpora with more records or characters are read a second time, to be encoded, as large ones are."""
    survey = importlib.import_module("seqgen.corpus.survey")
    monkeypatch.setattr(survey, "_MAX_RECORDS", most_records)
    monkeypatch.setattr(survey, "_MAX_CHARS", most_chars)


# The fixtures that plugins have for their tests, under the short names that ours use.
cli, words = seqgen_cli, seqgen_corpus


@pytest.fixture(autouse=True, scope="session")
def heard_signals():
    """A shell that puts a program into the background has it ignore SIGINT, and nohup SIGHUP; tests must hear both."""
    for signal_number, heard in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(signal_number) == signal.SIG_IGN:
            signal.signal(signal_number, heard)


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Everything here is small; workers with several threads each would only stand in one another's way."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def no_runs_left() -> Iterator[None]:
    """A run that a test left in the folder of the user would be the newest there, which commands without RUN take."""
    runs = Path("runs").resolve()
    before = {path.name for path in runs.glob("*")}
    yield
    left = {path.name for path in runs.glob("*")} - before
    names = ", ".join(sorted(left))
    assert not left, f"{names} in {runs}: tests give runs out=tmp_path / NAME, unless somebody trained here meanwhile"


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A fresh folder on a disk in memory where there is one, for tests that make and remove thousands of files."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's compiler with a cache of its own; skips the test where there is no C++ compiler."""
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        pytest.skip("no C++ compiler here")
    for name in ("XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")


@pytest.fixture
def plugins() -> Plugins:
    """Return the installed plugins, freshly loaded; a problem fails the test."""
    return load_plugins((), installed=True)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory):
    """A vanilla run of 60 steps on the forty words; do not change it."""
    folder = tmp_path_factory.mktemp("tiny")
    corpus = folder / "words.txt"
    corpus.write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return seqgen.train(
        corpus, cell="vanilla", hidden=12, embedding=6, batch_size=16, steps=60, split="80/10/10",
        options={"eval_every": 20}, out=folder / "run",
    )  # fmt: skip


def registered(kind: str) -> list[Entry]:
    """Return what the installed plugins offer of a kind, by name."""
    return _all_installed().registry.entries(kind)


@functools.cache
def _all_installed() -> Plugins:
    """Load the installed plugins, once for all parametrizations of a process."""
    loaded = Plugins(print)
    loaded.load(entry_point_candidates())
    return loaded


FAMILIES = frozenset({
    "vanilla", "gru", "lstm", "lnlstm", "slstm", "convlstm", "ntm", "mingru", "s5", "mlstm", "transformer", "tcn",
})  # fmt: skip
"""A cell of each way to compute: plain steps, a form for whole sequences, norms inside a step, several heads, a state
with more dimensions, a memory that is read and written, linear and complex recurrences, attention, convolution."""


def in_tiers(
    cases: Iterable[Any], by_default: Callable[..., bool], tiers: tuple[str, str] = ("default", "full")
) -> list[ParameterSet]:
    """Return the cases of a parametrization, marking each with its tier.

    Args:
        cases: as ``pytest.mark.parametrize`` takes them.
        by_default: passed the values of a case, reports whether it is in the first tier.
        tiers: the first tier and that of the other cases; "default" has no mark.
    """
    found = []
    for case in cases:
        case = case if isinstance(case, ParameterSet) else pytest.param(case)
        tier = tiers[0] if by_default(*case.values) else tiers[1]
        marks = case.marks if tier == "default" else (*case.marks, getattr(pytest.mark, tier))
        found.append(pytest.param(*case.values, id=case.id, marks=marks))
    return found


def one_in(step: int, cases: Iterable[Any], tiers: tuple[str, str] = ("default", "full")) -> list[ParameterSet]:
    """Return the cases of a parametrization, one in ``step`` in the first tier and the others in the second."""
    numbers = itertools.count()
    return in_tiers(cases, lambda *_: next(numbers) % step == 0, tiers)


def cells_in_tiers(cases: Iterable[Any], tiers: tuple[str, str] = ("default", "full")) -> list[ParameterSet]:
    """Return the cases of a grid of cells, a cell of each family in the first tier and the others in the second.

    Args:
        cases: the first value is a cell: its name, its qualified name or its entry.
        tiers: as :func:`in_tiers` takes them.
    """
    return in_tiers(cases, lambda cell, *_: getattr(cell, "qualified", cell).split(":")[-1] in FAMILIES, tiers)


def plugins_with(cell: seqgen.CellSpec) -> Plugins:
    """The installed plugins and one more, which has a cell; a problem fails the test."""
    return load_plugins([cell], installed=True)


def run_seqgen(*arguments: object, cwd: Path, env: dict[str, str] | None = None, **options) -> subprocess.Popen[bytes]:
    """Start the command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "seqgen", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def finish(process: subprocess.Popen[bytes], timeout_s: float = 120) -> Result:
    """Wait for it."""
    out, err = process.communicate(timeout=timeout_s)
    return Result(process.returncode, out.decode(), err.decode())


def in_terminal(*arguments: object, columns: int = 100, messages: bool = False) -> str:
    """Return the output of a command on a terminal, including escape sequences.

    Args:
        arguments: of the command line.
        columns: how wide the terminal is.
        messages: whether it shows stderr too; the command must then succeed.
    """
    pty = pytest.importorskip("pty", reason="no terminals here")
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "seqgen", *map(str, arguments)],
        stdout=follower, stderr=follower if messages else subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm"},
    )  # fmt: skip
    os.close(follower)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while data := os.read(leader, 65536):
            shown += data
    code = process.wait()
    os.close(leader)
    assert code == 0 or not messages
    return shown.decode()


def install_fake(site: Path, package: str, source: str, *, distribution: str | None = None) -> None:
    """Put a distribution with one module and one entry point into a folder for PYTHONPATH."""
    distribution = distribution or package.replace("_", "-")
    site.mkdir(exist_ok=True)
    (site / f"{package}.py").write_text(source, encoding="utf-8")
    info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[seqgen]\n{package} = {package}\n")


def environment_of_its_own(folder: Path, *, with_seqgen: bool = True) -> Path:
    """A new virtual environment, for plugins to be installed into; gives its Python.

    What this one has is seen from there too, by a file of paths: torch alone is hundreds of megabytes, and an
    environment that is made for a test must not need the network.
    """
    venv.create(folder, with_pip=True)
    (site,) = folder.glob("lib/python*/site-packages")
    own = [ROOT, ROOT / "plugins", ROOT / "corpora"] if with_seqgen else []
    here = [Path(path).resolve() for path in sys.path if path and Path(path).is_dir()]
    seen = [*own, *(path for path in here if path.name == "site-packages")]
    (site / "what_is_installed.pth").write_text("".join(f"{path}\n" for path in seen))
    return folder / "bin" / "python"


@pytest.fixture(scope="session")
def long_run(tmp_path_factory):
    """A run of one long text, as small as its baselines allow."""
    folder = tmp_path_factory.mktemp("long")
    (folder / "book.txt").write_text("the cat sat on the mat.\nthe dog sat on the log.\n" * 240)
    return seqgen.train(
        folder / "book.txt", layout="stream", cell="gru", hidden=16, steps=40, lr=0.01, batch_size=4,
        options={"window": 16, "eval_every": 20}, out=folder / "run",
    )  # fmt: skip

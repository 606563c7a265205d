"""Pytest fixtures for tests of plugins, available wherever seqgen is installed.

- ``seqgen_corpus``: a corpus file of forty words, in ``tmp_path``.
- ``seqgen_run``: a tiny run, trained once per session.
- ``seqgen_cli``: a function that runs the command line in this process.
- ``seqgen_isolated``: a function that loads plugins together with core only.
- ``seqgen_installed``: a function that loads plugins together with all installed plugins.

``pytest -p no:seqgen`` disables them. Nothing heavy is imported before a fixture is used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from seqgen.api.run import Run
    from seqgen.plugins import Plugins
    from seqgen.specs import Spec

WORDS = (
    "anna", "ben", "carla", "dora", "emil", "fred", "gina", "hans", "ida", "jan", "karl", "lena", "max", "nora", "otto",
    "paul", "rosa", "sven", "tina", "ute", "anne", "bert", "clara", "dorian", "emilia", "frieda", "gero", "hanna",
    "ilse", "jonas", "kira", "leon", "mara", "nils", "olga", "petra", "ruth", "stefan", "thea", "uwe",
)  # fmt: skip
"""The records of ``seqgen_corpus`` and ``seqgen_run``."""


@dataclass(frozen=True)
class Result:
    """The result of a run of the command line.

    Attributes:
        code: the exit code.
        out: its stdout.
        err: its stderr.
    """

    code: int
    out: str
    err: str


@pytest.fixture
def seqgen_corpus(tmp_path: Path) -> Path:
    """Return a corpus file of forty words, ``words.txt`` in ``tmp_path``, which a test may change."""
    return _write_words(tmp_path)


@pytest.fixture(scope="session")
def seqgen_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of sixty steps on the forty words, evaluated every twenty; do not change it."""
    import seqgen

    folder = tmp_path_factory.mktemp("seqgen")
    return seqgen.train(
        _write_words(folder), hidden=12, embedding=6, batch_size=16, steps=60, split="80/10/10",
        options={"eval_every": 20}, out=folder / "run",
    )  # fmt: skip


def _write_words(folder: Path) -> Path:
    from seqgen.files import write_atomic

    path = folder / "words.txt"
    write_atomic(path, ("\n".join(WORDS) + "\n").encode())
    return path


@pytest.fixture
def seqgen_cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Return a function that runs the command line in this process: ``seqgen_cli("train", "--corpus", path).code``."""
    from seqgen.cli import main

    def call(*arguments: object) -> Result:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        sys.stdout.flush()
        captured = capfd.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def seqgen_isolated() -> Callable[..., Plugins]:
    """Return a function that loads plugins with core only: ``train(..., plugins=seqgen_isolated(mycell))``.

    Its arguments are modules, names of import packages, paths of one-file plugins, or specs. A plugin that cannot be
    loaded fails the test.
    """
    return lambda *plugins: load_plugins(plugins, installed=False)


@pytest.fixture
def seqgen_installed() -> Callable[..., Plugins]:
    """Return a function that loads plugins with all installed ones; otherwise as ``seqgen_isolated``."""
    return lambda *plugins: load_plugins(plugins, installed=True)


def load_plugins(wanted: Sequence[ModuleType | str | Path | Spec], *, installed: bool) -> Plugins:
    """Load plugins together with core or, if ``installed``, with all installed plugins."""
    from seqgen.plugins import Candidate, Plugins, entry_point_candidates
    from seqgen.specs import Spec
    from seqgen.testing.plugin import candidate_of

    specs = [plugin for plugin in wanted if isinstance(plugin, Spec)]
    others = [plugin for plugin in wanted if not isinstance(plugin, Spec)]
    loaded = Plugins(pytest.fail)
    loaded.load(entry_point_candidates() if installed else ())
    candidates = [candidate_of(plugin)[0] for plugin in others]
    loaded.load([candidate for candidate in candidates if not installed or candidate.package not in loaded.plugins])
    if specs:
        loaded.load([Candidate("registered_by_test", "registered by a test", "0", lambda: _hooks(specs))])
    return loaded


def _hooks(specs: list[Spec]) -> object:
    """Return a plugin that registers some specs."""
    from seqgen.hookspecs import hookimpl
    from seqgen.specs import KINDS

    def of_kind(kind: str) -> Callable[..., None]:
        def hook(register: Callable[[Spec], None]) -> None:
            for spec in specs:
                if spec.kind == kind:
                    register(spec)

        return hook

    kinds = {spec.kind for spec in specs}
    return type("Hooks", (), {f"register_{KINDS[kind]}": staticmethod(hookimpl(of_kind(kind))) for kind in kinds})

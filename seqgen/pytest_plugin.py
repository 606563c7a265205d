"""Fixtures for the tests of plugins; pytest finds them by itself where seqgen is installed.

- ``seqgen_corpus``: a corpus file of forty words, in ``tmp_path``.
- ``seqgen_run``: a tiny run, trained once a session.
- ``seqgen_cli``: calls the command line in this process.
- ``seqgen_isolated``: loads plugins beside core, and nothing else.
- ``seqgen_installed``: loads plugins beside everything that is installed.

``pytest -p no:seqgen`` does without. Nothing heavy is imported before a fixture is asked for.
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
"""What ``seqgen_corpus`` holds and ``seqgen_run`` has learned, a record a word."""


@dataclass(frozen=True)
class Result:
    """What a call of the command line gave.

    Attributes:
        code: the exit code.
        out: what it wrote to stdout.
        err: what it wrote to stderr.
    """

    code: int
    out: str
    err: str


@pytest.fixture
def seqgen_corpus(tmp_path: Path) -> Path:
    """A corpus of forty words: the file ``words.txt`` in ``tmp_path``, which a test may change."""
    return _write_words(tmp_path)


@pytest.fixture(scope="session")
def seqgen_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of sixty steps on the forty words, evaluated every twenty; do not change it."""
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
    """Calls the command line in this process: ``seqgen_cli("train", "--corpus", path).code``."""
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
    """Loads plugins beside core's own parts: ``seqgen.train(..., plugins=seqgen_isolated(mycell))``.

    Its arguments are modules, names of import packages, paths of plugins in one file, or specs. A plugin that cannot
    be loaded fails the test.
    """
    return lambda *plugins: load_plugins(plugins, installed=False)


@pytest.fixture
def seqgen_installed() -> Callable[..., Plugins]:
    """Loads plugins beside all that is installed here; otherwise as ``seqgen_isolated``."""
    return lambda *plugins: load_plugins(plugins, installed=True)


def load_plugins(wanted: Sequence[ModuleType | str | Path | Spec], *, installed: bool) -> Plugins:
    """What the last two fixtures do; ``installed`` tells them apart."""
    from seqgen.plugins import Candidate, Plugins, entry_point_candidates
    from seqgen.specs import Spec
    from seqgen.testing.plugin import candidate_of

    specs = [plugin for plugin in wanted if isinstance(plugin, Spec)]
    others = [plugin for plugin in wanted if not isinstance(plugin, Spec)]
    loaded = Plugins(pytest.fail)
    loaded.load(entry_point_candidates() if installed else ())
    loaded.load([candidate_of(plugin)[0] for plugin in others])
    if specs:
        loaded.load([Candidate("handed_in", "handed in by a test", "0", lambda: _hooks(specs))])
    return loaded


def _hooks(specs: list[Spec]) -> object:
    """A plugin that hands in some specs."""
    from seqgen.hookspecs import hookimpl
    from seqgen.specs import KINDS

    def of_kind(kind: str) -> Callable[..., None]:
        def hook(register: Callable[[Spec], None]) -> None:
            for spec in specs:
                if spec.kind == kind:
                    register(spec)

        return hook

    kinds = {spec.kind for spec in specs}
    return type("HandedIn", (), {f"register_{KINDS[kind]}": staticmethod(hookimpl(of_kind(kind))) for kind in kinds})

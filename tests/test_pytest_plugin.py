"""The pytest fixtures for tests of plugins."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import seqgen
from broken import Good, cell

ROOT = Path(__file__).parent.parent
LITTLE = """
import seqgen

class Nothing:
    def validate(self, text):
        return seqgen.Verdict(not text, "something" if text else "")

@seqgen.hookimpl
def register_validators(register):
    register(seqgen.ValidatorSpec(name="nothing", summary="no text", load=Nothing, source="t"))
"""
TESTS = """
from pathlib import Path

import seqgen
import little

def test_corpus(seqgen_corpus, tmp_path):
    assert seqgen_corpus.parent == tmp_path and len(seqgen_corpus.read_text().split()) == 40
    assert len(list(seqgen.read_lines(seqgen_corpus))) == 40

def test_cli(seqgen_cli, seqgen_corpus):
    found = seqgen_cli("show", "corpus", seqgen_corpus, "--json")
    assert found.code == 0 and '"records": 40' in found.out and not found.err
    assert seqgen_cli("show", "cell", "nobodys").code == 2

def test_run(seqgen_run):
    assert len(seqgen_run.sample(3)) == 3

def test_the_same_run(seqgen_run, seqgen_cli):
    assert len(seqgen_cli("sample", seqgen_run.path, "-n", 4).out.splitlines()) == 4

def test_isolated(seqgen_isolated):
    for plugin in (little, "little", Path(little.__file__)):
        loaded = seqgen_isolated(plugin)
        assert loaded.registry.names("validator") == ["nothing"] and list(loaded.plugins) == ["seqgen", "little"]

def test_specs(seqgen_isolated, seqgen_installed, seqgen_corpus):
    spec = seqgen.CorpusSpec(name="abc", summary="s", licence="l", load=lambda: [seqgen.Record("a")] * 50)
    assert "abc" in seqgen_isolated(spec).registry.names("corpus")
    assert {"abc", "names"} <= set(seqgen_installed(spec).registry.names("corpus"))
    assert "gru" in seqgen_installed("seqgen_classic").registry.names("cell")  # which is installed already
    run = seqgen.train("abc", steps=1, hidden=4, split="none", plugins=seqgen_installed(spec))
    assert run.settings.corpus.name == "registered_by_test:abc"

def test_a_plugin_that_cannot_be_loaded_fails_the_test(seqgen_isolated):
    seqgen_isolated(seqgen)
"""


@pytest.fixture
def outside(tmp_path):
    """A folder with a plugin and its tests, as an author has them; gives what pytest says of them."""
    (tmp_path / "little.py").write_text(LITTLE)
    (tmp_path / "test_little.py").write_text(TESTS)

    def call(*arguments):
        command = [sys.executable, "-W", "error", "-m", "pytest", "-rA", "-p", "no:cacheprovider", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    return call


@pytest.mark.full
def test_an_authors_tests_have_the_fixtures(outside):
    found = outside("-W", "error", "test_little.py")
    assert "6 passed, 1 failed" in found.stdout or "1 failed, 6 passed" in found.stdout, found.stdout + found.stderr
    assert "FAILED test_little.py::test_a_plugin_that_cannot_be_loaded_fails_the_test" in found.stdout
    assert "Warning" not in found.stdout + found.stderr


def test_pytest_lists_them(outside):
    listed = outside("--fixtures", "-q").stdout
    names = ("seqgen_corpus", "seqgen_run", "seqgen_cli", "seqgen_isolated", "seqgen_installed")
    assert all(name in listed for name in names)


def test_pytest_can_do_without_them(outside):
    assert "fixture 'seqgen_cli' not found" in outside("-p", "no:seqgen", "-k", "test_cli").stdout


def test_pytest_starts_without_anything_heavy(tmp_path):
    program = (
        "import sys, pytest\n"
        "class Look:\n"
        "    def pytest_sessionfinish(self): print({'torch', 'numpy', 'pydantic', 'typer'} & sys.modules.keys())\n"
        "pytest.main(['-q', '-s', '-p', 'no:hypothesispytest', 'test_nothing.py'], plugins=[Look()])\n"
        "print('seqgen.pytest_plugin' in sys.modules)"
    )
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert "set()" in found.stdout and found.stdout.endswith("True\n"), found.stdout + found.stderr


def test_the_entry_asks_for_nothing_that_pytest_does_not_bring():
    """Without the extra `test` pytest may be there all the same."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"seqgen": "seqgen.pytest_plugin"}
    program = (
        "import sys\n"
        "for name in ('hypothesis', 'mypy', 'build', 'ruff', 'importlinter'): sys.modules[name] = None\n"
        "import seqgen.pytest_plugin, seqgen.testing"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_pytest_nothing_asks_for_it(tmp_path):
    program = (
        "import sys; sys.modules['pytest'] = None\n"
        "from seqgen.cli import main\nimport seqgen.testing\nsys.exit(main(['plugins']))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0 and found.stderr == "", found.stderr


def test_a_spec_handed_in_is_registered(seqgen_isolated):
    loaded = seqgen_isolated(cell(Good), seqgen.DomainSpec(name="d", summary="s"))
    assert loaded.registry.names("cell") == ["x"] and "d" in loaded.registry.names("domain")

"""Looking around needs no torch; importing seqgen needs next to nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import finish, one_in, run_seqgen

LIGHT = [
    ["--help"],
    ["list"],
    ["list", "cells"],
    ["show", "cell", "lstm"],
    ["show", "corpus", "names"],
    ["show", "exporter", "page"],
    ["export", "--help"],
    ["plugins"],
    ["runs"],
    ["train", "--help"],
    ["bench", "--help"],
    ["compare", "--help"],
    ["play", "--help"],
    ["tune", "--help"],
    ["score", "--help"],
    ["evaluate", "--help"],
]


def python(program: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=cwd)


@pytest.mark.full
@pytest.mark.parametrize("arguments", one_in(3, LIGHT), ids=" ".join)
def test_looking_around_with_torch_forbidden(arguments, tmp_path):
    program = f"import sys; sys.modules['torch'] = None\nfrom seqgen.cli import main\nsys.exit(main({arguments!r}))"
    result = python(program, tmp_path)
    assert result.returncode == 0 and result.stderr == "" and result.stdout


def test_runs_with_torch_forbidden(tiny_run, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "tiny").symlink_to(tiny_run.path)
    program = "import sys; sys.modules['torch'] = None\nfrom seqgen.cli import main\nsys.exit(main(['runs', '--json']))"
    result = python(program, tmp_path)
    assert result.returncode == 0 and '"step": 60' in result.stdout, result.stderr


def test_importing_seqgen_imports_nothing_heavy(tmp_path):
    program = (
        "import sys, seqgen, seqgen_names, seqgen_classic\n"
        "seqgen.hookimpl, seqgen.CellSpec, seqgen.PLUGIN_API\n"
        "print({'torch', 'numpy', 'pydantic', 'rich', 'typer'} & sys.modules.keys())"
    )
    assert python(program, tmp_path).stdout == "set()\n"


@pytest.mark.full
def test_the_short_path_does_not_load_the_compiler(tmp_path, words):
    """torch.optim imports torch._dynamo, which costs a short run seconds."""
    program = (
        "import sys, seqgen\n"
        f"seqgen.train({str(words)!r}, cell='gru', steps=2, hidden=4).sample(2)\n"
        "print('torch._dynamo' in sys.modules, 'torch.optim.adamw' in sys.modules)"
    )
    result = python(program, tmp_path)
    assert result.stdout.splitlines()[-1].startswith("False"), result.stdout + result.stderr


def test_public_names():
    import seqgen

    assert seqgen.__all__ == sorted(seqgen.__all__)
    for name in seqgen.__all__:
        assert getattr(seqgen, name) is not None
    assert set(dir(seqgen)) >= set(seqgen.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        seqgen.nothing  # noqa: B018


@pytest.mark.full
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "10000 None"),
        ({"GOMP_SPINCOUNT": "7"}, "7 None"),
        ({"OMP_WAIT_POLICY": "active"}, "None active"),
    ],
    ids=["neither", "how often", "how"],
)
def test_threads_wait_as_the_user_says_and_else_not_for_long(given, expected, tmp_path, monkeypatch):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    names = "os.environ.get('GOMP_SPINCOUNT'), os.environ.get('OMP_WAIT_POLICY'), 'torch' in sys.modules"
    program = f"import os, sys; print({names})"
    (tmp_path / "told.py").write_text(program)
    result = finish(run_seqgen("plugins", "-q", "--plugin", "told.py", cwd=tmp_path, env=given))
    assert result.code == 0 and f"{expected} False" in result.out + result.err

"""The rules of the code itself, as tests."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = sorted((ROOT / "seqgen").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
STRANGERS = [
    path for folder in ("seqgen/templates", "tests/packages") for path in sorted((ROOT / folder).rglob("*.py"))
]


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at any depth."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", PLUGINS + STRANGERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_plugins_import_only_the_public_api(path):
    """seqgen and seqgen.testing; corpus packs also seqgen_corpora; never an inner module, never another plugin."""
    own = path.relative_to(ROOT / "plugins").parts[0] if path in PLUGINS else ""
    public = set(__import__("seqgen").__all__)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "seqgen":
            assert name in ("seqgen", "seqgen.testing") or (len(parts) == 2 and parts[1] in public), name
        elif parts[0].startswith("seqgen_"):
            assert parts[0] in (own, "seqgen_corpora"), f"{own} imports {name}"


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_core_knows_no_plugin(path):
    assert not [name for name in imports(path) if name.startswith("seqgen_")]
    text = path.read_text(encoding="utf-8")
    words = [folder.name for folder in (ROOT / "plugins").iterdir() if folder.is_dir() and folder.name[0] != "_"]
    assert not [name for name in words if name in text]
    assert len(text.splitlines()) <= 270, "a module is one idea"


@pytest.mark.parametrize("path", CORE + PLUGINS, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_are_short(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            body = node.body[1:] if documented else node.body
            length = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert length <= 55, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_of_a_plugin_is_short_and_a_cell_shorter(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= (120 if re.search(r"\(seqgen\.(Step)?Cell\)", text) else 250)


def tool(*command: str) -> None:
    tool_in(ROOT, *command)


def tool_in(folder: Path, *command: str) -> None:
    name = Path(sys.executable).parent / command[0]
    if not name.exists() and shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed: it comes with the extra 'test'")
    program = str(name) if name.exists() else command[0]
    result = subprocess.run([program, *command[1:]], cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_rows_of_the_core():
    tool("lint-imports", "--no-cache")


def test_lint():
    tool("ruff", "check", "--no-cache", ".")


def test_format():
    tool("ruff", "format", "--no-cache", "--check", ".")


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="types are checked on the oldest Python, as mypy is told")
def test_types(tmp_path):
    tool("mypy", "--cache-dir", str(tmp_path))

"""The rules of the code itself, as tests."""

from __future__ import annotations

import ast
import functools
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = sorted((ROOT / "seqgen").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
STRANGERS = [
    path for folder in ("seqgen/templates", "tests/packages") for path in sorted((ROOT / folder).rglob("*.py"))
]


@functools.cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(text_of(path))


def imports(path: Path) -> set[str]:
    """Return the name of every module that a file imports, at any depth."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def hold(paths: list[Path], rule: Callable[[Path], Iterable[str]]) -> None:
    """Fail with "file: offence" for everything that a rule yields of a list of files."""
    found = [f"{path.relative_to(ROOT).as_posix()}: {offence}" for path in paths for offence in rule(path)]
    assert paths
    assert not found, "\n".join(["", *found])


def test_plugins_import_only_the_public_api():
    """seqgen and seqgen.testing; corpus packs also seqgen_corpora; never an inner module, never another plugin."""
    public = set(__import__("seqgen").__all__)

    def rule(path: Path) -> Iterator[str]:
        own = path.relative_to(ROOT / "plugins").parts[0] if path in PLUGINS else ""
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "seqgen":
                if not (name in ("seqgen", "seqgen.testing") or (len(parts) == 2 and parts[1] in public)):
                    yield f"{name} is not public"
            elif parts[0].startswith("seqgen_") and parts[0] not in (own, "seqgen_corpora"):
                yield f"{own or 'it'} imports {name}"

    hold(PLUGINS, rule)
    hold(STRANGERS, rule)


def test_core_knows_no_plugin():
    words = [folder.name for folder in (ROOT / "plugins").iterdir() if folder.is_dir() and folder.name[0] != "_"]

    def rule(path: Path) -> Iterator[str]:
        yield from (f"imports {name}" for name in imports(path) if name.startswith("seqgen_"))
        yield from (f"mentions {name}" for name in words if name in text_of(path))

    assert words
    hold(CORE, rule)


def test_modules_are_short():
    """A module is one idea; one with a cell is shorter still."""

    def rule(path: Path) -> Iterator[str]:
        length = len(text_of(path).splitlines())
        cell = path in PLUGINS and re.search(r"\(seqgen\.(Step)?Cell\)", text_of(path))
        limit = 400 if path in CORE else 120 if cell else 250
        if length > limit:
            yield f"{length} lines, the limit is {limit}"

    hold(CORE + PLUGINS, rule)


def test_functions_are_short():
    def rule(path: Path) -> Iterator[str]:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
                body = node.body[1:] if documented else node.body
                length = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                if length > 55:
                    yield f"{node.name} has {length} lines"

    hold(CORE + PLUGINS, rule)


def test_messages_show_long_values_by_short_repr():
    """A precision cuts a value without a mark, and a text without its closing quote."""

    def rule(path: Path) -> Iterator[str]:
        yield from re.findall(r"\{[^{}]*![ras]:\.[^}]*\}", text_of(path))

    hold(CORE, rule)
    hold(PLUGINS, rule)
    hold(sorted((ROOT / "corpora").rglob("*.py")), rule)


def tool(*command: str) -> None:
    tool_in(ROOT, *command)


def tool_in(folder: Path, *command: str) -> None:
    name = Path(sys.executable).parent / command[0]
    if not name.exists() and shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed: it comes with the extra 'test'")
    program = str(name) if name.exists() else command[0]
    result = subprocess.run([program, *command[1:]], cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


OURS = ("benchmarks", "corpora", "docs", "plugins", "seqgen", "tests", "tools", "CONTRIBUTING.md", "README.md")
"""What the linters read: a file that somebody keeps beside these is theirs."""


def test_rows_of_the_core():
    tool("lint-imports", "--no-cache")


def test_lint():
    tool("ruff", "check", "--no-cache", *OURS)


def test_format():
    tool("ruff", "format", "--no-cache", "--check", *OURS)


@pytest.mark.full
@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="types are checked on the oldest Python, as mypy is told")
def test_types():
    """With mypy's own cache, which makes it five times as fast from the second time on."""
    tool("mypy")

"""Every mistake in the table of mistakes is answered with one line and its documented exit code."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from conftest import one_in

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
PAGE = BENCHMARKS.parent / "docs" / "mistakes.md"
sys.path.insert(0, str(BENCHMARKS))
try:
    import mistakes
    from mistake_cases import MISTAKES
finally:
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="session")
def ready(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mistakes") / "ready"
    mistakes.prepare(folder)
    return folder


@pytest.mark.parametrize(
    "mistake",
    one_in(6, [one for one in MISTAKES if not one.shell and not one.slow]),
    ids=lambda one: f"{one.group}: {one.what}",
)
def test_a_mistake_is_answered_in_one_line(mistake, ready, cli, in_tmp, monkeypatch):
    folder = in_tmp / "folder"
    shutil.copytree(ready, folder)
    mistake.make(folder)
    monkeypatch.chdir(folder)
    try:
        result = cli(*mistake.words)
    finally:
        sys.modules.pop("mine", None)
    assert result.code == mistake.code, result.err
    assert "unexpected" not in result.err and "Traceback" not in result.err
    line = mistakes.told(result.err)
    assert line or not result.code
    assert len(line) < 500
    assert not (folder / "outside.json").exists()


def test_the_page_has_every_mistake():
    """``python benchmarks/mistakes.py`` writes it."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) == len(MISTAKES)
    for row, mistake in zip(rows, MISTAKES, strict=True):
        assert row.startswith(f"| {mistakes.plain(mistake.what)} | `{mistakes.typed(mistake)}` | {mistake.code} |"), row

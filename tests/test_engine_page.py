"""The worked example of docs/engine.md prints what the page shows, and the page names modules that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")


def test_the_example_prints_what_is_shown(capsys):
    shown = re.findall(r"```python\n(.*?)```(?:(?!```).)*?```text\n(.*?)```", PAGE, re.S)
    assert len(shown) == 3
    space: dict[str, object] = {"__name__": "engine_page"}
    for code, text in shown:
        exec(compile(code, "engine.md", "exec"), space)
        assert capsys.readouterr().out == text


def test_every_module_of_the_engine_is_named():
    rows = re.findall(r"^\|([^|]*)\|", PAGE[: PAGE.index("## A worked example")], re.M)
    named = {name for row in rows for name in re.findall(r"`([a-z_0-9]+)`", row)}
    assert named == {path.stem for path in (ROOT / "seqgen" / "engine").glob("*.py")} - {"__init__"}
    for path in re.findall(r"`(seqgen/[\w/]+\.py)`", PAGE):
        assert (ROOT / path).exists(), path

"""Renderer of Python code with syntax highlighting."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.text import Text

import seqgen
from seqgen_python.validator import PythonValidator

_WIDTH = 100


class PythonRenderer:
    """Renders a text as Python code in the terminal's colours, and several texts as .svg."""

    suffixes = (".svg",)

    def __call__(self, text: str) -> RenderableType:
        """Render the code; characters that do not print are escaped."""
        return _code(text, "ansi_dark")

    def draw(self, texts: Sequence[str], suffix: str) -> bytes:
        """Return a picture of the texts in one column, 100 characters wide; it refers to no external font.

        Args:
            texts: the texts; the error of a text that does not parse is shown below it.
            suffix: ".svg".
        """
        validator = PythonValidator()
        panels = []
        for text in texts:
            wrong = Text(seqgen.visible(validator.validate(text).reason), "red")
            wrong.truncate(_WIDTH - 8, overflow="ellipsis")
            panels.append(
                Panel(
                    _code(text, "monokai"), box=box.ROUNDED, border_style="red" if wrong else "dim",
                    subtitle=wrong or None, subtitle_align="left" if wrong else "center",
                )
            )  # fmt: skip
        return seqgen.export_svg(Group(*panels), width=_WIDTH, title="python")


def _code(text: str, theme: str) -> Syntax:
    return Syntax(_visible(text), "python", theme=theme, background_color="default", word_wrap=True)


def _visible(text: str) -> str:
    """Return the text with every unprintable character except line ends and tabs escaped."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)

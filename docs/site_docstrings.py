"""Griffe extension of the documentation site: docstrings as Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|meth|func|mod|attr|data):`~?([^`]+)`")
_RAISED = re.compile(r"^( *)Raises \(([^)]+)\):\n", re.M)
_CODE = re.compile(r"(``.*?``|`[^`\n]+`)")


class PlainMarkdown(griffe.Extension):
    """Writes roles as code, says when errors are raised, and keeps ``[a] [b]`` from becoming a link."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Change the docstring of one object."""
        if obj.docstring is not None:
            text = _ROLE.sub(r"`\1`", obj.docstring.value)
            text = _RAISED.sub(r"\1Raised \2:\n\n\1Raises:\n", text)  # a section has a name that griffe knows
            pieces = _CODE.split(text)
            pieces[::2] = [re.sub(r"\](\s?)\[", r"]\1\\[", piece) for piece in pieces[::2]]
            obj.docstring.value = "".join(pieces)

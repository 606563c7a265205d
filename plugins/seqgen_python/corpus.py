"""Reads the functions and classes of Python's standard library where this interpreter has it."""

from __future__ import annotations

import os
import re
import sysconfig
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

import seqgen
from seqgen_python.pieces import pieces

_LEFT_OUT = {
    "site-packages", "dist-packages", "test", "tests", "idlelib", "idle_test", "lib2to3", "turtledemo", "__phello__",
    "ensurepip", "pydoc_data", "encodings",
}  # fmt: skip
_NOT_PLAIN = re.compile(r"[^\t\n -~]")


@dataclass(frozen=True)
class StandardLibrary:
    """Definitions in the order of the files' names, then of their lines; each text once.

    Attributes:
        root: the folder of the library.
        kind: "functions", "classes" or "all".
        min_chars: shorter ones are left out.
        max_chars: longer ones are left out.
        docstrings: whether they are kept.
    """

    root: Path
    kind: str
    min_chars: int
    max_chars: int
    docstrings: bool

    def __iter__(self) -> Iterator[seqgen.Record]:
        """The records, from the first; what is kept in memory is a number for each."""
        seen: set[int] = set()
        for path in self._files():
            try:
                with tokenize.open(path) as file:
                    source = file.read()
            except (OSError, SyntaxError, UnicodeDecodeError):
                continue
            module = ".".join(path.relative_to(self.root).with_suffix("").parts).removesuffix(".__init__")
            for piece in pieces(source, kind=self.kind, docstrings=self.docstrings):
                text = piece.text
                fits = self.min_chars <= len(text) <= self.max_chars and not _NOT_PLAIN.search(text)
                if fits and hash(text) not in seen:
                    seen.add(hash(text))
                    yield seqgen.Record(text, fields={"module": module, "name": piece.name, "line": piece.line})
        if not seen:
            raise seqgen.CorpusError(f"no Python source in {str(self.root)!r}, where the standard library should be")

    def _files(self) -> list[Path]:
        found: list[Path] = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in _LEFT_OUT]
            kept = (name for name in names if name.endswith(".py") and not name.startswith("_sysconfigdata"))
            found.extend(Path(folder, name) for name in kept)
        return sorted(found, key=lambda path: path.relative_to(self.root).parts)


def load(
    *,
    kind: Annotated[
        Literal["functions", "classes", "all"],
        Field(description="functions, also those of classes; classes; or all: functions outside classes, and classes"),
    ] = "functions",
    min_chars: Annotated[int, Field(ge=1, description="shorter definitions are left out, in characters")] = 30,
    max_chars: Annotated[int, Field(ge=1, description="longer definitions are left out, in characters")] = 1000,
    docstrings: Annotated[bool, Field(description="keep docstrings")] = False,
) -> StandardLibrary:
    """The corpus."""
    return StandardLibrary(Path(sysconfig.get_paths()["stdlib"]), kind, min_chars, max_chars, docstrings)

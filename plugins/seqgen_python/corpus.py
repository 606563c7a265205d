"""The corpus of functions and classes in the running Python's standard library."""

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
from seqgen_python.extraction import extract_definitions

_EXCLUDED_FOLDERS = {
    "site-packages", "dist-packages", "test", "tests", "idlelib", "idle_test", "lib2to3", "turtledemo", "__phello__",
    "ensurepip", "pydoc_data", "encodings",
}  # fmt: skip
_NON_ASCII = re.compile(r"[^\t\n -~]")


@dataclass(frozen=True)
class StandardLibrary:
    """The records: definitions by file name and line, without duplicates.

    Attributes:
        root: the folder of the standard library.
        kind: "functions", "classes" or "all".
        min_chars: minimum length of a definition.
        max_chars: maximum length of a definition.
        docstrings: keep docstrings.
    """

    root: Path
    kind: str
    min_chars: int
    max_chars: int
    docstrings: bool

    def __iter__(self) -> Iterator[seqgen.Record]:
        """Iterate over the records from the first; memory holds one hash per record.

        Raises:
            CorpusError: the folder has no .py files, or no definition in them fits.
        """
        seen: set[int] = set()
        files = self._files()
        for path in files:
            try:
                with tokenize.open(path) as file:
                    source = file.read()
            except (OSError, SyntaxError, UnicodeDecodeError):
                continue
            module = ".".join(path.relative_to(self.root).with_suffix("").parts).removesuffix(".__init__")
            for definition in extract_definitions(source, kind=self.kind, docstrings=self.docstrings):
                text = definition.text
                fits = self.min_chars <= len(text) <= self.max_chars and not _NON_ASCII.search(text)
                if fits and hash(text) not in seen:
                    seen.add(hash(text))
                    fields = {"module": module, "name": definition.name, "line": definition.line}
                    yield seqgen.Record(text, fields=fields)
        if not seen:
            raise seqgen.CorpusError(self._empty(len(files)))

    def _empty(self, n: int) -> str:
        """Return the message of a corpus without records, whose folder has n .py files."""
        folder = repr(str(self.root))
        if not n:
            return f"cannot read corpus python: no .py files in the standard library folder {folder}"
        kind = "functions or classes" if self.kind == "all" else self.kind
        return (
            f"cannot read corpus python: the {n:,} .py files in {folder} hold no {kind} of {self.min_chars:,} to "
            f"{self.max_chars:,} ASCII characters; lower min_chars or raise max_chars"
        )

    def _files(self) -> list[Path]:
        found: list[Path] = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in _EXCLUDED_FOLDERS]
            kept = (name for name in names if name.endswith(".py") and not name.startswith("_sysconfigdata"))
            found.extend(Path(folder, name) for name in kept)
        return sorted(found, key=lambda path: path.relative_to(self.root).parts)


def load(
    *,
    kind: Annotated[
        Literal["functions", "classes", "all"],
        Field(description="functions (methods included), classes, or all: classes and the functions outside them"),
    ] = "functions",
    min_chars: Annotated[int, Field(ge=1, description="minimum length of a definition, characters")] = 30,
    max_chars: Annotated[int, Field(ge=1, description="maximum length of a definition, characters")] = 1000,
    docstrings: Annotated[bool, Field(description="keep docstrings")] = False,
) -> StandardLibrary:
    """Return the corpus.

    Raises:
        BadOption: the minimum length is above the maximum.
    """
    if min_chars > max_chars:
        raise seqgen.BadOption(
            f"min_chars={min_chars} must not be above max_chars={max_chars}; lower min_chars or raise max_chars"
        )
    return StandardLibrary(Path(sysconfig.get_paths()["stdlib"]), kind, min_chars, max_chars, docstrings)

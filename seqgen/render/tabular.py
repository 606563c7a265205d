"""Results that notebooks show as tables and pictures, and that become data frames."""

from __future__ import annotations

import abc
import base64
import importlib
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from seqgen.errors import BadOption, MissingExtra
from seqgen.files import write_atomic
from seqgen.render.html import export_html
from seqgen.render.tables import Listing

_MIME = {".svg": "svg+xml", ".png": "png"}
# Polars takes the types of the first hundred rows for those of all: it fails on a text after them, and cuts 2.5 to 2.
_READING: dict[str, dict[str, Any]] = {"polars": {"infer_schema_length": None}}


class Picture:
    """A picture, which notebooks show.

    Args:
        content: the content of its file.
        suffix: of that file, ".svg" or ".png".
    """

    def __init__(self, content: bytes, suffix: str = ".svg") -> None:
        self.content, self.suffix = content, suffix

    def _repr_html_(self) -> str:
        source = f"data:image/{_MIME[self.suffix]};base64,{base64.b64encode(self.content).decode()}"
        # Scripts of a picture in an element img do not run.
        return f'<img style="max-width: 100%; background: white" alt="picture" src="{source}">'

    def save(self, path: str | Path) -> None:
        """Write it to a file.

        Raises:
            BadOption: the name has another suffix.
            DiskError: writing failed.
        """
        if Path(path).suffix.lower() != self.suffix:
            raise BadOption(f"cannot save this picture as {str(path)!r}: name a file that ends in {self.suffix}")
        write_atomic(Path(path), self.content)


class Tabular(abc.ABC):
    """A result that is rows of named values: notebooks show it as a table, and it converts to data frames."""

    @abc.abstractmethod
    def to_rows(self) -> list[dict[str, Any]]:
        """Return the rows, all with the same names."""

    def view(self) -> RenderableType:
        """Return the table that a terminal shows."""
        rows = self.to_rows()
        return Listing(rows, list(rows[0]) if rows else [])

    def _repr_html_(self) -> str:
        return export_html(self.view())

    def to_pandas(self) -> Any:
        """Return the rows as a ``pandas.DataFrame``.

        Raises:
            MissingExtra: pandas is not installed.
        """
        return _frame("pandas", self.to_rows())

    def to_polars(self) -> Any:
        """Return the rows as a ``polars.DataFrame``.

        Raises:
            MissingExtra: polars is not installed.
        """
        return _frame("polars", self.to_rows())


def _frame(package: str, rows: list[dict[str, Any]]) -> Any:
    try:
        module = importlib.import_module(package)
    except ImportError:
        raise MissingExtra(package, f"to_{package}()") from None
    return module.DataFrame(rows, **_READING.get(package, {}))

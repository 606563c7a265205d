"""An on-disk cache of corpora larger than memory: encoded once into files that are then memory-mapped.

Each file has a checksum per 4 MiB block, verified before the block is first used. ``meta.json`` holds them and has a
checksum of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.batches.encoded import Parts, Stream, parts_of
from seqgen.corpus import PARTS
from seqgen.encoding import MakeSink
from seqgen.errors import DiskError
from seqgen.files import (
    SafePath,
    build_folder,
    cache_key,
    dump_checksummed,
    load_checksummed,
    remove_folders,
    write_synced,
)
from seqgen.files.arrays import ArrayFile, CheckedArray, damaged_blocks, map_array

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

_FORMAT = 1  # version of the folder's layout, part of the key
_META = "meta.json"
_DAMAGE = (OSError, ValueError, KeyError, TypeError)  # what reading a damaged or missing folder raises
_BY_BLOCK = "flat"  # the ids are verified block by block; the much smaller index arrays on opening


def cached(
    home: Path,
    facts: Mapping[str, Any],
    build: Callable[[MakeSink], Parts],
    warn: Callable[[str], None] = lambda line: None,
) -> Parts:
    """Return the cached result of ``build`` for the same facts, or call it and cache the result in files.

    A cache folder is written under a temporary name and renamed when complete, so a partial one is never read. It may
    be deleted at any time. A damaged one is deleted and rebuilt as soon as the damage is found.

    Args:
        home: the folder that contains all cache folders.
        facts: everything that the result depends on, as JSON values.
        build: returns the parts and writes their arrays to the sinks it is given; called again after damage.
        warn: called with one line when something is damaged.

    Raises:
        LinkRefused: a file or folder of the cache is a link.
        DiskError: writing failed.
    """
    return _Cache(SafePath(home) / cache_key({**facts, "format": _FORMAT}), facts, build, warn).open()


@dataclass
class _Cache:
    """One folder of the cache; ``cached`` describes the arguments."""

    folder: SafePath
    facts: Mapping[str, Any]
    build: Callable[[MakeSink], Parts]
    warn: Callable[[str], None]

    def open(self) -> Parts:
        """Return the parts; the folder is built if it is missing or damaged."""
        try:
            return self._read()
        except FileNotFoundError:
            pass
        except _DAMAGE as error:
            self._warn_damaged(str(error))
        self._make()
        try:
            return self._read()
        except _DAMAGE as error:
            raise DiskError(
                f"cannot read the encoded corpus {str(self.folder.path)!r}, just written: {error}; "
                "the disk may be failing"
            ) from None

    def _warn_damaged(self, why: str) -> None:
        self.warn(f"encoded corpus {str(self.folder.path)!r}: {' '.join(why.split())}; rebuilding it")

    def _make(self) -> None:
        def fill(new: SafePath) -> None:
            arrays: dict[str, ArrayFile] = {}

            def make_sink(name: str, dtype: Any, width: int | None) -> ArrayFile:
                arrays[name] = ArrayFile(new / f"{name}.bin", dtype, width)
                return arrays[name]

            try:
                parts = self.build(make_sink)
            finally:
                for array in arrays.values():
                    array.close()
            meta = {
                "facts": self.facts,
                "arrays": {name: array.describe() for name, array in arrays.items()},
                "chars": {name: part.n_chars for name, part in parts.items() if isinstance(part, Stream)},
            }
            write_synced(new / _META, dump_checksummed(meta))

        if self.folder.exists():  # damaged
            remove_folders(SafePath(self.folder.root), [self.folder.name])
        try:
            build_folder(self.folder, fill)
        except DiskError:
            with contextlib.suppress(*_DAMAGE):
                self._read()
                return  # another process built it meanwhile
            raise

    def _meta(self) -> dict[str, Any]:
        """Return the content of ``meta.json``.

        Raises:
            OSError, ValueError: it is missing or damaged.
        """
        try:
            meta, has_checksum = load_checksummed((self.folder / _META).read())
        except ValueError as error:
            raise ValueError(f"{_META} is damaged: {error}") from None
        if not has_checksum:
            raise ValueError(f"{_META} is damaged")
        return meta

    def _map(self, name: str, meta: Mapping[str, Any]) -> tuple[Array, Sequence[int]]:
        """Return an array and its checksums."""
        how = meta["arrays"][name]
        return map_array(self.folder / f"{name}.bin", how["dtype"], how["shape"]), how["crc32"]

    def _read(self) -> Parts:
        """Return the parts in the folder.

        Raises:
            OSError, ValueError, KeyError, TypeError: it is missing or damaged.
        """
        meta = self._meta()
        arrays = {name: self._array(name, meta) for name in meta["arrays"]}
        if meta["chars"]:
            return {part: Stream(arrays[f"{part}.flat"], meta["chars"][part]) for part in PARTS}
        return parts_of(arrays)

    def _array(self, name: str, meta: Mapping[str, Any]) -> Any:
        array, crc32 = self._map(name, meta)

        def renew(block: int) -> tuple[Array, Sequence[int]]:
            self._warn_damaged(f"block {block} of {name}.bin is damaged")
            self._make()
            return self._map(name, self._meta())

        if name.rpartition(".")[2] == _BY_BLOCK:
            return CheckedArray(array, crc32, renew)
        for block in damaged_blocks(array, crc32):
            raise ValueError(f"block {block} of {name}.bin is damaged")
        return array

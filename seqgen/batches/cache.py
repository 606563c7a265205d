"""A corpus that is larger than memory: encoded once into files, which are mapped from then on.

Each file has a checksum for every 4 MiB, which is compared before the block is first used; ``meta.json``, which holds
them, has one of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.batches.encoded import Encoded, Parts, Stream
from seqgen.batches.encoding import MakeSink
from seqgen.corpus import PARTS
from seqgen.errors import DiskError
from seqgen.files import SafePath, build_folder, dump_checksummed, load_checksummed, remove_folders, write_synced
from seqgen.files.arrays import ArrayFile, CheckedArray, damaged_blocks, map_array

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

_FORMAT = 1  # of the folder; another one is another key
_META, _BEFORE = "meta.json", {"facts", "arrays", "chars"}  # what it held before there were checksums
_BY_BLOCK = "flat"  # the ids: far larger than what says where they are, which is compared whole at the start


def cached(
    home: Path,
    facts: Mapping[str, Any],
    build: Callable[[MakeSink], Parts],
    warn: Callable[[str], None] = lambda line: None,
) -> Parts:
    """What ``build`` gave when it was last called for the same facts, from files; else it is called now.

    A folder of the cache is written beside its place and renamed when it is whole, so a half-written one is never
    read. It may be deleted at any time. One that is damaged is deleted and made anew, whenever that is found.

    Args:
        home: the folder of all of them.
        facts: all that the result depends on, as JSON values.
        build: gives the parts, whose arrays it puts where it is told; it is called again if they are damaged.
        warn: is passed one line when something is damaged.

    Raises:
        LinkRefused: something of it is a link.
        DiskError: the disk refused.
    """
    key = hashlib.sha256(json.dumps({**facts, "format": _FORMAT}, sort_keys=True).encode()).hexdigest()[:32]
    return _Cache(SafePath(home) / key, facts, build, warn).open()


class _Cache:
    """One folder of the cache; for its arguments see ``cached``."""

    def __init__(
        self,
        folder: SafePath,
        facts: Mapping[str, Any],
        build: Callable[[MakeSink], Parts],
        warn: Callable[[str], None],
    ) -> None:
        self._folder, self._facts, self._build, self._warn = folder, facts, build, warn

    def open(self) -> Parts:
        """The parts; the folder is made if it is not there or damaged."""
        try:
            return self._read()
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._told_damaged(str(error))
        self._make()
        try:
            return self._read()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DiskError(
                f"cannot read the encoded corpus {str(self._folder.path)!r}, just written: {error}; "
                "the disk may be failing"
            ) from None

    def _told_damaged(self, why: str) -> None:
        self._warn(f"encoded corpus {str(self._folder.path)!r}: {' '.join(why.split())}; it is made anew")

    def _make(self) -> None:
        def fill(new: SafePath) -> None:
            arrays: dict[str, ArrayFile] = {}

            def make_sink(name: str, dtype: Any, width: int | None) -> ArrayFile:
                arrays[name] = ArrayFile(new / f"{name}.bin", dtype, width)
                return arrays[name]

            try:
                parts = self._build(make_sink)
            finally:
                for array in arrays.values():
                    array.close()
            meta = {
                "facts": self._facts,
                "arrays": {name: array.describe() for name, array in arrays.items()},
                "chars": {name: part.n_chars for name, part in parts.items() if isinstance(part, Stream)},
            }
            write_synced(new / _META, dump_checksummed(meta))

        if self._folder.exists():  # it is damaged
            remove_folders(SafePath(self._folder.root), [self._folder.name])
        try:
            build_folder(self._folder, fill)
        except DiskError:
            if not self._is_there():  # no other process was quicker
                raise

    def _is_there(self) -> bool:
        try:
            self._read()
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return True

    def _meta(self) -> dict[str, Any]:
        """What ``meta.json`` holds.

        Raises:
            OSError, ValueError: it is not there, or damaged.
        """
        try:
            meta, sealed = load_checksummed((self._folder / _META).read())
        except ValueError as error:
            raise ValueError(f"{_META} is damaged: {error}") from None
        if not sealed and set(meta) != _BEFORE:
            raise ValueError(f"{_META} is damaged")
        return meta

    def _map(self, name: str, meta: Mapping[str, Any]) -> tuple[Array, Sequence[int] | None]:
        """An array and its checksums, if it has any."""
        how = meta["arrays"][name]
        return map_array(self._folder / f"{name}.bin", how["dtype"], how["shape"]), how.get("crc32")

    def _read(self) -> Parts:
        """The parts in the folder.

        Raises:
            OSError, ValueError, KeyError, TypeError: it is not there, or damaged.
        """
        meta = self._meta()
        arrays = {name: self._array(name, meta) for name in meta["arrays"]}
        if meta["chars"]:
            return {part: Stream(arrays[f"{part}.flat"], meta["chars"][part]) for part in PARTS}
        return {
            part: Encoded(
                arrays[f"{part}.flat"],
                arrays[f"{part}.starts"],
                arrays[f"{part}.lengths"],
                arrays[f"{part}.chars"],
                arrays.get(f"{part}.conditions"),
            )
            for part in PARTS
        }

    def _array(self, name: str, meta: Mapping[str, Any]) -> Any:
        array, crc32 = self._map(name, meta)
        if crc32 is None:
            return array

        def renew(block: int) -> tuple[Array, Sequence[int]]:
            self._told_damaged(f"block {block} of {name}.bin is damaged")
            self._make()
            array, crc32 = self._map(name, self._meta())
            assert crc32 is not None
            return array, crc32

        if name.rpartition(".")[2] == _BY_BLOCK:
            return CheckedArray(array, crc32, renew)
        for block in damaged_blocks(array, crc32):
            raise ValueError(f"block {block} of {name}.bin is damaged")
        return array

"""Arrays that are written piece by piece and then mapped into memory; apart, since numpy takes a while to load.

A file of numbers has a CRC-32 for each block of 4 MiB (on one core, some gigabytes a second).
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seqgen.errors import DiskError
from seqgen.files.safe_path import SafePath

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

BLOCK_BYTES = 4 << 20


class ArrayFile:
    """An array in a file.

    Args:
        path: a new file, not a link.
        dtype: of its numbers.
        width: columns, for an array of two dimensions.
    """

    def __init__(self, path: Path | SafePath, dtype: npt.DTypeLike, width: int | None = None) -> None:
        self.path = SafePath.of(path)
        self._dtype, self._width, self._n = np.dtype(dtype), width, 0
        self._crc32, self._n_bytes = list[int](), 0
        self._file = self.path.open("xb")

    def append(self, piece: Array) -> None:
        """Add to the end."""
        data = np.ascontiguousarray(piece, self._dtype).reshape(-1).view(np.uint8).data
        self._file.write(data)
        while len(data):
            if self._n_bytes % BLOCK_BYTES == 0:
                self._crc32.append(0)
            part = data[: BLOCK_BYTES - self._n_bytes % BLOCK_BYTES]
            self._crc32[-1] = zlib.crc32(part, self._crc32[-1])
            self._n_bytes += len(part)
            data = data[len(part) :]
        self._n += len(piece)

    def finish(self) -> Array:
        """Make the file durable; the array, mapped."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        return map_array(self.path, self._dtype.str, self._shape())

    def close(self) -> None:
        """Let the file go, whatever it holds."""
        self._file.close()

    def describe(self) -> dict[str, Any]:
        """Return dtype and shape, as ``map_array`` needs them, and the CRC-32 of each block."""
        return {"dtype": self._dtype.str, "shape": self._shape(), "crc32": self._crc32}

    def _shape(self) -> list[int]:
        return [self._n] if self._width is None else [self._n, self._width]


def map_array(path: Path | SafePath, dtype: str, shape: list[int]) -> Array:
    """An array in a file, mapped: its pages are read when they are used, and can be given back at any time.

    Raises:
        LinkRefused: the file is a link.
        OSError: it cannot be read.
        ValueError: it has another size.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    with SafePath.of(path).open("rb") as file:
        found = os.fstat(file.fileno()).st_size
        if found != size:
            raise ValueError(f"{SafePath.of(path).path} has {found} bytes, not {size}")
        if not size:
            return np.empty(shape, dtype)
        # A plain array over the map: the class of maps is slow to index.
        return np.asarray(np.memmap(file, dtype, "r", shape=tuple(shape)))


def damaged_blocks(array: Array, crc32: Sequence[int], blocks: Sequence[int] | None = None) -> Iterator[int]:
    """Return which blocks of an array do not have their checksums; ``blocks``: those to look at, by default all.

    Raises:
        ValueError: there are not as many checksums as blocks.
    """
    data = array.reshape(-1).view(np.uint8).data
    if len(crc32) != -(-len(data) // BLOCK_BYTES):
        raise ValueError(f"{len(crc32)} checksums for {len(data)} bytes")
    for block in range(len(crc32)) if blocks is None else blocks:
        if zlib.crc32(data[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES]) != crc32[block]:
            yield block


class CheckedArray:
    """A mapped array of one dimension; a block of it is compared with its checksum before it is first used.

    Args:
        array: (N,), the numbers.
        crc32: of each block.
        renew: is called with the number of the first damaged block, and gives what takes the place of the array and
            of its checksums.
    """

    def __init__(self, array: Array, crc32: Sequence[int], renew: Callable[[int], tuple[Array, Sequence[int]]]) -> None:
        self._renew = renew
        self._take_over(array, crc32)

    def _take_over(self, array: Array, crc32: Sequence[int]) -> None:
        self._array, self._crc32 = array, crc32
        self._shift = (BLOCK_BYTES // array.itemsize).bit_length() - 1
        self._unchecked, self._n_unchecked = np.ones(len(crc32), dtype=bool), len(crc32)

    def __len__(self) -> int:
        """How many numbers."""
        return len(self._array)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its numbers."""
        return self._array.dtype

    def __getitem__(self, places: Any) -> Array:
        """The numbers at places: whole numbers from 0, or a slice that goes forward."""
        if self._n_unchecked:
            if isinstance(places, slice):
                first, stop, _ = places.indices(len(self))
                self._check_blocks(range(first >> self._shift, -(-stop >> self._shift)) if first < stop else ())
            else:
                self._check(places)
        found: Array = self._array[places]
        return found

    def take(self, places: Any, *, mode: Literal["clip"]) -> Array:
        """The numbers at places from 0; behind the end, the last one."""
        if self._n_unchecked:
            self._check(np.minimum(places, len(self) - 1))
        found: Array = self._array.take(places, mode=mode)
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """All numbers."""
        if self._n_unchecked:
            self._check_blocks(range(len(self._crc32)))
        return np.array(self._array, dtype) if copy else np.asarray(self._array, dtype)

    def _check(self, places: Any) -> None:
        blocks = np.asarray(places) >> self._shift
        if self._unchecked[blocks].any():
            self._check_blocks(np.unique(blocks).tolist())

    def _check_blocks(self, blocks: Sequence[int]) -> None:
        """Compare those that have not been compared yet; renew the array once if one is damaged.

        Raises:
            DiskError: the new one is damaged, too.
        """
        for renewed in (False, True):
            wanted = [block for block in blocks if self._unchecked[block]]
            bad = next(damaged_blocks(self._array, self._crc32, wanted), None)
            if bad is None:
                self._unchecked[wanted] = False
                self._n_unchecked -= len(wanted)
                return
            if renewed:
                raise DiskError(f"block {bad} of an array, just written anew, is damaged again: the disk may fail")
            self._take_over(*self._renew(bad))

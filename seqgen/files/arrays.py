"""Arrays written piece by piece and then memory-mapped; a separate module, since importing numpy is slow.

Each file has a CRC-32 per 4 MiB block (computed at some gigabytes per second on one core).
"""

from __future__ import annotations

import mmap
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seqgen.errors import DiskError
from seqgen.files.atomic_write import disk_errors
from seqgen.files.safe_path import SafePath

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

BLOCK_BYTES = 4 << 20
_READ_BEFORE_DROP = 2048


class ArrayFile:
    """An array being written to a file.

    Args:
        path: a new file, not a link.
        dtype: the type of its numbers.
        width: the number of columns of a two-dimensional array; None for one dimension.
    """

    def __init__(self, path: Path | SafePath, dtype: npt.DTypeLike, width: int | None = None) -> None:
        self.path = SafePath.of(path)
        self._dtype, self._width, self._n = np.dtype(dtype), width, 0
        self._crc32, self._n_bytes = list[int](), 0
        self._file = self.path.open("xb")

    def append(self, piece: Array) -> None:
        """Append rows."""
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
        """Make the file durable and return the array, memory-mapped."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        return map_array(self.path, self._dtype.str, self._shape())

    def close(self) -> None:
        """Close the file, complete or not."""
        self._file.close()

    def describe(self) -> dict[str, Any]:
        """Return the dtype and shape that ``map_array`` needs, and the CRC-32 of each block."""
        return {"dtype": self._dtype.str, "shape": self._shape(), "crc32": self._crc32}

    def _shape(self) -> list[int]:
        return [self._n] if self._width is None else [self._n, self._width]


def map_array(path: Path | SafePath, dtype: str, shape: list[int]) -> Array:
    """Return the array in a file, memory-mapped: pages are read on first use and can be evicted at any time.

    Raises:
        LinkRefused: the file is a link.
        OSError: it cannot be read.
        ValueError: its size does not match.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    with SafePath.of(path).open("rb") as file:
        found = os.fstat(file.fileno()).st_size
        if found != size:
            raise ValueError(f"{SafePath.of(path).path} has {found} bytes, not {size}")
        if not size:
            return np.empty(shape, dtype)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(mapped, dtype).reshape(shape)  # a plain array, since np.memmap is slow to index


def in_blocks(array: Array) -> Iterator[Array]:
    """Yield an array in blocks of 4 MiB; the pages of a memory-mapped one are dropped after each, and read again."""
    size = max(1, BLOCK_BYTES // array.itemsize)
    for at in range(0, len(array), size):
        yield array[at : at + size]
        _drop_pages(array, at * array.itemsize, size * array.itemsize)


class MappedPages:
    """The pages of memory-mapped arrays that are read here and there, dropped now and then.

    The system takes such pages back when it needs memory, but until then they count as memory of the process, and one
    that is read brings some of its neighbours.

    Args:
        arrays: the arrays; None and those in memory are left alone.
    """

    def __init__(self, arrays: Sequence[Array | CheckedArray | None]) -> None:
        self._arrays, self._n_read = arrays, 0

    def read(self, n: int) -> None:
        """Report that ``n`` places of each array have been read; drop the pages after some thousand."""
        self._n_read += n
        if self._n_read < _READ_BEFORE_DROP:
            return
        self._n_read = 0
        for array in self._arrays:
            plain = array.plain if isinstance(array, CheckedArray) else array
            if plain is not None:
                _drop_pages(plain, 0, plain.nbytes)


def _drop_pages(array: Array, first: int, n_bytes: int) -> None:
    """Drop pages of a memory-mapped array from this process, so that reading all of it takes no memory."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    mapped = base.obj if isinstance(base, memoryview) else base
    is_page = first % mmap.PAGESIZE == 0 and hasattr(mmap, "MADV_DONTNEED")  # which Windows has not
    if isinstance(mapped, mmap.mmap) and is_page:
        mapped.madvise(mmap.MADV_DONTNEED, first, min(n_bytes, len(mapped) - first))


def damaged_blocks(array: Array, crc32: Sequence[int], blocks: Sequence[int] | None = None) -> Iterator[int]:
    """Yield the numbers of the blocks that do not match their checksums; ``blocks`` defaults to all.

    Raises:
        ValueError: the number of checksums is not that of the blocks.
    """
    data = array.reshape(-1).view(np.uint8).data
    if len(crc32) != -(-len(data) // BLOCK_BYTES):
        raise ValueError(f"{len(crc32)} checksums for {len(data)} bytes")
    for block in range(len(crc32)) if blocks is None else blocks:
        is_damaged = zlib.crc32(data[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES]) != crc32[block]
        _drop_pages(array, block * BLOCK_BYTES, BLOCK_BYTES)
        if is_damaged:
            yield block


class CheckedArray:
    """A memory-mapped array of one dimension whose blocks are verified before their first use.

    Args:
        array: the numbers, (N,).
        crc32: the checksum of each block.
        renew: called with the number of the first damaged block; returns a new array and its checksums.
    """

    def __init__(self, array: Array, crc32: Sequence[int], renew: Callable[[int], tuple[Array, Sequence[int]]]) -> None:
        self._renew = renew
        self._replace_array(array, crc32)

    def _replace_array(self, array: Array, crc32: Sequence[int]) -> None:
        self._array, self._crc32 = array, crc32
        self._shift = (BLOCK_BYTES // array.itemsize).bit_length() - 1
        self._unchecked, self._n_unchecked = np.ones(len(crc32), dtype=bool), len(crc32)

    @property
    def plain(self) -> Array:
        """Return the array without checks."""
        return self._array

    def __len__(self) -> int:
        """Return the number of elements."""
        return len(self._array)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return the type of the elements."""
        return self._array.dtype

    def __getitem__(self, indices: Any) -> Array:
        """Return the elements at non-negative indices or in a slice with a positive step."""
        if self._n_unchecked:
            if isinstance(indices, slice):
                first, stop, _ = indices.indices(len(self))
                self._check_blocks(range(first >> self._shift, -(-stop >> self._shift)) if first < stop else ())
            else:
                self._check(indices)
        found: Array = self._array[indices]
        return found

    def take(self, indices: Any, *, mode: Literal["clip"]) -> Array:
        """Return the elements at indices from 0; an index beyond the end gives the last element."""
        if self._n_unchecked:
            self._check(np.minimum(indices, len(self) - 1))
        found: Array = self._array.take(indices, mode=mode)
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return all elements as an array."""
        if self._n_unchecked:
            self._check_blocks(range(len(self._crc32)))
        return np.array(self._array, dtype) if copy else np.asarray(self._array, dtype)

    def _check(self, indices: Any) -> None:
        blocks = np.asarray(indices) >> self._shift
        if self._unchecked[blocks].any():
            self._check_blocks(np.unique(blocks).tolist())

    def _check_blocks(self, blocks: Sequence[int]) -> None:
        """Verify the blocks that are not verified yet; renew the array once if one is damaged.

        Raises:
            DiskError: the new array is damaged too.
        """
        for renewed in (False, True):
            wanted = [block for block in blocks if self._unchecked[block]]
            bad = next(damaged_blocks(self._array, self._crc32, wanted), None)
            if bad is None:
                self._unchecked[wanted] = False
                self._n_unchecked -= len(wanted)
                return
            if renewed:
                raise DiskError(
                    f"cannot use block {bad} of an array: it is damaged again after rewriting; the disk may be failing"
                )
            self._replace_array(*self._renew(bad))


def store_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays of numbers to a temporary file for ``take_arrays``; it has checksums and is not made durable.

    Raises:
        DiskError: writing failed.
    """
    with disk_errors(path), path.open("xb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy 1.26 would store allow_pickle as an array


def take_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays in a file of ``store_arrays``, and remove it.

    Raises:
        DiskError: it cannot be read, or is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
        path.unlink()
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DiskError(f"cannot read the temporary file {str(path)!r}: {error}; the disk may be failing") from None
    return arrays

"""Arrays that are written piece by piece and then mapped into memory; apart, since numpy takes a while to load."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]


class ArrayFile:
    """An array in a file.

    Args:
        path: a new file.
        dtype: of its numbers.
        width: columns, for an array of two dimensions.
    """

    def __init__(self, path: Path, dtype: npt.DTypeLike, width: int | None = None) -> None:
        self.path = path
        self._dtype, self._width, self._n = np.dtype(dtype), width, 0
        self._file = path.open("wb")

    def append(self, piece: Array) -> None:
        """Add to the end."""
        self._file.write(np.ascontiguousarray(piece, self._dtype).data)
        self._n += len(piece)

    def finish(self) -> Array:
        """Make the file durable; the array, mapped."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        return map_array(self.path, **self.describe())

    def close(self) -> None:
        """Let the file go, whatever it holds."""
        self._file.close()

    def describe(self) -> dict[str, Any]:
        """What ``map_array`` must be told."""
        return {"dtype": self._dtype.str, "shape": [self._n] if self._width is None else [self._n, self._width]}


def map_array(path: Path, dtype: str, shape: list[int]) -> Array:
    """An array in a file, mapped: its pages are read when they are used, and can be given back at any time.

    Raises:
        OSError: the file cannot be read.
        ValueError: it has another size.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if path.stat().st_size != size:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, not {size}")
    if not size:
        return np.empty(shape, dtype)
    # A plain array over the map: the class of maps is slow to index.
    return np.asarray(np.memmap(path, dtype, "r", shape=tuple(shape)))

"""Arrays as text within a page, and weights rounded to fewer bits."""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

Weights = Literal["float32", "float16", "int8"]
_SMALL = 256  # numbers in a weight, up to which it stays in 32 bits


def is_rounded(array: Array) -> bool:
    """Return whether a weight is rounded; vectors and small ones are not, since they hardly take space."""
    return array.dtype == np.float32 and array.ndim >= 2 and array.size > _SMALL


def scaled_rows(array: Array) -> tuple[Array, Array]:
    """Return a matrix as whole numbers from -127 to 127 (int8), and the scale of each row (float32)."""
    rows = array.reshape(len(array), -1)
    scales = np.maximum(np.abs(rows).max(1), np.finfo(np.float32).tiny) / np.float32(127)
    return np.rint(rows / scales[:, None]).astype(np.int8), scales.astype(np.float32)


def rounded_model(model: Any, weights: Weights) -> Any:
    """Return a model with its weights rounded as the page holds them; the same model for 32 bits."""
    import torch

    if weights == "float32":
        return model
    rounded = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in rounded.parameters():
            array = parameter.detach().cpu().numpy()
            if not is_rounded(array):
                continue
            if weights == "float16":
                found = array.astype(np.float16).astype(np.float32)
            else:
                whole, scales = scaled_rows(array)
                found = (whole * scales[:, None]).reshape(array.shape)
            parameter.copy_(torch.from_numpy(found))
    return rounded


class Packer:
    """Arrays one after another as bytes, with a description of each for the script.

    Attributes:
        described: of each array [kind, number of entries], or ["int8", rows, columns].
    """

    def __init__(self) -> None:
        self.described: list[list[Any]] = []
        self._parts: list[bytes] = []

    def add(self, array: Array, weights: Weights = "float32") -> None:
        """Add an array; whole numbers are stored in the smallest type without a sign that holds them."""
        if weights == "float16" and is_rounded(array):
            self._append("float16", array.astype("<f2"))
        elif weights == "int8" and is_rounded(array):
            whole, scales = scaled_rows(array)
            self.described.append(["int8", *whole.shape])
            self._parts += [scales.astype("<f4").tobytes(), whole.tobytes()]
        elif array.dtype == np.float32:
            self._append("float32", array.astype("<f4"))
        elif array.dtype.kind == "f":
            self._append("float64", array.astype("<f8"))
        elif array.dtype.kind == "b" or (array.size and array.min() < 0):
            self._append(
                "uint8" if array.dtype.kind == "b" else "float64",
                array.astype("u1" if array.dtype.kind == "b" else "<f8"),
            )
        else:
            kind = np.min_scalar_type(int(array.max(initial=0)))
            self._append(kind.name, array.astype(kind.newbyteorder("<")))

    def _append(self, kind: str, array: Array) -> None:
        self.described.append([kind, array.size])
        self._parts.append(array.tobytes())

    def text(self) -> str:
        """Return all bytes in base 64."""
        return base64.b64encode(b"".join(self._parts)).decode()


def packed_arrays(arrays: Iterable[Array], weights: Weights = "float32") -> tuple[str, Sequence[Sequence[Any]]]:
    """Return arrays as text, and the description of each."""
    packer = Packer()
    for array in arrays:
        packer.add(array, weights)
    return packer.text(), packer.described


def packed_size(described: Sequence[Sequence[Any]]) -> int:
    """Return the number of characters that arrays take in a page, from their descriptions."""
    n_bytes = 0
    for kind, n, *columns in described:
        n_bytes += n * (4 + columns[0]) if kind == "int8" else n * np.dtype(kind).itemsize
    return -(-n_bytes // 3) * 4

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
    """Return a model with its parameters rounded as the page holds them; the same model for 32 bits."""
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


def packed_arrays(arrays: Iterable[tuple[Array, Weights]]) -> tuple[str, Sequence[Sequence[Any]]]:
    """Return arrays one after another in base 64, and of each [kind, number of entries], or ["int8", rows, columns].

    Args:
        arrays: each with the bits it is stored in; all but parameters, such as buffers, have "float32": not rounded.
    """
    described: list[list[Any]] = []
    parts: list[bytes] = []
    for array, weights in arrays:
        if weights == "int8" and is_rounded(array):
            whole, scales = scaled_rows(array)
            described.append(["int8", *whole.shape])
            parts += [scales.astype("<f4").tobytes(), whole.tobytes()]
        else:
            kind = _stored_kind(array, weights)
            described.append([kind.name, array.size])
            parts.append(array.astype(kind).tobytes())
    return base64.b64encode(b"".join(parts)).decode(), described


def _stored_kind(array: Array, weights: Weights) -> np.dtype[Any]:
    """Return the type in which an array is stored: whole numbers in the smallest one without a sign that holds them."""
    if array.dtype.kind == "b":
        return np.dtype("u1")
    if array.dtype == np.float32:
        return np.dtype("<f2" if weights == "float16" and is_rounded(array) else "<f4")
    if array.dtype.kind == "f" or (array.size and array.min() < 0):
        return np.dtype("<f8")
    return np.min_scalar_type(int(array.max(initial=0))).newbyteorder("<")


def packed_size(described: Sequence[Sequence[Any]]) -> int:
    """Return the number of characters that arrays take in a page, from their descriptions."""
    n_bytes = 0
    for kind, n, *columns in described:
        n_bytes += n * (4 + columns[0]) if kind == "int8" else n * np.dtype(kind).itemsize
    return -(-n_bytes // 3) * 4

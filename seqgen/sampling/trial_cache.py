"""The cache of trials: what sampling under a constraint has found out about a model, kept outside its run.

Each value is a JSON file of its own, named by all that it depends on, with a checksum. The files may be deleted at any
time; only the newest are kept.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import torch

from seqgen.counting import Repeats, blend_of
from seqgen.errors import DiskError
from seqgen.files import SafePath, cache_folder, cache_key, dump_checksummed, read_cached, write_atomic

_FORMAT = 12  # raised when trials find something else
_MOST = 200  # files


def remembering(facts: Mapping[str, Mapping[str, Any]]) -> Callable[[str, Callable[[], Any]], Any]:
    """Return a function that returns the cached value of a kind, or calls another one and caches its result.

    Errors of the disk are ignored: the value is computed then.

    Args:
        facts: for each kind, all that its value depends on, as JSON values.
    """
    home = SafePath(cache_folder("trials"))

    def remember(kind: str, find: Callable[[], Any]) -> Any:
        path = home / f"{cache_key({'kind': kind, 'format': _FORMAT, **facts[kind]})}.json"
        if "value" in (kept := read_cached(path)):
            return kept["value"]
        value = find()
        with contextlib.suppress(OSError, DiskError):
            write_atomic(path, dump_checksummed({"value": value}), make_parents=True)
            _drop_old(home)
        return value

    return remember


def model_digest(model: Any) -> str:
    """Return the SHA-256 of all that a model computes with: its weights, and the counts and gates of a blend."""
    found = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(data.numpy().data)
    if (blend := blend_of(model)) is not None:
        found.update(blend.graph.keys_A.data)
        found.update(blend.graph.probs_A.data)
        found.update(blend.gate_EF.tobytes())
        if blend.change_IV is not None:
            found.update(blend.change_IV.cpu().numpy().tobytes())
    if isinstance(model, Repeats):
        found.update(model.weights_G.data)
    return found.hexdigest()


def _drop_old(home: SafePath) -> None:
    """Delete all files but the newest."""
    with home.opened() as directory:
        found = [(status.st_mtime, name) for name in directory.names() if (status := directory.status(name))]
        for _, name in sorted(found, reverse=True)[_MOST:]:
            directory.remove(name)

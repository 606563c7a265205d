"""A corpus that is larger than memory: encoded once into files, which are mapped from then on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seqgen.batches.encoded import Encoded, Parts, Stream
from seqgen.batches.encoding import MakeSink
from seqgen.corpus import PARTS
from seqgen.errors import DiskError
from seqgen.files import build_folder, dump_json, remove_folder, write_synced
from seqgen.files.arrays import ArrayFile, map_array

_FORMAT = 1  # of the folder; another one is another key
_META = "meta.json"


def cached(home: Path, facts: Mapping[str, Any], build: Callable[[MakeSink], Parts]) -> Parts:
    """What ``build`` gave when it was last called for the same facts, from files; else it is called now.

    A folder of the cache is written beside its place and renamed when it is whole, so a half-written one is never
    read. It may be deleted at any time.

    Args:
        home: the folder of all of them.
        facts: all that the result depends on, as JSON values.
        build: gives the parts, whose arrays it puts where it is told.

    Raises:
        DiskError: the disk refused.
    """
    key = hashlib.sha256(json.dumps({**facts, "format": _FORMAT}, sort_keys=True).encode()).hexdigest()[:32]
    folder = home / key
    if (parts := _read(folder)) is None:

        def fill(new: Path) -> None:
            arrays: dict[str, ArrayFile] = {}

            def make_sink(name: str, dtype: Any, width: int | None) -> ArrayFile:
                arrays[name] = ArrayFile(new / f"{name}.bin", dtype, width)
                return arrays[name]

            try:
                parts = build(make_sink)
            finally:
                for array in arrays.values():
                    array.close()
            meta = {
                "facts": facts,
                "arrays": {name: array.describe() for name, array in arrays.items()},
                "chars": {name: part.n_chars for name, part in parts.items() if isinstance(part, Stream)},
            }
            write_synced(new / _META, dump_json(meta))

        remove_folder(folder)  # one that is damaged
        try:
            build_folder(folder, fill)
        except DiskError:
            if (parts := _read(folder)) is not None:  # another process was quicker
                return parts
            raise
        parts = _read(folder)
    assert parts is not None
    return parts


def _read(folder: Path) -> Parts | None:
    """The parts in a folder, or None if it is not there or not what it was."""
    try:
        meta = json.loads((folder / _META).read_bytes())
        arrays = {name: map_array(folder / f"{name}.bin", **shape) for name, shape in meta["arrays"].items()}
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
    except (OSError, ValueError, KeyError, TypeError):
        return None

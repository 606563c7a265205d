"""One checkpoint: a folder of four files, the last of which vouches for the others by SHA-256."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.checkpoint.settings import FORMAT_VERSION
from seqgen.errors import CheckpointError
from seqgen.files import SafePath, dump_checksummed, dump_json, load_checksummed, load_json

if TYPE_CHECKING:
    from torch import Tensor

MODEL, TRAIN, STATE, MANIFEST = "model.safetensors", "train.safetensors", "state.json", "MANIFEST.json"
FILES, RUN_FILES, LOGS = {MODEL, TRAIN, STATE}, {"run.json", "tokenizer.json"}, {"metrics.jsonl", "samples.jsonl"}
_BEFORE = {"format_version", "files", "run"}  # what a manifest held before it had a checksum of its own
MAX_JSON_BYTES = 8 << 20  # of run.json and tokenizer.json: half a million symbols
_MAX_SMALL_BYTES = 1 << 20  # of the manifest and of state.json
_MAX_HEADER_BYTES = 10 << 20  # of a tensor file: names, types and shapes, some hundred bytes a tensor
_MAX = {STATE: _MAX_SMALL_BYTES}
_KINDS = {"step": int, "best_step": int, "best_loss_nats": int | float, "elapsed_s": int | float, "ended": str}


@dataclass(frozen=True)
class Snapshot:
    """What a checkpoint holds.

    Attributes:
        model: the model's parameters and buffers.
        train: what the optimizer and the running figures need to go on.
        state: the rest, as JSON values; ``state["step"]`` counts optimizer steps.
        logs: the length and checksum of each log at this step, by file name, as ``JsonLines.checksum`` gives them.
    """

    model: Mapping[str, Tensor]
    train: Mapping[str, Tensor]
    state: Mapping[str, Any]
    logs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def pack(snapshot: Snapshot, run_files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a checkpoint, the manifest last.

    Args:
        snapshot: what to keep.
        run_files: files of the run folder that the checkpoint depends on, which the manifest covers too.
    """
    from safetensors.torch import save

    files = {
        MODEL: save(dict(snapshot.model)),
        TRAIN: save(dict(snapshot.train)),
        STATE: dump_json(snapshot.state),
    }
    manifest = {
        "format_version": FORMAT_VERSION,
        "files": {name: _fingerprint(data) for name, data in files.items()},
        "run": {name: _fingerprint(data) for name, data in run_files.items()},
        "logs": {name: dict(found) for name, found in snapshot.logs.items()},
    }
    return {**files, MANIFEST: dump_checksummed(manifest)}


def _fingerprint(data: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def read_verified(folder: Path | SafePath, names: tuple[str, ...] = (MODEL, TRAIN, STATE)) -> dict[str, bytes]:
    """The files of a checkpoint, read whole and verified before anything looks into them.

    Args:
        folder: the checkpoint; the run folder is its grandparent.
        names: which files are wanted; the run's own files are verified in any case.

    Raises:
        CheckpointError: a file is missing or is not what the manifest says, or the manifest is damaged or too new.
        LinkRefused: something in the run folder is a link.
    """
    if isinstance(folder, Path):
        folder = SafePath(folder.parent.parent, (folder.parent.name, folder.name))
    manifest = _read_manifest(folder / MANIFEST)
    run = SafePath(folder.root, folder.names[:-2])
    verified = {name: _verified(folder / name, manifest["files"].get(name), _MAX.get(name)) for name in names}
    for name, expected in manifest["run"].items():
        _verified(run / name, expected, MAX_JSON_BYTES)
    return verified


def _read_manifest(file: SafePath) -> dict[str, Any]:
    data, path = read_bounded(file, _MAX_SMALL_BYTES), file.path
    try:
        manifest, sealed = load_checksummed(data)
        version, sections = manifest["format_version"], (manifest["files"], manifest["run"])
        if not isinstance(version, int) or version < 1 or not all(isinstance(section, dict) for section in sections):
            raise ValueError
        if version <= FORMAT_VERSION and [set(section) for section in sections] != [FILES, RUN_FILES]:
            raise ValueError
        if version <= FORMAT_VERSION and not (_are_logs(manifest["logs"]) if sealed else set(manifest) == _BEFORE):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise CheckpointError(f"{str(path)!r} is damaged: it is not a manifest") from None
    if version > FORMAT_VERSION:
        raise CheckpointError(
            f"{str(path)!r} has format {version}, this seqgen knows {FORMAT_VERSION}: it needs a newer seqgen"
        )
    return manifest


def _are_logs(logs: Any) -> bool:
    """Whether this is what a manifest says of logs."""
    return isinstance(logs, dict) and all(
        name in LOGS
        and isinstance(found, dict)
        and isinstance(found.get("sha256"), str)
        and _is_whole(found.get("bytes"))
        and _is_whole(found.get("damaged_bytes", 0))
        for name, found in logs.items()
    )


def read_logs(folder: SafePath) -> dict[str, dict[str, Any]] | None:
    """What the manifest of a checkpoint says of the logs, by file name; None if it was made before that was noted.

    Raises:
        CheckpointError: the manifest is missing, damaged or too new.
        LinkRefused: something in the run folder is a link.
    """
    return _read_manifest(folder / MANIFEST).get("logs")


def read_bounded(file: SafePath, most: int) -> bytes:
    """The content of a file that somebody else may have made.

    Raises:
        LinkRefused: it is a link.
        CheckpointError: it cannot be read, is no regular file, or has more than ``most`` bytes.
    """
    try:
        with file.open("rb") as opened:
            n_bytes = os.fstat(opened.fileno()).st_size
            if n_bytes > most:
                raise CheckpointError(f"{str(file.path)!r} is damaged: it has {n_bytes:,} bytes, the most is {most:,}")
            return opened.read()
    except OSError as error:
        raise CheckpointError(f"{str(file.path)!r} cannot be read: {error.strerror}") from None
    except MemoryError:
        raise CheckpointError(f"{str(file.path)!r} does not fit into memory") from None


def _verified(file: SafePath, expected: Any, most: int | None = None) -> bytes:
    """A file, read if its size is what the manifest says."""
    path = file.path
    n_bytes = expected.get("bytes") if isinstance(expected, dict) else None
    if type(n_bytes) is not int or (most is not None and n_bytes > most):
        raise CheckpointError(f"{str(path)!r} is damaged: the manifest says it has {n_bytes!r:.40} bytes")
    data = read_bounded(file, n_bytes)
    if _fingerprint(data) != expected:
        raise CheckpointError(f"{str(path)!r} is damaged: its content is not what the manifest says")
    return data


def read_state(folder: SafePath) -> dict[str, Any]:
    """The JSON part of a checkpoint, verified, without reading its tensors; needs no torch."""
    return _parse_state(read_verified(folder, (STATE,))[STATE], folder.path)


def _parse_state(data: bytes, folder: Path) -> dict[str, Any]:
    try:
        state = load_json(data)
    except ValueError:
        state = None
    if not isinstance(state, dict) or not all(
        _is_whole(state.get(name)) if kind is int else isinstance(state[name], kind)
        for name, kind in _KINDS.items()
        if name == "step" or state.get(name) is not None
    ):
        raise CheckpointError(f"the checkpoint {str(folder)!r} is damaged: its {STATE} makes no sense")
    return state


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def unpack(files: Mapping[str, bytes], folder: Path) -> Snapshot:
    """The snapshot in verified files.

    Args:
        files: what ``read_verified`` gave.
        folder: where they were, for messages.

    Raises:
        CheckpointError: the content makes no sense.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    state, tensors = _parse_state(files[STATE], folder), []
    for name in (MODEL, TRAIN):
        n_header = int.from_bytes(files[name][:8], "little")
        if n_header > _MAX_HEADER_BYTES:
            raise CheckpointError(
                f"{str(folder / name)!r} is damaged: its header has {n_header:,} bytes, "
                f"the most is {_MAX_HEADER_BYTES:,}"
            )
        try:
            tensors.append(load(files[name]))
        except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError, MemoryError) as error:
            raise CheckpointError(f"{str(folder / name)!r} is damaged: {' '.join(str(error).split())}") from None
    return Snapshot(tensors[0], tensors[1], state)

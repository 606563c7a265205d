"""One checkpoint: a folder of four files, three in an export, whose manifest holds the SHA-256 of the others."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqgen.checkpoint.settings import FORMAT_VERSION
from seqgen.errors import CheckpointError, short_repr
from seqgen.files import SafePath, dump_checksummed, dump_json, load_checksummed, load_json

if TYPE_CHECKING:
    from torch import Tensor

MODEL, TRAIN, STATE, MANIFEST = "model.safetensors", "train.safetensors", "state.json", "MANIFEST.json"
FILES, RUN_FILES, LOGS = {MODEL, TRAIN, STATE}, {"run.json", "tokenizer.json"}, {"metrics.jsonl", "samples.jsonl"}
_LEGACY_KEYS = {"format_version", "files", "run"}  # of a manifest from before it had a checksum of its own
NGRAM = "ngram.safetensors"
"""The file of a run folder with the counts that its model is blended with."""
MAX_JSON_BYTES = 8 << 20  # of run.json and tokenizer.json: half a million symbols
_MAX_SMALL_BYTES = 1 << 20  # of the manifest and of state.json
_MAX_HEADER_BYTES = 10 << 20  # of a tensor file: names, types and shapes, some hundred bytes per tensor
_MAX = {STATE: _MAX_SMALL_BYTES}
_KINDS = {"step": int, "best_step": int, "best_loss_nats": int | float, "elapsed_s": int | float, "ended": str}


@dataclass(frozen=True)
class Snapshot:
    """The content of a checkpoint.

    Attributes:
        model: the model's parameters and buffers.
        train: the tensors of the optimizer and of the running averages; None in an export, which cannot be resumed.
        state: the rest, as JSON values; ``state["step"]`` is the number of optimizer steps.
        logs: the length and checksum of each log at this step, by file name, as returned by ``JsonLines.checksum``.
    """

    model: Mapping[str, Tensor]
    train: Mapping[str, Tensor] | None
    state: Mapping[str, Any]
    logs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def pack(snapshot: Snapshot, run_files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a checkpoint, the manifest last.

    Args:
        snapshot: the content.
        run_files: the files of the run folder that the checkpoint depends on; the manifest covers them too.
    """
    from safetensors.torch import save

    files = {MODEL: save(dict(snapshot.model))}
    if snapshot.train is not None:
        files[TRAIN] = save(dict(snapshot.train))
    files[STATE] = dump_json(snapshot.state)
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
    """Read files of a checkpoint completely and verify them before anything is parsed.

    Args:
        folder: the checkpoint folder, two levels below the run folder.
        names: the files to return, but ``train.safetensors`` only where the manifest has it; the files of the run
            folder are verified in any case.

    Raises:
        CheckpointError: a file is missing or does not match the manifest, which may itself be damaged or too new.
        LinkRefused: something in the run folder is a link.
    """
    if isinstance(folder, Path):
        folder = SafePath(folder.parent.parent, (folder.parent.name, folder.name))
    manifest = _read_manifest(folder / MANIFEST)
    run = SafePath(folder.root, folder.names[:-2])
    present = [name for name in names if name != TRAIN or TRAIN in manifest["files"]]
    verified = {name: _verified(folder / name, manifest["files"].get(name), _MAX.get(name)) for name in present}
    for name, expected in manifest["run"].items():
        if not (run / name).exists():  # of every checkpoint, so that none is used instead
            gone = f"cannot read {str((run / name).path)!r}: it is missing"
            raise CheckpointError(f"{gone}; restore it from a copy, or train again")
        _verified(run / name, expected, None if name == NGRAM else MAX_JSON_BYTES)
    return verified


def _read_manifest(file: SafePath) -> dict[str, Any]:
    data, path = read_bounded(file, _MAX_SMALL_BYTES), file.path
    try:
        manifest, has_checksum = load_checksummed(data)
        version, sections = manifest["format_version"], (manifest["files"], manifest["run"])
        if not isinstance(version, int) or version < 1 or not all(isinstance(section, dict) for section in sections):
            raise ValueError
        if version <= FORMAT_VERSION and [set(sections[0]) | {TRAIN}, set(sections[1]) - {NGRAM}] != [FILES, RUN_FILES]:
            raise ValueError
        if version <= FORMAT_VERSION and not (
            _are_logs(manifest["logs"]) if has_checksum else set(manifest) == _LEGACY_KEYS
        ):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise CheckpointError(f"{str(path)!r} is damaged: it is not a valid manifest") from None
    if version > FORMAT_VERSION:
        raise CheckpointError(
            f"{str(path)!r} has format {version}, this seqgen reads up to {FORMAT_VERSION}: it needs a newer seqgen"
        )
    return manifest


def _are_logs(logs: Any) -> bool:
    """Return whether a value has the form of a manifest's "logs" section."""
    return isinstance(logs, dict) and all(
        name in LOGS
        and isinstance(found, dict)
        and isinstance(found.get("sha256"), str)
        and _is_whole(found.get("bytes"))
        and _is_whole(found.get("damaged_bytes", 0))
        for name, found in logs.items()
    )


def read_logs(folder: SafePath) -> dict[str, dict[str, Any]] | None:
    """Return the "logs" section of a checkpoint's manifest, by file name; None in manifests from before it was added.

    Raises:
        CheckpointError: the manifest is missing, damaged or of a newer format.
        LinkRefused: something in the run folder is a link.
    """
    return _read_manifest(folder / MANIFEST).get("logs")


def read_bounded(file: SafePath, most: int) -> bytes:
    """Return the content of a file from a possibly untrusted source.

    Raises:
        LinkRefused: it is a link.
        CheckpointError: it cannot be read, is not a regular file, or has more than ``most`` bytes.
    """
    try:
        with file.open("rb") as opened:
            n_bytes = os.fstat(opened.fileno()).st_size
            if n_bytes > most:
                raise CheckpointError(f"{str(file.path)!r} is damaged: it has {n_bytes:,} bytes (at most {most:,})")
            return opened.read()
    except OSError as error:
        raise CheckpointError(f"cannot read {str(file.path)!r}: {error.strerror}") from None
    except MemoryError:
        raise CheckpointError(f"cannot read {str(file.path)!r}: it does not fit into memory") from None


def _verified(file: SafePath, expected: Any, most: int | None = None) -> bytes:
    """Return the content of a file if its size and checksum match the manifest."""
    path = file.path
    n_bytes = expected.get("bytes") if isinstance(expected, dict) else None
    if type(n_bytes) is not int or (most is not None and n_bytes > most):
        raise CheckpointError(f"{str(path)!r} is damaged: the manifest says it has {short_repr(n_bytes, 40)} bytes")
    data = read_bounded(file, n_bytes)
    if _fingerprint(data) != expected:
        raise CheckpointError(f"{str(path)!r} is damaged: its content does not match the manifest")
    return data


def read_state(folder: SafePath) -> dict[str, Any]:
    """Read and verify the JSON state of a checkpoint, without its tensors; needs no torch."""
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
        raise CheckpointError(f"the checkpoint {str(folder)!r} is damaged: its {STATE} has invalid values")
    return state


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def unpack(files: Mapping[str, bytes], folder: Path) -> Snapshot:
    """Return the snapshot in verified files.

    Args:
        files: the result of ``read_verified``.
        folder: the checkpoint folder, for messages.

    Raises:
        CheckpointError: the content is invalid.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    state, tensors = _parse_state(files[STATE], folder), {}
    for name in [name for name in (MODEL, TRAIN) if name in files]:
        n_header = int.from_bytes(files[name][:8], "little")
        if n_header > _MAX_HEADER_BYTES:
            raise CheckpointError(
                f"{str(folder / name)!r} is damaged: its header has {n_header:,} bytes (at most {_MAX_HEADER_BYTES:,})"
            )
        try:
            tensors[name] = load(files[name])
        except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError, MemoryError) as error:
            raise CheckpointError(f"{str(folder / name)!r} is damaged: {' '.join(str(error).split())}") from None
    return Snapshot(tensors[MODEL], tensors.get(TRAIN), state)

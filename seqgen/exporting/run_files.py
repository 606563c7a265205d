"""The files of a run folder that is for sampling, scoring and evaluating only, and for other machines."""

from __future__ import annotations

import ntpath
import posixpath
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from seqgen.checkpoint import NGRAM, Snapshot, pack
from seqgen.counting import blend_of, network_of
from seqgen.files import dump_json

_PUBLIC = ("python", "torch", "numpy")  # of the environment; the rest describes the machine
_LOGS = "log_bytes"  # of logs that are not in the folder


def sampling_files(run: Any) -> dict[str, bytes]:
    """Return the files of a run folder with the checkpoint in use, by relative path.

    It has no state of the optimizer, and is marked as ended: it cannot be resumed. Of paths in run.json the names
    of files are left, of trackers their names, and of the machine the versions of libraries.

    Args:
        run: a :class:`seqgen.Run`.
    """
    settings = _shortened(run.settings.model_dump(mode="json"))
    settings["environment"] = {name: value for name, value in settings["environment"].items() if name in _PUBLIC}
    settings["train"]["track"] = [tracker.partition("=")[0] for tracker in settings["train"].get("track") or ()]
    files = {"run.json": dump_json(settings), "tokenizer.json": dump_json(run.folder.read_json("tokenizer.json"))}
    model = network_of(run.model)
    if blend_of(run.model) is not None:
        files[NGRAM] = run.folder.read_counts()
    weights = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}  # tied ones apart
    state = {name: value for name, value in run.state.items() if name != _LOGS}
    state["ended"] = state.get("ended") or "exported"
    checkpoint = f"checkpoints/step-{state['step']:08d}"
    packed = pack(Snapshot(weights, None, state), files)
    return files | {f"{checkpoint}/{name}": data for name, data in packed.items()}


def _shortened(value: Any) -> Any:
    """Return JSON values with the names of files in the place of absolute paths that have a folder."""
    if isinstance(value, Mapping):
        return {name: _shortened(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(item) for item in value]
    if isinstance(value, str) and (posixpath.isabs(value) or ntpath.isabs(value)):
        path = PurePath(value.replace("\\", "/"))
        return path.name if path.parent.name else value  # "/" is a separator of records
    return value

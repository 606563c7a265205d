"""Caches outside of runs: their folders, the names of their files, the values in these, and digests of code."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqgen.files.safe_path import SafePath
from seqgen.files.stored_json import load_checksummed


def cache_folder(name: str) -> Path:
    """Return the folder of a cache, below ``XDG_CACHE_HOME`` or ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seqgen" / name


def cache_key(facts: Mapping[str, Any]) -> str:
    """Return the name of a file or folder in a cache, by all that its content depends on, as JSON values."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def read_cached(path: SafePath) -> dict[str, Any]:
    """Return the JSON object that was cached by ``dump_checksummed``; {} if there is none, or it is damaged.

    Raises:
        LinkRefused: the file is a link.
    """
    try:
        value, has_checksum = load_checksummed(path.read())
    except (OSError, ValueError):
        return {}
    return value if has_checksum else {}


def code_digest(code: Any) -> str:
    """Return a digest of the source file of a class or function, and of the modules of its package beside it.

    "" if it has no file, as in a notebook.
    """
    try:
        file = Path(inspect.getfile(code))
        return _digest(file, file.stat().st_mtime_ns)
    except (OSError, TypeError):
        return ""


@functools.lru_cache(maxsize=256)
def _digest(file: Path, changed_ns: int) -> str:
    found, folder = hashlib.sha256(), file.parent
    beside = sorted(folder.glob("*.py")) if (folder / "__init__.py").exists() else [file]
    for one in beside:
        data = one.read_bytes()
        found.update(f"{one.name} {len(data)} ".encode())
        found.update(data)
    return found.hexdigest()

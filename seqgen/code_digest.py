"""A digest of the code of a class, by which caches tell one version of it from another."""

from __future__ import annotations

import functools
import hashlib
import inspect
from pathlib import Path
from typing import Any


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

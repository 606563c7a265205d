"""Finished runs of a benchmark, one JSON line each, so that a script that was killed goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Finished:
    """The figures of finished runs by key, kept in a file.

    Args:
        path: the file, a JSON array of the key's parts and the figures a line; None: nothing is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.figures: dict[tuple[Any, ...], Any] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                *key, figures = json.loads(line)
                self.figures[tuple(key)] = figures

    def of(self, measure: Callable[..., Any], *key: Any) -> Any:
        """Return the figures of a run, which ``measure(*key)`` measures if it is not finished."""
        if key not in self.figures:
            self.figures[key] = measure(*key)
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([*key, self.figures[key]]) + "\n")
        return self.figures[key]

"""Sources of plugins in the current folder, for a hint that installs them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqgen.plugins.discovery import GROUP, installed

_TABLES = (("project", "entry-points", GROUP), ("tool", "poetry", "plugins", GROUP))  # of pyproject.toml


def hint_on_source(name: str) -> str:
    """Return a hint that installs the plugin whose source is in a folder of the current one; "" if there is none.

    The source is a project whose pyproject.toml declares an entry point in the group ``seqgen``, or the import
    package of one, in the project or in its folder ``src``.

    Args:
        name: of the folder, without others before it.
    """
    if Path(name).name != name or name == os.pardir or not os.path.isdir(name):  # noqa: PTH112 -- takes any text
        return ""
    found = next(_sources(Path(name)), None)
    if found is None:
        return ""
    project, package = found
    if package in {candidate.package for candidate in installed()}:
        return f"the folder {name!r} is the source of the plugin {package!r}, which is installed; see: seqgen plugins"
    where = shlex.quote(os.path.relpath(project))
    return f"the folder {name!r} is the source of a plugin that is not installed; run: pip install -e {where}"


def _sources(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the project that a folder is or belongs to, with the package of each plugin in it."""
    for package in _plugins_of(folder):
        yield folder, package
    if (folder / "__init__.py").is_file():
        above = folder.absolute().parent
        for project in (above, above.parent) if above.name == "src" else (above,):
            yield from ((project, package) for package in _plugins_of(project) if package == folder.name)


def _plugins_of(project: Path) -> list[str]:
    """Return the import packages of the plugins that a pyproject.toml declares; [] if there is none."""
    import tomllib

    try:
        whole = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    points = [point for path in _TABLES for point in _inside(whole, path).values() if isinstance(point, str)]
    return [point.partition(":")[0].partition(".")[0].strip() for point in points]


def _inside(table: Any, path: tuple[str, ...]) -> dict[str, Any]:
    for name in path:
        table = table.get(name) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else {}

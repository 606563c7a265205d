"""Where plugins come from: entry points of installed distributions, and single files."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from seqgen.errors import UsageError, did_you_mean

GROUP = "seqgen"


@dataclass(frozen=True)
class Candidate:
    """A plugin that is not loaded yet.

    Attributes:
        package: its import package; for a file, the file's stem.
        distribution: the distribution, or the file's name.
        version: the distribution's version; for a file, the start of its SHA-256.
        load: imports it and gives the object with the hooks.
        sha256: of the file, for a one-file plugin.
        given: for one that can be had from Python only, what to give again: "MyPlugin()"; else "".
    """

    package: str
    distribution: str
    version: str
    load: Callable[[], Any]
    sha256: str | None = None
    given: str = ""


def entry_point_candidates(warn: Callable[[str], None] | None = None) -> list[Candidate]:
    """The entry points that are to be loaded.

    ``SEQGEN_LOAD_PLUGINS=a,b`` keeps only the packages named; an empty value keeps none.

    Args:
        warn: is told, in one line, of each name there that is no plugin's.
    """
    wanted, found = os.environ.get("SEQGEN_LOAD_PLUGINS"), installed()
    if wanted is None:
        return found
    keep = dict.fromkeys(filter(None, map(str.strip, wanted.split(","))))
    known = {candidate.package for candidate in found}
    for name in keep:
        if warn is not None and name not in known | {GROUP}:  # core's own are always loaded
            warn(f"SEQGEN_LOAD_PLUGINS names {name!r}, which is not installed{did_you_mean(name, known)}")
    return [candidate for candidate in found if candidate.package in keep]


def installed() -> list[Candidate]:
    """Every entry point in the group, sorted, so that nothing depends on the file system."""
    points = importlib.metadata.entry_points(group=GROUP)
    found = {
        (point.name, point.dist.name if point.dist else "?", point.dist.version if point.dist else "?"): point
        for point in points
    }
    return [
        Candidate(name, distribution, version, found[name, distribution, version].load)
        for name, distribution, version in sorted(found)
    ]


def offering(plural: str, name: str) -> list[str]:
    """Return the installed plugins that declare to offer something, loaded or not.

    A distribution declares it by an entry point such as ``html = "mypages"`` in the group ``seqgen.reports``.

    Args:
        plural: "reports", "commands" or another kind in the plural.
        name: of the part or command.
    """
    points = importlib.metadata.entry_points(group=f"{GROUP}.{plural}", name=name)
    return sorted({point.value.partition(":")[0].partition(".")[0] for point in points})


def origin_of(distribution: str) -> str | None:
    """The local folder, or the repository as pip takes it, that a distribution was installed from; else None.

    Source: PEP 610, Recording the Direct URL Origin of installed distributions.
    """
    try:
        told = json.loads(importlib.metadata.distribution(distribution).read_text("direct_url.json") or "{}")
        parts = urlsplit(told["url"])
        if "dir_info" in told and parts.scheme == "file":
            return url2pathname(parts.path)
        vcs = told["vcs_info"]
        return f"{vcs['vcs']}+{told['url']}@{vcs['commit_id']}" if "@" not in parts.netloc else None  # a password
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError, LookupError, TypeError, AttributeError):
        return None  # from an index, or said by nobody in a way that can be read


def file_candidate(path: Path) -> Candidate:
    """A plugin in one file.

    Raises:
        UsageError: no such file, or its name is not a Python module's.
    """
    if not _is_file(path):
        there = path.parent / f"{path.stem}.py"
        hint = f"; did you mean {str(there)!r}?" if _is_file(there) else ""
        raise UsageError(f"no such plugin file: {str(path)!r}{hint}")
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise UsageError(f"{str(path)!r} is not a Python file with a module's name, like mycell.py")
    if not _is_free(path):
        raise UsageError(f"{str(path)!r} has the name of a module that exists already: rename the file")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Candidate(path.stem, path.name, digest[:12], lambda: _import_file(path), sha256=digest)


def _is_file(path: Path) -> bool:
    """Return whether a path, which may be any text, is a file: "/" and 10,000 letters are none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _is_free(path: Path) -> bool:
    """Whether a file's name as a module is taken by nothing but the file itself."""
    try:
        known = importlib.util.find_spec(path.stem)
    except ValueError:  # a module without a spec, such as __main__
        return False
    return known is None or Path(str(known.origin)).resolve() == path.resolve()


def _import_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # so that "mycell:MyCell" resolves, and classes know their module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module

"""Discovery of plugins: entry points of installed distributions, and single files."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from seqgen.errors import UsageError, did_you_mean

GROUP = "seqgen"
DIGITS = 12
"""Number of digits of the SHA-256 of code that are shown; those of a one-file plugin are its version."""


@dataclass(frozen=True)
class Candidate:
    """A plugin that is not loaded yet.

    Attributes:
        package: its import package; for a file, the file's stem.
        distribution: the distribution, or the file name.
        version: the version of the distribution; for a file, the start of its SHA-256.
        load: imports the plugin and returns the object with the hooks.
        sha256: the SHA-256 of a one-file plugin.
        given: for a plugin passed as a Python object, its expression, such as "MyPlugin()"; else "".
    """

    package: str
    distribution: str
    version: str
    load: Callable[[], Any]
    sha256: str | None = None
    given: str = ""


def entry_point_candidates(warn: Callable[[str], None] | None = None) -> list[Candidate]:
    """Return the plugins to load from entry points.

    ``SEQGEN_LOAD_PLUGINS=a,b`` keeps only the packages named; an empty value keeps none.

    Args:
        warn: called with one line for each name in the variable that is not a plugin.
    """
    wanted, found = os.environ.get("SEQGEN_LOAD_PLUGINS"), installed()
    if wanted is None:
        return found
    keep = dict.fromkeys(filter(None, map(str.strip, wanted.split(","))))
    known = {candidate.package for candidate in found}
    for name in keep:
        if warn is not None and name not in known | {GROUP}:  # core's own are always loaded
            warn(f"SEQGEN_LOAD_PLUGINS: plugin {name!r} is not installed{did_you_mean(name, known)}")
    return [candidate for candidate in found if candidate.package in keep]


def installed() -> list[Candidate]:
    """Return every entry point of the group, sorted so that the order does not depend on the file system."""
    points = importlib.metadata.entry_points(group=GROUP)
    distributions = {point.dist for point in points}
    labels = {each: (each.name, each.version) if each else ("?", "?") for each in distributions}  # each is a file read
    found = {(point.name, *labels[point.dist]): point for point in points}
    return [
        Candidate(name, distribution, version, found[name, distribution, version].load)
        for name, distribution, version in sorted(found)
    ]


def missing_plugin(plural: str, name: str) -> str:
    """Return a hint that names the installed plugin of a part or command that is missing, or "".

    A distribution declares one by an entry point such as ``html = "mypages"`` in the group ``seqgen.reports``.

    Args:
        plural: "reports", "commands" or another kind in the plural.
        name: the name of the part or command.
    """
    points = importlib.metadata.entry_points(group=f"{GROUP}.{plural}", name=name)
    found = sorted({point.value.partition(":")[0].partition(".")[0] for point in points})
    if not found:
        return ""
    listed = " or ".join(found)
    return f"it comes with the plugin {listed}, which is not loaded: run without --no-plugins, or see seqgen plugins"


def origin_of(distribution: str) -> str | None:
    """Return the local folder or the pip repository URL that a distribution was installed from; None if unknown.

    Source: PEP 610, Recording the Direct URL Origin of installed distributions.
    """
    try:
        direct_url = json.loads(importlib.metadata.distribution(distribution).read_text("direct_url.json") or "{}")
        parts = urlsplit(direct_url["url"])
        if "dir_info" in direct_url and parts.scheme == "file":
            return url2pathname(parts.path)
        if "@" in parts.netloc:  # it may hold a password
            return None
        vcs = direct_url["vcs_info"]
        return f"{vcs['vcs']}+{direct_url['url']}@{vcs['commit_id']}"
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError, LookupError, TypeError, AttributeError):
        return None  # installed from an index, or without readable metadata


def file_candidate(path: Path) -> Candidate:
    """Return the plugin in one file.

    Raises:
        UsageError: there is no such file, or its name is not that of a Python module.
    """
    if not os.path.isfile(path):  # noqa: PTH113 -- takes any text, as of a command line
        if os.path.isfile(path / "pyproject.toml"):  # noqa: PTH113 -- as above
            way = f"install it, and leave --plugin out: pip install -e {shlex.quote(str(path))}"
            raise UsageError(f"no such plugin file: {str(path)!r} is the folder of a package; {way}")
        there = path.parent / f"{path.stem}.py"
        hint = f"; did you mean {str(there)!r}?" if os.path.isfile(there) else ""  # noqa: PTH113
        raise UsageError(f"no such plugin file: {str(path)!r}{hint}")
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise UsageError(
            f"cannot use {str(path)!r} as a plugin: it is not named like a Python module, such as mycell.py"
        )
    if not _is_free(path):
        raise UsageError(f"cannot use {str(path)!r} as a plugin: Python has a module {path.stem!r}; rename the file")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Candidate(path.stem, path.name, digest[:DIGITS], lambda: _import_file(path), sha256=digest)


def _is_free(path: Path) -> bool:
    """Return whether no other module has the name of a file."""
    try:
        known = importlib.util.find_spec(path.stem)
    except ValueError:  # a module without a spec, such as __main__
        return False
    return known is None or Path(str(known.origin)).resolve() == path.resolve()


def _import_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # so that "mycell:MyCell" resolves, and classes find their module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module

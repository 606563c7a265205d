"""Missing and changed plugins of a run, and the hint that says how to get each of them."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seqgen.checkpoint import RUNS, RunSettings, list_runs
from seqgen.errors import CheckpointError, MissingPlugin, UnknownName, UsageError, short_repr
from seqgen.plugins import Plugins, code_of_parts, hint_on_source, installed
from seqgen.registry import Entry

_MAX_RUNS = 100  # searched for a name
_DISTRIBUTION = re.compile(r"[A-Za-z0-9][\w.-]{0,99}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]{0,49}")
_GIVEN = re.compile(r"(?:[A-Za-z_][\w.]{0,99}(?:\(\))?|seqgen\.[A-Za-z]{1,30}\(name='[\w-]{1,99}', \.\.\.\))", re.ASCII)
_FOLDER = re.compile(r"(?:/[\w.+-]{1,99}){1,30}", re.ASCII)
_REPOSITORY = re.compile(r"(?:git|hg|bzr|svn)\+https?:/(?:/[\w.+-]{1,99}){1,9}@\w{1,64}", re.ASCII)


def missing_part(plugins: Plugins, kind: str, name: str, settings: RunSettings) -> MissingPlugin:
    """Return the error about a part of a run that no plugin offers, with the hint how to get it."""
    package = name.partition(":")[0]
    known = next((plugin for plugin in settings.plugins if plugin.get("package") == package), {})
    way = way_to(known)
    if again := _given(known):
        of = f" with what {known['distribution']} defines" if known.get("sha256") and way else ""
        given = f"which was given from Python; give it again{of}, in Python: seqgen.load(..., plugins=[{again}])"
        return MissingPlugin(f"the run needs the {kind} {short_repr(name, 80)}, {given}")
    if package not in plugins.plugins and not way:
        return MissingPlugin(f"the run needs the {kind} {short_repr(name, 80)}, which is not installed")
    if package in plugins.plugins:
        state = f"which is loaded but not used: {plugins.plugins[package].problem or 'it no longer offers it'}"
    elif known.get("sha256"):
        state = f"which is not loaded; give its file: {way}, in Python plugins=[...]"
    elif package in plugins.installed:
        state = "which is installed but disabled (--no-plugins, SEQGEN_LOAD_PLUGINS)"
    else:
        state = f"which is not installed; {way}"
    of = f"{known.get('distribution') or package} {known.get('version') or ''}".strip()
    return MissingPlugin(f"the run needs the {kind} {name!r} of {of}, {state}")


def way_to(known: Mapping[str, Any]) -> str:
    """Return how to get a plugin again, from its entry in run.json.

    A run.json may come from a stranger: the distribution that it names is reported as a claim, never in a command that
    installs it. Names that do not look like a distribution, a version or a file are not repeated; the result is then
    "", or for what came from no index, that it came from none.
    """
    distribution, version = str(known.get("distribution") or ""), str(known.get("version") or "")
    if not _DISTRIBUTION.fullmatch(distribution):
        return ""
    if known.get("given"):
        return f"in Python, plugins=[{again}]" if (again := _given(known)) else ""
    if known.get("sha256"):
        return f"--plugin {distribution}"
    if origin := known.get("origin"):
        if _FOLDER.fullmatch(origin):
            return f"run.json says it was installed from the folder {origin}"
        where = f"the repository {origin}" if _REPOSITORY.fullmatch(origin) else "a local folder or a repository"
        return f"run.json says it was installed from {where}"
    release = f"{distribution} {version}" if _VERSION.fullmatch(version) else distribution
    return f"run.json names the distribution {release}; install it only if you trust the author of the run"


def _given(known: Mapping[str, Any]) -> str:
    """Return the items of ``plugins=[...]`` for parts that were given from Python, or ""."""
    given = str(known.get("given") or "").split("; ")
    return ", ".join(given) if all(map(_GIVEN.fullmatch, given)) and len(given) < 20 else ""


def given_parts(settings: RunSettings) -> str:
    """Return the items of ``plugins=[...]`` to continue a run whose parts were given from Python, or ""."""
    return ", ".join(filter(None, map(_given, settings.plugins)))


def plugin_files(settings: RunSettings) -> list[Path]:
    """Return the plugin files of a run that are loaded."""
    files = (_file_of(known) for known in settings.plugins if known.get("sha256"))
    return [file for file in files if file is not None]


def _file_of(known: Mapping[str, Any]) -> Path | None:
    """Return the file that a plugin of a run was loaded from; None if it is not loaded."""
    file = getattr(sys.modules.get(str(known.get("package"))), "__file__", None)
    return None if file is None else Path(file)


def plugin_options(of_plugins: Iterable[Mapping[str, Any]]) -> str:
    """Return the command-line options that load the files among plugins, or "".

    Args:
        of_plugins: their entries in run.json.
    """
    options = ""
    for known in of_plugins:
        if known.get("sha256") and not known.get("given") and (way := way_to(known)):
            file = _file_of(known)
            options += f" {way}" if file is None else f" --plugin {shlex.quote(_as_typed(file))}"
    return options


def _as_typed(path: Path) -> str:
    """Return a path relative to the current folder, if it is inside."""
    here = Path.cwd()
    return str(path.resolve().relative_to(here)) if path.resolve().is_relative_to(here) else str(path)


def changed_plugins(plugins: Plugins, settings: RunSettings) -> list[str]:
    """Return a warning for each plugin whose version, file or code is not the one of the run."""
    lines = []
    for known in settings.plugins:
        package = str(known.get("package"))
        plugin = plugins.plugins.get(package)
        if plugin is None:
            continue
        now, what = plugin.provenance, f"{known.get('package')} ({known.get('distribution')})"
        if now.sha256 != known.get("sha256"):
            lines.append(f"the plugin {what} is another file than the run was made with")
        elif now.version != known.get("version"):
            lines.append(f"the run was made with {what} {known.get('version')}, this is {now.version}")
        elif known.get("code"):
            code = code_of_parts(plugins, package, _used(plugins, package, settings))
            if code and code != known["code"]:
                lines.append(f"the code of the plugin {what} is not that which the run was made with")
    return lines


def _used(plugins: Plugins, package: str, settings: RunSettings) -> list[Entry]:
    """Return the parts of a run that a plugin offers."""
    found = []
    for kind, name in dict.fromkeys(_parts(settings)):
        with contextlib.suppress(UsageError):  # no plugin offers it, or several do
            entry = plugins.registry.get(kind, name)
            found += [entry] if entry.package == package else []
    return found


def missing_plugins(plugins: Plugins, settings: RunSettings) -> list[str]:
    """Return a line for each plugin of a run that is not installed, with the hint how to get it."""
    lines = []
    for known in settings.plugins:
        package = known.get("package")
        if package not in plugins.plugins and package not in plugins.installed:
            lines.append(f"needs {short_repr(package)}: {way_to(known) or 'not installed'}")
    return lines


def with_hint(error: UnknownName) -> UnknownName:
    """Return an error about an unknown name with the plugin to install: one in a folder of that name, or of a run.

    The runs are those under ``runs/`` that have used the name.

    Args:
        error: what the registry says of the name.

    Returns:
        The error, or another in its place.
    """
    if hint := hint_on_source(error.name):  # the error about a corpus also says how to read the folder
        return error if error.kind == "corpus" else UnknownName(error.kind, error.name, (), hint)
    package, _, bare = error.name.rpartition(":")
    there = {candidate.package for candidate in installed()}  # but not loaded, which a line about plugins says
    for run in list_runs(RUNS, beside=True)[:_MAX_RUNS]:
        with contextlib.suppress(CheckpointError):
            settings = run.settings()
            for kind, name in _parts(settings):
                owner, _, offered = name.partition(":")
                if (kind, offered) == (error.kind, bare) and package in ("", owner):
                    known = next((row for row in settings.plugins if row.get("package") == owner), None)
                    if known is not None and owner not in there and way_to(known):
                        return UnknownName(error.kind, error.name, (), f"the run {run.name} had it: {way_to(known)}")
    return error


def _parts(settings: RunSettings) -> Iterator[tuple[str, str]]:
    """Yield the kind and name of each part of a run."""
    yield from (("corpus", settings.corpus.name), ("domain", settings.corpus.domain))
    for kind in ("tokenizer", "model", "augmentation"):
        part = getattr(settings, kind)
        if part is not None:
            yield kind, part.name
    yield from (("cell", part.name) for part in settings.cells)
    if reader := settings.corpus.options.get("reader"):
        yield "reader", str(reader)

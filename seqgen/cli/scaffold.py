"""Creation of a new plugin package from the templates."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from seqgen.errors import BadOption, UsageError, did_you_mean
from seqgen.files import write_folder_atomic
from seqgen.hookspecs import PLUGIN_API
from seqgen.plugins import Plugins, installed
from seqgen.specs import KINDS as SPECS

_OWN = "seqgen-lm"  # the distribution of this program
TITLES = {
    "cell": "a cell",
    "corpus": "a corpus",
    "tokenizer": "a tokenizer",
    "model": "a model",
    "metric": "a metric",
    "domain": "a domain",
    "validator": "a validator",
    "renderer": "a renderer",
    "processor": "a decoding step",
    "augmentation": "an augmentation",
    "report": "a report",
    "exporter": "an exporter",
    "executor": "an executor",
    "reader": "a reader",
    "command": "a command",
    "events": "event hooks",
}
"""The kinds of plugins that have a template, and their names in a sentence."""
KINDS = tuple(TITLES)
_NAME = re.compile(r"[a-z]([a-z0-9_-]*[a-z0-9])?")
_LONGEST = 30
_COMMON, _USAGE = "common", "usage.txt"


def new_plugin(name: str, kind: str, out: Path | None = None, plugins: Plugins | None = None) -> Path:
    """Write a complete package with one small working plugin: sources, tests, pyproject.toml, README.md.

    Args:
        name: of what it offers; the import package has "_" for "-", the distribution "seqgen-" before it.
        kind: one of ``KINDS``.
        out: the folder to make; None: ``name`` in the current one.
        plugins: those that are loaded, whose names are taken.

    Returns:
        The folder.

    Raises:
        BadOption: an unknown kind, or a name that cannot be one or is taken.
        UsageError: the folder is there already.
        DiskError: the disk refused; nothing is left behind.
    """
    if kind not in KINDS:
        raise BadOption(f"there is no template of the kind {kind!r}{did_you_mean(kind, KINDS)}")
    package = _package(name, kind, plugins)
    folder = Path(name) if out is None else out
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{str(folder)!r} is there already: name another folder with --out")
    templates = files("seqgen") / "templates"
    names = {
        "plugin-name": name,
        "plugin-distribution": name if name.startswith("seqgen-") else f"seqgen-{name}",
        "plugin_package": package,
        "Plugin-title": TITLES[kind][0].upper() + TITLES[kind][1:],
        "plugin-api": ".".join(map(str, PLUGIN_API)),
        "plugin-usage\n": (templates / kind / _USAGE).read_text(encoding="utf-8"),
    }
    names["plugin-usage\n"] = _filled(names["plugin-usage\n"], names)
    content: dict[str, bytes] = {}
    for part in (_COMMON, kind):
        for path, text in _files(templates / part):
            if path != _USAGE:
                content[_filled(path, names)] = _filled(text, names).encode()
    write_folder_atomic(folder, content)
    return folder


def _package(name: str, kind: str, plugins: Plugins | None) -> str:
    """Return the import package for a free name.

    Raises:
        BadOption: it is not.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        form = f"[a-z]([a-z0-9_-]*[a-z0-9])?, at most {_LONGEST} characters"
        raise BadOption(f"the name {name!r} is not of the form {form}")
    package = name.replace("-", "_")
    registered = [] if plugins is None else [entry for part in _parts(kind) for entry in plugins.registry.entries(part)]
    owner = next((entry.full_label for entry in registered if entry.spec.name == name), "")
    exists = package in sys.stdlib_module_names or _is_module(package)
    for is_problem, problem in (
        (keyword.iskeyword(package) or keyword.issoftkeyword(package), "a word of Python's own: choose another"),
        (bool(owner), f"taken: {owner}; choose another"),
        (name == _OWN, "that of the package this program comes in: choose another"),
        (package.startswith("test_"), "that of a test module: choose another, without test in front"),
        (package in {one.package for one in installed()}, "that of an installed plugin: choose another"),
        (exists, f"that of a module that exists: choose another, such as seqgen-{name}"),
    ):
        if is_problem:
            raise BadOption(f"the name {name!r} is {problem}")
    return package


def _parts(kind: str) -> list[str]:
    """Return the kinds of parts that a template registers."""
    source = "".join(
        text for path, text in _files(files("seqgen") / "templates" / kind) if path.endswith("__init__.py")
    )
    return [part for part, plural in SPECS.items() if f"def register_{plural}(" in source]


def _is_module(package: str) -> bool:
    """Return whether an import would find a module; a folder without ``__init__.py`` does not count."""
    try:
        found = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return True
    return found is not None and found.origin is not None


def _files(folder: Traversable, above: str = "") -> Iterator[tuple[str, str]]:
    """Return the files of a template by path, as text, without caches of tools."""
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            if not item.name.startswith((".", "__")):
                yield from _files(item, f"{above}{item.name}/")
        elif not item.name.endswith(".pyc"):
            yield f"{above}{'.gitignore' if item.name == 'gitignore' else item.name}", item.read_text(encoding="utf-8")


def _filled(text: str, names: dict[str, str]) -> str:
    """Return a text with the names of the new plugin."""
    # In one pass: a name may hold what is a placeholder elsewhere.
    return re.sub("|".join(map(re.escape, names)), lambda found: names[found[0]], text)

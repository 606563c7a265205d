"""Digests of the code of plugins, which show an edit that has no version of its own."""

from __future__ import annotations

import ast
import contextlib
import dis
import functools
import hashlib
import importlib.util
import inspect
import itertools
import linecache
import os
import sys
import sysconfig
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from seqgen.plugins.manager import CORE, Plugins
from seqgen.registry import Entry
from seqgen.specs import LoadableSpec

_INSTALLED = ("site-packages", "dist-packages")  # what stands beside a package there has a version of its own
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def code_of_parts(plugins: Plugins, package: str, parts: Iterable[Entry]) -> str:
    """Return a digest of the code of a plugin, as it is on disk now; "" for seqgen's own and for code without a source.

    It covers the modules of the plugin's package. Of a plugin in one file, whose own SHA-256 is kept apart, it covers
    the modules beside that file that it imports, or that specs name in ``load``; of a class or function without a file,
    as in a notebook, its source. Nothing is imported for it.

    Args:
        plugins: the plugins.
        package: the name of the plugin.
        parts: the parts of it that are used.
    """
    program = plugins.plugins[CORE].provenance.distribution
    own = {name for name, plugin in plugins.plugins.items() if plugin.provenance.distribution == program}
    if package in own:
        return ""
    hooks, known = plugins.get_hooks(package), plugins.plugins[package].provenance
    used = {(part.spec.kind, part.spec.name): part.spec for part in parts if isinstance(part.spec, LoadableSpec)}
    loads = [unwrapped(spec.load) for _, spec in sorted(used.items())]
    modules = [] if hooks is None else [str(getattr(hooks, "__name__", type(hooks).__module__))]
    modules += [load.partition(":")[0] if isinstance(load, str) else str(load.__module__) for load in loads]
    try:
        root = next(filter(None, map(_root, modules[:1])), None)
        files = {} if root is None or (hooks is None and _is_installed(root)) else _files(root, modules, own)
        if known.sha256 is not None and root is not None and root.is_file():
            files.pop(root.name, None)
        contents = [(name, path.read_bytes()) for name, path in sorted(files.items())]
        pieces = [f"{name} {len(data)} ".encode() + data for name, data in contents]
        given, seen, cells = loads if known.given else [], set[int](), list[str]()
        sources = [one for load in given if not isinstance(load, str) for one in _sources(load, seen, cells)]
    except (OSError, SyntaxError, TypeError, ValueError):  # a file is gone, or a class was typed at a prompt
        return ""
    pieces += [source.encode("utf-8", "surrogatepass") + b"\0" for source in sources]
    return hashlib.sha256(b"".join(pieces)).hexdigest() if pieces else ""


def unwrapped(load: Any) -> Any:
    """Return the function of a partial one, and anything else as it is."""
    return load.func if isinstance(load, functools.partial) else load


# -- files


def _root(module: str) -> Path | None:
    """Return the folder of the outermost package that a module is in, or its file if it is in none."""
    for name in itertools.accumulate(module.split("."), "{}.{}".format):
        file = getattr(sys.modules.get(name), "__file__", None)
        if name not in sys.modules:
            with contextlib.suppress(ImportError, ValueError, AttributeError):
                file = getattr(importlib.util.find_spec(name), "origin", None)
        if file is not None and file.endswith(".py"):
            path = Path(file).resolve()
            return path.parent if path.name == "__init__.py" else path
    return None


def _is_installed(root: Path) -> bool:
    return root.parent.name in _INSTALLED or root.is_relative_to(sysconfig.get_paths()["stdlib"])


def _files(root: Path, modules: Iterable[str], own: Collection[str]) -> dict[str, Path]:
    """Return the files of a package or module, and of modules beside it, by their paths relative to its folder.

    Args:
        root: a package's folder, or a file.
        modules: names of modules; those beside the root count.
        own: top-level packages that do not count.
    """
    folder, found = root.parent, dict[str, Path]()

    def beside(names: Iterable[str]) -> Iterator[Path]:
        for name in () if _is_installed(root) else names:
            top = folder / name.partition(".")[0]
            if top.name not in own and (top.is_dir() or top.with_suffix(".py").is_file()):
                path = _root(name)
                if path is not None and path.is_relative_to(folder):
                    yield path

    places = [root, *beside(modules)]
    for place in places:  # it grows by what they import
        if place.is_file():
            places += [path for path in beside(_imported(place)) if path not in places]
        for path in [place] if place.is_file() else _modules_below(place):
            found[path.relative_to(folder).as_posix()] = path
    return found


def _modules_below(package: Path) -> Iterator[Path]:
    """Yield the files of the modules of a package; its tests, and those in its virtual environments, are left out."""
    for folder, inner, names in os.walk(package):
        inner[:] = [name for name in inner if name.isidentifier() and name not in (*_INSTALLED, "tests")]
        if "pyvenv.cfg" in names:
            inner[:] = []
        modules = (name for name in names if name.endswith(".py"))
        yield from (Path(folder, name) for name in modules if name != "conftest.py" and not name.startswith("test_"))


def _imported(file: Path) -> Iterator[str]:
    """Yield the names of the modules that a file imports, anywhere in its code; of what it imports from one too."""
    with contextlib.suppress(SyntaxError, ValueError):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


# -- classes and functions that were given from Python


def _sources(part: Any, seen: set[int], files: list[str]) -> Iterator[str]:
    """Yield the source of a class or function without a file; of any, the plain values of the functions around it.

    Values that may change while it runs are left out: those of attributes, and of variables that it assigns.

    Args:
        part: the class or function; any other object stands for its class.
        seen: the ids of those before.
        files: the names of their cells; those of this part are added.

    Raises:
        OSError, SyntaxError, TypeError, ValueError: they are not known.
    """
    part = part if isinstance(part, type | FunctionType) else type(part)
    if id(part) in seen or (isinstance(part, FunctionType) and _is_generated(part)):
        return
    seen.add(id(part))
    has_file = getattr(sys.modules.get(part.__module__), "__file__", None) is not None
    functions = [part] if isinstance(part, FunctionType) else list(_functions_of(part))
    within = [one for one in functions if f"{one.__qualname__}.".startswith(f"{part.__qualname__}.")]
    files += [_code_of(function).co_filename for function in within]
    for base in getattr(part, "__bases__", ()):
        if base.__module__ == part.__module__:
            yield from _sources(base, seen, files)
    if not has_file:
        yield inspect.getsource(part) if isinstance(part, FunctionType) else _text_of_class(part, within, files)
    assigned = _assigned(within)
    for function in functions:
        if function not in within:  # assigned in the class, and defined elsewhere
            yield from _sources(function, seen, files)
            continue
        used = inspect.getclosurevars(function)
        for name, value in (*used.nonlocals.items(), *(() if has_file else used.globals.items())):
            if isinstance(value, type | FunctionType) and value.__module__ == part.__module__:
                yield from _sources(value, seen, files)
            elif isinstance(value, _PLAIN) and name in used.nonlocals and name not in assigned:
                yield f"{name} = {value!r}"


def _assigned(functions: Iterable[FunctionType]) -> set[str]:
    """Return the variables around some functions that these assign, or functions within or around them."""
    found, reached = set[str](), list(functions)
    for function in reached:  # it grows by those around them
        codes = [function.__code__]
        for code in codes:  # it grows by those within them
            codes += [one for one in code.co_consts if isinstance(one, CodeType)]
            found.update(one.argval for one in dis.get_instructions(code) if one.opname == "STORE_DEREF")
        around = inspect.getclosurevars(function).nonlocals.values()
        reached += [one for one in around if isinstance(one, FunctionType) and one not in reached]
    return found


def _code_of(function: FunctionType) -> CodeType:
    code: CodeType = getattr(inspect.unwrap(function), "__code__", function.__code__)
    return code


def _functions_of(owner: type) -> Iterator[FunctionType]:
    """Yield the methods and properties of a class that somebody wrote, as nobody did those that a dataclass gets."""
    for member in vars(owner).values():
        function = member
        for name in ("fget", "func", "__func__", "__wrapped__"):  # of properties, cached ones, class and cached methods
            function = function if isinstance(function, FunctionType) else getattr(function, name, function)
        is_own = isinstance(function, FunctionType) and function.__module__ == owner.__module__
        if is_own and not _is_generated(function):
            yield function


def _is_generated(function: FunctionType) -> bool:
    code = _code_of(function)
    return code.co_filename == "<string>" and code.co_name.startswith("__")


def _text_of_class(owner: type, functions: Iterable[FunctionType], files: Iterable[str]) -> str:
    """Return the text of a class as the cell of a notebook has it; its name alone if it has no functions, nor a cell.

    Raises:
        OSError: nobody has the text of its functions.
    """
    places = [(code.co_filename, code.co_firstlineno) for code in map(_code_of, functions)]
    for file, line in places or [(file, 0) for file in files]:
        nodes = ast.walk(ast.parse("".join(linecache.getlines(file))))
        for node in (node for node in nodes if isinstance(node, ast.ClassDef) and node.name == owner.__name__):
            if not line or node.lineno <= line <= (node.end_lineno or 0):
                return ast.unparse(node)
    if places:
        raise OSError(f"no source of {owner.__qualname__}")
    return owner.__name__

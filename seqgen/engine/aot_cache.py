"""The cache of functions compiled ahead of time: libraries on disk, loaded without torch's compiler.

Importing the compiler alone takes seconds. A library is loaded without it, within milliseconds, and called without its
look-ups.
"""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from seqgen.engine import torch_compat
from seqgen.engine.onednn_linear import register_lowering
from seqgen.engine.processor import cpu_flags
from seqgen.errors import DiskError
from seqgen.files import SafePath, cache_folder, remove_folders, write_folder_atomic

Compiled = Callable[[list[Tensor]], list[Tensor]]
_LIBRARY, _CHECKSUMS = "steps.so", "sha256"
_CALLS = "steps.json"  # names the operations of ours that the library calls, if there are any
_FORMAT = 2  # of the libraries; raise it to have all of them compiled again
_OPTIONS = {"cpp.min_chunk_size": 4096}  # elements from which a thread pays
_loaded: dict[SafePath, Compiled] = {}
_kept_in: list[Path] = []


def compile_ahead(function: Callable[..., list[Tensor]], text: str, examples: Sequence[Tensor]) -> Compiled:
    """Return a function compiled for this CPU, loaded if it was compiled before.

    Args:
        function: of tensors, some of which it may change in place; returns new ones.
        text: all that it does, by which it is recognized.
        examples: arguments of the shapes and types to compile for; they may be changed.

    Returns:
        A function of the list of arguments that returns a list.

    Raises:
        LinkRefused: the library in the cache, or a part of it, is a link.
        Exception: any error of the compiler.
    """
    path = library_path(text, examples)
    if path not in _loaded:
        _loaded[path] = _load_valid(path) or _compile(path, function, examples)
    return _loaded[path]


def keep_in(folder: Path) -> None:
    """Keep libraries in a folder from now on, wherever torch's compiler has its cache."""
    _kept_in[:] = [folder]


def libraries_folder() -> Path:
    """Return the folder of the cache: that of torch's compiler if that is set, else ours."""
    folder = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    return _kept_in[0] if _kept_in else Path(folder) if folder else cache_folder("compiled")


def library_path(text: str, examples: Sequence[Tensor]) -> SafePath:
    """Return the folder of a library in the cache."""
    kinds = [(tuple(example.shape), example.stride(), str(example.dtype)) for example in examples]
    key = repr((_FORMAT, text, kinds, torch.get_num_threads(), sorted(_OPTIONS.items()), _target()))
    return SafePath(libraries_folder()) / "ahead" / hashlib.sha256(key.encode()).hexdigest()[:32]


def _target() -> tuple[str, ...]:
    """Return what a library depends on: the exact processor and the version of torch."""
    cpu = torch.backends.cpu.get_cpu_capability(), cpu_flags()
    return torch.__version__, platform.system(), platform.machine(), *cpu


def _load_valid(path: SafePath) -> Compiled | None:
    """Load a library whose checksums hold, else return None: a truncated one would crash the process."""
    try:
        files = {name: (path / name).read() for name in (_LIBRARY, _CALLS) if (path / name).exists()}
        whole = _LIBRARY in files and (path / _CHECKSUMS).read() == _checksums(files)
        return torch_compat.load_library(str((path / _LIBRARY).path)) if whole else None
    except (RuntimeError, OSError):  # there is none, or it was compiled where other libraries were
        return None


def _checksums(files: Mapping[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()).encode()


def _compile(path: SafePath, function: Callable[..., list[Tensor]], examples: Sequence[Tensor]) -> Compiled:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the compiler's own, of its own code
        from torch import export

        register_lowering()
        program, package = export.export(_Module(function), tuple(examples), strict=False), Path(folder) / "made.pt2"
        torch_compat.compile_package(program, str(package), dict(_OPTIONS))
        files = _unpack(package)
    if found := _load_valid(path):  # another process was faster
        return found
    try:
        if path.exists():  # it is damaged
            remove_folders(SafePath(path.root, path.names[:-1]), [path.name])
        write_folder_atomic(path, files | {_CHECKSUMS: _checksums(files)})
    except DiskError:
        if found := _load_valid(path):  # or at the same time
            return found
        raise
    return torch_compat.load_library(str((path / _LIBRARY).path))


def _unpack(package: Path) -> dict[str, bytes]:
    """Return the library of a package and the list of operations it calls, by the names they are kept under.

    Torch names the files differently from version to version (``HASH.so`` in 2.6, ``HASH.wrapper.so`` since 2.7), but
    the list always has the name of the library, which looks for it under that name.

    Raises:
        RuntimeError: the package does not hold exactly one library.
    """
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
        libraries = [name for name in names if name.endswith(".so")]
        if len(libraries) != 1:
            raise RuntimeError(f"torch {torch.__version__} packs {len(libraries)} libraries where one is expected")
        calls = libraries[0].removesuffix(".so") + ".json"
        members = {_LIBRARY: libraries[0]} | ({_CALLS: calls} if calls in names else {})
        return {ours: archive.read(theirs) for ours, theirs in members.items()}


class _Module(nn.Module):
    """A function in the form that torch exports."""

    def __init__(self, function: Callable[..., list[Tensor]]) -> None:
        super().__init__()
        self._function = function

    def forward(self, *values: Tensor) -> list[Tensor]:
        return self._function(*values)

"""A function of tensors, compiled ahead of time into a library that is kept on disk and loaded from there.

Torch's compiler takes seconds to be imported alone. What it made ahead of time is loaded without it, within
milliseconds, and called without its look-ups.
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
from seqgen.errors import DiskError
from seqgen.files import SafePath, cache_folder, remove_folders, write_folder_atomic

Compiled = Callable[[list[Tensor]], list[Tensor]]
_LIBRARY, _SUMS = "steps.so", "sha256"
_CALLS = "steps.json"  # names the operations of ours that the library calls, if there are any
_FORM = 2  # of what is made of a function: with another number all libraries are made anew
_OPTIONS = {"cpp.min_chunk_size": 4096}  # numbers a thread is worth waking for
_loaded: dict[SafePath, Compiled] = {}


def compile_ahead(function: Callable[..., list[Tensor]], text: str, examples: Sequence[Tensor]) -> Compiled:
    """A function, compiled for this CPU; or loaded, where the same one was compiled before.

    Args:
        function: of tensors, some of which it may change in place; gives new ones.
        text: all that it does, by which it is known again.
        examples: arguments of the shapes and types that will come; they may be changed.

    Returns:
        What takes a list of the arguments, and gives a list.

    Raises:
        LinkRefused: something of the kept library is a link.
        Exception: whatever the compiler says.
    """
    path = library(text, examples)
    if path not in _loaded:
        _loaded[path] = _find(path) or _make(path, function, examples)
    return _loaded[path]


def library(text: str, examples: Sequence[Tensor]) -> SafePath:
    """Where a library is kept: beside what torch's compiler keeps, if that was told where."""
    kinds = [(tuple(example.shape), example.stride(), str(example.dtype)) for example in examples]
    known = repr((_FORM, text, kinds, torch.get_num_threads(), sorted(_OPTIONS.items()), _machine()))
    told = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    home = SafePath(Path(told) if told else cache_folder("compiled"))
    return home / "ahead" / hashlib.sha256(known.encode()).hexdigest()[:32]


def _machine() -> tuple[str, ...]:
    """What a library is good for: it is made for the very processor, and for this torch."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(errors="replace").splitlines() if info.exists() else [platform.processor()]
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), lines[0] if lines else "")
    return torch.__version__, platform.system(), platform.machine(), torch.backends.cpu.get_cpu_capability(), flags


def _find(path: SafePath) -> Compiled | None:
    """What lies there, if it is as it was written: half a library would bring the process down."""
    try:
        files = {name: (path / name).read() for name in (_LIBRARY, _CALLS) if (path / name).exists()}
        whole = _LIBRARY in files and (path / _SUMS).read() == _sums(files)
        return _load(path) if whole else None
    except (RuntimeError, OSError):  # nothing lies there, or it was made where other libraries were
        return None


def _sums(files: Mapping[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()).encode()


def _load(path: SafePath) -> Compiled:
    return torch_compat.load_library(str((path / _LIBRARY).path))


def _make(path: SafePath, function: Callable[..., list[Tensor]], examples: Sequence[Tensor]) -> Compiled:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the compiler's own, of its own code
        from torch import export

        register_lowering()
        program, made = export.export(_Module(function), tuple(examples), strict=False), Path(folder) / "made.pt2"
        torch_compat.compile_package(program, str(made), dict(_OPTIONS))
        files = _unpack(made)
    if found := _find(path):  # another process was faster
        return found
    try:
        if path.exists():  # it is damaged
            remove_folders(SafePath(path.root, path.names[:-1]), [path.name])
        write_folder_atomic(path, files | {_SUMS: _sums(files)})
    except DiskError:
        if found := _find(path):  # or at the same time
            return found
        raise
    return _load(path)


def _unpack(package: Path) -> dict[str, bytes]:
    """Return the library of a package and the list of operations it calls, by the names they are kept under.

    Torch names the files differently from version to version (``HASH.so`` in 2.6, ``HASH.wrapper.so`` since 2.7), but
    the list always has the name of the library, which looks for it under that name.

    Raises:
        RuntimeError: not one library is in the package.
    """
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
        libraries = [name for name in names if name.endswith(".so")]
        if len(libraries) != 1:
            raise RuntimeError(f"torch {torch.__version__} packs {len(libraries)} libraries where one is expected")
        calls = libraries[0].removesuffix(".so") + ".json"
        kept = {_LIBRARY: libraries[0]} | ({_CALLS: calls} if calls in names else {})
        return {ours: archive.read(theirs) for ours, theirs in kept.items()}


class _Module(nn.Module):
    """A function in the form that is exported."""

    def __init__(self, function: Callable[..., list[Tensor]]) -> None:
        super().__init__()
        self._function = function

    def forward(self, *values: Tensor) -> list[Tensor]:
        return self._function(*values)

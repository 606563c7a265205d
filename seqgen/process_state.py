"""Settings of the process that code of plugins must not change: recorded, and restored."""

from __future__ import annotations

import contextlib
import functools
import locale
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class _Setting:
    """One setting.

    Attributes:
        name: the setting in words.
        read: returns its value, to be compared.
        write: restores a value; None where ``warnings.catch_warnings`` does.
    """

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object] | None


def _folder() -> str | None:
    with contextlib.suppress(OSError):  # it was removed
        return str(Path.cwd())
    return None


def _enter(folder: str | None) -> None:
    with contextlib.suppress(OSError):
        os.chdir(folder or ".")


def _set_environment(values: dict[str, str]) -> None:
    for name in os.environ.keys() - values.keys():
        del os.environ[name]
    os.environ.update(values)


_OF_PYTHON = (
    _Setting("Python's random numbers", random.getstate, random.setstate),
    _Setting("the current folder", _folder, _enter),
    _Setting("the environment", lambda: dict(os.environ), _set_environment),
    _Setting("the limit of recursion", sys.getrecursionlimit, sys.setrecursionlimit),
    _Setting(
        "the locale", lambda: locale.setlocale(locale.LC_ALL), lambda value: locale.setlocale(locale.LC_ALL, value)
    ),
    _Setting("the filters of warnings", lambda: list(warnings.filters), None),
)


@functools.cache
def _of_torch() -> tuple[_Setting, ...]:
    """Return the settings by which results of torch and NumPy differ."""
    import numpy as np
    import torch

    def numpy_state() -> tuple[Any, ...]:
        name, keys, *others = np.random.get_state()
        return (name, np.asarray(keys).tobytes(), *others)

    def set_numpy_state(state: tuple[Any, ...]) -> None:
        name, keys, *others = state
        np.random.set_state((name, np.frombuffer(keys, np.uint32), *others))

    return (
        _Setting("NumPy's random numbers", numpy_state, set_numpy_state),
        _Setting(
            "torch's random numbers",
            lambda: torch.get_rng_state().tolist(),
            lambda value: torch.set_rng_state(torch.tensor(value, dtype=torch.uint8)),
        ),
        _Setting("torch's default type", torch.get_default_dtype, torch.set_default_dtype),
        _Setting(
            "torch's default device",
            lambda: str(torch.get_default_device()),
            lambda value: torch.set_default_device(None if value == "cpu" else value),
        ),
        _Setting("torch's number of threads", torch.get_num_threads, torch.set_num_threads),
        _Setting("whether torch keeps gradients", torch.is_grad_enabled, torch.set_grad_enabled),
        _Setting(
            "whether torch is deterministic", torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode
        ),
        _Setting(
            "the precision of torch's products",
            torch.get_float32_matmul_precision,
            torch.set_float32_matmul_precision,
        ),
    )


def _of_torch_here() -> tuple[_Setting, ...]:
    """Return the settings of torch, if it is imported."""
    return _of_torch() if sys.modules.get("torch") is not None else ()


_UNREADABLE = "unreadable"


def _read(setting: _Setting) -> Any:
    """Return the value of a setting; torch refuses some where newer names of them are in use."""
    try:
        return setting.read()
    except RuntimeError:
        return _UNREADABLE


@contextlib.contextmanager
def _kept(settings: Iterable[_Setting]) -> Iterator[None]:
    """Restore settings after the block."""
    before = [(setting, _read(setting)) for setting in settings]
    try:
        yield
    finally:
        for setting, value in before:
            if setting.write is not None and _UNREADABLE not in (value, now := _read(setting)) and now != value:
                with contextlib.suppress(RuntimeError):
                    setting.write(value)


@contextlib.contextmanager
def process_kept() -> Iterator[None]:
    """Restore all settings of the process after the block; those of torch where it was imported before."""
    with warnings.catch_warnings(), _kept((*_OF_PYTHON, *_of_torch_here())):
        yield


@contextlib.contextmanager
def torch_kept() -> Iterator[None]:
    """Restore the settings by which results of torch and NumPy differ after the block, if torch is imported."""
    with _kept(_of_torch_here()):
        yield


@contextlib.contextmanager
def record_changes(changed: list[str]) -> Iterator[None]:
    """Append the names of the settings that change within the block to ``changed``."""
    settings = [*_OF_PYTHON, *_of_torch()]
    before = [_read(setting) for setting in settings]
    try:
        yield
    finally:
        changed += [setting.name for setting, value in zip(settings, before, strict=True) if _read(setting) != value]

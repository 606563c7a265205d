"""Checks that the torch modules of plugins are initialised, and have what their kind requires."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqgen.errors import PluginError

_MODULES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "cell": (("input_size", "hidden_size", "output_size"), "call super().__init__(input_size, hidden_size) first"),
    "model": (("initial_state",), "call super().__init__() first"),
}
"""Required attributes of a torch module by kind, and the hint if it is not initialised."""


def check_module(kind: str, module: Any, label: str) -> None:
    """Refuse a torch module whose ``__init__`` was not called, or that lacks a member its kind requires.

    Args:
        kind: "cell" or "model".
        module: the object that ``load`` returned.
        label: its name in messages.

    Raises:
        PluginError: it, or a submodule, has not called ``super().__init__``; or a member is missing.
    """
    members, way = _MODULES[kind]
    missing = [name for name in members if not hasattr(module, name)]
    if (bare := _uninitialised(module)) is not None or (missing and kind == "cell"):
        named = type(module if bare is None else bare).__name__
        raise PluginError(f"{label}: {named}.__init__ does not call super().__init__: {way}")
    if missing:
        raise PluginError(f"{label}: the class {type(module).__name__} has no {', '.join(missing)}")


def _uninitialised(module: Any) -> Any:
    """Return the first module, of this one and its submodules, on which Module.__init__ was not called; else None."""
    if "training" not in vars(module):  # which torch.nn.Module sets first
        return module
    bare = (_uninitialised(child) for child in module.children())
    return next((found for found in bare if found is not None), None)


def hint_on_init(kind: str, error: BaseException) -> str:
    """Return the hint for an exception that a torch module raises because it is not initialised yet; else ""."""
    if kind not in _MODULES or not isinstance(error, AttributeError):
        return ""
    too_early = "before Module.__init__() call" in str(error)  # torch's message when an attribute is set
    attributes = vars(error.obj) if hasattr(error.obj, "__dict__") else {}
    bare = hasattr(type(error.obj), "register_forward_hook") and "training" not in attributes
    return f"; {_MODULES[kind][1]}" if too_early or bare else ""

"""The names of ``--track``, checked before a run begins."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterable

from seqgen.errors import BadOption, did_you_mean, short_repr
from seqgen.plugins.manager import Plugins

Check = Callable[[str], None]


def offered_trackers(plugins: Plugins) -> dict[str, list[tuple[str, Check]]]:
    """Return the trackers that plugins offer by ``register_trackers``, by name: packages and checks of a place."""
    found: dict[str, list[tuple[str, Check]]] = {}

    def register(package: str, name: str, check: Check) -> None:
        if not (isinstance(name, str) and name.isidentifier() and callable(check)):
            raise TypeError(
                f"register takes a name like 'tensorboard' and a function of a place, not {short_repr(name, 40)}"
            )
        try:
            with contextlib.suppress(ValueError):  # of what is not written in Python nothing is known
                inspect.signature(check).bind("a place")
        except TypeError as error:
            raise TypeError(f"the check of the tracker {name!r} is to take a place, and no more: {error}") from None
        if any(package == other for other, _ in found.get(name, ())):
            raise ValueError(f"the tracker {name!r} is already registered")
        found.setdefault(name, []).append((package, check))

    plugins.call_hook("register_trackers", lambda package: {"register": functools.partial(register, package)})
    used = plugins.implementing("register_trackers")  # of one that fails, nothing is used
    kept = {name: [one for one in checks if one[0] in used] for name, checks in found.items()}
    return {name: checks for name, checks in kept.items() if checks}


def check_trackers(plugins: Plugins, wanted: Iterable[str]) -> None:
    """Refuse trackers that no plugin offers, or that cannot track a run at the place given.

    Args:
        plugins: the plugins of the run.
        wanted: trackers as NAME or NAME=PLACE.

    Raises:
        BadOption: there is no such tracker, several plugins offer it, or it is given twice.
        SeqgenError: a check refuses, such as a MissingExtra.
    """
    names = [one.partition("=")[0] for one in wanted]
    offered = offered_trackers(plugins)
    for name, one in zip(names, wanted, strict=True):
        if name not in offered:
            raise BadOption(f"there is no tracker {name!r}{did_you_mean(name, offered)}")
        if names.count(name) > 1:
            raise BadOption(f"cannot track the run twice with {name!r}: give it once")
        if len(offered[name]) > 1:
            packages = " and ".join(sorted(package for package, _ in offered[name]))
            raise BadOption(f"both {packages} offer the tracker {name!r}: load one of them (SEQGEN_LOAD_PLUGINS)")
        offered[name][0][1](one.partition("=")[2])

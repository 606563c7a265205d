"""The trackers that a plugin offers, and calls of their checks."""

from __future__ import annotations

import contextlib
import tempfile

from seqgen.errors import PluginError, SeqgenError, one_line
from seqgen.plugins import Plugins, offered_trackers
from seqgen.signals import reraise_signal
from seqgen.testing.registry import installed

_PLACES = ("", "x")


def try_trackers(plugins: Plugins, package: str) -> list[str]:
    """Call the check of each tracker that a plugin offers without a place and with one; return their names.

    Args:
        plugins: the plugins, of which this one offers trackers.
        package: its import package.

    Raises:
        PluginError: a name is that of an installed plugin's tracker, a check raises an error that is none of seqgen, or
            nothing handles reports.
    """
    offered = offered_trackers(plugins)
    if not offered:
        return []
    others = offered_trackers(installed())
    for name, ((_, check), *_) in offered.items():
        if taken := [other for other, _ in others.get(name, []) if other != package]:
            raise PluginError(f"the tracker {name!r} is offered by {taken[0]} too: choose another name")
        for place in _PLACES:
            try:
                with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # a check may look for a file
                    check(place)
            except SeqgenError:  # which refuses a run
                continue
            except (Exception, SystemExit) as error:
                reraise_signal()
                kind = type(error).__name__
                line = f"raises {kind}, not an error of seqgen: {one_line(error)}"
                raise PluginError(f"the check of the tracker {name!r}, called with {place!r}, {line}") from error
    if package not in plugins.implementing("on_report"):
        raise PluginError("it offers trackers and has no on_report to send them anything")
    return list(offered)

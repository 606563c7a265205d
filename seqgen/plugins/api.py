"""Versions of the hook API: the one that a plugin declares against the one of this program."""

from __future__ import annotations

import re
from typing import Any

from seqgen.hookspecs import PLUGIN_API

CURRENT = ".".join(map(str, PLUGIN_API))
_SPELT = re.compile(r"(\d+)(?:\.(\d+))?")


def declared_version(hooks: object, distribution: str) -> str:
    """Return the version that a plugin declares as ``seqgen_api``; the current one if it declares none.

    Args:
        hooks: the object with the hooks.
        distribution: its distribution, for the message.

    Raises:
        LookupError: it needs another major version, or what it declares is not a version.
    """
    said: Any = getattr(hooks, "seqgen_api", None)
    if said is None:
        return CURRENT
    spelt = _SPELT.fullmatch(said) if isinstance(said, str) else None
    if spelt is None:
        raise LookupError(f"seqgen_api is {said!r:.40}, not a version such as {CURRENT!r}")
    major = int(spelt[1])
    if major != PLUGIN_API[0]:
        newer = f" or a version of {distribution} for {PLUGIN_API[0]}" if major < PLUGIN_API[0] else ""
        raise LookupError(
            f"it is written for version {said} of the hooks, but this is {CURRENT}: "
            f"pip install {compatible_releases(major)!r}{newer}"
        )
    return spelt[0]


def newer_hint(said: str) -> str:
    """Return a clause about a plugin written for a newer minor version, or ""."""
    minor = int(said.partition(".")[2] or 0)
    if minor <= PLUGIN_API[1]:
        return ""
    return f"is written for version {said} of the hooks, but this is {CURRENT}: newer features are missing; {_UPGRADE}"


def hint(hooks: object) -> str:
    """Return the hint for an unknown hook of a plugin written for a newer version, or ""."""
    said = str(getattr(hooks, "seqgen_api", CURRENT))
    if not newer_hint(said):
        return ""
    return f"; it is written for version {said} of the hooks, but this is {CURRENT}: {_UPGRADE}"


def compatible_releases(major: int) -> str:
    """Return the releases of seqgen with a major version of the hooks, as a pip requirement."""
    return "seqgen-lm>=0.1,<2" if major <= 1 else f"seqgen-lm>={major},<{major + 1}"


_UPGRADE = "pip install --upgrade seqgen-lm"

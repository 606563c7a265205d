"""Versions of the hooks: what a plugin says it is written for, beside what this program has."""

from __future__ import annotations

import re
from typing import Any

from seqgen.hookspecs import PLUGIN_API

CURRENT = ".".join(map(str, PLUGIN_API))
_SPELT = re.compile(r"(\d+)(?:\.(\d+))?")


def declared_version(hooks: object, distribution: str) -> str:
    """The version that a plugin's ``seqgen_api`` says, else that of this program.

    Args:
        hooks: the plugin.
        distribution: what it comes with, for the message.

    Raises:
        LookupError: it is written for another major version, or says something else than a version.
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
            f"it is written for version {said} of the hooks, this is {CURRENT}: "
            f"pip install {compatible_releases(major)!r}{newer}"
        )
    return spelt[0]


def newer_hint(said: str) -> str:
    """A clause on a plugin of a newer minor version, or ""."""
    minor = int(said.partition(".")[2] or 0)
    if minor <= PLUGIN_API[1]:
        return ""
    return f"is written for version {said} of the hooks, this is {CURRENT}: what came later is missing; {_UPGRADE}"


def hint(hooks: object) -> str:
    """A further way out where a hook is not known."""
    said = str(getattr(hooks, "seqgen_api", CURRENT))
    return f"; it is written for version {said} of the hooks, this is {CURRENT}: {_UPGRADE}" if newer_hint(said) else ""


def compatible_releases(major: int) -> str:
    """The versions of this program that have a major version of the hooks, as pip spells them."""
    return "seqgen-lm>=0.1,<2" if major <= 1 else f"seqgen-lm>={major},<{major + 1}"


_UPGRADE = "pip install --upgrade seqgen-lm"

"""Translation between SMILES and SELFIES, with the package selfies (arXiv:1905.13741)."""

from __future__ import annotations

import re
from typing import Any

import seqgen

MAY_BE_SELFIES = re.compile(r"(?:\[[^\[\]]+\]|\.)+")
"""Matches texts of bracketed groups and dots only."""


def need_selfies(what: str) -> None:
    """Raise an error if the package selfies is not installed; ``what`` needs it.

    Raises:
        MissingExtra: selfies is not installed.
    """
    try:
        import selfies  # noqa: F401
    except ImportError:
        raise seqgen.MissingExtra("chem", what) from None


def to_selfies(smiles: str) -> str | None:
    """Return the SELFIES of a SMILES string; None if selfies cannot encode it or is not installed."""
    return _translate("encoder", smiles)


def from_selfies(text: str) -> str | None:
    """Return the SMILES of a SELFIES string; None if selfies cannot decode it or is not installed."""
    return _translate("decoder", text)


def _translate(name: str, text: str) -> str | None:
    try:
        import selfies
    except ImportError:
        return None
    translate: Any = getattr(selfies, name)
    try:
        return translate(text) or None
    except Exception:  # selfies also leaks other errors, such as RecursionError
        return None


def is_selfies_symbol(piece: str) -> bool:
    """Return whether selfies knows a symbol such as ``[=Branch1]``."""
    try:
        import selfies

        selfies.decoder(piece)
    except Exception:  # its own error, or ImportError
        return False
    return True

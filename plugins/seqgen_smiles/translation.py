"""SMILES to SELFIES and back, by the package selfies (arXiv:1905.13741)."""

from __future__ import annotations

import re
from typing import Any

import seqgen

MAY_BE_SELFIES = re.compile(r"(?:\[[^\[\]]+\]|\.)+")
"""Bracket pieces and dots only."""


def need_selfies(what: str) -> None:
    """Complain if selfies is not installed.

    Raises:
        MissingExtra: it is not.
    """
    try:
        import selfies  # noqa: F401
    except ImportError:
        raise seqgen.MissingExtra("chem", what) from None


def to_selfies(smiles: str) -> str | None:
    """The SELFIES of a SMILES string; None where selfies cannot encode it, or is not installed."""
    return _translate("encoder", smiles)


def from_selfies(text: str) -> str | None:
    """The SMILES of a SELFIES string; None where selfies cannot decode it, or is not installed."""
    return _translate("decoder", text)


def _translate(name: str, text: str) -> str | None:
    try:
        import selfies
    except ImportError:
        return None
    translate: Any = getattr(selfies, name)
    try:
        return translate(text) or None
    except Exception:  # beside its own errors selfies lets some others out, such as RecursionError
        return None


def is_selfies_symbol(piece: str) -> bool:
    """Whether selfies knows a symbol such as ``[=Branch1]``."""
    try:
        import selfies

        selfies.decoder(piece)
    except Exception:  # its own error, or ImportError
        return False
    return True

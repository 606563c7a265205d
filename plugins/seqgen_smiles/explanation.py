"""Explanations of why a text is not a molecule; positions are 0-based characters."""

from __future__ import annotations

import re

from seqgen_smiles.molecules import LONGEST, parse
from seqgen_smiles.tokenizers import SmilesTokenizer
from seqgen_smiles.translation import MAY_BE_SELFIES, is_selfies_symbol

_ATOMS = frozenset(("Br", "Cl", *"BCNOPSFIbcnops*"))
_BONDS = frozenset("-=#$:/\\~")
_RING = re.compile(r"%?[0-9]+")


def explain_invalid(text: str) -> str:
    """Return why an invalid text cannot be parsed; "it cannot be parsed" if nothing more specific is known."""
    if not text:
        return "empty"
    if len(text) > LONGEST:
        return f"it has {len(text):,} characters, more than {LONGEST:,}"
    if parse(text, sanitize=False) is not None:
        return _chemistry(text)
    return _grammar(text) or ("it has no atoms" if MAY_BE_SELFIES.fullmatch(text) else "it cannot be parsed")


def _chemistry(smiles: str) -> str:
    """Return RDKit's first problem with a string that is grammatical SMILES."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        problems = Chem.DetectChemistryProblems(parse(smiles, sanitize=False))
    if not problems:
        return "it cannot be parsed"
    problem = problems[0]
    kind, message = str(problem.GetType()), str(problem.Message())
    if kind == "AtomValenceException" and (found := re.search(r"# (\d+) (\w+), (\d+)", message)):
        return f"atom {found[1]} ({found[2]}) has valence {found[3]}, which is too high"
    if kind == "AtomKekulizeException":
        return f"atom {problem.GetAtomIdx()} is aromatic but not in a ring"
    if kind == "KekulizeException":
        atoms = list(problem.GetAtomIndices())
        return f"the aromatic ring of atoms {', '.join(map(str, atoms[:6]))} cannot be kekulized"
    return message.splitlines()[0]


def _grammar(text: str) -> str:
    """Return the first error of SMILES grammar in a text, or what is left open at its end."""
    is_known = is_selfies_symbol if MAY_BE_SELFIES.fullmatch(text) else _is_atom
    branches: list[int] = []
    rings: dict[str, int] = {}
    before = ""  # "atom", "bond", "(", ")" or "."; a ring number counts as part of its atom
    for match in SmilesTokenizer.pattern.finditer(text):
        piece, at = match[0], match.start()
        if piece in _ATOMS or piece[:1] == "[" != piece:
            if piece[0] == "[" and not is_known(piece):
                return f"{piece!r} at position {at} is not an atom"
            before = "atom"
        elif problem := _misplaced(piece, before, at, bool(branches)):
            return problem
        elif _RING.fullmatch(piece):
            if rings.pop(piece, None) is None:
                rings[piece] = at
            before = "atom"
        elif piece == ")":
            branches.pop()
            before = ")"
        else:
            if piece == "(":
                branches.append(at)
            before = "bond" if piece in _BONDS else piece
    if branches:
        return f"the branch opened at position {branches[-1]} is not closed"
    if rings:
        ring, at = next(iter(rings.items()))
        return f"the ring {ring} opened at position {at} is not closed"
    return {"bond": "it ends with a bond", ".": "it ends with a dot"}.get(before, "")


def _is_atom(piece: str) -> bool:
    return parse(piece, sanitize=False) is not None


def _misplaced(piece: str, before: str, at: int, in_branch: bool) -> str:
    """Return why a token other than an atom cannot follow ``before``; "" if it can."""
    if piece == "[":
        return f"the bracket at position {at} is not closed"
    if piece == "]":
        return f"the bracket at position {at} was not opened"
    if piece == ")" and not in_branch:
        return f"the branch closed at position {at} was not opened"
    if not (piece in _BONDS or piece in "()." or _RING.fullmatch(piece)):
        return f"{piece!r} at position {at} is not a SMILES symbol"
    after_atom = before in ("atom", ")")
    ring_after_bond = before == "bond" and _RING.fullmatch(piece)
    bond_in_branch = before == "(" and piece in _BONDS
    if not (after_atom or ring_after_bond or bond_in_branch):
        return f"{piece!r} at position {at} does not follow an atom"
    return ""

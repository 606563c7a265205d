"""Finding plugins, guarding against them, and calling their hooks."""

from seqgen.plugins.builtin import Builtin
from seqgen.plugins.discovery import Candidate, entry_point_candidates, file_candidate, installed, origin_of
from seqgen.plugins.manager import Plugin, Plugins, Provenance
from seqgen.plugins.objects import hand_in, load_given
from seqgen.plugins.switches import in_use, using

__all__ = [
    "Builtin",
    "Candidate",
    "Plugin",
    "Plugins",
    "Provenance",
    "entry_point_candidates",
    "file_candidate",
    "hand_in",
    "in_use",
    "installed",
    "load_given",
    "origin_of",
    "using",
]

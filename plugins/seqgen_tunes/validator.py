"""Validator of tunes: a legal header, a body that parses, and complete bars."""

from __future__ import annotations

import seqgen
from seqgen_tunes.parser import read_tune


class AbcValidator:
    """Accepts tunes that follow the ABC music standard 2.1; bars are summed exactly."""

    def validate(self, text: str) -> seqgen.Verdict:
        """Return the verdict on a text; the reason gives the character, or the bar and its duration.

        The canonical form is the tune without whitespace and in canonical spelling, so that two texts with the same
        music have the same form.
        """
        tune = read_tune(text)
        if tune.problems:
            return seqgen.Verdict(False, tune.problems[0])
        return seqgen.Verdict(True, canonical=tune.canonical)

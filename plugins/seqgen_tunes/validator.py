"""Validator of tunes: a legal header, a body that parses, and complete bars."""

from __future__ import annotations

import seqgen
from seqgen_tunes.parser import read_tune


class AbcValidator:
    """Accepts tunes that follow the ABC music standard 2.1; bars are summed exactly."""

    def validate(self, text: str) -> seqgen.Verdict:
        """Return the verdict on a text; the reason gives the character, or the bar and its duration.

        The canonical form is the tune without whitespace and in canonical spelling. Two texts have the same form if
        they differ in layout, titles and other ignored fields, and in the spelling of metre, key, bar lines, octaves
        and lengths. Texts of the same music have different forms if they differ in anything else: a bar line at the
        end, the unit note length, the order of the notes of a chord, chord names, "(3" and "(3:2:3", "A>B" and
        "A3/2B/".
        """
        tune = read_tune(text)
        if tune.problems:
            return seqgen.Verdict(False, tune.problems[0])
        return seqgen.Verdict(True, canonical=tune.canonical)

"""Says whether a text is a tune: a legal header, a body that parses, and bars that fill their metre."""

from __future__ import annotations

import seqgen
from seqgen_tunes.reading import read_tune


class AbcValidator:
    """Judges by the ABC music standard 2.1; bars are summed exactly, as fractions of a whole note."""

    def validate(self, text: str) -> seqgen.Verdict:
        """The verdict; the reason names the character, or the bar and its sum.

        The canonical form is the tune without blanks and line ends, everything spelled in one way, so that two texts
        are equal if they say the same music.
        """
        tune = read_tune(text)
        if tune.problems:
            return seqgen.Verdict(False, tune.problems[0])
        return seqgen.Verdict(True, canonical=tune.canonical)

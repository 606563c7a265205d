"""Shows tunes: on a terminal, as a picture, as MIDI."""

from __future__ import annotations

from collections.abc import Sequence

import seqgen
from seqgen_tunes.terminal import TerminalTune


class AbcRenderer:
    """The text over a piano roll; ``draw`` makes a picture of piano rolls, or a MIDI file."""

    suffixes = (".png", ".mid")

    def __call__(self, text: str) -> TerminalTune:
        """Something that rich can print, of any text."""
        return TerminalTune(text)

    def draw(self, texts: Sequence[str], suffix: str) -> bytes:
        """The content of a file with tunes one after another; of a text that is no tune, what can be read.

        Raises:
            MissingExtra: Pillow or mido is not installed.
            UsageError: there is no such kind of file.
        """
        if suffix == ".png":
            from seqgen_tunes.drawing import draw_png

            return draw_png(texts)
        if suffix == ".mid":
            from seqgen_tunes.midi import write_midi

            return write_midi(texts)
        raise seqgen.UsageError(f"cannot draw tunes as {suffix!r}; known: {', '.join(self.suffixes)}")

"""Renderer of tunes for the terminal, as pictures and as MIDI."""

from __future__ import annotations

from collections.abc import Sequence

import seqgen
from seqgen_tunes.terminal import TerminalTune


class AbcRenderer:
    """Renders a tune as text and a piano roll; ``draw`` makes piano rolls, a MIDI file or a tune book."""

    suffixes = (".png", ".mid", ".abc")

    def __call__(self, text: str) -> TerminalTune:
        """Return a rich renderable of any text."""
        return TerminalTune(text)

    def draw(self, texts: Sequence[str], suffix: str) -> bytes:
        """Return the content of a picture, MIDI file or tune book with all tunes; of an invalid one, the legible part.

        Raises:
            MissingExtra: Pillow or mido is not installed.
            UsageError: ``suffix`` is not supported.
        """
        if suffix == ".png":
            from seqgen_tunes.png import draw_png

            return draw_png(texts)
        if suffix == ".mid":
            from seqgen_tunes.midi import write_midi

            return write_midi(texts)
        if suffix == ".abc":
            numbered = enumerate(texts, 1)
            book = "\n".join(f"X:{number}\nT:Tune {number}\n{text}\n" for number, text in numbered)
            return book.encode("utf-8", "replace")
        raise seqgen.UsageError(f"cannot draw tunes as {suffix!r}: use one of {', '.join(self.suffixes)}")

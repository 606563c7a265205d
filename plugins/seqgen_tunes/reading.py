"""Reads a tune: from text to events, with everything that is wrong in it."""

from __future__ import annotations

import re
from functools import lru_cache

from seqgen_tunes.barlines import read_barline
from seqgen_tunes.filling import unfilled
from seqgen_tunes.header import read_header
from seqgen_tunes.keys import read_key
from seqgen_tunes.metres import WHOLE, Metre, read_metre, read_unit, unit_text
from seqgen_tunes.playing import Player
from seqgen_tunes.tune import Tune
from seqgen_tunes.words import KINDS, NOTE, words

_FREE = Metre("none", 4, 4, None)
_PASSED_OVER = set("HINOPQRSTWrsw")
_GRACE = re.compile(rf"\{{/?(?:{NOTE}|[<>() -])*\}}")


class Reader(Player):
    """Follows the words of a body. A method for every kind of word, named after it."""

    def bar(self, text: str) -> None:
        """``|``, ``:|2``, ``[1``, ..."""
        line = read_barline(text)
        if line is None:
            self.wrong(f"{text} is no bar line")
            return
        self.wrong(self.rhythm.open())
        self.wrong(self.bars.line(line))
        self.pitcher.accidentals.clear()
        self.last = None

    def inline(self, text: str) -> None:
        """``[K:Am]``."""
        self._field(text[1], text[3:-1])

    def field(self, text: str) -> None:
        """A field as a line of its own."""
        self._field(text[0], text[2:])

    def _field(self, letter: str, value: str) -> None:
        value = value.strip()
        if letter == "M" and (metre := read_metre(value)):
            self.bars.change_metre(metre)
        elif letter == "L" and (unit := read_unit(value)):
            self.rhythm.unit = unit
        elif letter == "K" and (key := read_key(value)):
            self.pitcher.key, value = key, key.text
            self.tune.keys.append((self.bars.at, key))
        else:
            if letter not in _PASSED_OVER:
                self.wrong(f"the field {letter + ':' + value[:20]!r}")
            return
        self.bars.spelled.append(f"[{letter}:{value}]")

    def grace(self, text: str) -> None:
        """``{cd}``, which takes no time."""
        self.keep(text.replace(" ", ""))
        if not _GRACE.fullmatch(text) or not any(character.isalpha() for character in text):
            self.wrong(f"{text[:20]!r} are no grace notes")

    def slur(self, text: str) -> None:
        """``(`` and ``)``."""
        self.keep(text)
        if text == "(":
            self.slurs.append(len(self.tune.notes))
        elif not self.slurs:
            self.wrong("the end of a slur that did not start")
        elif self.slurs.pop() == len(self.tune.notes):
            self.wrong("a slur around no notes")

    def keep(self, text: str) -> None:
        """Text that takes no time: ``"Am"``, ``!trill!``, ``~``."""
        self.bars.spelled.append(text)

    quoted = mark = keep

    def blank(self, text: str) -> None:
        """Layout."""

    def other(self, text: str) -> None:
        """A character that ABC does not know."""
        self.wrong(f"{text!r} stands for nothing")

    def read(self, text: str, start: int) -> None:
        """Take every word from a position on."""
        take = {kind: getattr(self, kind) for kind in KINDS}
        for kind, word, self.place in words(text, start):
            take[kind](word)
        self.place = len(text)

    def finish(self) -> None:
        """The text ends."""
        self.wrong(self.rhythm.open())
        self.wrong("a tie without its second note" if self.tied else "")
        self.wrong("a slur that does not end" if self.slurs else "")
        self.wrong("" if any(note.pitches for note in self.tune.notes) else "no notes")
        body = self.bars.finish()
        tune, self.tune.bars = self.tune, self.bars.done
        if tune.metre and tune.key and tune.unit:
            tune.canonical = f"M:{tune.metre.text}\nL:{unit_text(tune.unit)}\nK:{tune.key.text}\n{body}"
        for bar, what in unfilled(tune.bars):
            tune.problems.append(what)
            tune.wrong.append(bar)


@lru_cache(maxsize=64)
def read_tune(text: str) -> Tune:
    """The events of a text, and what is wrong with it; never raises, and nobody may change what it gives."""
    tune = Tune()
    start = read_header(text, tune)
    if tune.key:
        tune.keys.append((0, tune.key))
    reader = Reader(tune, tune.metre or _FREE, tune.unit or WHOLE // 8)
    reader.read(text, start)
    reader.finish()
    return tune

"""Parser of ABC: from text to timed events and a list of problems."""

from __future__ import annotations

import re
from functools import lru_cache

from seqgen_tunes.bar_check import check_bars
from seqgen_tunes.barlines import read_barline
from seqgen_tunes.header import read_header
from seqgen_tunes.keys import read_key
from seqgen_tunes.lexer import KINDS, NOTE, lex
from seqgen_tunes.metres import WHOLE, Metre, read_metre, read_unit, unit_text
from seqgen_tunes.note_handler import NoteHandler
from seqgen_tunes.tune import Tune

_FREE = Metre("none", 4, 4, None)
_IGNORED_FIELDS = set("HINOPQRSTWrsw")
_GRACE = re.compile(rf"\{{/?(?:{NOTE}|[<>() -])*\}}")


class Parser(NoteHandler):
    """Handles the tokens of a tune's body; the method for each kind of token has its name."""

    def bar(self, text: str) -> None:
        """Handle a bar line: ``|``, ``:|2``, ``[1``, ..."""
        line = read_barline(text)
        if line is None:
            self.wrong(f"{text} is not a bar line")
            return
        self.wrong(self.rhythm.close())
        self.wrong(self.bars.line(line))
        self.pitches.accidentals.clear()
        self.last = None

    def inline(self, text: str) -> None:
        """Handle an inline field, ``[K:Am]``."""
        self._field(text[1], text[3:-1])

    def field(self, text: str) -> None:
        """Handle a field on its own line."""
        self._field(text[0], text[2:])

    def _field(self, letter: str, value: str) -> None:
        value = value.strip()
        if letter == "M" and (metre := read_metre(value)):
            self.bars.change_metre(metre)
        elif letter == "L" and (unit := read_unit(value)):
            self.rhythm.unit = unit
        elif letter == "K" and (key := read_key(value)):
            self.pitches.key, value = key, key.text
            self.tune.keys.append((self.bars.at, key))
        else:
            if letter not in _IGNORED_FIELDS:
                self.wrong(f"illegal field {letter + ':' + value[:20]!r}")
            return
        self.bars.spelled.append(f"[{letter}:{value}]")

    def grace(self, text: str) -> None:
        """Handle grace notes, ``{cd}``, which take no time."""
        self.keep(text.replace(" ", ""))
        if not _GRACE.fullmatch(text) or not any(character.isalpha() for character in text):
            self.wrong(f"{text[:20]!r} are not grace notes")

    def slur(self, text: str) -> None:
        """Handle the start or end of a slur, ``(`` or ``)``."""
        self.keep(text)
        if text == "(":
            self.slurs.append(len(self.tune.notes))
        elif not self.slurs:
            self.wrong("the end of a slur that was not started")
        elif self.slurs.pop() == len(self.tune.notes):
            self.wrong("a slur around no notes")

    def keep(self, text: str) -> None:
        """Keep a token that takes no time: ``"Am"``, ``!trill!``, ``~``."""
        self.bars.spelled.append(text)

    quoted = mark = keep

    def blank(self, text: str) -> None:
        """Ignore whitespace."""

    def other(self, text: str) -> None:
        """Report a character that has no meaning in ABC."""
        self.wrong(f"{text!r} has no meaning in ABC")

    def read(self, text: str, start: int) -> None:
        """Handle all tokens from a position on."""
        handlers = {kind: getattr(self, kind) for kind in KINDS}
        for kind, token, self.place in lex(text, start):
            handlers[kind](token)
        self.place = len(text)

    def finish(self) -> None:
        """Complete the tune at the end of the text."""
        self.wrong(self.rhythm.close())
        self.wrong("a tie without its second note" if self.tied else "")
        self.wrong("a slur that is not ended" if self.slurs else "")
        self.wrong("" if any(note.pitches for note in self.tune.notes) else "no notes")
        body = self.bars.finish()
        tune, self.tune.bars = self.tune, self.bars.done
        if tune.metre and tune.key and tune.unit:
            tune.canonical = f"M:{tune.metre.text}\nL:{unit_text(tune.unit)}\nK:{tune.key.text}\n{body}"
        for bar, what in check_bars(tune.bars):
            tune.problems.append(what)
            tune.wrong.append(bar)


@lru_cache(maxsize=64)
def read_tune(text: str) -> Tune:
    """Parse a text; never raises. The result is cached, so callers must not modify it."""
    tune = Tune()
    start = read_header(text, tune)
    if tune.key:
        tune.keys.append((0, tune.key))
    parser = Parser(tune, tune.metre or _FREE, tune.unit or WHOLE // 8)
    parser.read(text, start)
    parser.finish()
    return tune

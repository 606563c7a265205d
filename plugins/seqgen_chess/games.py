"""A reader of chess games in PGN: movetext as text, without comments and variations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import Field

import seqgen

NO_MOVES = "games without moves skipped"
_START = re.compile(rb'(?:%.*\n|[^\S\n]*\n)*\[[A-Z]\w* "[^"\n]*"\][^\S\n]*\n\s*(?:\[|\d|\{)')
_TAG = re.compile(r'\[\s*(\w+)\s+"((?:[^"\\]|\\.)*)"\s*\]')
_TOKEN = re.compile(r"\{|\}|\(|\)|;|<[^>]*>|\$\d*|1-0|0-1|1/2-1/2|\*|\d+\.+|\d+(?![-/\d])|[^\s{}();<>$*]+|\s+|.")
_RESULTS = ("1-0", "0-1", "1/2-1/2", "*")
_MOVE = re.compile(r"(?:[KQRBN]?[a-h]?[1-8]?[x-]?[a-h][1-8](?:=?[QRBN])?|O-O(?:-O)?|0-0(?:-0)?|Z0|--)[+#]*[!?]*")
_NUMBER = re.compile(r"([0-9]{1,6})\.*")  # of a move
_MARKS = re.compile(r"[!?]+$")


def is_pgn(name: str, start: bytes) -> bool:
    """Return whether a file starts with a tag pair of PGN."""
    return _START.match(start) is not None


class PgnReader:
    """The games of a PGN file: a text is the moves, such as "1. e4 e5 2. Nf3 1-0", a field each of its tags.

    Comments, variations and annotations are left out, and so are lines that start with %. The label is the tag Result,
    except for "*".

    Args:
        numbers: whether the numbers of moves are kept.
        result: whether the text ends with the result.

    Attributes:
        counts: how many games have no moves.
    """

    def __init__(
        self,
        *,
        numbers: Annotated[bool, Field(description="keep the numbers of moves: 1. e4 e5 2. Nf3")] = True,
        result: Annotated[bool, Field(description="end each text with the result: 1-0, 0-1, 1/2-1/2 or *")] = True,
    ) -> None:
        self._numbers, self._result, self.counts = numbers, result, Counter[str]()

    def read(self, lines: Iterable[str]) -> Iterator[seqgen.Record]:
        """Yield the games.

        Raises:
            CorpusError: the movetext is not as the standard has it.
        """
        game = _Game()
        for line in lines:
            if line.startswith("%"):
                continue
            tag = None if game.is_commented else _TAG.fullmatch(line.strip())
            if tag is None:
                for _ in game.read(line):
                    yield from self._record(game)
                    game = _Game()
                continue
            if game.moves:  # without a result before the tags of the next
                yield from self._record(game)
                game = _Game()
            game.tags[tag[1]] = re.sub(r"\\(.)", r"\1", tag[2])
        if game.is_commented:
            raise seqgen.CorpusError("the file ends within a comment or variation")
        if game.moves or game.tags:
            yield from self._record(game)

    def _record(self, game: _Game) -> Iterator[seqgen.Record]:
        if not game.moves:
            self.counts[NO_MOVES] += 1
            return
        words = list[str]()
        for n, move in enumerate(game.moves, game.first):
            if self._numbers and (n % 2 == 0 or not words):
                words.append(f"{n // 2 + 1}." if n % 2 == 0 else f"{n // 2 + 1}...")
            words.append(move)
        result = game.result or game.tags.get("Result", "*")
        label = result if result in _RESULTS[:3] else None
        fields = {name: value for name, value in game.tags.items() if value not in ("", "?", "????.??.??")}
        yield seqgen.Record(" ".join([*words, *([result] * self._result)]), label, fields)


class _Game:
    """The game being read.

    Attributes:
        tags: its tag pairs.
        moves: its moves in SAN.
        first: the number of its first move by White or Black, from 0; odd if Black begins.
        result: the result at its end; "" if none was read.
    """

    def __init__(self) -> None:
        self.tags, self.moves, self.first, self.result = dict[str, str](), list[str](), 0, ""
        self._in_comment, self._depth = False, 0

    @property
    def is_commented(self) -> bool:
        """Return whether the text read so far ends within a comment or variation."""
        return self._in_comment or self._depth > 0

    def read(self, line: str) -> Iterator[None]:
        """Read a line of movetext, and yield where the game ends.

        Raises:
            CorpusError: there is something that is neither a move nor a comment.
        """
        for piece in _TOKEN.findall(line):
            if self._in_comment:
                self._in_comment = piece != "}"
            elif piece == ";":
                return
            elif piece == "{":
                self._in_comment = True
            elif piece in "()":
                self._depth += 1 if piece == "(" else -1
                if self._depth < 0:
                    raise seqgen.CorpusError("a variation is closed that is not open")
            elif not self._depth and self._ends(piece):
                yield
                return

    def _ends(self, piece: str) -> bool:
        if piece in _RESULTS:
            self.result = piece
            return True
        if number := _NUMBER.fullmatch(piece):
            if not self.moves:
                self.first = 2 * (int(number[1]) - 1) + piece.endswith("...")
        elif not piece.isspace() and piece[0] not in "$<!?" and piece != "e.p.":
            if _MOVE.fullmatch(piece) is None:
                raise seqgen.CorpusError(f"{piece[:40]!r} is no move")
            move = _MARKS.sub("", piece)
            self.moves.append(move.replace("0", "O") if move.startswith("0-0") else move)
        return False

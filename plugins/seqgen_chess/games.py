"""A reader of chess games in PGN: movetext as text, without comments and variations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import Field

import seqgen

NO_MOVES = "games without moves skipped"
_START = re.compile(rb'(?:%.*\n|[^\S\n]*\n)*(?:\[[A-Z]\w* "[^"\n]*"\][^\S\n]*)+\n\s*(?:\[|\d|\{)')
_TAG = re.compile(r'\[\s*(\w+)\s+"((?:[^"\\]|\\.)*)"\s*\]')
_LINE_TAG = re.compile(r'\[\s*(\w+)\s+"((?:(?!"\s*\]\s*\[).)*)"\s*\]\s*$')  # with quotes that are not escaped
_TOKEN = re.compile(r"\{|\}|\(|\)|;|<[^>]*>|\$\d*|1-0|0-1|1/2-1/2|\*|\d+\.+|\d+(?![-/\d])|\.+|[^\s{}();<>$*]+|\s+|.")
_RESULTS = ("1-0", "0-1", "1/2-1/2", "*")
_MOVE = re.compile(r"(?:[KQRBN]?[a-h]?[1-8]?[x-]?[a-h][1-8](?:=?[QRBN]|e\.p\.)?|O-O(?:-O)?|0-0(?:-0)?|Z0|--)[+#]*[!?]*")
_NUMBER = re.compile(r"([0-9]{1,6})\.*")  # of a move
_MARKS = re.compile(r"[!?]+$")


def is_pgn(name: str, start: bytes) -> bool:
    """Return whether a file starts with a tag pair of PGN."""
    return _START.match(start) is not None


class PgnReader:
    """The games of a PGN file: a text is the moves, such as "1. e4 e5 2. Nf3 1-0", a field each of its tags.

    Comments, variations and annotations are left out, and so are lines that start with %. The label is the tag Result,
    except for "*". Of a tag given twice in one header the first value is kept.

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
            CorpusError: the movetext is not as the standard has it, or a comment or variation goes on into the tags of
                the next game.
        """
        game, movetext = _Game(), _Movetext()
        for line in lines:
            if line.startswith("%") and not movetext.in_comment:
                continue
            if movetext.is_commented and _LINE_TAG.match(line):  # else what follows would be moves of the game before
                raise seqgen.CorpusError(f"{line[:40]!r} stands within a comment or variation that is not closed")
            if not line.strip() and not movetext.is_commented:
                game.has_header = bool(game.tags)
            for token in movetext.tokens(line):
                is_tag = token.re is not _TOKEN
                if is_tag and game.is_before(token[1]):
                    yield from self._record(game)
                    game = _Game()
                if is_tag:
                    game.tags.setdefault(token[1], re.sub(r"\\(.)", r"\1", token[2]))
                elif game.ends(token[0]):
                    yield from self._record(game)
                    game = _Game()
        if movetext.is_commented:
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


class _Movetext:
    """The text read so far, of all games: whether it ends within a comment or variation.

    Attributes:
        in_comment: whether it ends within a comment in braces.
    """

    def __init__(self) -> None:
        self.in_comment, self._depth = False, 0

    @property
    def is_commented(self) -> bool:
        """Return whether the text read so far ends within a comment or variation."""
        return self.in_comment or self._depth > 0

    def tokens(self, line: str) -> Iterator[re.Match[str]]:
        """Yield the tag pairs and tokens of a line, each as the match of its pattern, without comments and variations.

        Raises:
            CorpusError: a variation is closed that is not open.
        """
        at = 0
        while at < len(line):
            if self.in_comment:
                at = line.find("}", at) + 1
                self.in_comment = at == 0
                if self.in_comment:
                    return
                continue
            token = None
            if line[at] == "[" and not self._depth:
                token = _TAG.match(line, at) or (None if line[:at].strip() else _LINE_TAG.match(line, at))
            token = token or _TOKEN.match(line, at)
            assert token is not None
            at = token.end()
            if token[0] == ";":
                return
            if token[0] == "{":
                self.in_comment = True
            elif token[0] in ("(", ")"):
                self._depth += 1 if token[0] == "(" else -1
                if self._depth < 0:
                    raise seqgen.CorpusError("a variation is closed that is not open")
            elif not self._depth:
                yield token


class _Game:
    """The game being read.

    Attributes:
        tags: its tag pairs.
        moves: its moves in SAN.
        first: the number of its first move by White or Black, from 0; odd if Black begins.
        result: the result at its end; "" if none was read.
        has_header: whether a blank line ended its tags.
    """

    def __init__(self) -> None:
        self.tags, self.moves, self.first, self.result = dict[str, str](), list[str](), 0, ""
        self.has_header = False

    def is_before(self, tag: str) -> bool:
        """Return whether a tag is of the next game, which needs no result before it."""
        return bool(self.moves) or (self.has_header and tag in self.tags)

    def ends(self, piece: str) -> bool:
        """Add a piece of the movetext, and return whether it is the result, with which the game ends.

        Raises:
            CorpusError: it is no part of movetext.
        """
        if piece in _RESULTS:
            self.result = piece
            return True
        if number := _NUMBER.fullmatch(piece):
            if not self.moves:
                self.first = 2 * (int(number[1]) - 1) + piece.endswith("...")
        elif piece[0] == ".":  # apart from the number: "1 . e4", "1. ... e5"
            if not self.moves and len(piece) > 1:
                self.first |= 1
        elif not piece.isspace() and piece[0] not in "$<!?" and piece != "e.p.":
            if _MOVE.fullmatch(piece) is None:
                raise seqgen.CorpusError(f"{piece[:40]!r} is no move")
            move = _MARKS.sub("", piece).replace("e.p.", "")
            self.moves.append(move.replace("0", "O") if move.startswith("0-0") else move)
        return False

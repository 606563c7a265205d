"""The items of one JSON array, read in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

_decode = json.JSONDecoder().raw_decode


class JsonArray:
    """The items of an array, each with the line that it begins in; iterated once.

    Args:
        blocks: the text in pieces of any size.
        limit: the longest item allowed, in characters.
        problem: makes an error of a line number and a reason.
    """

    def __init__(self, blocks: Iterator[str], limit: int, problem: Callable[[int, str], Exception]) -> None:
        self._blocks, self._limit, self._problem = blocks, limit, problem
        self._text, self._at, self._line = "", 0, 1

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        """Iterate over (line, value).

        Raises:
            Exception: what ``problem`` makes, if it is not one array, or an item is too long.
        """
        self._expect("[", "an array must begin with [")
        if self._next() == "]":
            self._at += 1
        else:
            while True:
                yield self._item()
                if self._next() != ",":
                    break
                self._at += 1
            self._expect("]", "expected a comma or ] after an item")
        if found := self._next():
            raise self._problem(self._line, f"{found!r} after the end of the array")

    def _expect(self, character: str, reason: str) -> None:
        found = self._next()
        if found != character:
            raise self._problem(self._line, f"{reason}, found {found!r}" if found else "the array is not closed")
        self._at += 1

    def _next(self) -> str:
        """Move to the next character that is not white space, and return it; "" at the end."""
        while True:
            rest = self._text[self._at : self._at + 64].lstrip()
            if rest:
                self._move(self._text.index(rest[0], self._at))
                return rest[0]
            self._move(min(self._at + 64, len(self._text)))
            if self._at == len(self._text) and not self._fill(1):
                return ""

    def _move(self, to: int) -> None:
        self._line += self._text.count("\n", self._at, to)
        self._at = to

    def _fill(self, least: int) -> bool:
        """Add at least so many characters to the text, dropping what is read; return whether there were any."""
        added, size = list[str](), 0
        while size < least and (block := next(self._blocks, "")):
            added.append(block)
            size += len(block)
        self._text, self._at = "".join((self._text[self._at :], *added)), 0
        return bool(size)

    def _item(self) -> tuple[int, Any]:
        self._next()
        while True:
            have = len(self._text) - self._at
            try:
                value, end = _decode(self._text, self._at)
                size = end - self._at
                if size < have or not self._fill(have):  # a number may go on in the next block
                    break
            except RecursionError:
                raise self._problem(self._line, "a value is nested too deeply") from None
            except json.JSONDecodeError as error:
                wrong = error.pos - self._at
                if have <= self._limit and self._fill(have + 1):
                    continue
                if have > self._limit and (wrong >= have - 1 or error.msg.startswith("Unterminated string")):
                    raise self._too_long() from None
                line = self._line + self._text.count("\n", self._at, self._at + wrong)
                raise self._problem(line, f"not JSON: {error.msg}") from None
            except ValueError:  # more digits than Python reads
                raise self._problem(self._line, "not JSON: a number has too many digits") from None
        if size > self._limit:
            raise self._too_long()
        found = self._line, value
        self._move(self._at + size)
        return found

    def _too_long(self) -> Exception:
        hint = "-o corpus.max_line_chars=N allows longer ones"
        return self._problem(self._line, f"an item longer than {self._limit} characters begins here; {hint}")

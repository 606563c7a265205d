"""The items of one JSON array, read in bounded memory, and the messages on text that is not JSON."""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from seqgen.errors import short_repr, shortened


class RepeatedName(ValueError):
    """An object that gives a name twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        name = next(name for name, n in Counter(name for name, _ in pairs).items() if n > 1)
        raise RepeatedName(f"an object gives {short_repr(name)} twice; give each name one value")
    return found


DECODER = json.JSONDecoder(object_pairs_hook=_object)
"""A decoder of JSON that refuses an object with a name given twice; a new one takes longer than a line."""
_SHOWN = 30  # characters of what is wrong
_STRINGS = "strings stand in double quotes"
_PLAIN = "; if this is plain text, -o corpus.form=text reads its lines"
_HINTS = {  # by the beginning of the decoder's message
    "Expecting value": _STRINGS + _PLAIN,
    "Expecting property name": "names stand in double quotes",
    "Expecting ':'": "a colon is missing before it",
    "Expecting ','": "a comma is missing before it, or a backslash before a quote inside a string",
    "Extra data": "one value ends before it: write one in each line" + _PLAIN,
    "Invalid control": "inside a string, write a line end as \\n and a tab as \\t",
    "Invalid \\": "inside a string, write each backslash twice",
}


def explain(error: json.JSONDecodeError, whole: str, start: int = 0) -> str:
    """Return what is wrong with a text that is not JSON, and what to do.

    Args:
        error: the decoder's.
        whole: what the text reaches to the end of: "file" or "line".
        start: where its value begins.
    """
    seen, before = error.doc[error.pos :].strip(), error.doc[start : error.pos].rstrip()[-1:]
    shown = repr(shortened(seen.partition("\n")[0], _SHOWN))
    if error.msg.startswith("Unterminated string"):
        return f"not JSON: {shown} is a string that is not closed: the {whole} may be cut off, or lack a quote"
    if not seen:
        way = "save it again" if whole == "file" else "write each value in one line"
        return f"not JSON: the {whole} ends inside an array or object, and may be cut off; {way}"
    if error.msg.startswith("Illegal trailing comma") or (
        seen[0] in "]}" and before in (("", ",") if whole == "file" else (",",))
    ):
        return f"not JSON: a comma stands before {seen.lstrip(', ' + string.whitespace)[:1]!r}; remove it"
    if seen[0] in "]},:" and error.msg.startswith("Expecting value"):
        return f"not JSON: a value is missing before {shown}"
    if error.msg.startswith("Invalid control"):
        shown = repr(error.doc[max(start, error.pos + 1 - _SHOWN) : error.pos + 1])
    if seen[0] == "\ufeff":  # of files joined by cat
        return "not JSON: a byte order mark (U+FEFF) stands before it; remove it"
    if seen[0] == "'":
        return f"not JSON: {shown}; {_STRINGS}"
    if re.match(r"(None|True|False)\b", seen):
        return f"not JSON: {shown}; write null, true or false"
    if error.msg.startswith("Extra data") and seen == ",":
        return f"not JSON: a comma stands at the end of the {whole}; remove it"
    hint = next((hint for begin, hint in _HINTS.items() if error.msg.startswith(begin)), "")
    return f"not JSON: {shown}; {hint or error.msg}"


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
            ended = "the array is not closed: the file may be cut off; save it again"
            raise self._problem(self._line, f"{reason}, found {found!r}" if found else ended)
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
                value, end = DECODER.raw_decode(self._text, self._at)
                size, behind = end - self._at, self._text[end : end + 3]
                if behind.strip(".eE+-") or not self._fill(have):  # "1.5e+3" may go on in the next block
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
                raise self._problem(line, explain(error, "file", error.pos - wrong)) from None
            except RepeatedName as error:
                raise self._problem(self._line, str(error)) from None
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

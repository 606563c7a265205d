"""Cutting a text into pieces that join to it again."""

from __future__ import annotations

import re
import sys
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain, groupby

import seqgen

_LETTER = r"[^\W\d_]"


@cache
def word_pattern() -> str:
    r"""Words with inner apostrophes, and runs of digits; a letter may carry combining marks.

    Python's ``\w`` has no marks, yet Hindi is not written without them and an accent may be one; so they are spelled
    out, as this Python knows them. They begin at U+0300: what lies below is passed by without looking through them.
    """
    marks = f"(?=[^\\x00-\\u02ff])[{''.join(_mark_ranges())}]+"
    return rf"{_LETTER}+(?:(?:['’](?={_LETTER})|{marks}){_LETTER}*)*|\d+"


def _mark_ranges() -> Iterator[str]:
    codes = range(0x300, sys.maxunicode + 1)
    for is_mark, run in groupby(codes, lambda code: unicodedata.category(chr(code))[0] == "M"):
        if is_mark:
            first, *rest = run
            yield f"\\U{first:08x}-\\U{(rest or [first])[-1]:08x}"


class Cutter:
    """Cuts a text into the matches of a pattern, and what lies between them into single characters.

    No piece is empty, and the pieces of a text join to it.

    Args:
        pattern: a regular expression; None: words and numbers.

    Attributes:
        pattern: the regular expression.

    Raises:
        BadOption: the pattern is no regular expression.
    """

    def __init__(self, pattern: str | None = None) -> None:
        self.pattern = word_pattern() if pattern is None else pattern
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                verbose = re.compile(self.pattern).flags & re.VERBOSE  # a comment there ends with the line
                self._either = re.compile(self.pattern + ("\n" if verbose else "") + "|(?s:.)")
        except (re.error, OverflowError, RecursionError) as error:
            raise seqgen.BadOption(f"option 'pattern' of tokenizer word: {error}, not {pattern!r}") from None

    def __call__(self, text: str) -> list[str]:
        """The pieces of a text."""
        if self._either.groups:  # findall would give the groups
            return [match[0] for match in self._either.finditer(text) if match[0]]
        return list(filter(None, self._either.findall(text)))  # a pattern may match nothing

    def count(self, texts: Iterable[str]) -> Counter[str]:
        """How often each piece stands in the texts."""
        return Counter(chain.from_iterable(map(self, texts)))


def frequent(counts: Counter[str], at_least: int, most: int) -> list[str]:
    """The pieces of several characters that were counted often, the most frequent first, ties by code point.

    Args:
        counts: of pieces.
        at_least: rarer ones are left out.
        most: how many at most.
    """
    found = [piece for piece, n in counts.items() if n >= at_least and len(piece) > 1]
    return sorted(found, key=lambda piece: (-counts[piece], piece))[:most]

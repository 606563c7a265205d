"""Splitting of texts into words and single characters."""

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
    r"""Return a pattern of words with inner apostrophes, and of runs of digits; letters may carry combining marks.

    Python's ``\w`` does not match combining marks, which Hindi needs and which accents may be; so they are listed
    explicitly, as this Python's Unicode database has them. They start at U+0300, so a lookahead skips characters below.
    """
    marks = f"(?=[^\\x00-\\u02ff])[{''.join(_mark_ranges())}]+"
    return rf"{_LETTER}+(?:(?:['’](?={_LETTER})|{marks}){_LETTER}*)*|\d+"


def _mark_ranges() -> Iterator[str]:
    codes = range(0x300, sys.maxunicode + 1)
    for is_mark, run in groupby(codes, lambda code: unicodedata.category(chr(code))[0] == "M"):
        if is_mark:
            first, *rest = run
            yield f"\\U{first:08x}-\\U{(rest or [first])[-1]:08x}"


class WordSplitter:
    """Splits a text into the matches of a pattern and, between them, single characters.

    No piece is empty, and the pieces of a text join to the text.

    Args:
        pattern: a regular expression; None: words and numbers.

    Attributes:
        pattern: the regular expression.

    Raises:
        BadOption: the pattern is not a valid regular expression.
    """

    def __init__(self, pattern: str | None = None) -> None:
        self.pattern = word_pattern() if pattern is None else pattern
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                verbose = re.compile(self.pattern).flags & re.VERBOSE  # a comment ends with the line
                self._either = re.compile(self.pattern + ("\n" if verbose else "") + "|(?s:.)")
        except (re.error, OverflowError, RecursionError) as error:
            raise seqgen.BadOption(f"option 'pattern' of tokenizer word: {error}, not {pattern!r}") from None

    def __call__(self, text: str) -> list[str]:
        """Return the pieces of a text."""
        if self._either.groups:  # findall would return the groups
            return [match[0] for match in self._either.finditer(text) if match[0]]
        return list(filter(None, self._either.findall(text)))  # a pattern may match the empty string

    def count(self, texts: Iterable[str]) -> Counter[str]:
        """Return the number of occurrences of each piece in the texts."""
        return Counter(chain.from_iterable(map(self, texts)))


def frequent_words(counts: Counter[str], at_least: int, most: int) -> list[str]:
    """Return the most frequent pieces of several characters, in falling order, ties by code point.

    Args:
        counts: occurrences of each piece.
        at_least: minimum number of occurrences.
        most: maximum number of pieces.
    """
    found = [piece for piece, n in counts.items() if n >= at_least and len(piece) > 1]
    return sorted(found, key=lambda piece: (-counts[piece], piece))[:most]

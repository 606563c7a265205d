"""Cutting blocks of text at line ends, in linear time."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

_RUN = "\n" * 64
_RUNS = re.compile("(?<=\n)(\n{63,})")


def whole_lines(blocks: Iterable[str], most: int) -> Iterator[str]:
    """Yield the blocks cut so that each piece ends with a line end.

    The last piece may lack it, and so does a piece of a line that is longer than ``most`` characters.

    Args:
        blocks: a text with LF as line ends, in pieces of any size.
        most: the number of characters beyond which a line is no longer buffered.
    """
    begun, size = list[str](), 0  # of the line that is still open
    for block in blocks:
        cut = block.rfind("\n") + 1
        if cut:
            yield "".join((*begun, block[:cut]))
            begun, size = [], 0
        begun.append(block[cut:])
        size += len(block) - cut
        if size > most:
            yield "".join(begun)
            begun, size = [], 0
    if size:
        yield "".join(begun)


def without_runs(pieces: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield the pieces without long runs of empty lines, each with the number of empty lines that follow it.

    A gigabyte of line ends fits into a gzipped file of a megabyte, and a line costs more time than a character.
    """
    for piece in pieces:
        if _RUN not in piece:
            yield piece, 0
            continue
        texts = _RUNS.split(piece)
        for text, run in itertools.zip_longest(texts[::2], texts[1::2], fillvalue=""):
            yield text, len(run)

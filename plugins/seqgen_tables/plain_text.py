"""Plain text under the name of a table in a binary format."""

from __future__ import annotations

from typing import BinaryIO

import seqgen

_START = 4096  # bytes
_CONTROLS = bytes({*range(0x20)} - set(b"\t\n\v\f\r\x1b"))


def refuse_text(file: BinaryIO, what: str) -> None:
    """Refuse a file of plain text before a package is needed to read it.

    Args:
        file: the file, which is rewound.
        what: what its name says that it is, for the message.

    Raises:
        CorpusError: its first bytes hold no control character, which those of any table in a binary format do.
    """
    start = file.read(_START)
    file.seek(0)
    if start and len(start.translate(None, _CONTROLS)) == len(start):
        way = "give it a name that ends in .txt, or in .csv if its first row names the columns"
        raise seqgen.CorpusError(f"it is plain text, not {what}; {way}")

"""Checks of readers."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from seqgen.corpus import InstalledReader, TextFile
from seqgen.corpus.reading import Position, read_items
from seqgen.errors import CorpusError, short_repr
from seqgen.files import write_atomic
from seqgen.specs import load_reference
from seqgen.testing.check import Subject

_OTHERS = (
    b"anna\nben\n", b"> quoted: all of it\n>>> print(1)\n", b'{"text": "anna"}\n', b"text,label\nanna,f\n",
    b"<b>a</b>\n", b"", b"\n\n", b"\x00\xff",
)  # fmt: skip
"""Starts of files that no reader may take for its own."""
_CUTS = 24


def example_of(subject: Subject) -> bytes:
    """Return the content of the example file of a reader."""
    example = load_reference(subject.spec.example)
    content = example() if callable(example) else example
    assert isinstance(content, bytes) and content, f"example is {short_repr(content)}, not the bytes of a file"
    return content


def read_content(subject: Subject, content: bytes) -> list[Any]:
    """Return the records or rows of a file with this content, read as core reads it."""
    spec = subject.spec
    reader = InstalledReader(
        spec.name, f"reader {spec.name}", "", spec.endings, None, spec.text, spec.table, subject.options, subject.build
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"example{(*spec.endings, '')[0]}"
        write_atomic(path, content)
        unit = "line" if spec.text else "row" if spec.table else "record"
        return list(read_items(TextFile(path), reader, Position(unit), Counter()))


def example(subject: Subject) -> str:
    """Check that it reads its example: records with text, or rows with the same columns, of plain values."""
    found = subject.once("example", lambda: read_content(subject, example_of(subject)))
    assert found, "reads nothing of its example"
    if subject.spec.table:
        names = [list(row) for row in found]
        assert all(names[0]), f"names the columns {short_repr(names[0], 80)}"
        assert all(row == names[0] for row in names), "the rows of its example have different columns"
        return f"{len(found)} rows of {', '.join(names[0])}"
    for record in found:
        assert record.text.strip(), "yields a record without text; leave it out"
    return f"{len(found)} records"


def restartable(subject: Subject) -> None:
    """Check that a second pass yields the same, and that a reader of lines needs no empty line at the end."""
    content = example_of(subject)
    first = read_content(subject, content)
    assert read_content(subject, content) == first, "a second pass yields something else"
    if subject.spec.text:
        assert read_content(subject, content.rstrip(b"\n")) == first, "without empty lines at the end it yields less"


def matches(subject: Subject) -> None:
    """Check that it recognizes its example by name or content, and nothing else by content."""
    spec = subject.spec
    if spec.matches is None:
        return
    entry, start = subject.entry, example_of(subject)[:4096]
    assert entry.matches("example", start) or spec.endings, "matches does not recognize the example"
    for other in _OTHERS:
        assert not entry.matches("corpus.txt", other), f"matches takes {other!r} for its own"


def damaged(subject: Subject) -> str:
    """Check that a file cut short, or with changed bytes, is read or refused with a CorpusError, and nothing else."""
    content, random = example_of(subject), Random(0)
    cases = [content[: len(content) * n // _CUTS] for n in range(_CUTS)]
    for _ in range(_CUTS):
        changed = bytearray(content)
        for _ in range(3):
            byte = random.randrange(32, 127) if subject.spec.text else random.getrandbits(8)
            changed[random.randrange(len(changed))] = byte
        cases.append(bytes(changed))
    refused = 0
    for case in cases:
        try:
            read_content(subject, case)
        except CorpusError:
            refused += 1
    return f"{refused} of {len(cases)} damaged files refused"

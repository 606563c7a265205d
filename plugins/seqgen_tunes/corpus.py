"""The corpus of three printed collections in ABC, read from the package music21; see DATASHEET-tunes.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

import seqgen
from seqgen_tunes.abc_files import SourceTune, source_tunes
from seqgen_tunes.keys import read_key
from seqgen_tunes.metres import default_unit, read_metre, read_unit, unit_text
from seqgen_tunes.normalization import normalize
from seqgen_tunes.parser import read_tune

FOLDERS = {"oneill": "oneills1850", "aird": "airdsAirs", "ryan": "ryansMammoth"}
LABELS = ("hornpipe", "jig", "reel", "slip jig")
"""Rhythms of at least 50 tunes each."""
MAX_CHARS = 1500
_RHYTHMS = {"double jig": "jig", "slipjig": "slip jig"}

Collection = Literal["all", "oneill", "aird", "ryan"]


class Tunes:
    """The records, cached after the first pass.

    Args:
        collection: a collection, or "all".
        path: wheel of music21, or the folder it was unpacked to; None: the installed package.

    Attributes:
        dropped: number of dropped tunes by (collection, reason), after a pass.
    """

    def __init__(self, collection: Collection, path: str | None) -> None:
        self._folders = FOLDERS if collection == "all" else {collection: FOLDERS[collection]}
        self._files = seqgen.PackageFiles("music21", "the corpus tunes", "music", path)
        self._records: list[seqgen.Record] | None = None
        self.dropped: Counter[tuple[str, str]] = Counter()

    def __iter__(self) -> Iterator[seqgen.Record]:
        """Iterate over the records from the first."""
        if self._records is None:
            self._records = list(self._read())
        return iter(self._records)

    def _read(self) -> Iterator[seqgen.Record]:
        seen: set[str] = set()
        for name, folder in self._folders.items():
            for file in self._files.names(f"music21/corpus/{folder}/", ".abc"):
                for tune in source_tunes(self._files.read(file).splitlines()):
                    # a V: field of one voice counts too: published results and runs are of these records
                    record = "several voices" if "V" in tune.fields else record_of(tune, MAX_CHARS)
                    reason = record if isinstance(record, str) else _duplicate_reason(name, tune, record, seen)
                    if isinstance(record, str) or reason:
                        self.dropped[name, reason] += 1
                    else:
                        yield record


def _duplicate_reason(name: str, tune: SourceTune, record: seqgen.Record, seen: set[str]) -> str:
    """Return why a record is a duplicate, or ""; some numbered tunes of O'Neill's book were transcribed twice."""
    music, number = read_tune(record.text).canonical, f"O'Neill {tune.fields['X']}"
    if name == "oneill" and number in seen:
        return "a second transcription of a tune"
    if music in seen:
        return "the same music as an earlier tune"
    seen |= {music, number} if name == "oneill" else {music}
    return ""


def record_of(tune: SourceTune, most: int | None = None) -> seqgen.Record | str:
    """Convert a tune to a record of at most so many characters, or return why it is dropped."""
    if tune.voices:
        return "several voices"
    metre, key = read_metre(tune.fields.get("M", "")), read_key(tune.fields.get("K", ""))
    unit = read_unit(tune.fields.get("L") or (default_unit(metre) if metre else ""))
    if not (metre and key and unit):
        return "no legal metre, key or unit note length"
    text = f"M:{metre.text}\nL:{unit_text(unit)}\nK:{key.text}\n{normalize(chr(10).join(tune.lines))}"
    if most is not None and len(text) > most:
        return f"longer than {most:,} characters"
    if problems := read_tune(text).problems:
        return "bars that do not fill the metre" if "of its metre" in problems[0] else "ABC that does not parse"
    rhythm = tune.fields.get("R", "").strip().lower()
    rhythm = _RHYTHMS.get(rhythm, rhythm)
    fields = {"metre": metre.text, "key": key.text, "length": unit_text(unit)}
    return seqgen.Record(text, rhythm if rhythm in LABELS else None, fields)


def load(
    *,
    collection: Annotated[
        Collection,
        Field(description="O'Neill's Music of Ireland, Aird's Airs, Ryan's Mammoth Collection, or all three"),
    ] = "all",
    path: Annotated[
        str | None,
        Field(description="wheel of music21, or the folder it was unpacked to; left out: the installed package"),
    ] = None,
) -> Tunes:
    """Return the corpus."""
    return Tunes(collection, path)

"""The tunes of three printed collections, as music21 carries them in ABC; see DATASHEET-tunes.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

import seqgen
from seqgen_tunes.keys import read_key
from seqgen_tunes.metres import default_unit, read_metre, read_unit, unit_text
from seqgen_tunes.reading import read_tune
from seqgen_tunes.source import SourceTune, source_tunes
from seqgen_tunes.tidy import tidy

FOLDERS = {"oneill": "oneills1850", "aird": "airdsAirs", "ryan": "ryansMammoth"}
LABELS = ("hornpipe", "jig", "reel", "slip jig")
"""The rhythms that at least 50 tunes have."""
LONGEST = 1500
_RHYTHMS = {"double jig": "jig", "slipjig": "slip jig"}

Collection = Literal["all", "oneill", "aird", "ryan"]


class Tunes:
    """The records, kept once read; what is left out is counted.

    Args:
        collection: which collection, or all.
        path: a wheel of music21 or the folder it was unpacked to; None: as installed here.

    Attributes:
        dropped: after a pass, how many tunes were left out, by collection and reason.
    """

    def __init__(self, collection: Collection, path: str | None) -> None:
        self._folders = FOLDERS if collection == "all" else {collection: FOLDERS[collection]}
        self._files = seqgen.PackageFiles("music21", "the corpus tunes", "music", path)
        self._records: list[seqgen.Record] | None = None
        self.dropped: Counter[tuple[str, str]] = Counter()

    def __iter__(self) -> Iterator[seqgen.Record]:
        """The records, from the first."""
        if self._records is None:
            self._records = list(self._read())
        return iter(self._records)

    def _read(self) -> Iterator[seqgen.Record]:
        seen: set[str] = set()
        for name, folder in self._folders.items():
            for file in self._files.names(f"music21/corpus/{folder}/", ".abc"):
                for tune in source_tunes(self._files.read(file)):
                    record = _record(tune)
                    reason = record if isinstance(record, str) else _seen_before(name, tune, record, seen)
                    if isinstance(record, str) or reason:
                        self.dropped[name, reason] += 1
                    else:
                        yield record


def _seen_before(name: str, tune: SourceTune, record: seqgen.Record, seen: set[str]) -> str:
    """Why a record is not new, or ""; O'Neill's book numbers its tunes, and some were transcribed twice."""
    music, number = read_tune(record.text).canonical, f"O'Neill {tune.fields['X']}"
    if name == "oneill" and number in seen:
        return "a second transcription of a tune"
    if music in seen:
        return "the same music as an earlier tune"
    seen |= {music, number} if name == "oneill" else {music}
    return ""


def _record(tune: SourceTune) -> seqgen.Record | str:
    """A tune as a record, or why it is left out."""
    if tune.voices:
        return "several voices"
    metre, key = read_metre(tune.fields.get("M", "")), read_key(tune.fields.get("K", ""))
    unit = read_unit(tune.fields.get("L") or (default_unit(metre) if metre else ""))
    if not (metre and key and unit):
        return "no legal metre, key or unit note length"
    text = f"M:{metre.text}\nL:{unit_text(unit)}\nK:{key.text}\n{tidy(chr(10).join(tune.lines))}"
    if len(text) > LONGEST:
        return f"longer than {LONGEST:,} characters"
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
        str | None, Field(description="a wheel of music21, or the folder it was unpacked to; None: as installed")
    ] = None,
) -> Tunes:
    """The corpus."""
    return Tunes(collection, path)

"""A reader of MIDI files: the melody of each track and channel, in ABC.

Source: Standard MIDI Files 1.0 (MIDI Manufacturers Association, 1988), read with mido (MIT).
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

from pydantic import Field

import seqgen
from seqgen_tunes.abc_writer import UNITS, Change, HeardNote, write_abc
from seqgen_tunes.keys import read_key
from seqgen_tunes.metres import WHOLE, read_metre
from seqgen_tunes.parser import read_tune

if TYPE_CHECKING:
    import mido

_MARK = b"MThd\0\0\0\x06"
_MOST_BYTES = 1 << 22  # a message takes some hundred times its bytes
_DRUMS = 9
_LONGEST, _GAP = 8, 16  # whole notes
_SMPTE = 0x8000
SHORT, ODD = "melodies of too few notes skipped", "melodies in a metre that ABC has not skipped"
LONG, _MOST_BARS = "melodies of more than 20,000 bars skipped", 20_000
EMPTY = "MIDI files without notes skipped"
Grid = Annotated[
    Literal[16, 32, 48, 64, 96],
    Field(description="parts of a whole note that times are rounded to: 16; 48 and 96 keep triplets"),
]


def is_midi(name: str, start: bytes) -> bool:
    """Return whether a file starts as a MIDI file."""
    return start.startswith(_MARK)


class MidiReader:
    """The melodies of a MIDI file as ABC, with the fields title, track, metre and key as far as they are known.

    A melody is the highest voice of a channel in a track; drums (channel 10) are left out. Times are rounded to a grid.
    Where notes begin together, the highest one counts, and one that sounds below a higher one for half its length or
    more is left out. Loudness, tempo, instruments, pedals and bends are lost. A rest of more than sixteen whole notes
    ends a melody, and the next one begins.

    Args:
        grid: the parts of a whole note that times are rounded to.
        voices: whether each channel gives melodies, or the one with the highest notes only.
        min_notes: the number of notes below which a melody is skipped.

    Attributes:
        counts: how many melodies are skipped, by the reason.

    Raises:
        MissingExtra: mido is not installed.
    """

    def __init__(
        self,
        *,
        grid: Grid = 16,
        voices: Annotated[
            Literal["all", "highest"], Field(description="melodies of all channels, or of the highest one")
        ] = "all",
        min_notes: Annotated[int, Field(ge=1, description="skip melodies of fewer notes")] = 8,
    ) -> None:
        try:
            import mido  # noqa: F401
        except ImportError:
            raise seqgen.MissingExtra("midi", "a MIDI file") from None
        self._grid, self._voices, self._min_notes = grid, voices, min_notes
        self.counts = Counter[str]()

    def read(self, file: BinaryIO) -> Iterator[seqgen.Record]:
        """Yield the melodies, track by track.

        Raises:
            CorpusError: the file is damaged, too large, or has no beats.
        """
        midi = _open(file)
        quarter = midi.ticks_per_beat
        channels = [
            found for number, track in enumerate(midi.tracks) for found in self._channels(number, track, quarter)
        ]
        if not channels:
            self.counts[EMPTY] += 1
        elif self._voices == "highest":
            channels = [max(channels, key=lambda found: sum(note.pitch for note in found[1]) / len(found[1]))]
        of_all = None if midi.type == 2 else _changes(midi.tracks, quarter)
        for number, notes in channels:
            metres, keys = of_all or _changes([midi.tracks[number]], quarter)
            for melody in _melodies(notes):
                yield from self._record(melody, metres, keys, midi.tracks[number].name.strip(), number)

    def _channels(self, number: int, track: Any, quarter: int) -> Iterator[tuple[int, list[HeardNote]]]:
        """Yield the number of the track, and the highest voice of each of its channels."""
        played: dict[int, list[HeardNote]] = {}
        for channel, on, off, pitch in _played(track):
            at, end = (self._rounded(tick, quarter) for tick in (on, off))
            units = min(max(end - at, UNITS // self._grid), _LONGEST * UNITS)
            played.setdefault(channel, []).append(HeardNote(at, units, pitch))
        for channel in sorted(played):
            yield number, _highest(played[channel])

    def _rounded(self, tick: int, quarter: int) -> int:
        return round(Fraction(tick * self._grid, 4 * quarter)) * (UNITS // self._grid)

    def _record(
        self, melody: Sequence[HeardNote], metres: Sequence[Change], keys: Sequence[Change], title: str, number: int
    ) -> Iterator[seqgen.Record]:
        if len(melody) < self._min_notes:
            self.counts[SHORT] += 1
            return
        if not all(read_metre(change.text) for change in metres):
            self.counts[ODD] += 1
            return
        shortest = min(found.ticks for change in metres if (found := read_metre(change.text)) and found.ticks)
        if (melody[-1].at + melody[-1].units - melody[0].at) * WHOLE > _MOST_BARS * shortest * UNITS:
            self.counts[LONG] += 1
            return
        text = write_abc(melody, metres, keys)
        tune = read_tune(text)
        if tune.problems:
            self.counts[f"melodies skipped: {tune.problems[0].split(',')[0]}"] += 1
            return
        assert tune.metre is not None and tune.key is not None
        fields = {"title": title, "track": str(number + 1), "metre": tune.metre.text, "key": tune.key.text}
        yield seqgen.Record(text, fields={name: value for name, value in fields.items() if value not in ("", "none")})


def _open(file: BinaryIO) -> mido.MidiFile:
    """Return the file, parsed.

    Raises:
        CorpusError: it is damaged, too large, or has no beats.
    """
    import mido

    data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise seqgen.CorpusError(f"it is larger than {_MOST_BYTES >> 20} MB, which no MIDI file of melodies is")
    opened = io.BytesIO(data)
    try:
        midi = mido.MidiFile(file=opened, clip=True)
    except Exception as error:  # mido's have no common type
        reason = " ".join(str(error).split())[:200] or "it ends too early"
        raise seqgen.CorpusError(f"the MIDI file is damaged near byte {opened.tell():,}: {reason}") from None
    if midi.ticks_per_beat >= _SMPTE or midi.ticks_per_beat < 1:
        raise seqgen.CorpusError("its times are frames of film, not beats; export it again with beats")
    return midi


def _played(track: Iterable[Any]) -> Iterator[tuple[int, int, int, int]]:
    """Yield the channel, start tick, end tick and pitch of each note, drums left out."""
    sounding: dict[tuple[int, int], int] = {}
    now = 0
    for message in track:
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel == _DRUMS:
            continue
        key = message.channel, message.note
        if key in sounding:  # a note that begins again ends here
            yield message.channel, sounding.pop(key), now, message.note
        if message.type == "note_on" and message.velocity:
            sounding[key] = now
    for (channel, pitch), start in sounding.items():
        yield channel, start, now, pitch


def _highest(notes: Iterable[HeardNote]) -> list[HeardNote]:
    """Return the highest voice: notes in order, of which none begins before the one before it ends."""
    voice = list[HeardNote]()
    for note in sorted(notes, key=lambda note: (note.at, -note.pitch, -note.units)):
        if voice:
            before = voice[-1]
            overlap = before.at + before.units - note.at
            if before.at == note.at or (before.pitch > note.pitch and 2 * overlap >= note.units):
                continue
            if overlap > 0:
                voice[-1] = before._replace(units=note.at - before.at)
        voice.append(note)
    return voice


def _melodies(notes: Sequence[HeardNote]) -> Iterator[list[HeardNote]]:
    """Yield the notes cut at long rests."""
    melody = list[HeardNote]()
    for note in notes:
        if melody and note.at - melody[-1].at - melody[-1].units > _GAP * UNITS:
            yield melody
            melody = []
        melody.append(note)
    if melody:
        yield melody


def _changes(tracks: Iterable[Any], quarter: int) -> tuple[list[Change], list[Change]]:
    """Return the metres, 4/4 until the file says another, and the keys; their times are rounded to a sixteenth."""
    metres, keys = {0: "4/4"}, dict[int, str]()
    for track in tracks:
        now = 0
        for message in track:
            now += message.time
            at = round(Fraction(now * 4, quarter)) * (UNITS // 16)
            if message.type == "time_signature":
                metres[at] = f"{message.numerator}/{message.denominator}"
            elif message.type == "key_signature" and read_key(message.key):
                keys[at] = message.key
    return [Change(at, metres[at]) for at in sorted(metres)], [Change(at, keys[at]) for at in sorted(keys)]


def example() -> bytes:
    """Return a small file: eight notes of a scale in 4/4."""
    notes = b"".join(bytes([0, 0x90, pitch, 80, 48, 0x80, pitch, 0]) for pitch in (60, 62, 64, 65, 67, 69, 71, 72))
    track = notes + b"\0\xff\x2f\0"
    return _MARK + bytes([0, 0, 0, 1, 0, 96]) + b"MTrk" + len(track).to_bytes(4, "big") + track

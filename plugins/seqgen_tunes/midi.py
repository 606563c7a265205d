"""Export of tunes as a MIDI file, one track per tune, played in sequence."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import seqgen
from seqgen_tunes.keys import Key
from seqgen_tunes.metres import WHOLE, Metre
from seqgen_tunes.parser import read_tune
from seqgen_tunes.tune import Tune

if TYPE_CHECKING:
    import mido

QUARTER = 480
"""MIDI ticks per quarter note."""
BEATS_PER_MINUTE = 100
_FIDDLE = 40
_LOUD, _SOFT = 92, 78
_MAJOR = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MINOR = ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")

Event = tuple[int, int, Any]
"""MIDI tick from the start of the file, order among events at the same tick, and the message."""


def to_midi(ticks: int) -> int:
    """Convert ticks to MIDI ticks, rounded; round times rather than lengths, or errors add up."""
    return (ticks * 4 * QUARTER + WHOLE // 2) // WHOLE


def quarters_per_minute(metre: Metre) -> int:
    """Return the tempo for 100 beats per minute; a beat is a dotted quarter over 8, a half note over 2."""
    beat = {8: 3, 2: 4, 1: 8, 16: 1}.get(metre.unit, 2)  # in eighths
    return BEATS_PER_MINUTE * beat // 2


def _signature(key: Key) -> str:
    minor = key.text.endswith("m")
    return (_MINOR if minor else _MAJOR)[key.fifths + 7] + "m" * minor


def _conductor_events(tune: Tune, start: int, lead: int) -> Iterator[Event]:
    """Yield metre, tempo and key at the start and at each change; the notes start ``lead`` later."""
    import mido

    metre = None
    if not tune.bars or tune.bars[0].metre.ticks is None:  # else the tempo of the tune before went on
        yield start, 2, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(BEATS_PER_MINUTE))
    for bar in tune.bars:
        if bar.metre != metre and bar.metre.ticks is not None:
            metre, at = bar.metre, start + (lead + to_midi(bar.at) if bar.at else 0)
            number = {"numerator": min(metre.beats, 255), "denominator": metre.unit}
            yield at, 1, mido.MetaMessage("time_signature", **number)
            yield at, 2, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(quarters_per_minute(metre)))
    for ticks, key in tune.keys:
        at = start + (lead + to_midi(ticks) if ticks else 0)
        yield at, 3, mido.MetaMessage("key_signature", key=_signature(key))


def _note_events(tune: Tune, start: int) -> Iterator[Event]:
    """Yield the notes; the first of a bar is a little louder."""
    import mido

    first = {bar.at for bar in tune.bars if not bar.short}
    for note in tune.sounding():
        on, off = start + to_midi(note.at), start + to_midi(note.at + note.ticks)
        loud = _LOUD if note.at in first else _SOFT
        for pitch in note.pitches:
            yield on, 1, mido.Message("note_on", note=pitch, velocity=loud)
            yield max(off, on + 1), 0, mido.Message("note_off", note=pitch, velocity=0)


def _track(name: str, events: Sequence[Event]) -> mido.MidiTrack:
    import mido

    track, now = mido.MidiTrack([mido.MetaMessage("track_name", name=name)]), 0
    for at, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=at - now))
        now = at
    return track


def write_midi(texts: Sequence[str]) -> bytes:
    """Return a type 1 file: a conductor track, then one track per tune, separated by a bar's rest.

    Repeats are played once, grace notes not at all. A pick-up is at the end of its bar. Of an invalid text, the legible
    part is played, and the track name says "(not valid)".

    Raises:
        MissingExtra: mido is not installed.
    """
    try:
        import mido
    except ImportError:
        raise seqgen.MissingExtra("midi", "a MIDI file of tunes") from None
    conductor: list[Event] = []
    tracks, start = [], 0
    for number, text in enumerate(texts, 1):
        tune = read_tune(text)
        bar = to_midi(tune.metre.ticks or WHOLE if tune.metre else WHOLE)
        lead = bar - to_midi(tune.bars[0].ticks) if tune.bars and tune.bars[0].short else 0
        what = f"{number}: {tune.metre.text} {tune.key.text}" if tune.metre and tune.key else f"{number}"
        fiddle = (start, 0, mido.Message("program_change", program=_FIDDLE))
        tracks.append(_track(what + " (not valid)" * bool(tune.problems), [fiddle, *_note_events(tune, start + lead)]))
        conductor += _conductor_events(tune, start, lead)
        start += bar + -(-(lead + to_midi(tune.ticks)) // bar) * bar if tune.bars else 0
    file = io.BytesIO()
    mido.MidiFile(type=1, ticks_per_beat=QUARTER, tracks=[_track("tunes", conductor), *tracks]).save(file=file)
    return file.getvalue()

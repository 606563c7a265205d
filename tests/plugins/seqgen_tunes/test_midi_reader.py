"""Melodies of MIDI files in ABC."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqgen

pytest.importorskip("seqgen_tunes")
pytest.importorskip("mido", reason="mido comes with the extra 'midi'")
import mido

from seqgen_tunes.abc_writer import UNITS
from seqgen_tunes.grammar import AbcGrammar
from seqgen_tunes.metres import WHOLE
from seqgen_tunes.midi import write_midi
from seqgen_tunes.midi_reader import EMPTY, LONG, ODD, SHORT, MidiReader, example, is_midi
from seqgen_tunes.parser import read_tune
from seqgen_tunes.validator import AbcValidator

QUARTER = 96


def saved(*tracks, kind=1, quarter=QUARTER):
    """The bytes of a file, from the messages of each track at their ticks."""
    file = mido.MidiFile(type=kind, ticks_per_beat=quarter)
    for events in tracks:
        track, now = mido.MidiTrack(), 0
        for at, message in sorted(events, key=lambda event: event[0]):
            track.append(message.copy(time=at - now))
            now = at
        file.tracks.append(track)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def note(at, ticks, pitch, channel=0):
    on = mido.Message("note_on", note=pitch, velocity=80, channel=channel)
    return [(at, on), (at + ticks, mido.Message("note_off", note=pitch, channel=channel))]


def meta(at, kind, **values):
    return [(at, mido.MetaMessage(kind, **values))]


def scale(start=0, channel=0, pitches=(60, 62, 64, 65, 67, 69, 71, 72)):
    return [event for n, pitch in enumerate(pitches) for event in note(start + 48 * n, 48, pitch, channel)]


def read(data, **options):
    reader = MidiReader(**options)
    return list(reader.read(io.BytesIO(data))), dict(reader.counts)


def heard(text):
    """(start after the first note, length, pitch) of each sounding note, in units."""
    tune = read_tune(text)
    assert AbcValidator().validate(text).ok, tune.problems
    notes = [(note.at * UNITS // WHOLE, note.ticks * UNITS // WHOLE, *note.pitches) for note in tune.sounding()]
    return [(at - notes[0][0], units, pitch) for at, units, pitch in notes]


def test_a_scale():
    (record,), counts = read(example())
    assert record.text == "M:4/4\nL:1/8\nK:none\nCDEFGABc|]" and record.fields == {"track": "1", "metre": "4/4"}
    assert not counts and is_midi("x", example()) and not is_midi("x", b"MThx")


def test_metre_key_and_pick_up_come_from_the_file():
    events = [*meta(0, "time_signature", numerator=6, denominator=8), *meta(0, "key_signature", key="Em")]
    pitches = (59, 64, 66, 67, 63, 75, 63, 64, 65, 66, 67, 68)
    (record,), _ = read(saved(meta(0, "track_name", name="Jig ") + events, scale(5 * 48, pitches=pitches)))
    # an accidental holds for its letter in all octaves to the end of the bar; the last bar complements the first
    assert record.text == "M:6/8\nL:1/8\nK:Em\nB,|EFG^DdD|E=F^FG^G|]"
    assert record.fields == {"track": "2", "metre": "6/8", "key": "Em"}
    (record,), _ = read(saved(events + scale(5 * 48)))
    assert record.text == "M:6/8\nL:1/8\nK:Em\nC|DE=FGAB|cz4z|]"


def test_metre_and_key_change():
    events = [
        *meta(0, "key_signature", key="G"), *meta(192, "time_signature", numerator=3, denominator=4),
        *meta(192 + 288, "key_signature", key="F"),
    ]  # fmt: skip
    (record,), _ = read(saved(events + scale() + note(384, 96, 66) + note(480, 288, 70)))
    assert record.text == "M:1/2\nL:1/16\nK:G\nC2D2E2=F2|[M:3/4]G2A2B2c2F4|[K:F]B8-B4|]"


def test_the_highest_note_counts_and_drums_do_not():
    chords = [event for n in range(8) for pitch in (48, 60 + n, 55) for event in note(96 * n, 96, pitch)]
    drums = [event for n in range(32) for event in note(24 * n, 24, 38, channel=9)]
    under = note(96, 48, 50)  # below a note that sounds
    (record,), _ = read(saved(chords + drums + under))
    assert [pitch for _, _, pitch in heard(record.text)] == list(range(60, 68))
    late = note(0, 100, 72) + note(96, 96, 71) + scale(192)  # legato
    assert heard(read(saved(late))[0][0].text)[:2] == [(0, 48, 72), (48, 48, 71)]


def test_a_note_that_begins_without_loudness_is_the_end_of_one():
    short = [event for n in range(8) for event in note(48 * n, 24, 60 + n)]
    silent = [(at, mido.Message("note_on", note=message.note, velocity=0)) for at, message in short[1::2]]
    assert read(saved([*short[::2], *silent])) == read(saved(short))


def test_a_note_without_an_end_sounds_to_the_end_of_the_track():
    (record,), _ = read(saved(scale()[:-1] + meta(480, "end_of_track")))
    assert heard(record.text)[-2:] == [(144, 24, 71), (168, 72, 72)]


@pytest.mark.parametrize(("ticks", "pitches"), [(48, [72, 60]), (72, [72, 50, 60])])
def test_a_note_below_a_higher_one_for_half_its_length_is_left_out(ticks, pitches):
    """The upper one sounds for the first 24 ticks of the lower one."""
    (record,), _ = read(saved(note(0, 96, 72) + note(72, ticks, 50) + note(192, 96, 60)), min_notes=1)
    assert [pitch for _, _, pitch in heard(record.text)] == pitches


def test_each_track_and_channel_gives_a_melody():
    data = saved(scale() + scale(channel=3, pitches=range(40, 48)), scale(pitches=range(50, 58)), note(0, 9, 60))
    records, counts = read(data)
    assert [record.fields["track"] for record in records] == ["1", "1", "2"] and counts == {SHORT: 1}
    assert [record.fields["track"] for record in read(data, voices="highest")[0]] == ["1"]
    assert len(read(data, min_notes=1)[0]) == 4
    assert len(read(saved(scale() + scale(96 * 4 * 20)))[0]) == 2  # twenty bars of rest lie between


def test_a_long_note_is_cut_and_a_long_rest_takes_no_text():
    data = saved(note(0, 1 << 26, 60) + scale(1 << 27) + note(1 << 27, 1 << 26, 30, channel=1))
    records, _ = read(data, min_notes=1)
    assert len(records) == 3 and max(len(record.text) for record in records) < 200
    assert heard(records[0].text) == [(0, 8 * UNITS, 60)]


def test_a_melody_of_very_many_bars_is_skipped():
    notes = [event for n in range(400) for event in note(96 * 4 * n, 96 * 4, 60 + n % 9)]
    assert read(saved(meta(0, "time_signature", numerator=1, denominator=64) + notes)) == ([], {LONG: 1})


def test_triplets_need_a_finer_grid():
    triplets = [event for n in range(12) for event in note(32 * n, 32, 60 + n % 3)]
    assert heard(read(saved(triplets), grid=48)[0][0].text) == [(16 * n, 16, 60 + n % 3) for n in range(12)]
    assert heard(read(saved(triplets))[0][0].text)[1] == (12, 24, 61)


def test_a_metre_that_abc_has_not_is_skipped():
    data = saved(meta(0, "time_signature", numerator=4, denominator=128) + scale())
    assert read(data) == ([], {ODD: 1})
    assert read(saved(meta(0, "track_name", name="silence"))) == ([], {EMPTY: 1})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (example()[:40], r"damaged near byte 40: it ends too early"),
        (example()[:9], "damaged near byte"),
        (b"MThd" + example()[8:], "damaged near byte"),
        (example()[:12] + b"\xe7\x28" + example()[14:], "frames of film"),
        (example()[:12] + b"\0\0" + example()[14:], "not beats"),
        (example() + bytes(1 << 22), "larger than 4 MB"),
    ],
)
def test_what_is_no_midi_file_is_refused(data, said):
    with pytest.raises(seqgen.CorpusError, match=said):
        read(data)


@given(st.binary(max_size=200), st.integers(0, 60), st.booleans())
def test_any_bytes_are_read_or_refused(noise, at, keep):
    data = example()
    data = data[:at] + noise + data[at + (0 if keep else len(noise)) :]
    try:
        records, _ = read(data, min_notes=1)
    except seqgen.CorpusError as error:
        assert "\n" not in str(error)
    else:
        assert all(AbcValidator().validate(record.text).ok for record in records)


NOTES = st.lists(st.tuples(st.integers(0, 8), st.integers(1, 40), st.integers(0, 127)), min_size=1, max_size=30)
KEYS = st.sampled_from([None, "C", "G", "F#", "Cb", "Am", "Ebm", "C#"])
METRES = st.lists(
    st.tuples(st.integers(0, 80), st.sampled_from([(4, 4), (6, 8), (3, 4), (5, 8), (2, 2), (9, 16), (7, 32)])),
    max_size=3,
)


@given(NOTES, KEYS, KEYS, METRES, st.integers(0, 40))
def test_notes_come_back(notes, key, other, metres, start):
    """Monophonic notes on the grid, in any metre and key, are in the ABC exactly, which is valid."""
    at, events, expected = start, [], []
    for rest, units, pitch in notes:
        at += rest
        events += note(at * 24, units * 24, pitch)
        expected.append((at * 12, units * 12, pitch))
        at += units
    for place, (numerator, denominator) in metres:
        events += meta(place * 24, "time_signature", numerator=numerator, denominator=denominator)
    for place, name in ((0, key), (start * 24 + 500, other)):
        events += meta(place, "key_signature", key=name) if name else []
    (record,), counts = read(saved(events), min_notes=1)
    first = expected[0][0]
    assert heard(record.text) == [(at - first, units, pitch) for at, units, pitch in expected] and not counts


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 16), st.integers(48, 84)), min_size=1), KEYS)
def test_texts_are_in_the_grammar_of_the_domain(notes, key):
    at, events = 0, meta(0, "key_signature", key=key) if key else []
    for rest, units, pitch in notes:
        events += note((at + rest) * 24, units * 24, pitch)
        at += rest + units
    (record,), _ = read(saved(events), min_notes=1)
    grammar, state = AbcGrammar(), AbcGrammar().start
    for character in record.text:
        state = grammar.advance(state, character)
        assert state is not None, record.text
    assert grammar.accepts(state)


@given(NOTES, KEYS, METRES)
def test_what_is_played_from_abc_is_read_back(notes, key, metres):
    """ABC to MIDI and back: the same notes."""
    at, events = 0, []
    for rest, units, pitch in notes:
        events += note((at + rest) * 24, units * 24, pitch)
        at += rest + units
    events += meta(0, "key_signature", key=key) if key else []
    for place, (numerator, denominator) in metres:
        events += meta(place * 24, "time_signature", numerator=numerator, denominator=denominator)
    (first,), _ = read(saved(events), min_notes=1)
    (again,), _ = read(write_midi([first.text]), min_notes=1, grid=64)
    assert heard(again.text) == heard(first.text)


@pytest.mark.full
def test_a_folder_and_an_archive_are_read(cli, in_tmp):
    Path("songs").mkdir()
    for n in range(4):
        Path(f"songs/{n}.mid").write_bytes(saved(scale(pitches=range(60 + n, 68 + n))))
    Path("songs/4.MIDI").write_bytes(saved(scale(pitches=range(50, 58))))
    with zipfile.ZipFile("songs.zip", "w") as archive:
        for path in Path("songs").iterdir():
            archive.write(path)
    tiny = ("--cell", "vanilla", "--hidden", 4, "--steps", 2, "--split", "none", "-o", "samples=0")
    for number, corpus in enumerate(("songs", "songs.zip")):
        trained = cli("train", "--corpus", corpus, *tiny, "--out", f"run{number}")
        assert trained.code == 0 and "(domain: abc)" in trained.err and "records are not valid" not in trained.err
        assert seqgen.load(f"run{number}").settings.corpus.n_records == 5
    with zipfile.ZipFile("bad.zip", "w") as archive:
        archive.writestr("deep/a.mid", example())
        archive.writestr("deep/b.mid", example()[:60])
    refused = cli("train", "--corpus", "bad.zip", *tiny)
    assert refused.code == 3 and "bad.zip/deep/b.mid': the MIDI file is damaged near byte 60" in refused.err


def test_without_mido(cli, in_tmp, monkeypatch):
    Path("a.mid").write_bytes(example())
    monkeypatch.setitem(sys.modules, "mido", None)
    refused = cli("train", "--corpus", "a.mid", "--steps", 1)
    assert refused.code != 0 and "pip install 'seqgen-lm[midi]'" in refused.err

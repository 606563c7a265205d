"""Tunes on a terminal, in a picture, as MIDI; and their figures."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

import seqgen

pytest.importorskip("seqgen_tunes")
from seqgen_tunes.metric import TuneMetric
from seqgen_tunes.parser import read_tune
from seqgen_tunes.renderer import AbcRenderer
from seqgen_tunes.rows import layout_rows
from seqgen_tunes.tune_book import TuneBookReader

JIG = "M:6/8\nL:1/8\nK:G\nD|GAB c2d|[GB]3 b2:|\nd|{a}g3-g2e|(3ded B2 z:|"
REEL = "M:C|\nL:1/8\nK:Am\nABcd efga|A8|[M:3/4][K:D]f2 c2 d2|]"
BROKEN = "M:6/8\nL:1/8\nK:G\nGAB cdee|\x1b[31m fga bag|"
RENDER = AbcRenderer()


def shown(text, width=60):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(RENDER(text))
    return console.file.getvalue()


def test_a_tune_book_is_read_again(tmp_path):
    book = tmp_path / "book.abc"
    book.write_bytes(RENDER.draw([REEL, JIG], ".abc"))
    records = list(TuneBookReader().read(book.read_text(encoding="utf-8").splitlines(keepends=True)))
    assert [record.fields["title"] for record in records] == ["Tune 1", "Tune 2"]
    assert records[1].text.startswith("M:6/8\nL:1/8\nK:G\n")


def test_a_tune_book_of_samples_is_a_picture(tmp_path, cli):
    book, run = tmp_path / "book.abc", tmp_path / "run"
    book.write_bytes(RENDER.draw([REEL, JIG] * 6, ".abc"))
    assert cli("train", "--corpus", book, "--cell", "vanilla", "--hidden", 4, "--steps", 1, "--out", run).code == 0
    refused = cli("sample", run, "-n", 1, "--out", tmp_path / "new.abc")
    assert refused.code == 2 and "--picture FILE.abc writes rows of this domain in that form" in refused.err
    assert cli("sample", run, "-n", 2, "--picture", tmp_path / "new.abc").code == 0
    assert (tmp_path / "new.abc").read_text(encoding="utf-8").count("X:") == 2


def test_the_terminal_shows_text_and_roll():
    lines = shown(JIG).splitlines()
    assert lines[:5] == JIG.splitlines()
    roll = [line for line in lines[5:] if "│" in line or "┃" in line]
    assert all(len(line) <= 60 for line in roll)
    assert [line for line in roll if line.startswith("G4")] and sum(
        line.count("▀") + line.count("▄") for line in roll
    ) > 10
    assert "not valid" not in shown(JIG)


def test_the_terminal_says_why_a_text_is_no_tune_and_escapes_it():
    out = shown(BROKEN)
    assert "not valid: '\\x1b' has no meaning in ABC" in out.replace("\n", " ")
    assert "\x1b" not in out and "│" in out
    assert shown("") and shown("hello") and shown(JIG, width=9)


def test_notes_far_apart_are_not_drawn():
    """A network that has hardly learned writes commas and apostrophes in a row."""
    out = shown(JIG.replace("c2d", "C,,,,2d" + 4 * "'"))
    assert "not drawn: its notes span 9 octaves" in out and len(out.splitlines()) < 10


def test_rows_hold_whole_phrases():
    bars = read_tune("M:2/4\nL:1/8\nK:G\nD|" + "GABc|" * 15 + "G3:|D|" + "GABc|" * 15 + "G3|]").bars
    rows = layout_rows(bars, bars[1].ticks * 11)
    assert [[row[0].number, row[-1].number] for row in rows] == [[0, 8], [9, 16], [16, 24], [25, 32]]
    assert rows[2][0].short and [bar for row in rows for bar in row] == bars


# -- pictures


def test_the_picture_has_a_row_for_each_tune():
    image_module = pytest.importorskip("PIL.Image", reason="Pillow comes with the extra 'music'")

    def picture(texts):
        image = image_module.open(io.BytesIO(RENDER.draw(texts, ".png")))
        image.load()
        return image

    one, two, many = picture([JIG]), picture([JIG, REEL]), picture([JIG] * 14)
    assert one.format == "PNG" and one.width == two.width == many.width
    assert one.height < two.height < many.height < 13 * one.height
    colours = {colour for _, colour in one.getcolors(1 << 16)}
    assert {(255, 243, 214), (40, 42, 48)} <= colours  # lanes of the tonic; the title
    assert picture([]).height > 0 and picture([BROKEN, "", "\x1b", "M:C\nL:1/8\nK:C\n日本"]).height > 0


@settings(max_examples=15)
@given(st.text() | st.text("ABc|:[]234/>(-)z \n"), st.sampled_from(["", "M:none\nL:1\nK:C\n", "M:2/4\nL:1/64\nK:Gb\n"]))
def test_drawing_takes_any_text(body, header):
    pytest.importorskip("PIL", reason="Pillow comes with the extra 'music'")
    pytest.importorskip("mido", reason="mido comes with the extra 'music'")
    assert RENDER.draw([header + body], ".png").startswith(b"\x89PNG")
    assert RENDER.draw([header + body], ".mid").startswith(b"MThd")
    assert shown(header + body)


# -- MIDI


def midi(texts):
    mido = pytest.importorskip("mido", reason="mido comes with the extra 'music'")
    return mido.MidiFile(file=io.BytesIO(RENDER.draw(texts, ".mid")))


def played(track):
    """(tick, note, ticks) of each note."""
    now, sounding, notes = 0, {}, []
    for message in track:
        now += message.time
        if message.type == "note_on":
            assert message.note not in sounding
            sounding[message.note] = now
        elif message.type == "note_off":
            start = sounding.pop(message.note)
            notes.append((start, message.note, now - start))
    assert not sounding
    return sorted(notes)


def test_midi_has_every_note_at_its_time():
    file = midi([JIG, REEL])
    assert file.type == 1 and file.ticks_per_beat == 480 and len(file.tracks) == 3
    jig, reel = file.tracks[1:]
    assert (jig.name, reel.name) == ("1: 6/8 G", "2: C| Am")
    # the pick-up stands at the end of a bar of 1,440 ticks; the tie makes one note of two, the grace is left out
    assert played(jig) == [
        (1200, 62, 240),
        (1440, 67, 240), (1680, 69, 240), (1920, 71, 240), (2160, 72, 480), (2640, 74, 240),
        (2880, 67, 720), (2880, 71, 720), (3600, 83, 480),
        (4080, 74, 240), (4320, 79, 1200), (5520, 76, 240),
        (5760, 74, 160), (5920, 76, 160), (6080, 74, 160), (6240, 71, 480),
    ]  # fmt: skip
    # the jig ends in its fifth bar; after a bar's rest, the reel
    assert played(reel)[0] == (6 * 1440, 69, 240)
    assert [ticks for _, _, ticks in played(reel)] == [240] * 8 + [1920] + [480] * 3
    assert [note for _, note, _ in played(reel)][-3:] == [78, 73, 74]


def test_midi_has_metre_tempo_and_key():
    now, found = 0, []
    for message in midi([JIG, REEL]).tracks[0]:
        now += message.time
        if message.type == "time_signature":
            found.append((now, message.numerator, message.denominator))
        elif message.type == "set_tempo":
            found.append((now, round(60e6 / message.tempo)))
        elif message.type == "key_signature":
            found.append((now, message.key))
    start, change = 6 * 1440, 6 * 1440 + 2 * 1920
    assert found == [
        (0, 6, 8), (0, 150), (0, "G"),  # 100 dotted quarters a minute
        (start, 2, 2), (start, 200), (start, "Am"),
        (change, 3, 4), (change, 100), (change, "D"),
    ]  # fmt: skip


def test_a_tune_in_free_metre_has_a_tempo_of_its_own():
    slow, free = "M:3/1\nL:1/4\nK:C\nC12|", "M:none\nL:1/4\nK:C\nCDEF|"
    tempos = [message.tempo for message in midi([slow, free]).tracks[0] if message.type == "set_tempo"]
    assert len(tempos) == 2 and tempos[0] != tempos[1] == 600_000


def test_midi_of_what_is_not_valid():
    file = midi(["", BROKEN, JIG])
    assert [track.name for track in file.tracks] == ["tunes", "1 (not valid)", "2: 6/8 G (not valid)", "3: 6/8 G"]
    assert played(file.tracks[1]) == [] and len(played(file.tracks[2])) == 13
    assert midi([]).tracks


@pytest.mark.parametrize(("module", "suffix", "extra"), [("PIL", ".png", "music"), ("mido", ".mid", "midi")])
def test_without_the_extra(module, suffix, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(seqgen.MissingExtra, match=rf"seqgen-lm\[{extra}\]"):
        RENDER.draw([JIG], suffix)


def test_another_suffix():
    with pytest.raises(seqgen.UsageError, match=r"'.wav': use one of .png, .mid, .abc"):
        RENDER.draw([JIG], ".wav")


# -- figures


def test_figures():
    head = "M:2/4\nL:1/8\nK:G\n"
    samples = [head + "GABc|GABc|dcBG|", head + "^GABc|dcBA|ddd|GABc|"]
    figures = TuneMetric(pattern=4, phrase=8)(samples, samples[:1], [samples[0]])
    assert figures["bars in time"] == pytest.approx(6 / 7)
    assert figures["ends on tonic"] == 0.5 and figures["ends on tonic, held-out"] == 1
    assert figures["notes in key"] == pytest.approx(26 / 27)
    assert figures["notes a tune"] == 13.5
    assert figures["copied, 4 notes, held-out"] == figures["copied, 8 notes, held-out"] == 1
    assert 0 < figures["copied, 4 notes"] < 1
    assert 0 < figures["degrees cosine"] < 1 and 0 < figures["intervals cosine"] < 1
    assert TuneMetric()(["GABc|GABc|"], [], [])["bars in time"] == 0  # no metre
    assert TuneMetric()(samples, samples, [])["degrees cosine"] == pytest.approx(1)


def test_a_run_of_notes_that_is_the_whole_tune_is_looked_for():
    tune = "M:2/4\nL:1/8\nK:C\nCDEF|"
    figures = TuneMetric(pattern=4, phrase=5)([tune], [], [tune])
    assert figures["copied, 4 notes"] == 1 and figures["copied, 5 notes"] is None  # it has no run of five


def test_degrees_do_not_depend_on_the_key():
    tune, higher = "M:2/4\nL:1/8\nK:C\nCDEF|GFED|C4|", "M:2/4\nL:1/8\nK:D\nDEFG|AGFE|D4|"
    assert TuneMetric()([higher], [tune], [])["degrees cosine"] == pytest.approx(1)
    assert TuneMetric()([higher.replace("K:D", "K:A")], [tune], [])["degrees cosine"] < 0.9


def test_copying_is_found_in_another_key():
    tune, higher = "M:2/4\nL:1/8\nK:C\nCDEF|GFED|C4|", "M:2/4\nL:1/8\nK:D\nDEFG|AGFE|D4|"
    assert TuneMetric()([higher], [], [tune])["copied, 8 notes"] == 1
    assert TuneMetric()([higher.replace("AG", "AF")], [], [tune])["copied, 8 notes"] == 0


def test_a_falling_semitone_is_no_falling_whole_tone():
    head = "M:none\nL:1/8\nK:none\n"
    tune, other = head + "agfedcBA|]", head + "edcBAGFE|]"  # notes a semitone and a whole tone apart in another order
    figures = TuneMetric()([other, tune], [other], [tune])
    assert figures["copied, 8 notes"] == 0.5 and figures["copied, 8 notes, held-out"] == 0


@pytest.mark.parametrize(
    ("key", "body", "in_key", "on_tonic"),
    [
        ("Am ^g", "g2g2g2a2|]", 1, 1),  # accidentals of the key
        ("Am ^g", "=g2g2g2a2|]", 0.25, 1),
        ("C", "C2D2E2C2|[K:D]d2f2c2d2|]", 1, 1),
        ("C", "C2D2E2C2|[K:D]d2f2c2c2|]", 1, 0),
        ("D", "F2D2F2D2|[K:C]F2^F2E2D2|]", 7 / 8, 0),
        ("C", "D2E2D2C2|[K:D]|]", 1, 1),  # no note is in the last key
        ("HP", "F2c2^f2A2|]", 0.75, 1),
        ("none", "F2c2^f2A2|]", 0.75, 0),
    ],
)
def test_notes_belong_to_the_key_in_force(key, body, in_key, on_tonic):
    figures = TuneMetric()([f"M:4/4\nL:1/8\nK:{key}\n{body}"], [])
    assert (figures["notes in key"], figures["ends on tonic"]) == (in_key, on_tonic)


@given(st.lists(st.text(), max_size=3))
def test_figures_of_any_texts(texts):
    for samples, reference in ((texts, []), ([], texts)):
        values = TuneMetric()(samples, reference, texts).values()
        assert all(value is None or 0 <= value < 1000 for value in values)


def test_no_notes_are_like_no_others_and_nothing_is_like_no_notes():
    tune, rests = "M:2/4\nL:1/8\nK:C\nCDEF|", "M:2/4\nL:1/8\nK:C\nz4|"
    assert TuneMetric()([rests], [tune])["degrees cosine"] == 0
    figures = TuneMetric()([tune], [rests])
    assert figures["degrees cosine"] is figures["intervals cosine"] is None
    assert TuneMetric()([rests], [tune])["notes in key"] is None and TuneMetric()([], [tune])["notes a tune"] is None

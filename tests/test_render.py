from __future__ import annotations

import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

import seqgen
from seqgen.render import (
    EMPTY_ROW,
    Listing,
    corpus_view,
    duration,
    options_table,
    percent,
    samples_table,
    sparkline,
    spec_view,
    visible,
)


@pytest.mark.parametrize(
    ("share", "written"),
    [(30 / 123_691, "0.024%"), (0.125, "12.5%"), (0.0099, "0.99%"), (1, "100.0%"), (0, "0.0%"), (1e-7, "0.000010%")],
)
def test_a_small_share_has_two_significant_digits(share, written):
    assert percent(share) == written


def shown(view, width=80):
    console = Console(width=width, file=io.StringIO(), markup=False, highlight=False, emoji=False)
    console.print(view)
    return console.file.getvalue()


def test_sparkline():
    assert sparkline([1, 2, 3]) == "▁▅█" or sparkline([1, 2, 3]) == "▁▄█"
    assert sparkline([]) == "" == sparkline([math.nan]) and sparkline([2, 2]) == "▁▁"
    assert len(sparkline(range(1000))) == 40 and sparkline(range(1000))[-1] == "█"


@pytest.mark.parametrize(("seconds", "text"), [(8.4, "8s"), (200, "3m 20s"), (7500, "2h 05m"), (math.inf, "?")])
def test_duration(seconds, text):
    assert duration(seconds) == text


@given(st.text())
def test_visible_text_has_no_control_character(text):
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in visible(text))


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ({"where": "new"}, "new"),
        ({"where": "train", "valid": True}, "in training"),
        ({"where": "test", "valid": False}, "held out, not valid"),
        ({"where": "new", "valid": False}, "not valid"),
        ({"where": None, "valid": False}, "not valid"),
        ({"where": None}, ""),
        ({}, ""),
    ],
)
def test_the_place_of_a_text_is_named(row, place):
    assert seqgen.place_of(row) == place


def test_tables_show_text_without_markup():
    rows = [{"row": 0, "text": "c1cc[nH]c1 :smile: [/b]", "cut": True, "bits_per_char": 1.5, "where": "train"}]
    assert "c1cc[nH]c1 :smile: [/b]…" in shown(samples_table(rows)) and "in training" in shown(samples_table(rows))
    loud = samples_table(rows, lambda text: Text(text.upper()))
    assert "C1CC[NH]C1" in shown(loud)
    assert "where" not in shown(samples_table([{"row": 0, "text": "x", "cut": False}]))
    refused = shown(samples_table([{"row": 0, "text": "x", "cut": False, "valid": False, "where": "new"}]))
    assert "not valid" in refused and "new" not in refused
    record = shown(samples_table([{"row": 0, "text": "x", "cut": False, "valid": False, "where": "train"}]))
    assert "in training, not valid" in record
    cut = samples_table([{"row": 0, "text": "CC", "cut": True}], lambda text: Text(f"{text}  C2H6"))
    assert "CC…  C2H6" in shown(cut)


def test_a_row_without_text_has_a_mark_on_a_terminal_only():
    rows = [{"row": 0, "text": "", "cut": False}, {"row": 1, "text": "x", "cut": False}]
    views = [
        samples_table(rows),
        samples_table(rows, lambda text: Text(f"<{text}>")),
        Listing([{"text": EMPTY_ROW}], ["text"]),
    ]
    for view in views:
        console = Console(width=80, file=io.StringIO(), force_terminal=True, markup=False)
        console.print(view)
        assert console.file.getvalue().count("(empty)") == 1
        assert "empty" not in shown(view) and "<>" not in shown(view)


class Wide:
    """A renderable that does not say how wide it is."""

    def __rich_console__(self, console, options):
        yield Text("one")
        yield Text("three")


def test_a_column_of_a_pipe_is_as_wide_as_its_texts():
    file = io.StringIO()
    Console(file=file, width=100_000).print(Listing([{"text": Wide(), "n": 1}], ["text", "n"]))
    assert file.getvalue().splitlines() == ["text   n", "one    1", "three   "]


def test_long_texts_are_folded_never_cut():
    text = "x" * 200
    assert shown(Listing([{"text": text}], ["text"])).count("x") == 201
    assert "1,234" in shown(Listing([{"n": 1234, "missing": None}], ["n", "missing"]))


def test_options_and_facts():
    option = {"name": "size", "type": "int", "default": 3, "range": "≥ 1", "description": "how large"}
    assert "how large" in shown(options_table([option], "cell")) and "no options" in shown(options_table([], "cell"))
    assert "smiles, #smiles" in shown(spec_view({"headings": ["smiles", "#smiles"]}))
    assert "network" in shown(spec_view({"network": True, "empty": ""})) and "empty" not in shown(
        spec_view({"empty": ""})
    )


def test_histogram_bins_long_ranges():
    profile = {
        "records": 2, "characters": 101, "longest": 100, "duplicates": 0, "labels": {"x": 2},
        "control_characters": 0, "skipped_or_changed": {"blank lines": 3},
        "symbols": {"a": 1, " ": 1, "\u200d": 1, "\u0301": 1}, "warnings": ["3 blank lines are skipped"],
        "lengths": {1: 1, 100: 3}, "every": 2, "shown": ["a", "b\nc", "d"],
    }  # fmt: skip
    text = shown(corpus_view(profile, {"corpus": "x"}))
    assert "a ␠ U+200D U+0301" in text and "3 blank lines are skipped" in text
    assert "  a\n\n  b\n  c\n\n  d\n" in "\n".join(line.rstrip() for line in text.split("\n"))
    assert "1-5" in text and "96-100" in text and "every 2nd record" in text and "␠ a" in text.replace("a ␠", "␠ a")
    assert "blank lines" in text and "control characters" not in text


def test_of_many_labels_the_most_frequent_are_shown(tmp_path, cli):
    lines = [f"text{n},label{n % 60 if n < 600 else 59}" for n in range(603)]
    (tmp_path / "many.csv").write_text("\n".join(["name,kind", *lines]) + "\n", encoding="utf-8")
    arguments = ("show", "corpus", tmp_path / "many.csv", "--text-field", "name", "--label-field", "kind")
    table = " ".join(cli(*arguments).out.split())
    assert "label0 10, label1 10," in table and "label59 13, and 10 rarer ones" in table
    assert len(json.loads(cli(*arguments, "--json").out)["labels"]) == 60


def test_options_are_shown_as_they_are_written(cli):
    shown_of = {line.split()[0]: line for line in cli("show", "train").out.splitlines() if line.strip()}
    assert "A/B/C|none" in shown_of["split"] and "90/5/5" in shown_of["split"]
    assert "list of str" in shown_of["track"] and not any("tuple" in line or "()" in line for line in shown_of.values())

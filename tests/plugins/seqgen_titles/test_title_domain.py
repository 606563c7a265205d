from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import seqgen
from seqgen import testing

pytest.importorskip("seqgen_titles")
import seqgen_titles
from seqgen_titles import metric, renderer
from seqgen_titles.validator import TitleValidator

TITLE = TitleValidator()
ANY = st.text() | st.text("aA1 \"'()[]{}:ßİ\u0345-")


@pytest.mark.parametrize(
    "title",
    ["Attention Is All You Need", '"Why Should I Trust You?": Explaining (Some) Predictions', "3D U-Net", "[Re] Hello",
     '("a" [b {c}])', "'Tis", "“Quoted”", "İstanbul", "Straße"],
)  # fmt: skip
def test_accepted(title):
    assert TITLE.validate(title) == seqgen.Verdict(True, "", title.casefold())


@pytest.mark.parametrize("title", ["\u201cHello (world)", "\u201eHallo\u201c", "The Authors' Title"])
def test_only_straight_double_quotes_are_checked_as_the_descriptions_say(title):
    assert TITLE.validate(title).ok and not TITLE.validate(title + ' "').ok
    summaries: list[str] = []
    seqgen_titles.register_validators(lambda spec: summaries.append(spec.summary))
    assert all("brackets and straight double quotes" in text for text in (*summaries, TitleValidator.__doc__ or ""))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        (" A", "it begins with a space"),
        ("A ", "it ends in a space, at position 1"),
        ("A  b", "two spaces at position 1"),
        (": A", "it begins with ':', which is not a letter, digit, quote or opening bracket"),
        ("A\tb", "'\\t' at position 1 is whitespace or a control character, but not a space"),
        ("A\u00a0b", "'\\xa0' at position 1 is whitespace or a control character, but not a space"),
        ("A\x1b[1m", "'\\x1b' at position 1 is whitespace or a control character, but not a space"),
        ("A (b", "'(' at position 2 is never closed"),
        ("A b)", "')' at position 3 closes nothing"),
        ("A (b]", "']' at position 4 closes '('"),
        ('A "b', "'\"' at position 2 is never closed"),
        ('A ("b)"', "')' at position 5 closes '\"'"),
    ],
)
def test_refused(text, reason):
    assert TITLE.validate(text) == seqgen.Verdict(False, reason)


@given(ANY)
def test_any_text_gets_a_verdict_and_its_canonical_form_is_final(text):
    verdict = TITLE.validate(text)
    if verdict.ok:
        assert TITLE.validate(verdict.canonical) == verdict
    else:
        assert verdict.reason and "\n" not in verdict.reason


@given(st.text("aB ()[]{}\"'"))
def test_brackets_and_quotes_are_even(text):
    if TITLE.validate(text).ok:
        assert text.count("(") == text.count(")") and text.count('"') % 2 == 0


def test_its_corpus(plugins):
    if not plugins.registry.has("corpus", "titles"):
        pytest.skip("seqgen_titles is there, but not installed")
    corpus, validator = (plugins.registry.get(*what).spec for what in (("corpus", "titles"), ("validator", "title")))
    assert corpus.domain == "title"
    assert testing.check_accepts(validator, corpus) == 2417 / 2418


def test_figures():
    figures = metric.TitleMetric()(["A deep net", "DEEP xyzzy"], ["The deep thing"], training=iter(["A net of nets"]))
    assert figures == {
        "mean_length": 10, "mean_length_held_out": 14, "known_words": 4 / 5, "known_words_held_out": 0,
    }  # fmt: skip
    assert metric.TitleMetric()([], []) == dict.fromkeys(("mean_length", "mean_length_held_out", "known_words"))
    assert metric.TitleMetric()(["2 + 2"], ["a"]) == {"mean_length": 5, "mean_length_held_out": 1, "known_words": None}


@given(st.lists(ANY), st.lists(ANY))
def test_figures_of_anything(samples, reference):
    figures = metric.TitleMetric()(samples, reference, reference)
    assert all(value is None or value >= 0 for value in figures.values())
    assert (figures["mean_length"] is None) == (not samples)


def test_real_titles_know_all_their_words():
    assert metric.TitleMetric()(["Going Deep"], ["Deep", "going"])["known_words"] == 1


def test_picture():
    shown = renderer.load()("BERT: [bold]Pre-training[/bold]\x1b[2J")
    assert shown.plain == "BERT: [bold]Pre-training[/bold]\\x1b[2J"  # no markup, and nothing a terminal obeys
    assert [(span.start, span.end, str(span.style)) for span in shown.spans] == [(0, 4, "bold")]
    assert not renderer.load()("No Colon Here").spans


@given(ANY)
def test_every_text_can_be_shown(text):
    console = Console(file=None, record=True, quiet=True)
    console.print(renderer.load()(text))

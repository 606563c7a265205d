"""The HTML report: a page that is complete, safe and loads nothing from the network."""

from __future__ import annotations

import dataclasses
import html.parser
import math
import re
import subprocess
import sys

import pytest

import seqgen
from conftest import one_in
from seqgen.evaluation.memorization import EVIDENCE, NO_CHANCE, NO_EVIDENCE, TOO_FEW
from seqgen_report.page import page
from seqgen_report.plots import symbols

PLOT = "needs the extra 'plot'"


class Page(html.parser.HTMLParser):
    """Checks that what is opened is closed, and collects what could ask a network for something."""

    EMPTY = {"meta", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.asks, self.ids, self.words = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        names = dict(attrs)
        self.ids += [names["id"]] if "id" in names else []
        self.asks += [value for name, value in attrs if name in ("src", "srcset", "action", "data")]
        self.asks += [names["href"]] if not names.get("href", "#").startswith("#") else []
        assert tag != "svg" or (names["role"] == "img" and names["aria-label"])
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.parametrize("kind", one_in(2, ["tiny_run", "long_run"]))
def test_a_page_is_whole_and_asks_nothing_of_a_network(kind, request, tmp_path):
    pytest.importorskip("matplotlib", reason=PLOT)
    run = request.getfixturevalue(kind)
    figures = run.evaluate(40, html=tmp_path / "page.html")
    assert figures == run.evaluate(40)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.asks == [] and not re.search(r"https?://|src=|@import|url\((?!#)", text)
    assert len(page.ids) == len(set(page.ids)), "plots share no id"
    assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', text)) <= set(page.ids)
    assert page.tags.count("svg") == page.tags.count("figure") == (6 if kind == "tiny_run" else 4)
    assert "default-src 'none'" in text
    assert "script" not in page.tags and "prefers-color-scheme: dark" in text and "#0102" not in text
    assert run.sample(1)[0].text.split("\n")[0].strip() in " ".join(page.words)
    assert f"{figures['test_bits_per_char']:.3f}" in page.words


def test_texts_of_a_page_are_escaped():
    pytest.importorskip("matplotlib", reason=PLOT)
    evil = "<script>alert('$x$')</script>&\x07"
    evaluation = seqgen.Evaluation(
        metrics={"run": evil, "test_bits_per_char": 1.0, "baseline_uniform_bits_per_char": 2.0, "memorisation": evil,
                 "symbol_distance": 0.1, "symbol_distance_chance": 0.1, "notes": [evil], "m.f": math.nan,
                 "published": {"m": {f"CharRNN {evil}": {"f": 0.975, "g": 1.0}}}},
        settings={"corpus": {"title": evil, "list": [1, 2]}},
        rows=[{"text": evil, "cut": True, "bits_per_char": None, "where": "new", "valid": False}],
        samples=[evil, "日本"],
        held_out=["<b>", "$", "日本"],
    )  # fmt: skip
    made = page(evaluation)
    found = Page(made)
    assert "script" not in found.tags and "b" in found.tags and "\x07" not in made.split("<main>")[1].split("<h2>")[-2]
    assert "0.975" in found.words and "CharRNN" in made
    assert made.count("&lt;script&gt;") >= 5 and "日" in made
    assert "<td>not valid</td>" in made and "<td>new</td>" not in made
    record = {**evaluation.rows[0], "where": "test"}
    assert "<td>held out, not valid</td>" in page(dataclasses.replace(evaluation, rows=[record]))


def test_the_best_baseline_leads():
    pytest.importorskip("matplotlib", reason=PLOT)
    bits = {"uniform": 5.0, "kneser_ney": 1.7, "ppmd": 1.6}
    metrics = {f"baseline_{name}_bits_per_char": value for name, value in bits.items()} | {"baseline_ppmd_order": 1}
    evaluation = seqgen.Evaluation(metrics=metrics | {"test_bits_per_char": 1.65})
    assert "<b>1.600</b>best baseline: PPMd, bits per character" in page(evaluation)
    assert evaluation.best_baseline() == "baseline_ppmd_bits_per_char"
    assert seqgen.Evaluation(metrics={}).best_baseline() is None


@pytest.mark.parametrize(("n", "shown"), [(2, "2 test records"), (10, "0.027 to 130.284")])
def test_the_interval_of_few_records_does_not_lead(n, shown):
    pytest.importorskip("matplotlib", reason=PLOT)
    loss = {"test_bits_per_char": 1.867, "test_bits_per_char_low": 0.027, "test_bits_per_char_high": 130.284}
    made = page(seqgen.Evaluation(metrics=loss | {"test_records": n}))
    assert f"<b>1.867</b>test, bits per character<small><br>{shown}</small>" in made
    assert '<td class="n">0.027 to 130.284</td>' in made, "the table has it all the same"


def test_the_labels_of_frequent_characters_are_one_character_wide():
    """At the distance of 30 bars a word reaches into the next label."""
    axes = pytest.importorskip("matplotlib.figure", reason=PLOT).Figure().subplots()
    symbols(["a b", "a\n"], ["b a b"])(axes)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["b", "␠", "a"]


@pytest.mark.parametrize("verdict", [NO_CHANCE, TOO_FEW, EVIDENCE, NO_EVIDENCE])
def test_the_verdict_is_a_statement_of_its_own(verdict):
    pytest.importorskip("matplotlib", reason=PLOT)
    assert f">Memorization: {verdict}.</p>" in page(seqgen.Evaluation(metrics={"memorisation": verdict}))


@pytest.mark.full
def test_without_matplotlib_a_page_costs_one_line_before_any_work(tiny_run, tmp_path):
    call = [
        sys.executable, "-c",
        "import sys, importlib.util as util; found = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'matplotlib' else found(name, *rest)\n"
        f"import seqgen.cli; sys.exit(seqgen.cli.main(['evaluate', {str(tiny_run.path)!r}, '--html', 'x.html']))",
    ]  # fmt: skip
    result = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 2 and "pip install 'seqgen-lm[plot]'" in result.stderr
    assert result.stdout == "" and not list(tmp_path.iterdir())


@pytest.mark.full
def test_the_command_line_writes_the_page(cli, tiny_run, tmp_path):
    pytest.importorskip("matplotlib", reason=PLOT)
    result = cli("evaluate", tiny_run.path, "-n", 20, "--html", tmp_path / "page.html")
    assert result.code == 0 and "Memorization" in result.out and (tmp_path / "page.html").stat().st_size > 20_000
    refused = cli("evaluate", tiny_run.path, "-n", 20, "--html", tmp_path / "no" / "page.html")
    assert refused.code == 7 and "no/page.html" in refused.err

"""``evaluate`` as a whole: metrics, tables and reports."""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import seqgen
from conftest import WORDS
from seqgen.api.evaluate import _beside_counts
from seqgen.api.evidence import gather, memorization_metrics
from seqgen.batches import encode, encode_stream
from seqgen.corpus import Record, Splitter
from seqgen.evaluation import excerpt, held_out_loss, penalty, pieces, record_losses
from seqgen.evaluation.memorization import TOO_FEW
from seqgen.evaluation.record_losses import RecordLosses, _parts
from seqgen.metrics import METRICS, baselines_of
from seqgen.model import RecurrentModel
from seqgen.render import evaluation_view
from seqgen.tokenizers import ByteTokenizer, CharTokenizer, Vocabulary
from seqgen_classic.gru import GRUCell
from seqgen_text.word import WordTokenizer
from test_render import shown


def encoded(texts, vocabulary):
    return encode(map(Record, texts), vocabulary, Splitter((1.0, 0.0, 0.0)))["train"]


# -- what records cost


def test_record_losses_sum_to_the_loss_and_equal_the_scores(tiny_run):
    vocabulary, weights = tiny_run.vocabulary, penalty(tiny_run.vocabulary)
    part = encoded(WORDS, vocabulary)
    costs, loss = (
        record_losses(tiny_run.model, part, vocabulary, weights),
        held_out_loss(tiny_run.model, part, weights),
    )
    assert costs.loss_nats == pytest.approx(loss.loss_nats, rel=1e-5)
    assert costs.bits_per_char == pytest.approx(loss.bits_per_char, rel=1e-5)
    by_length = sorted(WORDS, key=len)  # records of like length are computed together, in a stable order
    assert costs.nats_N == pytest.approx([score.nats for score in tiny_run.score(by_length)], rel=1e-4)
    assert costs.chars_N.tolist() == [len(word) + 1 for word in by_length]


@pytest.mark.full
def test_window_losses_sum_to_the_loss_of_a_long_text(long_run):
    vocabulary, weights = long_run.vocabulary, penalty(long_run.vocabulary)
    text = "".join(record.text for record in long_run.corpus) * 3
    part = encode_stream([Record(text)], len(text), vocabulary, Splitter((1.0, 0.0, 0.0)))["train"]
    costs = record_losses(long_run.model, part, vocabulary, weights)
    loss = held_out_loss(long_run.model, part, weights, most=10**9)
    assert len(costs.nats_N) > 20 and costs.chars_N.max() <= 256
    assert costs.loss_nats == pytest.approx(loss.loss_nats, rel=1e-5)
    assert costs.bits_per_char == pytest.approx(loss.bits_per_char, rel=1e-5)


def test_windows_of_a_long_text_have_the_characters_of_their_symbols():
    """The interval of its loss resamples windows, each with its nats and its characters."""
    random = np.random.default_rng(0)
    text = " ".join("x" * length for length in np.sort(random.integers(1, 12, 500)).tolist())
    vocabulary = Vocabulary(WordTokenizer.fit([text], min_count=1))
    part = encode_stream([Record(text)], len(text), vocabulary, Splitter((1.0, 0.0, 0.0)))["train"]
    torch.manual_seed(0)
    model = RecurrentModel(vocabulary.size, GRUCell, hidden=4, embedding=4)
    costs = record_losses(model, part, vocabulary, penalty(vocabulary))
    symbols = re.findall(r"x+|\s", text)
    expected = [len("".join(symbols[first : first + 256])) for first in range(0, len(symbols), 256)]
    assert costs.chars_N == pytest.approx(expected, rel=1e-3) and max(expected) > 2 * min(expected[:3])


@pytest.mark.parametrize(("n_windows", "n_lanes"), [(8, 1), (16, 1), (100, 1), (9, 11), (300, 32)])
def test_windows_near_each_other_are_in_one_part_of_a_long_text(n_windows, n_lanes):
    lanes_LW = _parts(n_windows, n_lanes).reshape(n_windows, n_lanes).T
    in_order = lanes_LW.flatten()
    assert np.all(np.diff(in_order) >= 0), "a part is one piece of the text"
    assert min(10, n_windows * n_lanes) <= len(set(in_order.tolist())) <= 32
    assert np.ptp(np.bincount(in_order)) <= 1


def test_the_interval_of_a_long_text_has_its_coverage():
    """Losses of windows near each other are alike: half of the intervals hold the truth if each window counts."""
    random, covered = np.random.default_rng(6), 0
    for _ in range(300):
        noise_NW, nats_NW = random.normal(0, 1, (400, 32)), np.zeros((400, 32))
        for window in range(1, 400):
            nats_NW[window] = 0.8 * nats_NW[window - 1] + noise_NW[window]
        losses = RecordLosses(100 + nats_NW.flatten(), np.full(12_800, 100 / np.log(2)), 1, _parts(400, 32))
        low, high = losses.interval()
        covered += low <= 1 <= high
    assert 0.92 <= covered / 300 <= 0.98


def test_pieces_of_few_samples_do_not_decide_on_copying(tmp_path):
    """Three samples are three, however many pieces of each are looked for."""
    text = "".join(np.random.default_rng(7).choice(list("abcdefgh "), 20_000).tolist())
    (tmp_path / "book.txt").write_text(text)
    settings = {"layout": "stream", "cell": "vanilla", "hidden": 4, "steps": 2, "blend": "none"}
    run = seqgen.train(tmp_path / "book.txt", out=tmp_path / "run", **settings)
    data = run.read_corpus()
    for n, is_known in ((3, False), (12, True)):
        found = gather(run, data, [text[1000 * start : 1000 * start + 1000] for start in range(n)])
        metrics = memorization_metrics(run, data, found)
        assert metrics["examined"] == 5 * n and ("shared_difference_chars_low" in metrics) == is_known
        assert (metrics["memorisation"] == TOO_FEW) != is_known


@pytest.mark.parametrize("tokenizer", [CharTokenizer.fit([*WORDS, "é"]), ByteTokenizer()])
def test_excerpts_decode_to_records(tokenizer):
    vocabulary = Vocabulary(tokenizer)
    texts = [*WORDS, "", "éa"]
    part = encoded(texts, vocabulary)
    assert excerpt(part, vocabulary, most_chars=10**6) == texts
    assert excerpt(part, vocabulary, most_chars=10**6, most=14) == texts[::3]
    every = -(-len("".join(texts)) // 60)
    assert excerpt(part, vocabulary, most_chars=60) == texts[::every] and every == 3
    assert pieces("abcdefg", 2, 9) == ["ab", "cd", "ef"] and pieces("abcdefgh", 2, 2) == ["ab", "ef"]


# -- the figures


def test_metrics_of_a_run_on_records(tiny_run):
    figures = tiny_run.evaluate(60)
    old = "run step trained_s validation_bits_per_char validation_loss_nats test_bits_per_char test_loss_nats"
    assert {*old.split(), "samples", "unique", "novel"} <= set(figures)
    assert figures["test_bits_per_char_low"] < figures["test_bits_per_char"] < figures["test_bits_per_char_high"]
    assert figures["novel_low"] <= figures["novel"] <= figures["novel_high"]
    n_symbols = len(set("".join(WORDS)))
    assert figures["baseline_uniform_bits_per_char"] == pytest.approx(math.log2(n_symbols + 1))
    parts = Splitter(tiny_run.settings.train.split)
    train = [word for word in WORDS if parts.part(Record(word)) == "train"]
    by_order = figures["baseline_kneser_ney_by_order"]
    assert figures["baseline_kneser_ney_bits_per_char"] == by_order[figures["baseline_kneser_ney_order"] - 1]
    samples = [sample.text for sample in tiny_run.sample(60)]
    assert figures["copies"] == sum(text in train for text in samples) / 60
    for name in figures:
        base = re.sub(r"(_chance)?(_low|_high|_chance)?$", "", name)
        assert base in METRICS or name == "notes", f"{name} is not described"
    assert json.dumps(figures) and tiny_run.evaluate(60) == figures


@pytest.mark.full
def test_meaningless_metrics_are_left_out_with_a_note(long_run, tmp_path, words):
    figures = long_run.evaluate(5)
    assert not {"novel", "copies", "nearest_mean", "length_distance_chars"} & set(figures)
    assert "one long text has no records" in figures["notes"][0]
    assert figures["test_bits_per_char_low"] <= figures["test_bits_per_char"] <= figures["test_bits_per_char_high"]
    assert figures["shared_mean_chars"] > 2 and figures["baseline_5gram_bits_per_char"] < 1 and figures["memorisation"]
    no_test = seqgen.train(words, cell="vanilla", hidden=4, steps=3, split="80/20/0", out=tmp_path / "r").evaluate(20)
    assert "test_bits_per_char" not in no_test and "baseline_bigram_bits_per_char" in no_test
    assert "there is no test part: the baselines use the validation part" in no_test["notes"]
    nothing = long_run.evaluate(0)
    assert nothing["samples"] == 0 and "memorisation" not in nothing and "symbol_distance" not in nothing


def test_of_no_samples_there_are_no_shares(tiny_run):
    nothing = tiny_run.evaluate(0)
    assert nothing["samples"] == 0 and "validation_bits_per_char" in nothing
    assert not [name for name in nothing if name.startswith(("valid_", "unique", "novel"))] and "valid" not in nothing


def test_a_large_corpus_is_subsampled_with_a_note(tiny_run, monkeypatch):
    from seqgen.api import evidence

    monkeypatch.setattr(evidence, "MAX_TRAINING", 60)
    monkeypatch.setattr(evidence, "_MAX_NEAR", 10)
    notes = "\n".join(tiny_run.evaluate(20)["notes"])
    assert re.search(r"the baselines count \d\d of \d+ training characters", notes)
    assert re.search(r"nearest record is looked for among 10 of \d\d", notes)


@pytest.mark.parametrize("canonical", [True, False])
def test_a_metric_learns_whether_training_texts_are_canonical(tmp_path, canonical):
    class Declared:
        @seqgen.hookimpl
        def register_corpora(self, register):
            about = {"summary": "words", "source": "here", "licence": "CC0-1.0", "canonical": canonical}
            register(seqgen.CorpusSpec(name="declared", load=lambda: [Record(word) for word in WORDS], **about))

        @seqgen.hookimpl
        def register_metrics(self, register):
            def metric(samples, reference, training):
                return {"canonical": int(training.canonical), "records": len(list(training))}

            register(seqgen.MetricSpec(name="own", summary="of training", load=lambda: metric))

    settings = {"cell": "vanilla", "hidden": 4, "steps": 1, "split": "none", "out": tmp_path / "r"}
    figures = seqgen.train("declared", plugins=[Declared()], **settings).evaluate(2, metrics=["own"])
    assert (figures["own.canonical"], figures["own.records"]) == (canonical, len(WORDS))
    assert not [note for note in figures["notes"] if "the metric own" in note], "it is for no domain"


def test_every_metric_is_documented():
    page = (Path(__file__).parent.parent / "docs" / "evaluation.md").read_text(encoding="utf-8")
    for name, figure in METRICS.items():
        assert re.search(
            rf"^\| `{name}` \| [^|]+ \| {re.escape(figure.label)}: {re.escape(figure.meaning)} \|$", page, re.M
        )
    assert len(re.findall(r"^\| `", page, re.M)) == len(METRICS)


# -- tables


def test_the_table_has_groups_and_escapes_texts(tiny_run):
    figures = {**tiny_run.evaluate(30), "notes": ["[bold]x[/bold]\x1b[0m"], "own.figure": 0.25}
    text = shown(evaluation_view(figures), width=100)
    for heading in ("Held-out loss", "Baselines on the same split", "Memorization", "Metrics of plugins"):
        assert heading in text
    assert "[bold]x[/bold]\\x1b[0m" in text and "own.figure" in text and "by chance" in text
    assert figures["memorisation"] in text
    published = shown(evaluation_view(figures, {"Other (1999)": {"own.figure": 0.5}}), width=100)
    assert "Other (1999)" in published and "0.500" in published


def test_one_held_out_record_has_no_interval(words, tmp_path):
    one = tmp_path / "one.txt"
    one.write_text("anno\n")
    runs = [
        seqgen.train(words, test=one, cell="vanilla", hidden=hidden, steps=2, out=tmp_path / f"{hidden}")
        for hidden in (4, 5)
    ]
    figures = runs[0].evaluate(20)
    assert figures["test_records"] == 1 and "test_bits_per_char" in figures
    ends = {name for name in figures if name.endswith(("_low", "_high"))}
    assert not [name for name in ends if name.startswith(("test", "nearest", "shared"))]
    assert figures["memorisation"] == TOO_FEW
    assert "test, records" in shown(evaluation_view(figures), width=100)


def test_a_verdict_is_as_wide_as_the_terminal_not_as_its_table():
    verdict = "more copying than by chance (rate of training records 1.52 times chance, nearest record)"
    figures = {"samples": 500, "copies": 0.082, "copies_chance": 0.136, "memorisation": verdict}
    assert any(line.endswith(verdict) for line in shown(evaluation_view(figures), width=110).splitlines())


class AnyText:
    """A validator that accepts every text as it is."""

    def validate(self, text):
        return seqgen.Verdict(True, canonical=text)


def test_held_out_records_that_are_training_records_are_noted(words, tmp_path):
    (tmp_path / "test.txt").write_text(f"{WORDS[0]}\naoa\n{WORDS[1]}\n{WORDS[0]}\n")
    run = seqgen.train(words, test=tmp_path / "test.txt", cell="vanilla", hidden=4, steps=2, out=tmp_path / "r")
    notes = run.evaluate(2)["notes"]
    assert "3 of 4 test records stand in the training part too; losses on them say little" in notes


def test_notes_are_a_list_where_there_are_none(tiny_run, monkeypatch):
    run = seqgen.load(tiny_run)
    run.validator = AnyText()  # each of these gives a note
    for name in ("_beside_counts", "_beside_the_log", "_of_few_records"):
        monkeypatch.setattr(f"seqgen.api.evaluate.{name}", lambda *_: [])
    metrics = run.evaluate(40)
    assert metrics["notes"] == [] and "note" not in shown(evaluation_view(metrics), width=100)


def test_a_run_that_predicts_less_than_counts_is_told(words, tmp_path):
    settings = {"cell": "vanilla", "hidden": 4, "steps": 2, "split": "50/0/50", "blend": "none"}
    metrics = seqgen.train(words, out=tmp_path / "r", **settings).evaluate(5)
    bits = {name: value for name, value in metrics.items() if name.startswith("baseline_") and name.endswith("_char")}
    best = min(bits.values())
    notes = [note for note in metrics["notes"] if "the best baseline is better than the run" in note]
    assert best < metrics["test_bits_per_char"] and len(notes) == 1 and f"{best:.3f}" in notes[0]
    assert _beside_counts({"test_bits_per_char": 2.0, "baseline_xz_bits_per_char": 2.1}) == []
    assert "xz has 1.900 bits" in _beside_counts({"test_bits_per_char": 2.0, "baseline_xz_bits_per_char": 1.9})[0]
    conditional = {"test_bits_per_char": 1.5, "baseline_xz_bits_per_char": 1.9}
    (note,) = _beside_counts(conditional | {"test_unconditional_bits_per_char": 2.0})
    assert "better than the run without conditions: " in note and _beside_counts(conditional) == []


def test_a_validation_loss_of_few_records_is_noted(words, tmp_path):
    for n, few in ((1, True), (9, True), (10, False)):
        (tmp_path / "few.txt").write_text("".join(f"ann{'aeiou'[k % 5]}{k // 5 * 'a'}\n" for k in range(n)))
        run = seqgen.train(words, valid=tmp_path / "few.txt", hidden=4, steps=2, blend="none", out=tmp_path / str(n))
        notes = [note for note in run.evaluate(2)["notes"] if "validation loss says little" in note]
        assert notes == [f"{n} validation record{'s' * (n > 1)}: the validation loss says little"] * few


def test_of_few_test_records_nothing_is_called_better(words, tmp_path):
    for n, unit in ((1, "1 test record: the test loss"), (2, "2 test records: the interval of the test loss")):
        (tmp_path / "few.txt").write_text("anno\nqx\n"[: 5 * n].replace("qx", "mio"))
        run = seqgen.train(words, test=tmp_path / "few.txt", cell="vanilla", hidden=4, steps=2, out=tmp_path / str(n))
        metrics = run.evaluate(2)
        assert metrics["test_records"] == n and f"{unit} says little" in metrics["notes"]
        assert metrics["test_bits_per_char"] > min(metrics[name] for name in baselines_of(metrics))
        assert not [note for note in metrics["notes"] if "better than the run" in note]
    assert _beside_counts({"test_bits_per_char": 2.0, "baseline_xz_bits_per_char": 1.9, "test_records": 9}) == []
    assert _beside_counts({"test_bits_per_char": 2.0, "baseline_xz_bits_per_char": 1.9, "test_records": 10})


FAILING = """
import sys

import seqgen


class Report:
    suffixes = (".txt",)

    def write(self, evaluation, path):
        raise OSError("no ink")


def fails(samples, reference):
    raise ValueError(f"{len(samples)} are too many")


@seqgen.hookimpl
def register_metrics(register):
    register(seqgen.MetricSpec(name="fails", summary="fails", load=lambda: fails))
    register(seqgen.MetricSpec(name="leaves", summary="leaves", load=lambda: lambda samples, reference: sys.exit(3)))
    register(seqgen.MetricSpec(name="counts", summary="n", load=lambda: lambda samples, reference: {"n": len(samples)}))


@seqgen.hookimpl
def register_reports(register):
    register(seqgen.ReportSpec(name="inkless", summary="fails", load=Report))
"""


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            ("--metric", "fails", "--metric", "leaves"),
            "failed in fails, line 15 of failing.py: ValueError: 7 are too many",
        ),
        (("--report", "inkless=page.txt"), "no ink"),
    ],
)
def test_what_fails_in_a_plugin_does_not_hide_the_rest(asked, said, cli, tiny_run, in_tmp):
    (in_tmp / "failing.py").write_text(FAILING)
    result = cli("evaluate", tiny_run.path, "-n", 7, *asked, "--metric", "counts", "--json", "--plugin", "failing.py")
    sys.modules.pop("failing", None)
    found = json.loads(result.out)
    assert found["counts.n"] == 7 and found["test_bits_per_char"] > 0
    assert result.code == 5 and said in result.err
    notes = [note for note in found["notes"] if "failed" in note]
    assert len(notes) == (2 if "fails" in asked else 0)


def test_records_that_stand_twice_narrow_no_interval(tiny_run):
    part, weights = encoded(dict.fromkeys(WORDS), tiny_run.vocabulary), penalty(tiny_run.vocabulary)
    twice = part.copy(np.tile(np.arange(len(part)), 2))
    once, again = (record_losses(tiny_run.model, some, tiny_run.vocabulary, weights) for some in (part, twice))
    assert len(again.nats_N) == 2 * len(once.nats_N) and again.bits_per_char == pytest.approx(once.bits_per_char)
    assert again.interval() == pytest.approx(once.interval(), rel=1e-3)


def test_intervals_of_the_test_loss_shrink_with_the_records(tmp_path):
    random = np.random.default_rng(0)
    widths = []
    for n in (200, 3200):
        texts = ["".join(random.choice(list("abcdef"), random.integers(8, 16))) for _ in range(n)]
        (tmp_path / f"{n}.txt").write_text("\n".join(texts) + "\n")
        run = seqgen.train(
            tmp_path / f"{n}.txt", cell="vanilla", hidden=4, steps=5, split="50/0/50", out=tmp_path / str(n)
        )
        figures = run.evaluate(0)
        widths.append(figures["test_bits_per_char_high"] - figures["test_bits_per_char_low"])
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.3)

"""``seqgen compare``: runs side by side, and whether one is better than another on the same records."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import seqgen
from conftest import WORDS
from seqgen.api.encoded_corpus import CorpusReading
from seqgen.errors import BadOption, NoSuchRun
from seqgen.evaluation import held_out_loss, paired_difference, penalty, record_nats
from seqgen_bench.compare import compare
from seqgen_bench.render import _signed, compare_view
from seqgen_bench.seed_groups import seed_groups
from test_render import shown

SMALL = {"hidden": 8, "split": "50/20/30", "options": {"samples": 0}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs on the same records: a trained one, one hardly trained, one of another cell; and one split otherwise."""
    folder = tmp_path_factory.mktemp("runs")
    words = folder / "words.txt"
    words.write_text("\n".join(WORDS * 3) + "\n", encoding="utf-8")
    settings = {
        "good": {"cell": "vanilla", "steps": 80},
        "poor": {"cell": "vanilla", "steps": 2, "lr": 0.001},
        "gru": {"cell": "gru", "steps": 40},
        "otherwise": {"cell": "vanilla", "steps": 5, "split": "60/20/20"},
        "told": {"cell": "vanilla", "steps": 5, "options": {"samples": 0, "split_seed": 1}},
    }
    return {
        name: seqgen.train(words, **{**SMALL, "blend": "none", **given}, out=folder / name)
        for name, given in settings.items()
    }


def held_out_texts(runs):
    return [record.text for record in runs["good"].corpus if runs["good"].settings.splitter.part(record) == "test"]


def encoded(run, part):
    reading = CorpusReading(run.corpus, "w")
    return reading.encode(run.vocabulary, run.settings.splitter, reading.count()).encoded[part]


@pytest.mark.full
def test_a_run_that_began_with_anothers_weights_is_judged_with_its_own_symbols(runs, tmp_path):
    words = tmp_path / "others.txt"
    words.write_text("\n".join(word.upper().replace("A", "ä") for word in WORDS * 2) + "\n", encoding="utf-8")
    alone = seqgen.train(words, **SMALL, cell="vanilla", steps=4, out=tmp_path / "alone")
    after = seqgen.train(words, start=runs["good"].path, steps=4, split="50/20/30", out=tmp_path / "after")
    assert alone.vocabulary.size < after.vocabulary.size
    expected = {run.folder.name: run.evaluate(1)["test_bits_per_char"] for run in (alone, after)}
    for pair in ([alone.path, after.path], [after.path, alone.path]):
        found = {row["run"]: row["test_bits_per_char"] for row in compare(pair, n=0).rows}
        assert found == pytest.approx(expected, rel=1e-5)


def test_the_cost_of_each_record_is_its_score_and_sums_to_the_loss(runs, monkeypatch):
    run = runs["good"]
    part = encoded(run, "test")
    with monkeypatch.context() as patched:
        patched.setattr("seqgen.batches.feed.EVALUATION_BATCH", 5)
        nats_N = record_nats(run.model, part, penalty(run.vocabulary))
    texts = held_out_texts(runs)
    assert nats_N == pytest.approx([score.nats for score in run.score(texts)], rel=1e-5)
    loss = held_out_loss(run.model, part, penalty(run.vocabulary))
    assert nats_N.sum() / math.log(2) / (part.chars_N.sum() + len(part)) == pytest.approx(loss.bits_per_char, rel=1e-5)


def test_the_paired_difference_is_that_of_the_scores(runs):
    found = compare([runs["good"].path, runs["poor"].path], n=0)
    best, worse = found.rows
    assert (best["run"], worse["run"]) == ("good", "poor") and best["difference"] is None
    texts = held_out_texts(runs)
    good, poor = (np.array([score.nats for score in runs[name].score(texts)]) for name in ("good", "poor"))
    length = sum(len(text) + 1 for text in texts)
    assert worse["difference"] == pytest.approx((poor.sum() - good.sum()) / math.log(2) / length, rel=1e-4)
    assert worse["test_bits_per_char"] == pytest.approx(poor.sum() / math.log(2) / length, rel=1e-5)
    assert 0 < worse["difference_low"] < worse["difference"] < worse["difference_high"]
    assert best["validation_bits_per_char"] == pytest.approx(runs["good"].evaluate(1)["validation_bits_per_char"])
    assert found.notes == []


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Records whose true difference is known: about 19 of 20 intervals hold it."""
    random = np.random.default_rng(7)
    covered = 0
    for trial in range(200):
        chars_N = random.integers(2, 12, 150)
        shared_N = random.gamma(4, 2, 150)  # how hard a record is, for both
        other_N = shared_N + 0.3 * random.normal(size=150)
        nats_N = shared_N + 0.05 * math.log(2) * (chars_N + 1) + 0.3 * random.normal(size=150)
        found = paired_difference(nats_N, other_N, chars_N, n_resamples=300, seed=trial)
        covered += found.low <= 0.05 <= found.high
        assert found.high - found.low < 0.05, "unpaired it would be 0.35 wide"
    assert 180 <= covered <= 198


def test_the_interval_of_equal_differences_has_no_width():
    chars_N = np.array([3, 3, 3])
    found = paired_difference(np.full(3, 2.0), np.full(3, 1.0), chars_N)
    assert found.low == pytest.approx(found.high) == pytest.approx(1 / math.log(2) / 4) == found.bits_per_char


def test_only_the_settings_that_differ_are_shown(cli, runs):
    result = cli("compare", runs["good"].path, runs["gru"].path, "-n", 30)
    assert result.code == 0 and result.err == ""
    shown = result.out
    assert "above the best in the test part" in " ".join(shown.split())
    assert "train.steps" in shown and "cell.name" in shown and "cell.activation" in shown
    assert "train.batch_size" not in shown and "corpus." not in shown and "train.seed" not in shown
    found = compare([runs["good"].path, runs["gru"].path], n=0)
    assert found.settings["train.steps"] == {"good": 80, "gru": 40}
    assert found.settings["cell.activation"]["gru"] is None


def test_samples_are_judged_as_evaluate_does(runs):
    found = compare([runs["good"].path, runs["gru"].path], n=50, seed=3)
    figures = runs["good"].evaluate(50, seed=3)
    row = next(row for row in found.rows if row["run"] == "good")
    assert (row["samples"], row["unique"], row["novel"]) == (50, figures["unique"], figures["novel"])
    assert row["valid"] is None, "plain text has no validator"


def test_where_no_sample_is_valid_none_is_unique_or_novel(tmp_path):
    brackets = tmp_path / "brackets.txt"
    brackets.write_text("".join("(" * n + "\n" for n in range(5, 35)), encoding="utf-8")
    trained = [seqgen.train(brackets, **SMALL, domain="smiles", steps=n, out=tmp_path / f"{n}") for n in (1, 2)]
    for row in compare(trained, n=5).rows:
        assert (row["samples"], row["valid"], row["unique"], row["novel"]) == (5, 0.0, None, None)


def test_differences_that_round_to_zero_have_no_minus():
    assert [_signed(bits) for bits in (-0.0004, 0.0004, -0.0006, None)] == ["+0.000", "+0.000", "-0.001", None]


@pytest.mark.parametrize("other", ["otherwise", "told"])
def test_other_records_are_said_and_not_paired(cli, runs, other):
    result = cli("compare", runs["good"].path, runs[other].path, "-n", 0, "--json")
    assert result.code == 0 and result.err.count("\n") == 1 and "split in different ways" in result.err
    found = json.loads(result.out)
    assert all(row["difference"] is None and row["test_bits_per_char"] > 0 for row in found["rows"])
    assert found["rows"][0]["test_bits_per_char"] <= found["rows"][1]["test_bits_per_char"]


def test_a_copy_of_a_file_is_no_other_corpus(cli, runs, tmp_path):
    copy = tmp_path / "copied.txt"
    copy.write_bytes(runs["good"].path.with_name("words.txt").read_bytes())
    seqgen.train(copy, cell="vanilla", hidden=4, steps=1, out=tmp_path / "copied", split="50/20/30")
    result = cli("compare", runs["good"].path, tmp_path / "copied", "-n", 0)
    assert result.code == 0 and "corpora" not in result.err and "above the best" in result.out


def test_records_whose_labels_differ_are_the_same(tmp_path):
    """The digest of a corpus covers the labels: the same file with a label field has another one."""
    rows = [{"text": word, "kind": "x" if "a" in word else "y"} for word in WORDS]
    path, settings = seqgen.write_records(tmp_path / "rows.jsonl", rows), {"hidden": 4, "steps": 1, "split": "50/20/30"}
    for cell in ("gru", "vanilla"):
        labels = {"condition": "label", "label_field": "kind"} if cell == "gru" else {}
        seqgen.train(path, cell=cell, out=tmp_path / cell, **settings, **labels)
    found = compare([tmp_path / "gru", tmp_path / "vanilla"], n=0)
    assert found.rows[1]["difference"] is not None
    assert found.notes == ["gru: its losses are given each record's conditions (label)"]


def test_the_same_test_file_is_compared_whatever_was_trained_on(tmp_path):
    held_out, settings = tmp_path / "test.txt", {"cell": "vanilla", "hidden": 4, "steps": 1, "split": "none"}
    held_out.write_text("\n".join(WORDS[:12]))
    for name, texts in (("all", WORDS), ("half", WORDS[:20])):
        (tmp_path / f"{name}.txt").write_text("\n".join(texts))
        seqgen.train(tmp_path / f"{name}.txt", test=held_out, out=tmp_path / name, **settings)
    found = compare([tmp_path / "all", tmp_path / "half"], n=0)
    assert found.rows[1]["difference"] is not None
    assert found.notes == ["the runs have the same test records, but different training records"]


def test_a_corpus_with_other_held_out_files_is_named_with_its_runs(cli, words, in_tmp):
    held_out, settings = in_tmp / "held.txt", {"cell": "vanilla", "hidden": 4, "steps": 1, "split": "none"}
    held_out.write_text("\n".join(WORDS[:12]))
    seqgen.train(words, out="split", **{**settings, "split": "80/10/10"})
    for name in ("filed", "again"):
        seqgen.train(words, test=held_out, valid=held_out, out=name, **{**settings, "split": None})
    result = cli("compare", "split", "filed", "again", "-n", 0)
    assert (
        "was not the same for all runs (split: 40 records; filed, again: 64 records with --valid-file held.txt and "
        "--test-file held.txt): their losses cannot be compared; those of runs trained with the same --test-file can"
    ) in result.err, result.err
    assert "corpus.test" in result.out and "train.split" not in result.out and "corpus.divided" not in result.out
    assert "split=" not in cli("show", "run", "filed").out and "split=0.8/0.1/0.1" in cli("show", "run", "split").out
    assert "divided" not in cli("show", "run", "filed").out


def test_other_corpora_are_said(cli, runs, tmp_path):
    path = tmp_path / "others.txt"
    path.write_text("eins zwei drei vier fünf sechs sieben acht".replace(" ", "\n"))
    seqgen.train(path, cell="vanilla", hidden=4, steps=1, split="none", out=tmp_path / "none")
    result = cli("compare", runs["good"].path, tmp_path / "none", "-n", 0)
    assert result.code == 0 and "different corpora (words, others)" in result.err
    assert "above the best" not in result.out  # nothing is
    assert compare([runs["good"].path, tmp_path / "none"], n=0).rows[-1]["test_bits_per_char"] is None
    assert compare([runs["good"].path, tmp_path / "none"], n=0, part="valid").rows[0]["run"] == "good"


def test_a_run_whose_corpus_is_gone_keeps_its_row(cli, runs, tmp_path):
    path = tmp_path / "gone.txt"
    path.write_text("\n".join(WORDS))
    run = seqgen.train(path, cell="vanilla", hidden=4, steps=1, out=tmp_path / "gone")
    path.unlink()
    found = compare([runs["good"].path, run.path], n=10)
    assert found.rows[-1]["parameters"] == run.settings.n_parameters
    assert any("gone cannot be evaluated" in note for note in found.notes)


def test_runs_of_the_same_name_are_told_apart(runs, tmp_path):
    (tmp_path / "good").symlink_to(runs["poor"].path)
    found = compare([runs["good"].path, tmp_path / "good"], n=0)
    assert [row["run"] for row in found.rows] == [str(runs["good"].path), str(tmp_path / "good")]


def test_one_held_out_record_has_no_interval(tmp_path, words):
    one = tmp_path / "one.txt"
    one.write_text("anno\n")
    for hidden in (4, 5):
        seqgen.train(words, test=one, cell="vanilla", hidden=hidden, steps=2, out=tmp_path / f"{hidden}")
    found = compare([tmp_path / "4", tmp_path / "5"], n=0)
    worse = next(row for row in found.rows if row["difference"] is not None)
    assert worse["difference_low"] is None is worse["difference_high"]
    assert "[" not in shown(compare_view(found.rows, found.settings, "test"), width=100)


def test_of_few_records_a_difference_says_little(tmp_path, words):
    few = tmp_path / "few.txt"
    few.write_text("anno\nmio\n")
    for hidden in (4, 5):
        seqgen.train(words, test=few, cell="vanilla", hidden=hidden, steps=2, out=tmp_path / f"{hidden}")
    found = compare([tmp_path / "4", tmp_path / "5"], n=0)
    assert found.notes == ["2 test records: the difference and its interval say little"]
    worse = next(row for row in found.rows if row["difference"] is not None)
    assert worse["difference_low"] < worse["difference"] < worse["difference_high"]


def test_mistakes(runs, in_tmp):
    with pytest.raises(BadOption, match="at least two"):
        compare([runs["good"].path])
    with pytest.raises(BadOption, match="valid or test, not 'train'"):
        compare([runs["good"].path, runs["gru"].path], part="train")
    with pytest.raises(NoSuchRun):
        compare([runs["good"].path, "nothing"])


def test_of_a_blend_the_loss_of_its_network_is_shown_too(words, in_tmp, cli):
    blended = seqgen.train(words, blend="ngram", steps=4, out="blended")
    seqgen.train(words, blend="none", steps=4, out="alone")
    rows = {row["run"]: row for row in compare(["blended", "alone"], n=0).rows}
    of_network = blended.metrics[-1]["valid_network_bits_per_char"]
    assert rows["blended"]["network_bits_per_char"] == of_network != rows["blended"]["validation_bits_per_char"]
    assert rows["alone"]["network_bits_per_char"] is None
    shown = [line.split() for line in cli("compare", "blended", "alone", "-n", 0).out.splitlines()]
    bits = f"{rows['alone']['validation_bits_per_char']:.3f}"  # of the network alone, and of the run
    assert any(cells[:1] == ["alone"] and cells[1:3] == [bits, bits] for cells in shown), shown


@pytest.mark.parametrize("checkpoint", ["best", "latest"])
def test_the_loss_of_a_network_alone_is_that_of_the_step_in_use(checkpoint, words, in_tmp):
    settings = {"cell": "vanilla", "hidden": 16, "steps": 20, "lr": 0.3, "options": {"eval_every": 5, "samples": 0}}
    settings |= {"dropout": 0, "batch_size": 128}
    blended = seqgen.train(words, blend="ngram", out="blended", **settings)
    seqgen.train(words, blend="none", out="alone", **{**settings, "steps": 1})
    rows = {row["run"]: row for row in compare(["blended", "alone"], n=0, checkpoint=checkpoint).rows}
    logged = {line["step"]: line["valid_network_bits_per_char"] for line in blended.metrics}
    step = seqgen.load("blended", checkpoint=checkpoint).state["step"]
    assert (step == 20) == (checkpoint == "latest"), "it learned too much in the end"
    assert rows["blended"]["network_bits_per_char"] == logged[step]


def test_the_loss_of_a_blend_is_not_shown_as_that_of_its_network(words, in_tmp, cli):
    for blend in ("ngram", "none"):
        seqgen.train(words, cell="vanilla", hidden=8, steps=4, blend=blend, out=blend)
    lines = Path("ngram/metrics.jsonl").read_text().splitlines()
    Path("ngram/metrics.jsonl").write_text("\n".join(line.replace('"step": 4', '"step": 3') for line in lines) + "\n")
    other = compare(["ngram", "none"], n=0).rows
    assert [(row["run"], row["blended"]) for row in sorted(other, key=lambda row: row["run"])] == [
        ("ngram", True), ("none", False),
    ]  # fmt: skip
    assert all(row["network_bits_per_char"] is None for row in other)
    assert "network alone" not in cli("compare", "ngram", "none", "-n", 0).out
    seqgen.train(words, cell="vanilla", hidden=8, steps=5, blend="ngram", out="known")
    shown = [line.split() for line in cli("compare", "ngram", "none", "known", "-n", 0).out.splitlines()]
    (alone,) = {line[1] for line in shown if line[:1] == ["ngram"] and len(line) > 1 and "." not in line[1]} - {"words"}
    assert alone == "-"


def test_a_refit_hides_no_differences_of_other_runs(words, in_tmp):
    given = {"cell": "vanilla", "hidden": 8, "split": "60/20/20", "blend": "none", "options": {"samples": 0}}
    first = seqgen.train(words, **given, steps=2, out="first")
    other = seqgen.train(words, **given, steps=9, seed=1, out="other")
    refit = seqgen.refit(first)
    found = compare([first, other, refit], n=0)
    assert found.settings["train.steps"]["first"] == 2 and found.settings["train.steps"]["other"] == 9
    assert found.seed_groups == []
    two = compare([first, refit], n=0)
    assert not [name for name in two.settings if name.startswith("train.")]
    different = "the runs have the same test records, but different training and validation records"
    assert two.notes == [f"{different} (refit on both: {refit.path.name})"]


def test_runs_that_differ_in_their_seed_are_compared_over_seeds():
    bits = {"a0": 2.0, "a1": 2.2, "a2": 2.4, "b0": 2.1, "b1": 2.5, "c0": 1.9, "again": 9.0, "unknown": None}
    settings = {
        "train.seed": {"a0": 0, "a1": 1, "a2": 2, "b0": 0, "b1": 1, "c0": 0, "again": 0, "unknown": 3},
        "train.lr": dict.fromkeys(("a0", "a1", "a2", "again", "unknown"), 0.1) | {"b0": 0.2, "b1": 0.2, "c0": 0.3},
    }
    rows = [{"run": name, "loss": value} for name, value in bits.items()]
    of_c, of_a, of_b = seed_groups(rows, settings, "loss")
    assert of_c["runs"] == ["c0"] and of_c["interval"] is of_c["above_best"] is None
    assert of_a["runs"] == ["a0", "a1", "a2"] and of_a["seeds"] == 3 and of_a["bits_per_char"] == pytest.approx(2.2)
    assert of_a["interval"] == pytest.approx(4.302653 * 0.2 / math.sqrt(3)) and of_a["above_best"] is None
    of_a, of_b = seed_groups([row for row in rows if row["run"] != "c0"], settings, "loss")
    assert of_b["above_best"] == pytest.approx(0.2) and of_b["above_best_interval"] == pytest.approx(12.7062 * 0.1)
    alone = [row for row in rows if row["run"] in ("a0", "b0", "again")]
    assert seed_groups(alone, settings, "loss") == [], "two runs of one seed say nothing of others"


def test_a_comparison_shows_means_over_seeds(cli, runs, tmp_path):
    more = seqgen.train(
        runs["good"].path.parent / "words.txt",
        **SMALL,
        blend="none",
        cell="vanilla",
        steps=80,
        seed=1,
        out=tmp_path / "more",
    )
    both = [runs["good"].path, more.path, runs["gru"].path]
    found = json.loads(cli("compare", *both, "-n", 0, "--json").out)
    of_gru, of_seeds = sorted(found["seed_groups"], key=lambda group: group["seeds"])
    means = {row["run"]: row["test_bits_per_char"] for row in found["rows"]}
    assert of_seeds["runs"] == ["good", "more"] and of_gru["runs"] == ["gru"]
    assert of_seeds["bits_per_char"] == pytest.approx((means["good"] + means["more"]) / 2)
    assert "test part, means over seeds" in " ".join(cli("compare", *both, "-n", 0).out.split())
    assert not compare([runs["good"], runs["gru"]], n=0).seed_groups
    assert not compare([*both, runs["otherwise"]], n=0).seed_groups, "not of the same test records"


def test_runs_on_one_long_text_are_compared_over_its_parts(tmp_path):
    (tmp_path / "book.txt").write_text("the cat sat on the mat.\nthe dog sat on the log.\n" * 600)
    settings = {"layout": "stream", "cell": "vanilla", "hidden": 8, "blend": "none", "split": "50/0/50"}
    good, poor, bytes_ = (
        seqgen.train(tmp_path / "book.txt", **settings, **given, options={"samples": 0}, out=tmp_path / f"{number}")
        for number, given in enumerate([{"steps": 60, "lr": 0.02}, {"steps": 2}, {"steps": 2, "tokenizer": "byte"}])
    )
    found = compare([good, poor], n=0)
    bits = {row["run"]: row["test_bits_per_char"] for row in found.rows}
    assert bits == pytest.approx({run.path.name: run.evaluate(0)["test_bits_per_char"] for run in (good, poor)})
    best, other = found.rows
    assert best["run"] == "0" and best["difference"] is None and not found.notes
    assert other["difference"] == pytest.approx(bits["1"] - bits["0"])
    assert 0 < other["difference_low"] < other["difference"] < other["difference_high"]
    assert compare([poor, bytes_], n=0).rows[1]["difference"] is not None, "a byte is a character here"
    words = seqgen.train(tmp_path / "book.txt", **settings, steps=2, tokenizer="word", out=tmp_path / "words")
    assert all(row["difference"] is None for row in compare([good, words], n=0).rows), "their windows differ"


def test_the_order_of_the_records_does_not_matter(tmp_path, runs):
    words = (runs["good"].path.parent / "words.txt").read_text(encoding="utf-8").splitlines()
    (tmp_path / "turned.txt").write_text("\n".join(words[::-1]) + "\n", encoding="utf-8")
    given = {**SMALL, "blend": "none", "cell": "vanilla", "steps": 10}
    turned = seqgen.train(tmp_path / "turned.txt", **given, out=tmp_path / "turned")
    found = compare([runs["good"], turned], n=0)
    assert not found.notes and len(found.settings["corpus.path"]) == 2
    row = next(row for row in found.rows if row["difference"] is not None)
    scores = [{score.text: score.nats for score in run.score(words)} for run in (turned, runs["good"])]
    test = sorted(held_out_texts(runs))
    nats = [np.array([of_text[text] for text in test]) for of_text in scores]
    chars_N, texts_N = np.array([len(text) for text in test]), np.unique(test, return_inverse=True)[1]
    expected = paired_difference(*nats, chars_N, texts_N)
    assert row["run"] == "turned" and row["difference"] == pytest.approx(expected.bits_per_char, rel=1e-4)
    wrong = paired_difference(nats[0], nats[1][::-1], chars_N, texts_N)
    width = row["difference_high"] - row["difference_low"]
    assert width == pytest.approx(expected.high - expected.low, rel=0.2)
    assert abs(wrong.high - wrong.low - width) > 0.3 * width

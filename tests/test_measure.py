"""Measurements of runs for plugins."""

from __future__ import annotations

import math

import numpy as np
import pytest

import seqgen
from seqgen import measure
from seqgen.errors import CorpusError, UnknownSymbol, UsageError


@pytest.fixture
def stopped(words, tmp_path):
    """A run that was stopped at its fifth step, by its listener."""

    def stop(folder, event):
        if isinstance(event, seqgen.Progress) and event.step >= 5:
            raise KeyboardInterrupt

    with pytest.raises(seqgen.Interrupted):
        seqgen.train(words, cell="vanilla", hidden=4, steps=5000, out=tmp_path / "stopped", listener=stop)
    return seqgen.load(tmp_path / "stopped")


def test_the_nats_of_a_prefix_are_those_of_its_score(tiny_run):
    (score,) = tiny_run.score("anna")
    assert measure.prefix_nats(tiny_run, "anna") == pytest.approx(score.nats_per_symbol[:4])
    assert measure.prefix_nats(tiny_run, "an") == pytest.approx(score.nats_per_symbol[:2], rel=1e-5)
    assert measure.prefix_nats(tiny_run, "") == []


def test_a_prefix_that_cannot_be_scored(tiny_run):
    with pytest.raises(UnknownSymbol):
        measure.prefix_nats(tiny_run, "Ä")
    with pytest.raises(UsageError, match="label"):
        measure.prefix_nats(tiny_run, "a", label="x")


def test_how_far_training_has_come(tiny_run, stopped):
    state = measure.training_state(tiny_run)
    assert state.step == 60 and state.elapsed_s > 0 and state.ended
    assert 5 <= measure.training_state(stopped).step < 5000 and not measure.training_state(stopped).ended


def test_held_out_losses_are_those_of_an_evaluation(tiny_run):
    metrics, corpus = tiny_run.evaluate(1), measure.read_corpus(tiny_run)
    for part, name in (("valid", "validation"), ("test", "test")):
        loss = measure.held_out_loss(tiny_run, part, corpus)
        assert loss.bits_per_char == pytest.approx(metrics[f"{name}_bits_per_char"], rel=1e-5)
        assert loss.loss_nats == pytest.approx(metrics[f"{name}_loss_nats"], rel=1e-5)
        records = measure.record_losses(tiny_run, part)
        texts = [record.text for record in tiny_run.records(part)]
        assert records.nats_N == pytest.approx([score.nats for score in tiny_run.score(texts)], rel=1e-4)
        assert records.chars_N.tolist() == [len(text) + 1 for text in texts]
        assert records.bits_per_char == pytest.approx(loss.bits_per_char, rel=1e-5)


def test_the_best_step_is_the_one_with_the_lowest_loss(tiny_run):
    best = min(tiny_run.metrics, key=lambda row: row["valid_loss_nats"])
    assert measure.training_state(tiny_run).best_step == best["step"] == seqgen.load(tiny_run.path).state["step"]


def test_an_empty_part_has_no_loss(words, tmp_path):
    run = seqgen.train(words, cell="vanilla", hidden=4, steps=1, split="none", out=tmp_path / "run")
    assert measure.held_out_loss(run, "test") is None is measure.record_losses(run, "valid")


def test_runs_share_a_corpus_that_is_read_once(tiny_run, monkeypatch):
    cache = {}
    first = measure.read_corpus(tiny_run, cache)
    monkeypatch.setattr("seqgen.api.open_run.read_again", lambda *_, **__: pytest.fail("it is read again"))
    assert measure.read_corpus(seqgen.load(tiny_run.path), cache) is first and len(cache) == 1


def test_a_corpus_that_has_changed_is_refused(words, tmp_path):
    run = seqgen.train(words, cell="vanilla", hidden=4, steps=1, out=tmp_path / "run")
    words.write_text("other\nwords\n")
    with pytest.raises(CorpusError, match="has changed"):
        measure.held_out_loss(run, "valid")


def test_samples_are_counted_as_in_an_evaluation(tiny_run):
    texts, metrics = [sample.text for sample in tiny_run.sample(40)], tiny_run.evaluate(40)
    counts = measure.count_samples(tiny_run, texts)
    assert (counts.unique, counts.novel) == (metrics["unique"], metrics["novel"])


def test_the_rate_of_a_whole_run(tiny_run, monkeypatch):
    """Sixty steps over 32 words in batches of 16: each epoch, two steps, learns every symbol and every stop once."""
    texts = [record.text for record in tiny_run.records("train")]
    per_epoch = sum(len(text) + 1 for text in texts)
    steps_per_epoch = math.ceil(len(texts) / 16)
    monkeypatch.setattr(measure, "training_state", lambda run: measure.TrainingState(60, 2.0, True))
    assert measure.tokens_per_s(tiny_run) == pytest.approx(per_epoch * 60 / steps_per_epoch / 2.0)
    monkeypatch.setattr(measure, "training_state", lambda run: measure.TrainingState(0, 0.0, False))
    assert measure.tokens_per_s(tiny_run) is None


def test_settings_that_differ(tiny_run, words, tmp_path):
    other = seqgen.train(words, cell="gru", hidden=4, steps=1, out=tmp_path / "run")
    found = measure.settings_diff({"a": tiny_run, "b": other})
    assert found["train.steps"] == {"a": 60, "b": 1} and found["cell.activation"]["b"] is None
    assert "train.lr" not in measure.settings_diff({"a": tiny_run, "b": seqgen.load(tiny_run.path)})
    threads = seqgen.train(words, cell="gru", hidden=4, steps=1, threads=2, out=tmp_path / "threads")
    assert measure.settings_diff({"a": other, "b": threads}) == {"train.threads": {"a": None, "b": 2}}


def test_statistics_of_seeds_and_records():
    assert measure.mean_interval([2.5]) == (2.5, None)
    found = measure.paired_difference(np.full(3, 2.0), np.full(3, 1.0), np.array([3, 3, 3]))
    assert found.low == pytest.approx(found.high) == pytest.approx(1 / math.log(2) / 4) == found.bits_per_char

"""Runs of the n-gram: training, resuming, sampling, evaluation, and the probabilities of a run."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter

import pytest
import torch

import seqgen
from seqgen.evaluation import penalty
from seqgen.model import log_probs
from test_training import Stopper, digests

pytest.importorskip("seqgen_ngram")


def test_train_sample_evaluate_resume(cli, words, in_tmp):
    result = cli("train", "--corpus", words, "--model", "ngram", "--split", "80/10/10")
    assert result.code == 0 and result.err.startswith("training runs/words-ngram-001: ngram, 0 parameters")
    assert "ended at step 1: the number of epochs is reached" in result.err
    rows = cli("sample", "-n", 40, "--seed", 1).out.splitlines()
    assert len(rows) == 40 and len(set(rows)) > 15
    assert cli("sample", "-n", 5, "--seed", 1).out.splitlines() == rows[:5]
    assert all(row.startswith("ca") for row in cli("sample", "-n", 5, "--prefix", "ca").out.splitlines())
    figures = json.loads(cli("evaluate", "-n", 50, "--json").out)
    assert figures["samples"] == 50 and 0 < figures["validation_bits_per_char"] < 8
    again = cli("resume")
    assert again.code == 0 and "is complete; to train its weights further" in again.err
    data = json.loads((in_tmp / "runs" / "words-ngram-001" / "run.json").read_text())
    assert data["cell"] is None and data["n_parameters"] == 0 and data["train"]["epochs"] == 1
    assert data["model"]["name"] == "seqgen_ngram:ngram" and data["engine"]["how"] == ""


@pytest.mark.parametrize("option", ["order=0", "order=9", "buckets=0", "hidden=8", "smoothing=kn"])
def test_impossible_options_are_one_line(cli, words, in_tmp, option):
    result = cli("train", "--corpus", words, "--model", "ngram", "-o", f"model.{option}")
    assert result.code == 2 and result.err.count("\n") == 1 and option.split("=")[0] in result.err
    assert not (in_tmp / "runs").exists()


@pytest.mark.full
@pytest.mark.parametrize(
    "options", [{}, {"engine": "eager"}, {"engine": "scan"}, {"options": {"model.smoothing": "witten-bell"}}]
)
def test_a_resumed_count_is_the_straight_one(words, tmp_path, monkeypatch, options):
    """Nothing is counted twice and nothing is left out, wherever an epoch is interrupted."""
    monkeypatch.setattr("seqgen.training.trainer._PROGRESS_EVERY_S", 0.0)  # an event a step
    common = {"model": "ngram", "batch_size": 4, "epochs": 2, "split": "80/10/10", **options}
    straight = seqgen.train(words, out=tmp_path / "straight", **common)
    for at in (3, 11):
        with pytest.raises(seqgen.Interrupted):
            seqgen.train(words, out=tmp_path / str(at), listener=Stopper(at), **common)
        assert digests(seqgen.resume(tmp_path / str(at)).path) == digests(straight.path)
    texts = [text for text, part in straight.where(words.read_text().split()).items() if part == "train"]
    model = seqgen.load(straight.path, checkpoint="latest").model
    if "options" in options:
        assert model.counts_RV[0].sum().item() == 2 * sum(len(text) + 1 for text in texts)
        return
    assert model.smoothing == "kneser-ney"
    before = {(one, other) for text in texts for one, other in itertools.pairwise(["", *text, "end"])}
    assert model.counts_RV[0].sum().item() == len(before)  # different symbols before each symbol


def test_probabilities_of_symbols_sum_to_one(words, tmp_path):
    run = seqgen.train(words, model="ngram", split="none", out=tmp_path / "run")
    allowed_V = torch.isfinite(penalty(run.vocabulary))
    ids_BT = torch.from_numpy(run.vocabulary.frame_many(["anna", "ever", "otto"])[0]).long()[None]
    logits_BTV, _ = run.model(ids_BT, run.model.initial_state(1))
    assert torch.allclose(logits_BTV.exp().sum(-1), torch.ones(ids_BT.shape), atol=1e-5)
    p_BTV = log_probs(logits_BTV, allowed_V).exp()
    assert torch.allclose(p_BTV.sum(-1), torch.ones(ids_BT.shape), atol=1e-5)
    assert not p_BTV[..., ~allowed_V].any() and (p_BTV[..., allowed_V] > 0).all()


def test_probabilities_of_texts_sum_to_one(tmp_path):
    """All texts of two symbols up to nine long, to which little is missing."""
    corpus = tmp_path / "c.txt"
    corpus.write_text("a\nab\nba\nb\nabb\n")
    run = seqgen.train(corpus, model="ngram", split="none", options={"model.order": 3}, out=tmp_path / "run")
    texts = ["".join(symbols) for length in range(10) for symbols in itertools.product("ab", repeat=length)]
    total = sum(math.exp(-score.nats) for score in run.score(texts))
    assert 0.97 < total < 1.000_01
    drawn = Counter(row.text for row in run.sample(4000))
    for score in run.score(["a", "ab", "abb", ""]):
        assert drawn[score.text] / 4000 == pytest.approx(math.exp(-score.nats), abs=0.03)


@pytest.mark.full
def test_more_context_is_better_on_names(tmp_path):
    """In bits per character of the validation part; and the same by the command's own figures."""
    bits = {}
    for order in (1, 2, 5):
        run = seqgen.train("names", model="ngram", options={"model.order": order}, out=tmp_path / str(order))
        bits[order] = run.metrics[-1]["valid_bits_per_char"]
        assert run.evaluate(0)["validation_bits_per_char"] == pytest.approx(bits[order], abs=1e-4)
    assert bits[5] < bits[2] - 0.3 < bits[1] - 0.6
    assert bits[5] < 3.0

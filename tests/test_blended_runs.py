"""Runs blended with counts: the same network, the same bytes after a stop, and one model for every command."""

from __future__ import annotations

import collections
import copy
import hashlib
import itertools
import json
import math
import random
import shutil
import time

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

import seqgen
from conftest import WORDS, one_in, plugins_with, run_seqgen
from resuming import Stopper, digests
from seqgen.api.factories import build_model, predictor_of
from seqgen.batches import encode
from seqgen.checkpoint import NGRAM
from seqgen.config import SampleConfig
from seqgen.corpus import Record
from seqgen.counting import (
    NEUTRAL,
    Blend,
    Gates,
    blend_of,
    count_part,
    cross_fit,
    dump_counts,
    entropy,
    exponents,
    load_counts,
    mix,
    network_of,
    node_features,
)
from seqgen.errors import BadOption, CheckpointError, Diverged, Interrupted, LinkRefused
from seqgen.evaluation import expected_copies, held_out_loss, penalty
from seqgen.measure import read_corpus
from seqgen.model import make_stepper
from seqgen.pytest_plugin import load_plugins
from seqgen.sampling import Decoder, beam_rows, model_digest
from seqgen.tokenizers import BOS
from seqgen.training import Report, Saved
from seqgen.training import observer as observer_module
from seqgen.training.evaluator import Evaluator
from seqgen.training.observer import Observer
from test_constraints import enumerate_rows, total_variation
from test_counting import ALL

SMALL = {"cell": "gru", "hidden": 10, "embedding": 5, "dropout": 0.0, "batch_size": 8, "lr": 0.01}
SPLIT = {**SMALL, "split": "80/10/10", "steps": 30}
OPTIONS = {"eval_every": 10, "samples": 2}


def train(corpus, out, **settings):
    return seqgen.train(corpus, out=out, **{**SPLIT, "options": OPTIONS, **settings})


def state_of(run):
    return run.folder.latest_state()


def files_of(run):
    """Return the SHA-256 of the last checkpoint's weights and optimizer."""
    return {name: digest for name, digest in digests(run.path).items() if name.endswith("safetensors")}


def gates(run):
    return [
        json.loads((folder / "state.json").read_text())["gate"]
        for folder in sorted((run.path / "checkpoints").iterdir())
    ]


def encoded_part(run, part):
    return read_corpus(run).encoded[part]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "words.txt"
    path.write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def plain(corpus, tmp_path_factory):
    return train(corpus, tmp_path_factory.mktemp("plain") / "run", blend="none")


@pytest.fixture(scope="module")
def blended(corpus, tmp_path_factory):
    return train(corpus, tmp_path_factory.mktemp("blended") / "run", blend="ngram")


@pytest.fixture
def copied(blended, tmp_path):
    """A copy of the blended run that may be changed."""
    shutil.copytree(blended.path, tmp_path / "copy")
    return tmp_path / "copy"


# -- training


@pytest.mark.full
def test_the_network_is_that_of_a_run_without_counts(corpus, plain, blended, tmp_path):
    assert files_of(plain) == files_of(blended)
    each = {"steps": 12, "options": {"eval_every": 1, "samples": 0}}
    rows = [train(corpus, tmp_path / blend, blend=blend, **each).metrics for blend in ("none", "ngram", "auto")]
    assert len(rows[0]) == 12
    for name, other in (("train_loss_nats", "train_loss_nats"), ("valid_bits_per_char", "valid_network_bits_per_char")):
        for run in rows[1:]:
            assert [row[name] for row in rows[0]] == pytest.approx([row[other] for row in run], rel=1e-6, abs=0)
    assert [row["train_loss_nats"] for row in rows[0]] == [row["train_loss_nats"] for row in rows[1]]


def test_a_blend_is_recorded_with_the_run_and_with_each_checkpoint(corpus, plain, blended):
    assert json.loads((blended.path / "run.json").read_text())["train"]["blend"] == "ngram"
    assert json.loads((plain.path / "run.json").read_text())["train"]["blend"] == "none"
    assert not (plain.path / NGRAM).exists() and all(gate is None for gate in gates(plain))
    assert all(len(gate) == 54 for gate in gates(blended)) and isinstance(blended.model, Blend)
    assert not isinstance(plain.model, Blend)
    digest = hashlib.sha256((blended.path / NGRAM).read_bytes()).hexdigest()
    for folder in (blended.path / "checkpoints").iterdir():
        assert digest in json.dumps(json.loads((folder / "MANIFEST.json").read_text())["run"][NGRAM])
    own = dump_counts(count_part(encoded_part(blended, "train"), blended.vocabulary))
    assert (blended.path / NGRAM).read_bytes() == own


def test_the_best_step_has_the_lowest_loss_of_the_blend(corpus, tmp_path):
    run = train(corpus, tmp_path / "run", blend="ngram", best_by="loss", options={"eval_every": 5, "samples": 0})
    losses = {row["step"]: row["valid_loss_nats"] for row in run.metrics}
    assert run.state["best_step"] == min(losses, key=losses.__getitem__)
    assert run.state["best_loss_nats"] == pytest.approx(min(losses.values()))
    assert run.state["gate"] != state_of(run)["gate"] or run.state["best_step"] == run.state["step"]
    assert all(row["valid_bits_per_char"] != row["valid_network_bits_per_char"] for row in run.metrics)


def test_trials_tell_gates_and_discounts_apart(blended):
    model = copy.deepcopy(blend_of(blended.model))
    found = {model_digest(model)}
    model.gate_EF = model.gate_EF + 1
    found.add(model_digest(model))
    model.change_IV = torch.zeros(2, 3)
    found.add(model_digest(model))
    assert len(found) == 3


def test_the_samples_of_an_evaluation_are_those_of_the_blend(blended, plain):
    def rows(run):
        return [json.loads(line) for line in (run.path / "samples.jsonl").read_text().splitlines()]

    assert rows(blended) != rows(plain) and len(rows(blended)) == len(rows(plain))


# -- auto


def test_auto_blends_where_counts_help(corpus, blended, tmp_path):
    run = train(corpus, tmp_path / "run", blend="auto")
    assert run.state["gate"] is not None and isinstance(run.model, Blend)
    for auto, always in zip(gates(run), gates(blended), strict=True):
        assert auto is None or auto == always


@pytest.mark.full
def test_auto_counts_some_of_very_many_symbols_and_ngram_all(corpus, blended, tmp_path, monkeypatch):
    monkeypatch.setattr("seqgen.api.run_metadata._PART_COUNTED", 100)
    plain = train(corpus, tmp_path / "plain", blend="auto")  # of a list that is not large
    monkeypatch.setattr("seqgen.api.run_metadata._MAX_COUNTED", 150)
    auto, ngram = (train(corpus, tmp_path / blend, blend=blend) for blend in ("auto", "ngram"))
    part = encoded_part(blended, "train")
    assert len(part.flat) > 150
    some, whole = count_part(part, blended.vocabulary, 100), count_part(part, blended.vocabulary)
    assert (auto.path / NGRAM).read_bytes() == dump_counts(some)
    assert some.records is None and whole.records is not None and auto.state["kept_share"] is None
    assert (ngram.path / NGRAM).read_bytes() == dump_counts(whole) != dump_counts(some)
    assert (plain.path / NGRAM).read_bytes() == dump_counts(whole)
    assert isinstance(auto.model, Blend) and len(seqgen.resume(auto.path).sample(5)) == 5
    again, all_again = seqgen.refit(auto.path), seqgen.refit(ngram.path)
    assert again.model.graph.n_nodes < all_again.model.graph.n_nodes and again.state["gate"] == auto.state["gate"]


def test_a_blend_samples_training_records_as_often_as_new_ones(tmp_path):
    """Records are half of all words of this form, so that counts learn the form and which words there are."""
    words = sorted(map("".join, itertools.product("bdfgk", "aeiou", "lmnr", "aeiou")))
    corpus = tmp_path / "words.txt"
    corpus.write_text("\n".join(random.Random(0).sample(words, 250)) + "\n", encoding="utf-8")
    run = train(corpus, tmp_path / "run", blend="ngram", steps=60)
    data, model, kept_share = read_corpus(run), run.model, run.state["kept_share"]
    penalty_V = penalty(data.vocabulary, model)
    train_part, valid_part = data.encoded["train"], data.encoded["valid"]
    assert kept_share < 0.9 and 250 > len(train_part) > 4 * len(valid_part)

    def figures():
        loss = held_out_loss(model, valid_part, penalty_V).loss_nats * sum(valid_part.lengths_N - 1)
        return expected_copies(model, train_part, penalty_V), expected_copies(model, valid_part, penalty_V), loss

    copies, chance, loss = figures()
    model.set_gate(model.gate_EF)
    copies_before, chance_before, loss_before = figures()
    taken = (1 - kept_share) * copies_before
    assert copies == pytest.approx(kept_share * copies_before / (1 - taken), rel=1e-4)
    assert chance == pytest.approx(chance_before / (1 - taken), rel=1e-4)
    assert loss == pytest.approx(loss_before + len(valid_part) * math.log(1 - taken), rel=1e-5)
    # The share comes from losses under gates that were fitted to other held-out records, so that it is only near.
    assert copies == pytest.approx(chance * len(train_part) / len(valid_part), rel=0.2)
    observer = Observer(model, valid_part, penalty_V)
    gates_of_others = cross_fit(observer.sample(10_000, lambda: None))
    new, _ = observer.measure(10_000, gates_of_others, lambda: None)
    shares_R = np.exp(np.bincount(new.record_N, new.mixed_N))
    assert copies == pytest.approx(shares_R.sum() / (1 - taken) * len(train_part) / len(valid_part), rel=1e-3)
    best = next(row for row in run.metrics if row["step"] == run.state["best_step"])
    assert best["valid_loss_nats"] == pytest.approx(loss / sum(valid_part.lengths_N - 1), rel=0.05)


@pytest.mark.full
def test_training_records_in_a_file_of_held_out_ones_do_not_choose_the_blend(tmp_path):
    words = random.Random(0).sample(sorted(map("".join, itertools.product("bdfgk", "aeiou", "lmnr", "aeiou"))), 250)
    files = {"train": words[:200], "clean": words[200:], "mixed": words[200:] + words[:50], "same": words[:50]}
    for name, texts in files.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")

    def train_of(name, **settings):
        return seqgen.train(
            tmp_path / "train.txt", valid=tmp_path / f"{name}.txt", out=tmp_path / f"{name}{len(settings)}",
            cell="vanilla", hidden=8, steps=40, options={"eval_every": 40}, warn=lambda line: None,
            **{"blend": "ngram", **settings},
        )  # fmt: skip

    clean, mixed, same = (train_of(name).state for name in ("clean", "mixed", "same"))
    assert mixed["kept_share"] == pytest.approx(clean["kept_share"], rel=0.02)
    assert mixed["gate"] == pytest.approx(clean["gate"], abs=0.02)
    assert same["kept_share"] is None, "nothing says how probable new records are"
    auto = train_of("same", blend="auto").state
    assert auto["gate"] is None and train_of("clean", blend="auto").state["gate"] is not None


@pytest.mark.full
def test_training_records_in_a_file_of_held_out_ones_are_logged_with_the_probability_they_keep(tmp_path):
    words = random.Random(0).sample(sorted(map("".join, itertools.product("bdfgk", "aeiou", "lmnr", "aeiou"))), 250)
    for name, texts in {"train": words[:200], "mixed": words[200:] + words[:150]}.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    steps = {"steps": 20, "options": {"eval_every": 10, "save_every_s": 1e-6, "samples": 0}}
    settings = {"cell": "vanilla", "hidden": 8, "blend": "ngram", "warn": lambda line: None, **steps}
    copied = tmp_path / "copied"  # that is resumed, with counts from their file

    def copy_once(folder, event):
        if isinstance(event, Saved) and event.step == 5:
            shutil.copytree(folder.path, copied)

    run = seqgen.train(
        tmp_path / "train.txt", valid=tmp_path / "mixed.txt", out=tmp_path / "run", listener=copy_once, **settings
    )
    assert run.state["kept_share"] < 0.8
    logged = next(row for row in run.metrics if row["step"] == run.state["best_step"])
    held_out = held_out_loss(run.model, encoded_part(run, "valid"), penalty(run.vocabulary, run.model))
    assert logged["valid_bits_per_char"] == pytest.approx(held_out.bits_per_char, rel=0.02)
    assert seqgen.resume(copied).metrics == run.metrics


@pytest.mark.full
@pytest.mark.parametrize("repeats", ["none", "on"])
def test_copies_that_choose_the_best_step_are_those_of_the_blend(tmp_path, repeats):
    words = random.Random(0).sample(sorted(map("".join, itertools.product("bdfgk", "aeiou", "lmnr", "aeiou"))), 180)
    (tmp_path / "words.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    options = {"best_by": "copies", "repeats": repeats, "eval_every": 20}
    run = train(tmp_path / "words.txt", tmp_path / "run", blend="ngram", split="60/20/20", steps=40, options=options)
    assert [row["step"] for row in run.metrics] == [20, 40] and run.state["best_step"] == 40
    data, penalty_V = read_corpus(run), penalty(run.vocabulary, run.model)
    for row in run.metrics:
        at = seqgen.load(run, checkpoint=row["step"])
        assert at.state["kept_share"] < 0.8
        copies = expected_copies(at.model, data.encoded["train"], penalty_V)
        assert row["expected_copies"] == pytest.approx(copies, rel=1e-4)


@pytest.mark.full
@pytest.mark.parametrize("size", [100, 250])
def test_training_records_keep_the_same_share_where_a_run_continues_with_another_corpus(tmp_path, size):
    """They are those that were counted, however many records there are now."""
    words = sorted(map("".join, itertools.product("bdfgk", "aeiou", "lmnr", "aeiou")))
    held_out, *records = random.Random(0).sample(words[:100], 50), *random.Random(1).sample(words[100:], 250)
    path, runs = tmp_path / "train.txt", {}
    (tmp_path / "valid.txt").write_text("\n".join(held_out) + "\n", encoding="utf-8")
    for name, now in (("same", 200), ("other", size)):
        path.write_text("\n".join(records[:200]) + "\n", encoding="utf-8")
        with pytest.raises(Interrupted):
            seqgen.train(
                path, valid=tmp_path / "valid.txt", out=tmp_path / name, cell="vanilla", hidden=8, steps=20,
                blend="ngram", options={"eval_every": 10, "samples": 0}, listener=Stopper(10),
            )  # fmt: skip
        path.write_text("\n".join(records[:now]) + "\n", encoding="utf-8")
        runs[name] = seqgen.resume(tmp_path / name, allow_corpus_change=name == "other")
    assert state_of(runs["same"])["kept_share"] < 0.9
    assert state_of(runs["other"])["kept_share"] == pytest.approx(state_of(runs["same"])["kept_share"], rel=0.05)


def test_auto_leaves_a_network_alone_where_counts_only_hurt(tmp_path, monkeypatch):
    """Whatever a held-out record contains, the counts give it less than a uniform network does."""

    def build_uniform(*args):
        model = build_model(*args)
        with torch.no_grad():
            for parameter in model.head.parameters():
                parameter.zero_()
        return model

    monkeypatch.setattr("seqgen.api.train.build_model", build_uniform)
    (tmp_path / "train.txt").write_text("\n".join("a" * n for n in range(30, 60)) + "\n")
    (tmp_path / "valid.txt").write_text("\n".join(x + y + z for x in "bcd" for y in "bcd" for z in "bcd") + "\n")
    settings = {"valid": tmp_path / "valid.txt", "lr": 1e-9, "split": None, "steps": 4, "options": {"eval_every": 2}}
    settings = {name: value for name, value in settings.items() if value is not None}
    common = {name: value for name, value in SMALL.items() if name != "lr"}
    runs = {
        blend: seqgen.train(tmp_path / "train.txt", out=tmp_path / blend, blend=blend, **common, **settings)
        for blend in ("auto", "ngram", "none")
    }
    assert gates(runs["auto"]) == [None] * len(gates(runs["auto"])) and not isinstance(runs["auto"].model, Blend)
    assert isinstance(runs["ngram"].model, Blend)
    for one, other in zip(runs["auto"].metrics, runs["none"].metrics, strict=True):
        assert one["valid_loss_nats"] == pytest.approx(other["valid_loss_nats"], rel=1e-6)
    assert runs["ngram"].metrics[-1]["valid_loss_nats"] > 0.998 * runs["none"].metrics[-1]["valid_loss_nats"]
    assert runs["auto"].sample(5) == runs["none"].sample(5)
    assert seqgen.resume(runs["auto"].path).state["gate"] is None


def test_without_held_out_records_both_exponents_are_a_half(corpus, tmp_path):
    run = train(corpus, tmp_path / "a", blend="ngram", split="none")
    assert run.state["gate"] == [0.0] * 54 and isinstance(run.model, Blend)
    assert len(run.sample(5)) == 5 and run.score("anna")[0].nats > 0
    alone = train(corpus, tmp_path / "b", blend="auto", split="none")
    assert alone.state["gate"] is None and not isinstance(alone.model, Blend)


def test_held_out_records_decide_unless_told_otherwise(corpus, tmp_path, cli):
    many = tmp_path / "many.txt"
    many.write_text("\n".join(f"{one}{other}" for one in WORDS[:24] for other in WORDS[24:36]) + "\n")
    result = cli(
        "train", "--corpus", many, "--hidden", 8, "--steps", 20, "--split", "80/10/10", "--out", tmp_path / "many"
    )
    run = seqgen.load(tmp_path / "many")
    assert result.code == 0 and run.settings.train.blend == "auto" and isinstance(run.model, Blend)
    best = next(row for row in run.metrics if row["step"] == run.state["best_step"])
    alone, blended = best["valid_network_bits_per_char"], best["valid_bits_per_char"]
    line = f"blended with a {run.model.graph.order}-gram: {alone:.3f} bits/char without it, {blended:.3f} with it"
    assert line in result.out + result.err
    plain = cli(
        "train", "--corpus", many, "--hidden", 8, "--steps", 5, "--blend", "none", "--split", "80/10/10", "--out",
        tmp_path / "plain",
    )  # fmt: skip
    assert plain.code == 0 and "blended" not in plain.out + plain.err
    sharp = cli(
        "train", "--corpus", many, "--hidden", 4, "--steps", 1, "--blend", "ngram", "--split", "80/10/10",
        "-o", "exponents=sharp", "--out", tmp_path / "sharp",
    )  # fmt: skip
    counted = seqgen.load(tmp_path / "sharp").metrics[-1]["valid_counts_bits_per_char"]
    shown = " ".join((sharp.out + sharp.err).split())  # a long line is cut into two
    assert f"the counts alone have {counted:.3f}, less than both: train longer, or set -o exponents=fitted" in shown
    assert "the counts alone" not in result.out + result.err
    # Of few records the best step is the last that copies few of them; without held-out records nothing decides.
    assert seqgen.plan(corpus, split="80/10/10").settings.train.blend == "none"
    assert seqgen.plan(many, split="none").settings.train.blend == "none"
    assert seqgen.plan(many, split="80/10/10", blend="ngram").settings.train.blend == "ngram"
    assert seqgen.plan(many, split="80/10/10", model="ngram").settings.train.blend == "none"
    assert seqgen.plan("names", condition="label").settings.train.blend == "none"  # counts know no conditions
    for domain, wanted in (("text", "fitted"), ("python", "words"), ("smiles", "sharp")):  # with a syntax
        planned = seqgen.plan(many, split="80/10/10", domain=domain).settings.train
        assert (planned.blend, planned.exponents) == ("auto", wanted)
        other = {"fitted": "sharp", "sharp": "fitted", "words": "sharp"}[wanted]
        asked = seqgen.plan(many, split="80/10/10", domain=domain, options={"exponents": other}).settings.train
        assert (asked.blend, asked.exponents) == ("auto", other)


SHARP_GATE = [weight for constant in (0.4, -0.3) for weight in [*[0.0] * 26, constant]]


def test_of_sharp_exponents_those_of_the_counts_are_fitted(corpus, blended, tmp_path, monkeypatch):
    monkeypatch.setattr("seqgen.counting.counts_file.likely_records", lambda *_: None)  # these keep their probability
    options = {"exponents": "sharp"}
    run = train(corpus, tmp_path / "a", blend="ngram", options=OPTIONS | options)
    assert all(gate[:27] == SHARP_GATE[:27] for gate in gates(run)) and gates(blended)[-1][:27] != SHARP_GATE[:27]
    assert gates(run)[-1][27:] != SHARP_GATE[27:]
    ids_BT = torch.tensor([[BOS, *run.vocabulary.encode("ann").tolist()]])
    blend = run.model
    with torch.inference_mode():
        mixed_BTV = blend(ids_BT, blend.initial_state(1))[0]
        alone_BTV = torch.log_softmax(blend.network(ids_BT, blend.network.initial_state(1))[0] + blend.penalty_V, -1)
        node_BT, _ = blend.path(ids_BT, *blend.initial_state(1)[1:3])
        counted_BTV = blend.ngram_probs(node_BT[0])[None].log()
        log_probs_TV = alone_BTV[0, :, blend.penalty_V == 0]
        of_network_TF = [entropy(log_probs_TV, log_probs_TV.exp()), log_probs_TV.amax(-1), torch.arange(4).log1p()]
    features_TF = np.column_stack([node_features(blend.graph, node_BT[0].numpy()), *of_network_TF, np.ones(4)])
    b_T = torch.from_numpy(0.5 + features_TF @ np.array(gates(run)[-1][27:])).float()
    assert (b_T > 0.05).all() and (b_T < 0.95).all() and b_T.std() > 0.001
    product_BTV = 0.9 * alone_BTV + b_T[:, None] * counted_BTV
    allowed_V = blend.penalty_V == 0
    wanted_BTV = torch.log_softmax(product_BTV[..., allowed_V], -1)
    torch.testing.assert_close(mixed_BTV[..., allowed_V], wanted_BTV, atol=1e-5, rtol=1e-4)
    part, penalty_V = encoded_part(run, "valid"), penalty(run.vocabulary)
    observer = Observer(blend, part, penalty_V)
    measured, _ = observer.measure(10_000, cross_fit(observer.sample(10_000, int), "sharp"), int)
    assert run.state["kept_share"] is None and run.state["step"] == run.state["best_step"]
    assert run.metrics[-1]["valid_loss_nats"] == pytest.approx(-measured.mixed_N.mean(), rel=1e-6)
    whole = held_out_loss(seqgen.load(run.path, checkpoint="latest").model, part, penalty_V)
    assert whole.loss_nats < run.metrics[-1]["valid_loss_nats"]  # of the symbols that the weights were fitted to
    stopped = tmp_path / "b"
    with pytest.raises(Interrupted):
        train(corpus, stopped, blend="ngram", options=OPTIONS | options, listener=Stopper(15))
    assert digests(seqgen.resume(stopped).path) == digests(run.path)
    nothing = train(corpus, tmp_path / "c", blend="ngram", split="none", options=OPTIONS | options)
    assert nothing.state["gate"] == SHARP_GATE


def test_among_letters_of_code_exponents_are_fitted(tmp_path):
    lines = [f"{one}({other}, {one}_{n})" for n, one in enumerate(WORDS[:12]) for other in WORDS[12:24]]
    code = tmp_path / "code.txt"
    code.write_text("\n".join(lines) + "\n")
    common = {"blend": "ngram", "options": OPTIONS | {"exponents": "words"}, "domain": "text", "split": "80/10/10"}
    run = train(code, tmp_path / "a", **common)
    assert all(len(gate) == 108 and gate[:27] == [*[0.0] * 26, 0.5] for gate in gates(run))
    assert gates(run)[-1][54:81] != NEUTRAL[:27] and gates(run)[-1][81:] != NEUTRAL[:27]
    observer = Observer(run.model, encoded_part(run, "valid"), penalty(run.vocabulary))
    found = cross_fit(observer.sample(10_000, int), "words", observer.word_V)
    assert found.weights_GEF[0].ravel().tolist() == pytest.approx(run.state["gate"], abs=1e-6)
    texts = [row.text for row in run.sample(20, seed=1)]
    assert texts == [row.text for row in run.sample(20, seed=1, batch_size=3)]
    one, several = ([score.nats for score in run.score(given)] for given in (texts[:1], texts))
    assert several[0] == pytest.approx(one[0], rel=1e-5)
    stopped = tmp_path / "b"
    with pytest.raises(Interrupted):
        train(code, stopped, **common, listener=Stopper(15))
    assert digests(seqgen.resume(stopped).path) == digests(run.path)
    nothing = train(code, tmp_path / "c", **common | {"split": "none"})
    assert nothing.state["gate"] == [*[0.0] * 26, 0.5, *SHARP_GATE[27:], *NEUTRAL]
    refitted = seqgen.refit(run, out=tmp_path / "d")
    assert refitted.state["gate"] == run.state["gate"]


# -- stopping and resuming


@pytest.mark.full
@pytest.mark.parametrize("blend", one_in(2, ["ngram", "auto"]))
def test_a_stopped_run_resumes_to_the_same_bytes(corpus, tmp_path, monkeypatch, blend):
    monkeypatch.setattr("seqgen.training.trainer._PROGRESS_EVERY_S", 0.0)
    settings = {"blend": blend, "dropout": 0.2, "options": {"eval_every": 7, "samples": 1}}
    straight = train(corpus, tmp_path / "straight", **settings)
    expected = digests(straight.path), gates(straight), (straight.path / NGRAM).read_bytes()
    for at in (1, 7, 15, 29):
        path = tmp_path / f"stopped-{at}"
        with pytest.raises(Interrupted):
            train(corpus, path, listener=Stopper(at), **settings)
        assert digests(path) != expected[0]
        resumed = seqgen.resume(path)
        assert (digests(path), gates(resumed), (path / NGRAM).read_bytes()) == expected, f"stopped at {at}"
        assert resumed.sample(5) == straight.sample(5)


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_bytes(corpus, tmp_path):
    options = {"eval_every": 100, "samples": 1, "save_every_s": 0.05, "patience": 0}
    straight = train(corpus, tmp_path / "straight", blend="ngram", steps=2000, options=options)
    told = [f"{name}={value}" for name, value in options.items()]
    process = run_seqgen(
        "train", "--corpus", corpus, "--blend", "ngram", "--split", "80/10/10", "--steps", 2000,
        *(part for name, value in SMALL.items() for part in ("--" + name.replace("_", "-"), value)),
        *(part for option in told for part in ("-o", option)), "--out", tmp_path / "killed", cwd=tmp_path,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list((tmp_path / "killed" / "checkpoints").glob("step-000002*")):
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert (tmp_path / "killed" / "checkpoints").exists()
    assert max((tmp_path / "killed" / "checkpoints").iterdir()).name < "step-00002000"
    resumed = seqgen.resume(tmp_path / "killed")
    assert digests(resumed.path) == digests(straight.path) and gates(resumed)[-1] == gates(straight)[-1]
    assert (resumed.path / NGRAM).read_bytes() == (straight.path / NGRAM).read_bytes()


@pytest.mark.full
def test_a_blended_text_resumes_to_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr("seqgen.training.trainer._PROGRESS_EVERY_S", 0.0)
    (tmp_path / "book.txt").write_text("the cat sat on the mat.\nthe dog sat on the log.\n" * 240)
    settings = {"layout": "stream", "blend": "ngram", "split": "90/5/5", "options": {"window": 16, "eval_every": 8}}
    straight = train(tmp_path / "book.txt", tmp_path / "straight", **settings)
    assert blend_of(straight.model).graph.begin == 0
    with pytest.raises(Interrupted):
        train(tmp_path / "book.txt", tmp_path / "stopped", listener=Stopper(12), **settings)
    resumed = seqgen.resume(tmp_path / "stopped")
    assert digests(resumed.path) == digests(straight.path) and gates(resumed) == gates(straight)


def test_a_run_of_a_time_without_blends_resumes_as_a_network_alone(corpus, plain, tmp_path, monkeypatch):
    monkeypatch.setattr("seqgen.training.trainer._PROGRESS_EVERY_S", 0.0)
    path = tmp_path / "old"
    with pytest.raises(Interrupted):
        train(corpus, path, blend="none", listener=Stopper(12))
    stored = json.loads((path / "run.json").read_text())
    assert stored["train"].pop("blend") == "none"
    (path / "run.json").write_text(json.dumps(stored))
    from seqgen.files import dump_checksummed, load_checksummed

    for folder in (path / "checkpoints").iterdir():
        state = json.loads((folder / "state.json").read_text())
        assert state.pop("gate") is None
        (folder / "state.json").write_text(json.dumps(state))
        manifest, _ = load_checksummed((folder / "MANIFEST.json").read_bytes())
        for section, name, file in (
            ("run", "run.json", path / "run.json"),
            ("files", "state.json", folder / "state.json"),
        ):
            data = file.read_bytes()
            entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            assert set(manifest[section][name]) == set(entry)
            manifest[section][name] = entry
        (folder / "MANIFEST.json").write_bytes(dump_checksummed(manifest))
    resumed = seqgen.resume(path)
    assert files_of(resumed) == files_of(plain) and resumed.state["gate"] is None and not (path / NGRAM).exists()
    assert resumed.sample(5) == plain.sample(5)


@pytest.mark.full
def test_the_time_of_an_evaluation_is_measured_with_contexts_looked_up(corpus, tmp_path, monkeypatch):
    """Later evaluations do not look them up again."""
    looked, mixed, at_start = [], [], []
    plain_look, plain_log_probs, plain_time = Observer._look, observer_module.log_probs_of, time.monotonic

    def counted(self, stop):
        with monkeypatch.context() as patch:
            patch.setattr(Observer, "_look", lambda *given: looked.append(None) or plain_look(*given))
            patch.setattr(observer_module, "log_probs_of", lambda *given: mixed.append(None) or plain_log_probs(*given))
            patch.setattr(time, "monotonic", lambda: at_start.append((len(looked), len(mixed))) or plain_time())
            return plain(self, stop)

    plain = Evaluator._batch_s
    monkeypatch.setattr(Evaluator, "_batch_s", counted)
    run = train(corpus, tmp_path / "run", blend="ngram", steps=10_000, time="1s")
    assert at_start[0] == (1, 1) and at_start[-1] == (1, 2)
    assert state_of(run)["eval_records"] >= 256 and run.state["gate"] is not None


@pytest.mark.parametrize("blend", ["none", "ngram", "auto"])
def test_a_network_that_diverges_is_reported_as_without_counts(corpus, tmp_path, blend):
    class Bomb(seqgen.StepCell):
        spoilt = False

        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            self.input = torch.nn.Linear(input_size, hidden_size)

        def initial_state(self, batch_size):
            return self.zeros(batch_size)

        def project(self, x_BTI):
            spoilt = type(self).spoilt and not self.training
            return self.input(x_BTI) * (math.nan if spoilt else 1.0)

        def step(self, p_BP, state):
            return p_BP + state, p_BP + state

    def spoil(folder, event):
        Bomb.spoilt = Bomb.spoilt or (isinstance(event, Report) and event.metrics["step"] == 10)

    plugins = plugins_with(seqgen.CellSpec(name="bomb", summary="s", load=Bomb))
    options = {"eval_every": 10, "samples": 3}  # of which none could be sampled any more
    with pytest.raises(Diverged, match="the held-out loss at step 20 is nan; try a lower --lr") as caught:
        train(corpus, tmp_path / "run", blend=blend, cell="bomb", plugins=plugins, listener=spoil, options=options)
    assert "\n" not in str(caught.value)


# -- damage


def test_counts_may_be_larger_than_any_other_file_of_a_run(blended, monkeypatch):
    most = max((blended.path / name).stat().st_size for name in ("run.json", "tokenizer.json"))
    assert most < (blended.path / NGRAM).stat().st_size
    for module in ("checkpoints", "run_folder", "snapshot"):
        monkeypatch.setattr(f"seqgen.checkpoint.{module}.MAX_JSON_BYTES", most)
    assert seqgen.load(blended.path).sample(3) == blended.sample(3)


@pytest.mark.full
@pytest.mark.parametrize("at", [0, 8, 200, -1])
def test_a_changed_byte_of_the_counts_is_refused(copied, at, cli):
    data = bytearray((copied / NGRAM).read_bytes())
    data[at] ^= 1
    (copied / NGRAM).write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match=r"ngram\.safetensors"):
        _ = seqgen.load(copied).model
    result = cli("sample", copied, "-n", 2)
    assert result.code == 4 and result.err.count("\n") <= 4 and NGRAM in result.err


def test_a_link_to_counts_is_refused(copied):
    (copied / NGRAM).rename(copied.parent / "elsewhere")
    (copied / NGRAM).symlink_to(copied.parent / "elsewhere")
    with pytest.raises(LinkRefused, match=r"ngram\.safetensors"):
        _ = seqgen.load(copied).model


def test_the_counts_of_another_run_are_refused(copied):
    """They would be read without an error, but the manifest has another SHA-256."""
    arrays = load((copied / NGRAM).read_bytes())
    arrays["total_R"] = arrays["total_R"] + 1
    (copied / NGRAM).write_bytes(save(arrays))
    assert load_counts((copied / NGRAM).read_bytes(), len(arrays["base_V"]))
    with pytest.raises(CheckpointError, match=r"ngram\.safetensors"):
        _ = seqgen.load(copied).model


def test_missing_counts_are_refused(copied, cli):
    (copied / NGRAM).unlink()
    with pytest.raises(CheckpointError, match=r"ngram\.safetensors"):
        _ = seqgen.load(copied).model
    result = cli("resume", copied)
    assert result.code == 4 and NGRAM in result.err


@pytest.mark.parametrize(
    "gate", [[], [0.0] * 53, "x", [0.0] * 53 + ["1"], {"a": 1}, True, [math.nan] * 54, [1e400] * 38, [0.0] * 37]
)
def test_a_gate_that_is_none_is_refused(copied, gate, plugins):
    run = seqgen.load(copied)
    with pytest.raises(CheckpointError, match="the checkpoint is damaged: its gate is not 54 numbers"):
        predictor_of(run.folder, run.settings, run.plugins, run.model.network, {"gate": gate})


@pytest.mark.full
def test_molecules_are_counted_in_long_grams_that_fit_into_a_table(tmp_path):
    """So that they are sampled fast, and their runs can be exported as one step."""
    run = seqgen.train("smiles", steps=1, hidden=8, blend="ngram", out=tmp_path / "run", options={"samples": 1})
    blend, text = blend_of(run.model), "CC1=CC=C(C=C1)S(=O)(=O)NC(=O)C"
    assert blend.graph.order == 10 and blend.has_table
    ids_BT = torch.tensor([[BOS, *run.vocabulary.encode(text).tolist()]])
    node_BT, _ = blend.path(ids_BT, *blend.initial_state(1)[1:3])
    assert blend.graph.length_R[node_BT.numpy()].max() == 9  # symbols of context
    step, state = make_stepper(run.model), run.model.initial_state(1)
    with torch.inference_mode():
        whole_BTV = run.model(ids_BT, run.model.initial_state(1))[0]
        for t, ids_B in enumerate(ids_BT.unbind(1)):
            logits_BV, state = step(ids_B, state)
            torch.testing.assert_close(logits_BV, whole_BTV[:, t], atol=1e-4, rtol=1e-4)


def test_a_gate_of_a_sum_is_refused(copied):
    run = seqgen.load(copied)
    with pytest.raises(CheckpointError, match="an older version blended this run, as a sum of probabilities; train"):
        predictor_of(run.folder, run.settings, run.plugins, run.model.network, {"gate": [0.0] * 19})


def test_a_gate_that_knows_contexts_of_seven_symbols_at_most_is_read(copied):
    """As runs of older versions have it; the weights of longer contexts are 0."""
    run = seqgen.load(copied)
    former_2F = np.arange(38.0).reshape(2, 19) / 100
    model = predictor_of(run.folder, run.settings, run.plugins, run.model.network, {"gate": former_2F.ravel().tolist()})
    assert (model.gate_EF[:, :7] == former_2F[:, :7]).all() and (model.gate_EF[:, 11:18] == former_2F[:, 7:14]).all()
    assert (model.gate_EF[:, 22:] == former_2F[:, 14:]).all() and np.count_nonzero(model.gate_EF) == 37


def test_a_run_that_was_blended_as_a_sum_is_not_trained_on(corpus, copied, tmp_path, monkeypatch):
    """It would be of no use in the end, which is said before training."""
    with pytest.raises(Interrupted):
        train(corpus, tmp_path / "run", blend="ngram", listener=Stopper(15))
    monkeypatch.setattr("seqgen.counting.mixture._OF_A_SUM", 54)  # as if this version had other gates
    with pytest.raises(CheckpointError, match="blended this run, as a sum of probabilities; train it again"):
        seqgen.resume(tmp_path / "run")
    with pytest.raises(CheckpointError, match="blended this run, as a sum of probabilities; train it again"):
        seqgen.refit(copied)
    assert not copied.with_name("copy-refit").exists()


def test_exponents_are_those_of_the_new_texts_when_weights_are_taken_over(corpus, blended, tmp_path):
    assert blended.settings.train.exponents == "fitted"
    for domain, wanted in (("text", "fitted"), ("python", "words")):
        planned = seqgen.plan(corpus, start=blended.path, domain=domain, split="80/10/10").settings.train
        assert (planned.blend, planned.exponents) == ("ngram", wanted)
    assert seqgen.plan(corpus, blend="none", split="80/10/10").settings.train.exponents is None


def test_a_gate_of_few_long_records_is_fitted_to_symbols_of_many(blended, monkeypatch):
    run = seqgen.load(blended.path)
    blend, penalty_V = blend_of(run.model), penalty(run.vocabulary)
    texts = ["ann" * (20 + 3 * n) for n in range(40)]
    records = [Record(text) for text in texts]
    part = encode(records, run.vocabulary, ALL)["train"]
    monkeypatch.setattr("seqgen.training.observer.most_symbols", lambda n_ids: 100)
    sample = Observer(blend, part, penalty_V).sample(10_000, lambda: None)
    assert len(set(sample.record_N.tolist())) >= 16 and len(sample.record_N) <= 250
    assert len(cross_fit(sample).weights_GEF) == 5


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, math.nan, "x", True, [0.5]])
def test_a_share_that_is_none_is_refused(copied, share):
    run = seqgen.load(copied)
    with pytest.raises(CheckpointError, match="the checkpoint is damaged: its kept_share is "):
        predictor_of(run.folder, run.settings, run.plugins, run.model.network, {**run.state, "kept_share": share})


# -- from another run


@pytest.mark.full
def test_runs_start_from_blended_ones_and_blended_from_others(corpus, plain, blended, tmp_path):
    after = train(corpus, tmp_path / "a", start=blended.path, blend="none")
    before = train(corpus, tmp_path / "b", start=plain.path, blend="ngram")
    again = train(corpus, tmp_path / "c", start=blended.path)
    assert not isinstance(after.model, Blend) and not (after.path / NGRAM).exists()
    assert isinstance(before.model, Blend) and (before.path / NGRAM).read_bytes() == (blended.path / NGRAM).read_bytes()
    assert again.settings.train.blend == "ngram" and isinstance(again.model, Blend)
    rows = after.metrics[0], before.metrics[0], again.metrics[0]
    assert [row["step"] for row in rows] == [0, 0, 0]
    first = held_out_loss(
        blended.model.network, encoded_part(blended, "valid"), penalty(blended.vocabulary)
    ).bits_per_char
    assert rows[0]["valid_bits_per_char"] == pytest.approx(first, rel=1e-5)
    assert rows[2]["valid_network_bits_per_char"] == pytest.approx(first, rel=1e-5)
    own = held_out_loss(plain.model, encoded_part(plain, "valid"), penalty(plain.vocabulary)).bits_per_char
    assert rows[1]["valid_network_bits_per_char"] == pytest.approx(own, rel=1e-5)


def test_a_run_that_starts_from_another_counts_its_own_records(blended, tmp_path):
    """New symbols included, which the counts of the first run do not have."""
    (tmp_path / "other.txt").write_text("\n".join(["ané", "bené", "carü", "élan", "éna", "üne", "renü", "lané"] * 4))
    other = train(tmp_path / "other.txt", tmp_path / "run", start=blended.path, warn=lambda line: None)
    assert other.model.graph.n_ids == other.vocabulary.size > blended.vocabulary.size
    assert other.score(["éne"])[0].nats < other.score(["ttt"])[0].nats


def test_counts_are_not_blended_with_counts(corpus, tmp_path, cli):
    for blend in ("ngram", "auto"):
        with pytest.raises(
            BadOption, match=f"cannot blend a model that counts itself: blend is {blend}; drop it"
        ) as caught:
            seqgen.train(corpus, model="ngram", blend=blend, out=tmp_path / "run")
        assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()
    result = cli("train", "--corpus", corpus, "--model", "ngram", "--blend", "ngram", "--out", tmp_path / "run")
    assert (
        result.code == 2 and "cannot blend a model that counts itself" in result.err and not (tmp_path / "run").exists()
    )
    assert seqgen.train(corpus, model="ngram", blend="none", out=tmp_path / "a").settings.train.blend == "none"
    assert seqgen.train(corpus, model="ngram", out=tmp_path / "b").settings.train.blend == "none"


def test_exponents_that_change_nothing_are_named(corpus, tmp_path):
    line = "exponents=sharp changes nothing: this run has no counts to blend with"
    for n, settings in enumerate(({"blend": "none"}, {"model": "ngram"}, {})):
        warned = []
        common = {"steps": 1, "options": {"exponents": "sharp"}, "warn": warned.append}
        run = seqgen.train(corpus, **settings, **common, out=tmp_path / str(n))
        assert warned.count(line) == 1 and run.settings.train.exponents is None
    warned = []
    run = train(corpus, tmp_path / "run", blend="ngram", options={"exponents": "sharp"}, warn=warned.append)
    assert run.settings.train.exponents == "sharp" and line not in warned


@pytest.mark.full
def test_the_command_line_has_the_setting(corpus, tmp_path, cli):
    common = ("train", "--corpus", corpus, "--hidden", 8, "--steps", 4, "--out")
    assert cli(*common, tmp_path / "a", "--blend", "ngram").code == 0
    assert seqgen.load(tmp_path / "a").settings.train.blend == "ngram"
    result = cli(*common, tmp_path / "b", "--blend", "both")
    assert result.code == 2 and "ngram" in result.err


# -- one model


def test_scores_sum_to_the_held_out_loss(blended):
    valid = [record.text for record in blended.records("valid")]
    scores = blended.score(valid)
    nats = sum(score.nats for score in scores)
    held_out = held_out_loss(blended.model, encoded_part(blended, "valid"), penalty(blended.vocabulary))
    assert held_out.n_records == len(valid) and nats == pytest.approx(held_out.loss_nats * held_out.n_targets, rel=1e-5)
    assert [score.nats for score in scores] == pytest.approx([blended.score(text)[0].nats for text in valid], rel=1e-5)
    alone = held_out_loss(blended.model.network, encoded_part(blended, "valid"), penalty(blended.vocabulary))
    assert held_out.loss_nats < alone.loss_nats


@pytest.mark.full
@pytest.mark.parametrize("fixture", ["blended", "told", "read"])
def test_the_gate_sees_in_training_what_it_sees_in_use(request, fixture):
    """The loss from what the gate was fitted to is that of the model with the gate."""
    run = request.getfixturevalue(fixture)
    run = seqgen.load(run.path, checkpoint="latest")
    blend = blend_of(run.model)
    blend.set_gate(blend.gate_EF)  # without the discount of training records
    part, penalty_V = encoded_part(run, "valid"), penalty(run.vocabulary)
    observer, gates = Observer(blend, part, penalty_V), Gates.same(blend.gate_EF)
    measured, alone = observer.measure(10_000, gates, lambda: None)
    whole = held_out_loss(blend, part, penalty_V)
    assert -measured.mixed_N.mean() == pytest.approx(whole.loss_nats, rel=1e-5)
    sample = observer.sample(10_000, lambda: None)
    weights_N2F = gates.of_records(sample.record_N)
    mixed_NV = mix(sample.network_NV, sample.ngram_NV, exponents(sample.features_NF, weights_N2F))
    own_N = mixed_NV.gather(1, sample.target_N[:, None])[:, 0].numpy()
    chosen_N = np.isin(measured.record_N, np.unique(sample.record_N))
    np.testing.assert_allclose(own_N, measured.mixed_N[chosen_N], atol=1e-4)
    assert run.state["gate"] == pytest.approx(cross_fit(sample).weights_GEF[0].ravel().tolist(), abs=1e-6)
    network = held_out_loss(blend.network, part, penalty_V)
    assert alone.loss_nats == pytest.approx(network.loss_nats, rel=1e-6)
    assert (alone.n_targets, alone.n_records) == (network.n_targets, network.n_records)
    # Cross-fitted, the loss in the log is a little above that of the gate on the symbols it was fitted to.
    logged = run.metrics[-1]["valid_loss_nats"]
    discounted = held_out_loss(seqgen.load(run.path, checkpoint="latest").model, part, penalty_V)
    assert discounted.loss_nats - 1e-6 <= logged < discounted.loss_nats + 0.6


@pytest.mark.full
@pytest.mark.parametrize("fixture", ["blended", "told", "read"])
@pytest.mark.parametrize("most", [20, 1, 100])
def test_a_gate_of_many_held_out_symbols_is_fitted_to_some(request, monkeypatch, fixture, most):
    """They are spread over the records, or over a text, and are predicted as they are when the loss is measured."""
    run = request.getfixturevalue(fixture)
    blend, part, penalty_V = blend_of(run.model), encoded_part(run, "valid"), penalty(run.vocabulary)
    monkeypatch.setattr("seqgen.training.observer.most_symbols", lambda n_ids: most)
    observer = Observer(blend, part, penalty_V)
    sample = observer.sample(10_000, lambda: None)
    whole, _ = observer.measure(10_000, Gates.same(blend.gate_EF), lambda: None)
    n_symbols, n_records = len(sample.record_N), len(set(sample.record_N.tolist()))
    assert 1 <= n_symbols <= 2 * most + 20 and set(sample.record_N) <= set(whole.record_N)
    assert n_symbols == len(whole.record_N) or n_records >= min(most, len(set(whole.record_N))) // 20
    own_N = sample.network_NV.gather(1, sample.target_N[:, None])[:, 0].double().numpy()
    for record in set(sample.record_N.tolist()):
        found, known = own_N[sample.record_N == record], whole.network_N[whole.record_N == record]
        assert all(abs(known - one).min() < 1e-4 for one in found)
    assert np.isfinite(cross_fit(sample).weights_GEF).all()


@pytest.mark.full
@pytest.mark.parametrize("fixture", ["blended", "read"])
def test_an_evaluation_that_was_cut_off_changes_no_later_one(request, fixture):
    run = request.getfixturevalue(fixture)
    blend, part, penalty_V = blend_of(run.model), encoded_part(run, "valid"), penalty(run.vocabulary)
    gates, calls = Gates.same(blend.gate_EF), []

    class Stopped(Exception):
        pass

    def stop():
        calls.append(None)
        if len(calls) > 1:
            raise Stopped

    whole, _ = Observer(blend, part, penalty_V).measure(10_000, gates, lambda: None)
    observer = Observer(blend, part, penalty_V)
    if fixture == "read":  # of several windows, each of which continues the one before
        with pytest.raises(Stopped):
            observer.measure(10_000, gates, stop)
    for _ in range(2):
        again, _ = observer.measure(10_000, gates, lambda: None)
        for found_N, wanted_N in zip(again, whole, strict=True):
            np.testing.assert_array_equal(found_N, wanted_N)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A blended run with two symbols, and the probabilities of its short rows."""
    folder = tmp_path_factory.mktemp("two")
    texts = ["ab", "aab", "abb", "b", "ba", "aaab", "bb", "abab", "a", "bab"]
    (folder / "two.txt").write_text("\n".join(texts * 4) + "\n")
    run = train(folder / "two.txt", folder / "run", blend="ngram", split="none", options={"samples": 0})
    run.model.set_gate(torch.linspace(-0.03, 0.05, 54).numpy())
    of = run.model, run.vocabulary
    return run, of, enumerate_rows(of, "ab", 5)


def test_the_most_probable_rows_match_brute_force(tiny):
    run, _, shares = tiny
    for n in (1, 7, 30):
        top = run.top(n, max_length=5)
        assert list(top.texts) == sorted(shares, key=shares.__getitem__, reverse=True)[:n] and top.n_proven == n
        assert [math.exp(-nats) for nats in top.nats] == pytest.approx([shares[text] for text in top.texts], rel=1e-4)
    top = run.top(4, max_length=5, contains="ba", prefix="a")
    wanted = [text for text in shares if text.startswith("a") and "ba" in text]
    assert list(top.texts) == sorted(wanted, key=shares.__getitem__, reverse=True)[:4]


def test_scores_are_the_probabilities_of_rows(tiny):
    run, _, shares = tiny
    scores = {score.text: math.exp(-score.nats) for score in run.score(list(shares))}
    assert scores == pytest.approx(shares, rel=1e-4)
    assert 0.5 < sum(shares.values()) < 1
    chain = [run.next_symbols(prefix) for prefix in ("", "a", "ab")]
    ends = [next(one.probability for one in symbols if one.ends) for symbols in chain]
    goes_on = [
        next(one.probability for one in symbols if one.text == letter)
        for symbols, letter in zip(chain, "ab", strict=False)
    ]
    assert shares[""] == pytest.approx(ends[0], rel=1e-4)
    assert shares["ab"] == pytest.approx(goes_on[0] * goes_on[1] * ends[2], rel=1e-4)


def test_a_wide_beam_finds_the_most_probable_rows(tiny):
    run, of, shares = tiny
    rows = run.sample(20, decode="beam", max_length=5)
    best = sorted(shares, key=shares.__getitem__, reverse=True)
    assert [row.text for row in rows if not row.cut][:5] == best[:5]
    wide = beam_rows(Decoder(*of, SampleConfig(max_length=5)), 63)
    assert [row.text for row in wide if not row.cut] == best


def test_sampled_rows_have_their_probabilities(tiny):
    run, _, shares = tiny
    rows = run.sample(6000, max_length=5)
    seen = [row.text for row in rows if not row.cut]
    known = {text: share / sum(shares.values()) for text, share in shares.items()}
    noise = sum(math.sqrt(share * (1 - share) / len(seen)) for share in known.values()) / 2
    assert total_variation(seen, known) < 1.5 * noise
    rest = 1 - sum(shares.values())
    assert abs(1 - len(seen) / 6000 - rest) < 4 * math.sqrt(rest * (1 - rest) / 6000)


@pytest.mark.full
def test_rows_without_replacement_are_those_of_the_blend(tiny):
    run, _, shares = tiny
    first = collections.Counter()
    for seed in range(400):
        rows = run.sample(3, decode="gumbel", seed=seed, length="-5", max_length=5)
        assert len({row.text for row in rows}) == 3 and not any(row.cut for row in rows)
        first[rows[0].text] += 1
    for text in sorted(shares, key=shares.__getitem__)[-4:]:
        share = shares[text]
        assert abs(first[text] / 400 - share) < 4.5 * math.sqrt(share * (1 - share) / 400), text


def test_exact_rows_keep_their_ratios(tiny):
    run, _, shares = tiny
    rows = [row.text for row in run.sample(1500, exact=True, regex="a(a|b)*", max_length=5)]
    wanted = {text: share for text, share in shares.items() if text.startswith("a")}
    wanted = {text: share / sum(wanted.values()) for text, share in wanted.items()}
    noise = sum(math.sqrt(share * (1 - share) / len(rows)) for share in wanted.values()) / 2
    assert set(rows) <= set(wanted) and total_variation(rows, wanted) < 1.5 * noise


DECODING = {
    "plain": {},
    "cold": {"temperature": 0.5},
    "greedy": {"temperature": 0},
    "regex": {"regex": "[a-e].*[a-o]"},
    "contains": {"contains": "an"},
    "length": {"length": "4-6"},
    "prefix-ends": {"prefix": "b", "ends": "a"},
    "top-k": {"top_k": 3},
    "top-p": {"top_p": 0.8},
    "min-p": {"min_p": 0.1},
    "penalty": {"repetition_penalty": 1.5},
    "exact": {"exact": True, "length": "2-9"},
    "unique": {"unique": True},
    "novel": {"novel": True},
}


@pytest.mark.parametrize("wanted", DECODING.values(), ids=DECODING)
def test_rows_do_not_depend_on_how_many_are_sampled_together(blended, wanted):
    few, many = blended.sample(6, batch_size=1, **wanted), blended.sample(40, batch_size=32, **wanted)
    assert [row.text for row in few] == [row.text for row in many[:6]]
    if wanted.get("temperature") != 0:
        assert len({row.text for row in many}) > 3


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A blended run on a's labelled low and z's labelled high."""
    folder = tmp_path_factory.mktemp("told")
    rng = random.Random(0)
    rows = [
        {"text": "".join(rng.choices(letters, k=rng.randint(2, 6))), "label": label}
        for label, letters in (("low", "abc"), ("high", "xyz"))
        for _ in range(60)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return train(
        folder / "rows.jsonl", folder / "run", blend="ngram", condition="label", text_field="text",
        label_field="label", steps=150, options={"eval_every": 50},
    )  # fmt: skip


def test_a_conditioned_blend_follows_its_condition(told):
    assert isinstance(told.model, Blend)
    assert told.model.graph.n_ids == told.vocabulary.size
    for label, letters in (("low", "abc"), ("high", "xyz")):
        own = "".join(row.text for row in told.sample(40, label=label))
        strong = "".join(row.text for row in told.sample(40, label=label, guidance=3.0))
        shares = [sum(letter in letters for letter in text) / max(1, len(text)) for text in (own, strong)]
        assert shares[0] > 0.6 and shares[1] >= shares[0] - 0.1
        assert told.score(letters, given={"label": label})[0].nats < told.score(letters)[0].nats + 0.1
    assert told.sample(4, label="low", guidance=2.0) == told.sample(30, label="low", guidance=2.0)[:4]


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A blended run on one long text."""
    folder = tmp_path_factory.mktemp("read")
    (folder / "book.txt").write_text("the cat sat on the mat.\nthe dog sat on the log.\n" * 240)
    return train(
        folder / "book.txt", folder / "run", blend="ngram", layout="stream", split="90/5/5",
        options={"window": 16, "eval_every": 10},
    )  # fmt: skip


@pytest.mark.full
def test_a_blended_text_goes_on_as_it_was_read(read):
    rows = read.sample(20, max_length=60)
    assert {len(row.text) for row in rows} == {60}
    words = {word for row in rows for word in row.text.split()[1:-1]}
    assert words & {"the", "cat", "sat", "mat.", "dog", "log."}
    assert read.sample(3, max_length=60, batch_size=1) == rows[:3]
    text = "the cat sat on the mat."
    assert read.score([text])[0].nats < seqgen_network(read, text)
    assert blend_of(read.model).graph.base_V[:3].tolist() == [0, 0, 0]


def seqgen_network(run, text):
    """Return the nats of a text under the network alone."""
    ids = [BOS, *run.vocabulary.encode(text).tolist()]
    with torch.inference_mode():
        network = network_of(run.model)
        logits_TV = network(torch.tensor([ids[:-1]]), network.initial_state(1))[0][0] + penalty(run.vocabulary)
    return -float(torch.log_softmax(logits_TV, -1)[torch.arange(len(ids) - 1), ids[1:]].sum())


TOKENIZED = {
    "smiles": ({"tokenizer": "smiles"}, ["CCO", "CC(=O)O", "c1ccccc1", "CCl", "CBr", "CCN", "C[nH]", "CC(C)C"]),
    "bpe": ({"tokenizer": "bpe", "options": {"vocab_size": 40, "eval_every": 10}}, list(WORDS)),
    "word": ({"tokenizer": "word"}, ["a cat sat", "a dog sat", "the cat ran", "the dog ran", "a cat ran"]),
    "byte": ({"tokenizer": "byte"}, ["né", "é", "日本", "anna"]),
}


@pytest.mark.parametrize("name", one_in(2, TOKENIZED))
def test_symbols_of_any_tokenizer_are_blended(name, tmp_path):
    settings, texts = TOKENIZED[name]
    (tmp_path / "texts.txt").write_text("\n".join(texts * 3) + "\n", encoding="utf-8")
    run = train(tmp_path / "texts.txt", tmp_path / "run", blend="ngram", **{"split": "none", **settings})
    assert isinstance(run.model, Blend) and run.model.graph.n_ids == run.vocabulary.size
    rows = run.sample(12)
    assert run.sample(4, batch_size=1) == rows[:4]
    score = run.score(texts[0])[0]
    alone = seqgen_network(run, texts[0])
    assert sum(score.nats_per_symbol) == pytest.approx(score.nats, rel=1e-5) and score.nats < alone + 5
    top = {
        text: nats
        for text, nats in zip(run.top(5).texts, run.top(5).nats, strict=True)
        if "\N{REPLACEMENT CHARACTER}" not in text
    }
    assert len(top) >= 2
    assert [s.nats for s in run.score(list(top))] == pytest.approx(list(top.values()), rel=1e-3, abs=0.02)


def test_augmented_records_are_counted_as_they_are_written(corpus, blended, tmp_path):
    """New forms in each epoch are for the network."""
    spec = seqgen.AugmentationSpec(name="turned", summary="backwards", load=lambda: lambda text, random: text[::-1])
    run = train(corpus, tmp_path / "run", blend="ngram", augment="turned", plugins=load_plugins([spec], installed=True))
    assert (run.path / NGRAM).read_bytes() == (blended.path / NGRAM).read_bytes()
    assert files_of(run) != files_of(blended) and isinstance(run.model, Blend)


@pytest.mark.parametrize(
    "settings",
    one_in(
        3,
        [
            {"cell": "rglru,mlp,transformer"},
            {"options": {"precision": "bfloat16", "eval_every": 10}},
            {"engine": "scan", "cell": "lstm"},
            {"engine": "fused", "cell": "lstm"},
            {"engine": "eager", "cell": "lstm"},
            {"layers": 2, "dropout": 0.3, "options": {"attention": 2, "eval_every": 10}},
            {"options": {"tie": True, "eval_every": 10}},
        ],
    ),
)
def test_networks_of_any_kind_are_blended(corpus, tmp_path, settings):
    run = train(corpus, tmp_path / "run", blend="ngram", **settings)
    assert isinstance(run.model, Blend) and len(run.state["gate"]) == 54
    rows = run.sample(12)
    assert run.sample(3, batch_size=1) == rows[:3]
    shares = [symbol.probability for symbol in run.next_symbols("an")]
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    top = run.top(3, n_nodes=3000)
    assert [one.nats for one in run.score(list(top.texts))] == pytest.approx(list(top.nats), rel=1e-3)


def test_evaluations_and_reports_take_a_blend(blended, cli):
    metrics = blended.evaluate(40)
    valid = held_out_loss(blended.model, encoded_part(blended, "valid"), penalty(blended.vocabulary))
    assert valid.bits_per_char in [pytest.approx(value, rel=1e-4) for value in _numbers(metrics)]
    test = held_out_loss(blended.model.network, encoded_part(blended, "test"), penalty(blended.vocabulary))
    assert metrics["test_network_bits_per_char"] == pytest.approx(test.bits_per_char)
    assert metrics["test_network_bits_per_char"] != metrics["test_bits_per_char"]
    assert cli("evaluate", blended.path, "-n", 20).code == 0


def test_runs_and_their_settings_say_whether_they_are_blended(plain, blended, tmp_path, cli):
    for run, said in ((blended, "ngram"), (plain, None)):
        assert json.loads(cli("show", "run", run.path, "--json").out)["blend"] == said
    assert "blended with" in cli("show", "run", blended.path).out
    assert "blended with" not in cli("show", "run", plain.path).out


def _numbers(value):
    if isinstance(value, dict):
        for inner in value.values():
            yield from _numbers(inner)
    elif isinstance(value, float):
        yield value

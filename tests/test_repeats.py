"""What a record repeats of itself: its probabilities by definition, its gate, its runs, and one model for all."""

from __future__ import annotations

import itertools
import json
import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import seqgen
from conftest import WORDS, one_in
from resuming import Stopper, digests
from seqgen.batches import Batch
from seqgen.counting import N_REPEAT_FEATURES, Blend, Repeats, blend_of, network_of
from seqgen.counting.repeats import count_matches, look_back, nothing_seen
from seqgen.errors import BadOption, CheckpointError, Interrupted
from seqgen.evaluation import held_out_loss, penalty
from seqgen.measure import read_corpus
from seqgen.model import RecurrentModel, make_stepper
from seqgen.testing import check_model
from seqgen.tokenizers import BOS, EOS, PAD
from seqgen.training.observer import may_repeat
from test_blend import blend_of as make_blend
from test_blend import forward, make, network
from test_counting import encoded

N_IDS = 9  # padding, the mark, the end, and six symbols
SMALL = {"cell": "gru", "hidden": 8, "embedding": 4, "batch_size": 8, "lr": 0.01, "split": "60/30/10", "steps": 30}
OPTIONS = {"eval_every": 10, "samples": 2}


def weights(seed=0):
    return np.random.default_rng(seed).normal(0, 0.5, N_REPEAT_FEATURES)


def penalties(n_ids=N_IDS):
    penalty_V = torch.zeros(n_ids)
    penalty_V[[PAD, BOS]] = -torch.inf
    return penalty_V


def definition(ids, n_looked_back, n_ids=N_IDS):
    """Return c after some ids, and the features of the gate that know no model, from the formula."""
    text = ids[1:] if ids[0] == BOS else ids
    sums, matches = np.zeros(n_ids), []
    for j in range(1, len(text)):  # x_1 .. x_j, of which x_{j + 1} comes after
        if len(text) - j > n_looked_back:
            continue
        m = 0
        while m < 8 and m < j and text[j - 1 - m] == text[len(text) - 1 - m]:
            m += 1
        if m >= 4:
            sums[text[j]] += 8.0**m
            matches.append(m)
    if not matches:
        return sums, np.zeros(8)
    own, longest = sums / sums.sum(), max(matches)
    features = [float(longest >= k) for k in range(5, 9)]
    features += [math.log1p(matches.count(longest)), math.log(own.max())]
    return own, np.array([*features, math.log1p(min(len(text), n_looked_back)), 1.0])


def parts(model_probs, ids, n_looked_back):
    """Return p_own with the model's end, and all features."""
    shares, features = definition(ids, n_looked_back)
    own = shares * model_probs
    agreement = own.sum()
    own = own / max(agreement, 1e-30) * (1 - model_probs[EOS])
    own[EOS] = model_probs[EOS]
    if not features[-1]:
        return own, np.zeros(N_REPEAT_FEATURES)
    known = model_probs[model_probs > 0]
    of_model = [math.log(max(agreement / (1 - model_probs[EOS]), 1e-6)), -(known * np.log(known)).sum()]
    return own, np.array([*features[:-1], *of_model, math.log(known.max()), 1.0])


def brute_mixture(model_probs, ids, n_looked_back, weights_G):
    own, features = parts(model_probs, ids, n_looked_back)
    share = features[-1] / (1 + math.exp(-features @ weights_G))
    return share * own + (1 - share) * model_probs


texts = st.lists(st.integers(3, N_IDS - 1), min_size=1, max_size=30)
phrases = st.sampled_from([(3, 4, 5, 6, 3), (3, 4), (6,), (7, 3, 4, 5, 6, 8)])
repetitive = st.lists(phrases, min_size=1, max_size=15).map(lambda parts: [one for part in parts for one in part])


@pytest.mark.full
@given(st.one_of(texts, repetitive), st.integers(1, 40))
@settings(max_examples=60)
def test_what_the_gate_sees_is_by_the_definition(text, n_looked_back):
    ids, targets = [BOS, *text], [*text, EOS]
    model = Repeats(network(N_IDS), penalties(), n_looked_back, weights()).eval()
    batch = Batch(torch.tensor([ids]), torch.tensor([targets]), None, len(targets), len(text), 1)
    with torch.inference_mode():
        own_N, model_N, features_NG, _ = model.observe(batch, model.initial_state(1))
    logits_TV = forward(model.predictor, batch.ids_BT)[0][0].double()
    for at, target in enumerate(targets):
        probs_V = torch.softmax(logits_TV[at] + penalties(), -1).numpy()
        own, features = parts(probs_V, ids[: at + 1], n_looked_back)
        assert features_NG[at].numpy() == pytest.approx(features, abs=2e-5)
        assert math.exp(own_N[at]) == pytest.approx(own[target], abs=1e-5)
        assert math.exp(model_N[at]) == pytest.approx(probs_V[target], abs=1e-5)


@given(st.one_of(texts, repetitive))
def test_matches_of_a_record_are_counted(text):
    ids = [BOS, *text, EOS]
    assert count_matches(ids) == sum(definition(ids[:at], 100)[1][-1] for at in range(1, len(ids)))


@pytest.mark.parametrize(("n_repeating", "wanted"), [(0, False), (1, False), (40, True)])
def test_repetitions_are_looked_for_where_records_have_any(n_repeating, wanted):
    names = ["".join(letters) for letters in itertools.islice(itertools.permutations("abcdefgh", 7), 3000)]
    part, _ = encoded([*names, *["abcdabcdab"] * n_repeating], "abcdefgh")
    assert len(part.flat) >= 27_000 and may_repeat(part) is wanted


@pytest.mark.parametrize("first", [0, 5])
def test_some_of_few_long_records_are_looked_at(first):
    rng = random.Random(0)
    texts = [3 * "".join(rng.choices("abcdefgh", k=9000)) for _ in range(5)]
    part, _ = encoded([*texts[:first], "hg", *texts[first:]], "abcdefgh")
    assert may_repeat(part)


@pytest.mark.parametrize("n_looked_back", [1, 5, 64])
def test_the_mixture_is_that_of_the_definition(n_looked_back):
    model = Repeats(network(N_IDS), penalties(), n_looked_back, weights()).eval()
    rng = random.Random(0)
    rows = [[BOS, *(rng.choice([3, 4]) for _ in range(40))] for _ in range(4)]
    ids_BT = torch.tensor(rows)
    mixed_BTV, _ = forward(model, ids_BT)
    logits_BTV, _ = forward(model.predictor, ids_BT)
    for row, found_TV, logits_TV in zip(rows, mixed_BTV.exp(), logits_BTV, strict=True):
        for at in range(len(row)):
            probs_V = torch.softmax(logits_TV[at].double() + penalties(), -1).numpy()
            expected = brute_mixture(probs_V, row[: at + 1], n_looked_back, model.weights_G)
            assert found_TV[at].numpy() == pytest.approx(expected, abs=2e-6)
            assert float(found_TV[at].sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("counts", [False, True])
def test_steps_and_sequences_are_one_model(counts):
    part, vocabulary = encoded(["abab", "abc", "cab", "abcabc"])
    inner = make_blend(part, vocabulary) if counts else network(vocabulary.size)
    model = Repeats(inner, penalty(vocabulary, inner), 6, weights()).eval()
    symbols = torch.from_numpy(np.random.default_rng(1).integers(vocabulary.symbol_offset, vocabulary.size, (3, 12)))
    ids_BT = torch.cat((torch.full((3, 1), BOS), symbols), 1)
    whole_BTV, _ = forward(model, ids_BT)
    step, state = make_stepper(model), model.initial_state(3)
    with torch.inference_mode():
        for t, ids_B in enumerate(ids_BT.unbind(1)):
            logits_BV, state = step(ids_B, state)
            assert torch.allclose(logits_BV, whole_BTV[:, t], atol=1e-5)
    first, middle = forward(model, ids_BT[:, :5])
    second, _ = forward(model, ids_BT[:, 5:], middle)
    assert torch.allclose(torch.cat((first, second), 1), whole_BTV, atol=1e-5)


def after(rows, n_looked_back=8, is_symbol_V=None):
    """Return the past after rows of ids, all of one length."""
    past = nothing_seen(len(rows), n_looked_back, torch.device("cpu"))
    for ids_B in torch.tensor(rows).unbind(1):
        past = look_back(ids_B, past, penalties() == 0 if is_symbol_V is None else is_symbol_V)
    return past


def test_a_mark_forgets_what_came_before():
    rows = [[BOS, 3, 4, 3, 4, 3], [3, 3, 3, 3, 3, 3]]
    assert after(rows).length_BW.amax(1).tolist() == [3, 5]
    past = after([[*rows[0], BOS], [*rows[1], 3]])
    assert past.seen_B.tolist() == [0, 7] and past.length_BW.amax(1).tolist() == [0, 6]
    past = after([[*rows[0], BOS, 3], [*rows[1], 3, 3]])
    assert past.seen_B.tolist() == [1, 8] and not past.length_BW[0].any()  # the threes before are another record's


def test_conditions_are_no_symbols():
    """Five columns that are left out are five equal ids before the first symbol."""
    is_symbol_V = penalties() == 0
    is_symbol_V[3] = False
    with_them = after([[BOS, *[PAD] * 5, 3, 4, 5, 4, 5, 4]], 8, is_symbol_V)
    without = after([[BOS, 4, 5, 4, 5, 4]], 8, is_symbol_V)
    assert all(torch.equal(mine[..., :5], other[..., :5]) for mine, other in zip(with_them, without, strict=True))
    penalty_V = penalties()
    penalty_V[3] = -torch.inf
    model = Repeats(network(N_IDS), penalty_V, 16, weights()).eval()
    mixed_BTV, _ = forward(model, torch.tensor([[BOS, *[PAD] * 6, 3, 4]]))
    assert mixed_BTV.exp().sum(2) == pytest.approx(np.ones((1, 9)), abs=1e-5)


def test_what_the_model_holds_for_impossible_is_not_repeated():
    class Sure(torch.nn.Module):
        """A model that only ever expects symbol 8."""

        def initial_state(self, batch_size):
            return torch.zeros(batch_size, 0)

        def forward(self, ids_BT, state):
            logits_BTV = torch.zeros(*ids_BT.shape, N_IDS)
            logits_BTV[..., 8] = 200.0
            return logits_BTV, state

    model = Repeats(Sure(), penalties(), 16, np.full(N_REPEAT_FEATURES, 5.0)).eval()
    mixed_BTV, _ = forward(model, torch.tensor([[BOS, 3, 4, 5, 6, 3, 4, 5, 6, 3]]))
    assert mixed_BTV[0, :, 8].exp().numpy() == pytest.approx(1.0)


@pytest.mark.full
def test_the_kit_passes():
    def load(n_symbols):
        inner = RecurrentModel(n_symbols, make("gru"), hidden=12, embedding=6)
        return Repeats(inner, penalties(n_symbols), 16, weights() * 0.3)

    spec = seqgen.ModelSpec(name="repeats", summary="repeats", source="none", load=load, uses_cell=False)
    check_model(spec)


# -- runs


def repeating(n=120, seed=0):
    """Return records that say everything thrice, each in symbols of its own."""
    rng = random.Random(seed)
    return sorted({3 * "".join(rng.choices("abcdefghijkl", k=rng.randint(5, 8))) for _ in range(n)})


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("repeating") / "twice.txt"
    path.write_text("\n".join(repeating()) + "\n", encoding="utf-8")
    return path


def train(corpus, out, **changed):
    return seqgen.train(corpus, out=out, **{**SMALL, "options": OPTIONS, "best_by": "loss", **changed})


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    return train(corpus, tmp_path_factory.mktemp("run") / "run", blend="auto", repeats="auto")


def test_records_that_repeat_themselves_are_predicted_better(corpus, run, tmp_path, cli):
    best = next(row for row in run.metrics if row["step"] == run.state["best_step"])
    assert isinstance(run.model, Repeats) and len(run.state["repeats"]) == N_REPEAT_FEATURES
    assert best["valid_bits_per_char"] < 0.8 * best["valid_without_repeats_bits_per_char"]
    assert best["valid_without_repeats_bits_per_char"] <= best["valid_network_bits_per_char"]
    encoded_parts = read_corpus(run).encoded
    penalty_V = penalty(run.vocabulary, run.model)
    found = held_out_loss(run.model, encoded_parts["test"], penalty_V)
    alone = held_out_loss(network_of(run.model), encoded_parts["test"], penalty_V)
    assert found.bits_per_char < 0.8 * alone.bits_per_char
    evaluated = run.evaluate(20)
    assert evaluated["test_bits_per_char"] == pytest.approx(found.bits_per_char, rel=1e-6)
    assert evaluated["test_network_bits_per_char"] == pytest.approx(alone.bits_per_char, rel=1e-6)
    shown = cli("train", "--corpus", corpus, "--hidden", 8, "--steps", 10, "--split", "60/30/10", "--repeats", "on",
                "--out", tmp_path / "shown")  # fmt: skip
    assert "what a record repeats" in " ".join((shown.out + shown.err).split())


def test_it_is_one_model_for_scores_rows_and_beams(run):
    text = repeating(seed=3)[0]
    score, ids = run.score(text)[0], [BOS, *run.vocabulary.encode(text), EOS]
    mixed_BTV, _ = forward(run.model, torch.tensor([ids[:-1]]))
    log_probs_TV = torch.log_softmax(mixed_BTV[0].double() + penalty(run.vocabulary, run.model), -1)
    nats = -float(log_probs_TV.gather(1, torch.tensor(ids[1:])[:, None]).sum())
    assert score.nats == pytest.approx(nats, rel=1e-5)
    top = run.top(3)
    assert [one.nats for one in run.score(top.texts)] == pytest.approx(top.nats, rel=1e-5)


def test_refused_or_left_out(corpus, run, tmp_path):
    plain = train(corpus, tmp_path / "plain", blend="none")
    assert plain.settings.train.repeats == "none" and plain.model is network_of(plain.model)
    assert all("valid_without_repeats_bits_per_char" not in row for row in plain.metrics)
    only = train(corpus, tmp_path / "only", blend="none", repeats="on")
    assert isinstance(only.model, Repeats) and blend_of(only.model) is None and only.state["gate"] is None
    counts = train(corpus, tmp_path / "counts", blend="ngram", repeats="none")
    assert isinstance(counts.model, Blend) and counts.state["repeats"] is None
    assert digests(only.path)["model.safetensors"] == digests(plain.path)["model.safetensors"]
    assert digests(counts.path)["model.safetensors"] == digests(plain.path)["model.safetensors"]


def test_held_out_records_decide_unless_told_otherwise(corpus, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("\n".join(f"{one}{other}" for one in WORDS[:24] for other in WORDS[24:36]) + "\n")

    def repeats(**given):
        return seqgen.plan(words, **{"split": "80/10/10", **given}).settings.train.repeats

    assert repeats() == "auto" and repeats(repeats="on") == "on"
    assert repeats(split="none") == "none"  # nothing decides
    with pytest.raises(BadOption, match="repeats is on, and nothing is held out"):
        repeats(split="none", repeats="on")
    assert repeats(model="ngram") == "none" and repeats(blend="none") == "none"
    assert (
        repeats(domain="python") == "auto" and seqgen.plan("names", condition="label").settings.train.repeats == "auto"
    )
    assert repeats(blend="none", repeats="auto") == "auto"
    few = tmp_path / "few.txt"
    few.write_text("\n".join(repeating(60)))
    for split, expected in (("60/30/10", "auto"), ("98/1/1", "none")):
        planned = seqgen.plan(few, split=split).settings.train
        assert (planned.best_by, planned.blend, planned.repeats) == ("copies", "none", expected)
    chosen = train(words, tmp_path / "run", repeats="auto")
    assert chosen.state["repeats"] is None  # such words do not repeat themselves
    best = next(row for row in chosen.metrics if row["step"] == chosen.state["best_step"])
    assert "valid_without_repeats_bits_per_char" not in best


@pytest.mark.parametrize("blend", one_in(2, ["ngram", "none"]))
def test_a_stopped_run_resumes_to_the_same_bytes(corpus, tmp_path, monkeypatch, blend):
    monkeypatch.setattr("seqgen.training.trainer._PROGRESS_EVERY_S", 0.0)
    settings = {"blend": blend, "repeats": "on", "dropout": 0.2, "options": {"eval_every": 7, "samples": 1}}
    straight = train(corpus, tmp_path / "straight", **settings)
    with pytest.raises(Interrupted):
        train(corpus, tmp_path / "stopped", listener=Stopper(15), **settings)
    resumed = seqgen.resume(tmp_path / "stopped")
    assert digests(resumed.path) == digests(straight.path) and resumed.state == {
        **straight.state, "elapsed_s": resumed.state["elapsed_s"]
    }  # fmt: skip
    assert resumed.sample(5) == straight.sample(5)


@pytest.mark.full
def test_a_refit_keeps_the_gates(corpus, tmp_path):
    first = train(corpus, tmp_path / "first", blend="ngram", repeats="on", options={"eval_every": 10, "samples": 1})
    refit = seqgen.refit(first.path)
    assert refit.state["repeats"] == first.state["repeats"] and isinstance(refit.model, Repeats)
    assert refit.settings.train.repeats == "on" and refit.settings.refit.repeats == first.state["repeats"]


@pytest.mark.full
def test_what_was_decided_for_another_list_is_decided_anew(corpus, tmp_path, words):
    """A refit has the decisions of its first run, and that run the wish to be refitted: neither is of a new list."""
    first = train(corpus, tmp_path / "first", blend="auto", repeats="auto", refit=True)
    start, few = first.path.with_name("first-refit"), tmp_path / "few.txt"
    few.write_text("anaana\nbenben\n")
    assert seqgen.load(start).settings.train.repeats == "on"
    for folder in (first.path, start):
        planned = seqgen.plan(words, start=folder, split="80/10/10").settings.train
        assert (planned.blend, planned.repeats, planned.refit) == ("auto", "auto", False)
        for corpus_with_few in (words, few):
            planned = seqgen.plan(corpus_with_few, start=folder, split="none").settings.train
            assert (planned.blend, planned.repeats) == ("none", "none")
    plain = train(corpus, tmp_path / "plain", blend="none", repeats="none")
    assert seqgen.plan(corpus, start=plain.path).settings.train.repeats == "none"


@pytest.mark.full
def test_a_long_text_repeats_itself_from_window_to_window(tmp_path):
    rng = random.Random(0)
    names = ["".join(rng.choices("abcdefghijklmnop", k=9)) for _ in range(400)]
    (tmp_path / "book.txt").write_text("".join(f"{name} is {name}, and {name} it stays.\n" for name in names))
    run = train(tmp_path / "book.txt", tmp_path / "run", layout="stream", blend="ngram", repeats="auto",
                split="80/15/5", options={"window": 16, "eval_every": 10, "samples": 1})  # fmt: skip
    assert isinstance(run.model, Repeats) and run.settings.look_back == 500
    best = next(row for row in run.metrics if row["step"] == run.state["best_step"])
    assert best["valid_bits_per_char"] < 0.7 * best["valid_without_repeats_bits_per_char"]
    assert len(run.sample(2, max_length=40)) == 2


@pytest.mark.parametrize("wrong", [[], [0.0] * 3, "x", [math.nan] * N_REPEAT_FEATURES, {"a": 1}])
def test_a_gate_that_is_none_is_refused(run, wrong):
    from seqgen.api.factories import predictor_of

    with pytest.raises(CheckpointError, match=f"its repeats is not {N_REPEAT_FEATURES} numbers"):
        predictor_of(run.folder, run.settings, run.plugins, network_of(run.model), {**run.state, "repeats": wrong})


def test_a_run_that_starts_from_another_repeats_as_that_one(corpus, run, tmp_path):
    again = train(corpus, tmp_path / "again", start=run.path, steps=5)
    assert again.settings.train.repeats == "auto" and isinstance(again.model, Repeats)
    alone = train(corpus, tmp_path / "alone", start=run.path, steps=5, blend="none")
    assert alone.settings.train.repeats == "none" and alone.model is network_of(alone.model)


@pytest.mark.full
def test_the_gate_of_a_long_text_is_fitted_all_over_it(tmp_path):
    """Only the first tenth of the held-out part repeats itself: what is logged is not the loss of that tenth."""
    rng = random.Random(0)
    some = "".join(rng.choices("abcdefghijklmnop", k=60_000))
    phrase = "".join(rng.choices("abcdefghijklmnop", k=60))
    (tmp_path / "book.txt").write_text(some + phrase * 100 + some[:54_000][::-1])
    run = train(tmp_path / "book.txt", tmp_path / "run", layout="stream", blend="none", repeats="on",
                split="50/49/1", steps=10, options={"window": 16, "eval_every": 10, "samples": 1})  # fmt: skip
    found = held_out_loss(run.model, read_corpus(run).encoded["valid"], penalty(run.vocabulary, run.model))
    assert run.metrics[-1]["valid_bits_per_char"] == pytest.approx(found.bits_per_char, rel=0.1)


# -- constraints and search


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A run of few texts, so that all of them can be listed."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.txt"
    rows = ["".join(row) for n in (2, 3, 4) for row in itertools.product("ab", repeat=n)]
    path.write_text("\n".join(rows * 6) + "\n", encoding="utf-8")
    return train(path, path.parent / "run", blend="ngram", repeats="on", steps=10)


def test_rows_under_a_constraint_have_the_distribution_of_the_model(tiny):
    probs = {text: math.exp(-tiny.score(text)[0].nats) for text in map("".join, itertools.product("ab", repeat=4))}
    wanted = {text: probs[text] for text in probs if text.endswith("ba")}
    total = sum(wanted.values())
    rows = [row.text for row in tiny.sample(4000, regex="[ab][ab]ba", seed=1)]
    assert set(rows) <= set(wanted)
    distance = 0.5 * sum(abs(rows.count(text) / len(rows) - p / total) for text, p in wanted.items())
    assert distance < 0.03


def test_the_most_probable_rows_are_those_of_all(tiny):
    texts = ["".join(row) for n in range(7) for row in itertools.product("ab", repeat=n)]
    best = sorted(texts, key=lambda text: tiny.score(text)[0].nats)[:5]
    found = tiny.top(5, max_length=6)
    assert list(found.texts) == best and found.n_proven == 5


def test_the_log_and_the_run_are_shown(run, cli):
    shown = json.loads(cli("show", "run", run.path, "--json").out)
    assert shown["blend"] in ("ngram and repeats", "repeats")

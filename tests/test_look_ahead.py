"""Rows under a constraint: look-ahead by counts, and its correction to the model's own distribution."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqgen.api.sample import describe_bound
from seqgen.config import SampleConfig
from seqgen.counting import N_FEATURES, Blend, count_records, records_of_rows
from seqgen.counting.graph import dense_table
from seqgen.errors import Diverged, UsageError
from seqgen.sampling import Sampler, conditional, find_way, look_ahead, trial
from seqgen.sampling.bound import LEAST_KEPT, MAX_ABOVE, fit_any_bound, fit_bound, heaviest, recovery, with_trial
from seqgen.sampling.contexts import Contexts
from seqgen.sampling.corrected import LookAheadSampler
from seqgen.sampling.look_ahead import POWERS_OF_STATES, LookAhead
from seqgen.sampling.trial import Trial, best_powers
from seqgen.tokenizers import BOS, EOS, Vocabulary
from seqgen.tokenizers.byte import ByteTokenizer
from seqgen.tokenizers.char import CharTokenizer
from seqgen_text.bpe import BPETokenizer
from test_constraints import CORPORA, NAMES, TITLES, enumerate_rows, make, regexes, sampler

SEED = 5


def graph_of(of, n_rows=4000, max_length=8):
    """Return the counts of rows of a model."""
    flat, lengths_N, cut_N = sampler(of, max_length=max_length).sample_flat(0, n_rows)
    kept_N = ~cut_N
    return count_records(records_of_rows(flat[np.repeat(kept_N, lengths_N)], lengths_N[kept_N], of[1]), of[1])


def with_look_ahead(of, graph, max_length=6, processors=(), **wanted):
    one = Sampler(*of, SampleConfig(max_length=max_length, **wanted), processors=processors)
    ahead = LookAhead(
        one.constraint.automaton,
        graph,
        one.forced,
        max_length,
        temperature=one.settings.temperature,
        device=one.device,
    )
    return LookAheadSampler(one, ahead)


def conditional_shares(shares, accepts):
    accepted = {text: share for text, share in shares.items() if accepts(text) and share}
    total = sum(accepted.values())
    return {text: share / total for text, share in accepted.items()}, total


def target(shares, name):
    """The settings of a constraint, and the model's rows that satisfy it, with their probability."""
    wanted, accepts = CONSTRAINTS[name]
    prefix = wanted.get("prefix", "")
    begun = {text: share for text, share in shares.items() if text.startswith(prefix)}
    return wanted, *conditional_shares(begun, accepts)


def variation(texts, shares):
    found, n_rows = Counter(texts), len(texts)
    return sum(abs(found[text] / n_rows - shares.get(text, 0)) for text in found | shares) / 2


def noise(shares, n_rows):
    """The mean total variation of a sample of so many rows from its own distribution, and three times its deviation."""
    deviations = [math.sqrt(share * (1 - share) / n_rows) for share in shares.values()]
    mean = math.sqrt(2 / math.pi) * sum(deviations) / 2
    return mean + 3 * math.sqrt(sum(value * value for value in deviations)) / 2


def kept(one, n):
    bound = Trial(one, conditional.PILOT_SEED).bound()
    return [row.text for row in itertools.islice(one.kept_rows(bound), n)], bound


@pytest.fixture(scope="module")
def letters():
    """A model of three letters, its rows of up to six, and counts of it."""
    of = make(CharTokenizer("abc"), seed=3, hidden=4)
    return of, enumerate_rows(of, "abc", 6), graph_of(of)


def pairs(text):
    """The letters of a text, and its pairs of neighbours."""
    return {*text, *map("".join, itertools.pairwise(text))}


CONSTRAINTS = {
    "contains": ({"contains": "bcb"}, lambda text: "bcb" in text),
    "two texts": ({"contains": ("ab", "ca")}, lambda text: "ab" in text and "ca" in text),
    "ends and length": ({"ends": "cc", "length": "4-6"}, lambda text: text.endswith("cc") and len(text) >= 4),
    "prefix": (
        {"prefix": "ab", "ends": "a", "length": "3-"},
        lambda t: t[:2] == "ab" and t.endswith("a") and len(t) > 2,
    ),
    "avoid": (
        {"avoid": ("a", "bb"), "length": "5"},
        lambda text: "a" not in text and "bb" not in text and len(text) == 5,
    ),
    "regex": ({"regex": "(ab|c)+a?"}, re.compile("(ab|c)+a?").fullmatch),
}


# -- the probability of an accepted end


def ngram_share(graph, vocabulary, text, end=True):
    """The probability of a row, or of its beginning, under the n-gram, by walking its contexts."""
    probs_DV, following_DV = dense_table(graph, graph.n_nodes)
    context, share = graph.begin, 1.0
    for id_ in vocabulary.encode(text).tolist():
        share, context = share * float(probs_DV[context, id_]), int(following_DV[context, id_])
    return share * float(probs_DV[context, EOS]) if end else share


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_the_probability_of_an_accepted_end_is_that_of_all_accepted_rows_of_the_ngram(letters, name):
    of, shares, graph = letters
    wanted, accepts = CONSTRAINTS[name]
    prefix = wanted.get("prefix", "")
    accepted = sum(ngram_share(graph, of[1], text) for text in shares if text.startswith(prefix) and accepts(text))
    expected = accepted / ngram_share(graph, of[1], prefix, end=False)
    ahead = with_look_ahead(of, graph, **wanted)._look_ahead
    assert math.isclose(math.exp(ahead.log_accepted), expected, rel_tol=1e-4)


def test_rows_of_the_ngram_itself_have_equal_weights(letters, monkeypatch):
    monkeypatch.setattr(look_ahead, "POWERS", ((1.0, 0.0),))
    of, _, graph = letters
    blend = Blend(of[0], graph)
    gate_2F = np.zeros((2, N_FEATURES))
    gate_2F[:, -1] = -0.5, 0.5  # the network counts for nothing
    blend.set_gate(gate_2F)
    one = with_look_ahead((blend.eval(), of[1]), graph, contains="bcb")
    bound = Trial(one, 1).bound()
    assert bound.effective > 0.999
    assert bound.kept > 0.98
    assert math.isclose(math.log(bound.accepted), one._look_ahead.log_accepted, rel_tol=1e-3)


# -- the corrected distribution


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_corrected_rows_follow_the_conditional_distribution(letters, name):
    of, shares, graph = letters
    wanted, shares, total = target(shares, name)
    texts, bound = kept(with_look_ahead(of, graph, **wanted), 20_000)
    assert variation(texts, shares) < noise(shares, 20_000) + MAX_ABOVE
    # The mask alone gives other rows, or this could not fail.
    masked = [row.text for row in sampler(of, max_length=6, **wanted).take(20_000)]
    assert variation(masked, shares) > 2 * noise(shares, 20_000)
    if "prefix" not in wanted:
        assert math.isclose(bound.accepted, total, rel_tol=0.15)


@pytest.mark.full
@pytest.mark.parametrize("name", CONSTRAINTS)
def test_the_total_variation_of_many_rows_is_small(letters, name):
    of, shares, graph = letters
    wanted, shares, _ = target(shares, name)
    assert len(shares) <= 250
    texts, _ = kept(with_look_ahead(of, graph, **wanted), 200_000)
    assert variation(texts, shares) <= 0.02


def processed_shares(one, max_length):
    """The probability of each row after all decoding steps, by the definition."""
    shares = {}
    model, vocabulary = one._model, one.vocabulary
    with torch.inference_mode():
        for length in range(max_length + 1):
            for letters in itertools.product("abc", repeat=length):
                ids = vocabulary.encode("".join(letters)).tolist()
                logits_1TV, _ = model(torch.tensor([[BOS, *ids]]), model.initial_state(1))
                share = 1.0
                for at, target in enumerate([*ids, EOS]):
                    history = torch.tensor([ids[:at]], dtype=torch.long)
                    after_1V = one.process(logits_1TV[:, at], history)
                    share *= float(torch.softmax(after_1V, -1)[0, target])
                shares["".join(letters)] = share
    return shares


@pytest.mark.full
@pytest.mark.parametrize(
    "decoding", [{"temperature": 0.7}, {"top_k": 3}, {"top_p": 0.9}, {"repetition_penalty": 1.5}, {"ban": "c"}]
)
def test_decoding_steps_come_before_look_ahead(letters, decoding):
    of, _, graph = letters
    one = with_look_ahead(of, graph, contains="ba", length="3-6", **decoding)
    shares, _ = conditional_shares(processed_shares(one, 6), lambda text: "ba" in text and 3 <= len(text) <= 6)
    texts, _ = kept(one, 10_000)
    assert variation(texts, shares) < noise(shares, 10_000) + MAX_ABOVE


@pytest.mark.full
def test_a_processor_of_a_plugin_sees_unmasked_logits(letters):
    of, _, graph = letters
    seen = []

    def processor(logits_BV, ids_BT):
        seen.append(bool((logits_BV[:, EOS:] == -torch.inf).any()))
        return logits_BV * 2

    one = with_look_ahead(of, graph, processors=[processor], contains="ba", length="3-6")
    shares, _ = conditional_shares(processed_shares(one, 6), lambda text: "ba" in text and 3 <= len(text) <= 6)
    seen.clear()
    texts, _ = kept(one, 10_000)
    assert seen and not any(seen)
    assert variation(texts, shares) < noise(shares, 10_000) + MAX_ABOVE


# -- other symbols, and limits


@pytest.mark.full
@pytest.mark.parametrize("entries", [100, 300, 1 << 22])
@pytest.mark.parametrize("stored", [1, 1 << 24])
@pytest.mark.parametrize("least", [1, 3])
def test_fewer_contexts_change_the_cost_and_not_the_distribution(letters, monkeypatch, entries, stored, least):
    of, shares, graph = letters
    monkeypatch.setattr(look_ahead, "_MAX_ENTRIES", entries)
    monkeypatch.setattr(look_ahead, "_MAX_STORED", stored)
    shares, _ = conditional_shares(shares, lambda text: "ba" in text and least <= len(text) <= 6)
    wanted = {"contains": "ba"} | ({"length": f"{least}-6"} if least > 1 else {})
    texts, _ = kept(with_look_ahead(of, graph, **wanted), 10_000)
    assert variation(texts, shares) < noise(shares, 10_000) + MAX_ABOVE


@pytest.mark.parametrize(
    ("wanted", "n_free"),
    [({"contains": "bcb"}, 1), ({"contains": "b", "length": "2-"}, 1), ({"contains": "b", "length": "2-5"}, 0),
     ({"ends": "bc"}, 0), ({"avoid": "a"}, 0), ({"contains": "b", "avoid": "a"}, 0)],
)  # fmt: skip
def test_the_states_after_which_all_rows_are_accepted(letters, wanted, n_free):
    of, _, _ = letters
    automaton = sampler(of, **wanted).constraint.automaton
    free_S = look_ahead.find_free(automaton)
    assert free_S.sum() == n_free
    for state in np.flatnonzero(free_S):
        assert automaton.distance_S[state] == 0 and free_S[automaton.next(state, of[1].encode("abc"))].all()


def test_a_constraint_of_too_many_states_is_left_to_the_mask(letters, monkeypatch):
    of, _, graph = letters
    monkeypatch.setattr(look_ahead, "_MAX_ENTRIES", 8)
    with pytest.raises(look_ahead.TooLarge):
        with_look_ahead(of, graph, contains="bcbcbc")
    way = find_way(sampler(of, max_length=12, contains="bcbcbcbcb"), graph)
    assert way.rows is None and way.bound is None and way.n_tried == conditional.PILOT


@pytest.mark.full
@pytest.mark.parametrize("tokenizer", [BPETokenizer.fit(TITLES, vocab_size=60), ByteTokenizer()])
def test_rows_of_other_symbols_satisfy_the_constraint(tokenizer):
    of = make(tokenizer, seed=1)
    way = find_way(sampler(of, max_length=20, contains="raphs", seed=SEED), None)
    assert way.rows is not None and way.bound is not None
    rows = list(itertools.islice(way.rows, 50))
    assert all("raphs" in row.text and not row.cut for row in rows)
    assert len({row.text for row in rows}) > 25


@pytest.mark.parametrize("n_particles", [1, 8])
def test_rows_of_one_long_text(n_particles):
    torch.manual_seed(2)
    vocabulary = Vocabulary(CharTokenizer("abc"), ends=False)
    model = make(CharTokenizer("abc"), seed=2, hidden=4)[0]
    one = Sampler(model, vocabulary, SampleConfig(max_length=5, contains="bcb"))
    shares = {}
    with torch.inference_mode():
        for letters in itertools.product("abc", repeat=5):
            ids = [BOS, *vocabulary.encode("".join(letters)).tolist()]
            logits_1TV, _ = model(torch.tensor([ids]), model.initial_state(1))
            forbidden_V = ~torch.from_numpy(vocabulary.allowed_V())
            log_probs_TV = torch.log_softmax(logits_1TV[0].double().masked_fill(forbidden_V, -math.inf), -1)
            shares["".join(letters)] = math.exp(sum(float(log_probs_TV[at, id_]) for at, id_ in enumerate(ids[1:])))
    assert math.isclose(sum(shares.values()), 1, rel_tol=1e-5)
    shares, _ = conditional_shares(shares, lambda text: "bcb" in text)
    flat, lengths_N, _ = Sampler(model, vocabulary, SampleConfig(max_length=5)).sample_flat(0, 2000)
    graph = count_records(records_of_rows(flat, lengths_N, vocabulary), vocabulary)
    ahead = LookAhead(one.constraint.automaton, graph, one.forced, 5)
    n_rows = 10_000 // n_particles
    texts, _ = kept(LookAheadSampler(one, ahead).with_particles(n_particles), n_rows)
    assert variation(texts, shares) < noise(shares, n_rows) + MAX_ABOVE


def test_dead_ends_have_no_weight(letters):
    of, _, graph = letters
    one = with_look_ahead(of, graph, contains="bcb", top_k=1)
    assert set(one.weighted(0, 100)[0]) == {-math.inf}
    assert Trial(one, 1).bound() is None
    way = find_way(sampler(of, max_length=6, contains="bcb", top_k=1), graph)
    assert way.rows is None  # the one row of this model is not accepted


def test_a_model_that_diverged_is_refused(letters):
    of, _, graph = letters
    one = with_look_ahead(of, graph, contains="bcb")
    bias_V = of[0].head.bias
    before_V = bias_V.detach().clone()
    try:
        with torch.no_grad():
            bias_V.fill_(math.nan)
        with pytest.raises(Diverged, match="not finite"):
            Trial(one, 1).bound()
    finally:
        with torch.no_grad():
            bias_V.copy_(before_V)


def test_a_model_whose_rows_do_not_end_by_themselves():
    of = make(CharTokenizer("abc"), seed=3, hidden=4)
    with torch.no_grad():
        of[0].head.bias[EOS] = -30.0
    way = find_way(sampler(of, max_length=6, contains="bcb", seed=SEED), None)
    assert way.rows is not None and way.bound is not None
    rows = list(itertools.islice(way.rows, 20))
    assert all("bcb" in row.text and not row.cut for row in rows)


@pytest.mark.parametrize("temperature", [1e-5, 0.01, 50])
def test_extreme_temperatures(letters, temperature):
    of, _, graph = letters
    way = find_way(sampler(of, max_length=6, contains="bcb", temperature=temperature), graph)
    if way.rows is not None:
        assert all("bcb" in row.text for row in itertools.islice(way.rows, 20))
    else:
        assert temperature < 1


def test_very_improbable_ends_are_reached():
    """Probabilities below the smallest double are replaced by the distance to an end."""
    of = make(CharTokenizer("ab"), seed=3, hidden=4)
    with torch.no_grad():
        of[0].head.bias[of[1].encode("b")] = -60.0
    text = "b" * 40
    one = with_look_ahead(of, graph_of(of, 500), max_length=60, contains=text)
    log_weights_W, _, rows = one.weighted(0, 32)
    assert all(text in row.text for row in rows)
    assert np.isfinite(log_weights_W).all()


def test_ends_are_reached_that_are_farther_than_the_nearest_ones_need_to_settle():
    """The probability to come nearer by a symbol is soon below the smallest double."""
    of = make(CharTokenizer("abc"), seed=3, hidden=4)
    probs_DV = np.zeros((1, of[1].size))
    probs_DV[0, [EOS, *of[1].encode("abc")]] = 1, 1e-9, 1e-15, 1e-9
    contexts = Contexts(probs_DV / probs_DV.sum(), np.zeros((1, of[1].size), dtype=np.int64), 0)
    one = with_look_ahead(of, contexts, max_length=60, contains="b" * 40)
    log_weights_W, _, rows = one.weighted(0, 32)
    assert all("b" * 40 in row.text for row in rows)
    assert np.isfinite(log_weights_W).all()


@pytest.mark.full
@settings(max_examples=100, deadline=None)
@given(regexes(sorted({*"".join(NAMES)})))
def test_rows_of_any_regular_expression_match_it(pattern):
    of = CORPORA["names"]
    try:
        way = find_way(sampler(of, max_length=20, regex=pattern), None)
    except UsageError as error:  # nothing so short, or nothing of these symbols
        assert "impossible" in str(error)
        return
    for row in itertools.islice(way.rows or sampler(of, max_length=20, regex=pattern).rows(), 5):
        assert re.fullmatch(pattern, row.text), (pattern, row.text)


@pytest.mark.full
@pytest.mark.parametrize("n_words", [1, 30, 1000, 8000])
def test_rows_of_word_lists_have_one_of_the_words(n_words):
    random = np.random.default_rng(n_words)
    letters = sorted({*"".join(NAMES)})
    words = ["".join(random.choice(letters, size)) for size in random.integers(4, 8, n_words)]
    way = find_way(sampler(CORPORA["names"], max_length=20, contains_any=tuple(words)), None)
    for row in itertools.islice(way.rows, 20):
        assert any(word in row.text for word in words)


# -- rows that are given up


@pytest.mark.full
@pytest.mark.parametrize("name", CONSTRAINTS)
def test_rows_that_are_given_up_would_have_been_rejected(letters, name):
    of, _, graph = letters
    one = with_look_ahead(of, graph, **CONSTRAINTS[name][0])
    bound = Trial(one, conditional.PILOT_SEED).bound()
    assert 0 <= bound.recovery < 10

    def numbers(bound):
        return {row.number for row in itertools.takewhile(lambda row: row.number < 20_000, one.kept_rows(bound))}

    patient = numbers(bound._replace(recovery=math.inf))
    kept_numbers = numbers(bound)
    assert kept_numbers <= patient
    assert len(kept_numbers) >= 0.995 * len(patient)
    impatient = numbers(bound._replace(recovery=-1.0))
    assert len(impatient) < len(kept_numbers)


def too_rare(vocabulary, share):
    """One context in which c is far less probable than in the model."""
    probs_DV = np.zeros((1, vocabulary.size))
    probs_DV[0, [EOS, *vocabulary.encode("abc")]] = 1, 1, 1, share
    return Contexts(probs_DV / probs_DV.sum(), np.zeros((1, vocabulary.size), dtype=np.int64), 0)


@pytest.mark.parametrize("text", ["c", "bcb", "cc"])
def test_a_power_is_passed_over_whose_rows_miss_others(letters, text):
    """Such a letter comes at once or never: weights are then nearly equal."""
    of, shares, _ = letters
    one = with_look_ahead(of, too_rare(of[1], 1e-4), contains=text)
    assert one.powers == POWERS_OF_STATES
    found = {powers: fit_bound(one.raised(*powers).reseeded(1).weighted(0, 512)[0], 0.01) for powers in one.powers}
    true = sum(share for row, share in shares.items() if text in row)
    most = max(found, key=lambda powers: found[powers].kept)
    assert most == (0.9, 0) and found[most].accepted < 0.8 * true
    assert found[best_powers(one, 1)[0]].accepted == pytest.approx(true, rel=0.3)


def test_the_power_does_not_depend_on_the_rows_sampled_together(letters):
    of, _, graph = letters
    found = []
    for size in (32, 96, 1000):
        sampled = []
        one = with_look_ahead(of, graph, contains="bcb")
        one._width = size
        weighted = LookAheadSampler.weighted

        def noted(self, start, width, *, sampled=sampled, weighted=weighted):
            sampled.append((start, width))
            return weighted(self, start, width)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(LookAheadSampler, "weighted", noted)
            powers, _ = best_powers(one, 1)
        found.append((powers, sum(width for _, width in sampled), max(width for _, width in sampled)))
    assert [most for *_, most in found] == [32, 96, 512]
    assert len({(powers, n_rows) for powers, n_rows, _ in found}) == 1


def test_look_ahead_is_not_used_where_it_misses_frequent_rows(letters, monkeypatch):
    of, _, graph = letters
    monkeypatch.setattr(trial, "best_powers", lambda one, seed: ((0.9, 0.0), Trial(one.raised(0.9), seed)))
    monkeypatch.setattr(conditional, "_ENOUGH", 1)
    wanted, contexts = {"contains": "c"}, too_rare(of[1], 1e-6)
    proposal = with_look_ahead(of, contexts, **wanted)
    monkeypatch.setattr(conditional, "_look_ahead", lambda *_: proposal)
    way = find_way(Sampler(*of, SampleConfig(max_length=6, **wanted)), graph)
    assert way.bound is None and way.rows is not None
    bound = Trial(proposal, conditional.PILOT_SEED).bound()
    assert bound.accepted < 0.7 * way.free and bound.kept > 2 * bound.accepted  # it seems to be of use


def test_the_recovery_covers_all_but_a_share_of_the_weight():
    log_weights = np.log(np.array([1.0, 1.0, 1.0, 1e-4]))
    lowest = np.array([-1.0, -0.5, 0.0, -30.0])
    margin = math.log(2)
    assert recovery(log_weights, lowest, 0.002) == 1.0 + margin  # the fourth row hardly counts
    assert recovery(np.array([-math.inf, 0.0]), np.array([-math.inf, -2.0])) == 2.0 + margin


def test_the_share_that_a_trial_may_have_missed_is_told(letters):
    """Few rows cannot show the few that weigh very much, so their share is the larger the fewer they are."""
    of, _, graph = letters
    one = with_look_ahead(of, graph, contains="bcb").raised(0.3)
    few, many = (heaviest(one.weighted(0, n)[0]) for n in (64, 4096))
    assert few >= 1 / 64 and many < few / 8


def test_the_share_above_a_bound_includes_that_of_the_heaviest_trial_row():
    """It stands for heavier rows that the trial has not met."""
    equal = np.zeros(50)
    bound = fit_any_bound(equal)
    found = with_trial(bound, equal, equal)
    assert bound.above == pytest.approx(0) and found.above == pytest.approx(1 / 50)
    assert found.recovery == math.log(2)


# -- bounds


@given(st.lists(st.floats(-30, 30) | st.just(-math.inf), min_size=1, max_size=200), st.floats(0, 0.2))
def test_a_bound_leaves_the_share_above_it(log_weights, max_above):
    weights = np.array(log_weights)
    bound = fit_bound(weights, max_above)
    if not np.isfinite(weights).any():
        assert bound is None
        return
    relative = np.exp(weights - bound.log_bound)
    above = np.maximum(relative - 1, 0).sum() / relative.sum()
    assert above <= max_above + 1e-9
    assert math.isclose(above, bound.above, abs_tol=1e-9)
    assert math.isclose(bound.kept, np.minimum(relative, 1).mean(), rel_tol=1e-6)
    assert math.isclose(bound.accepted, np.exp(weights).mean(), rel_tol=1e-6)
    assert bound.effective <= 1 + 1e-9
    if max_above > 0:  # a smaller one leaves more
        assert np.maximum(relative - 0.999, 0).sum() / relative.sum() >= max_above * 0.9 or above < max_above


def test_a_row_that_hardly_ever_occurs_is_said_to_be_rare():
    for log_weights in ([-800.0, -801.0], [-1e5, -2e5]):
        bound = fit_bound(np.array(log_weights))
        assert describe_bound(bound).startswith("fewer than 1 in 1,000,000,000,000,000 of the model's rows satisfy it;")
        assert "--exact" not in describe_bound(bound)
    rare = describe_bound(bound._replace(accepted=1e-6, above=0.2))
    assert "about 1 in 1,000,000 of" in rare
    assert rare.endswith("of which it needs some 1,000,000 for each that it keeps (--effort)")


def test_a_bound_is_looser_where_too_few_rows_would_be_kept():
    random = np.random.default_rng(0)
    assert fit_any_bound(random.normal(0, 0.1, 1000)).above == pytest.approx(0, abs=1e-12)
    even = fit_any_bound(random.normal(0, 0.7, 1000))
    assert math.isclose(even.above, MAX_ABOVE, rel_tol=1e-6)
    uneven = random.normal(0, 6, 1000)
    assert fit_bound(uneven).kept < LEAST_KEPT
    looser = fit_any_bound(uneven)
    assert looser.above > MAX_ABOVE and looser.kept > fit_bound(uneven).kept
    assert fit_any_bound(np.full(10, -math.inf)) is None


# -- the choice


@pytest.mark.parametrize("powers", look_ahead.POWERS)
def test_rows_are_right_whatever_the_powers(letters, powers):
    of, shares, graph = letters
    wanted, _ = conditional_shares(shares, lambda text: "bcb" in text)
    one = with_look_ahead(of, graph, contains="bcb").raised(*powers)
    bound = Trial(one, conditional.PILOT_SEED).bound()
    texts = [row.text for row in itertools.islice(one.kept_rows(bound), 10_000)]
    assert variation(texts, wanted) < noise(wanted, 10_000) + max(MAX_ABOVE, bound.above)


def test_the_mean_is_over_the_contexts_of_a_state_by_how_often_they_occur(letters):
    """So it tells states of the constraint apart, and not the symbols before."""
    of, _, graph = letters
    ahead = with_look_ahead(of, graph, contains="bcb")._look_ahead
    pairs = torch.arange(ahead.n_pairs)
    next_PV, log_g_PV = ahead._next_PV[pairs], ahead.raised(0.0, 1.0).log_factors(pairs, 2)
    group_P, log_h_P = ahead._group_P, ahead._log_h[6 - 2]
    assert len(group_P.unique()) - 1 == 4 < ahead.n_pairs
    for group in range(4):
        of_group_P = log_h_P[group_P == group]
        (mean,) = log_g_PV[(group_P[next_PV] == group) & log_g_PV.isfinite()].unique()
        assert of_group_P.min() - 1e-5 <= mean <= of_group_P.max() + 1e-5
    log_h_P = np.array([math.log(0.1), math.log(0.3), math.log(0.5), -math.inf, -math.inf], dtype=np.float32)
    means = look_ahead._log_means(
        log_h_P, np.array([True, False, True, True, False]), np.array([3.0, 1.0, 9.0, 1.0, 2.0])
    )
    assert means.exp().tolist() == pytest.approx([0.15, 0.5, 0.0, 1.0])


def test_trial_rows_count_once(letters, monkeypatch):
    of, _, graph = letters
    monkeypatch.setattr(look_ahead, "_MAX_ENTRIES", 8)  # so that free rows have to do
    one = sampler(of, max_length=12, contains="bcbcb")
    trial = one.as_rejection_sampler(conditional.PILOT_SEED).take(conditional.PILOT)
    way = find_way(one, graph)
    assert 0 < way.n_kept == sum(map(one.satisfies, trial)) and way.n_tried == conditional.PILOT


def test_frequent_rows_are_not_corrected(letters):
    of, _, graph = letters
    way = find_way(sampler(of, contains="a"), graph)
    assert way.bound is None and way.free > 0.1
    assert all("a" in row.text for row in itertools.islice(way.rows, 50))


@pytest.mark.full
@pytest.mark.parametrize("wanted", [{"contains": "bcb"}, {"prefix": "ab", "ends": "cc", "top_p": 0.95}])
def test_row_i_is_the_same_for_every_batch_size(letters, wanted):
    of, _, graph = letters

    def rows(n, **more):
        way = find_way(sampler(of, max_length=8, **wanted, **more), graph)
        assert way.bound is not None
        return [row.text for row in itertools.islice(way.rows, n)]

    many = rows(400, seed=SEED)
    assert rows(10, seed=SEED) == many[:10]
    for size in (32, 96, 1000):
        assert rows(100, seed=SEED, batch_size=size) == many[:100]
    assert rows(100, seed=SEED + 1) != many[:100]


def test_fast_needs_a_constraint_and_contradicts_exact(tiny_run):
    with pytest.raises(UsageError, match="no constraint"):
        tiny_run.sample(1, fast=True)
    with pytest.raises(UsageError, match="contradicts --exact"):
        tiny_run.sample(1, fast=True, exact=True, contains="a")
    with pytest.raises(UsageError, match="rows by beam are always masked"):
        tiny_run.sample(1, fast=True, decode="beam", contains="a")

"""A network mixed with counts: the mixture, the gate of its exponents, and the gate of a sum."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import seqgen
from conftest import in_tiers, one_in, registered
from seqgen.counting import (
    INITIAL_GATES,
    N_FEATURES,
    NEUTRAL,
    Blend,
    Gates,
    Observed,
    Predictions,
    cross_fit,
    cross_fitted,
    exponents,
    mix,
    most_symbols,
)
from seqgen.counting import gate as sum_gate
from seqgen.counting.gate import fit_share, gate_scores, scored_nats
from seqgen.counting.gate_fit import fit_gate
from seqgen.counting.log_linear import as_gate
from seqgen.model import RecurrentModel, make_stepper
from seqgen.testing import check_model
from seqgen.tokenizers import BOS, PAD
from test_counting import brute_force, encoded, graph_of, streamed

ENTRIES = {entry.spec.name: entry for entry in registered("cell")}
CELLS = ["vanilla", "gru", "lnlstm", "mingru", "transformer", "ntm"]
TEXTS = ["abab", "abc", "cab", "bab", "aab", "", "abcabc", "abab"]


def make(name):
    """Return a function that builds a cell."""
    return lambda input_size, hidden_size: ENTRIES[name].build({}, input_size, hidden_size)


def network(n_ids, cell="gru", seed=0):
    torch.manual_seed(seed)
    return RecurrentModel(n_ids, make(cell), hidden=6, embedding=4).eval()


def gate(seed=0):
    """Return weights that make both exponents depend on everything, (2, F)."""
    return np.random.default_rng(seed).normal(0, 0.06, (2, N_FEATURES))


def blend_of(part, vocabulary, order=4, cell="gru", seed=0):
    """Return a blend with an untrained network, as it is in evaluation mode."""
    blend = Blend(network(vocabulary.size, cell, seed), graph_of(part, vocabulary, order)).eval()
    blend.set_gate(gate(seed))
    return blend


def forward(model, ids_BT, state=None):
    with torch.inference_mode():
        return model(ids_BT, model.initial_state(len(ids_BT)) if state is None else state)


def random_ids(vocabulary, shape=(3, 12), seed=0):
    """Return ids of all kinds after a mark, (B, T)."""
    ids_BT = torch.from_numpy(np.random.default_rng(seed).integers(0, vocabulary.size, shape))
    ids_BT[:, 0] = BOS
    return ids_BT


# -- the mixture


def expected_mixture(part, vocabulary, order, history, logits_V, weights_2F):
    """Return the distribution after a history, straight from the formulas."""
    exact = brute_force(part, vocabulary, order)
    allowed = np.flatnonzero(vocabulary.allowed_V()).tolist()
    ngram_V = np.array([exact.probability(history, symbol) for symbol in allowed])
    scores_V = np.array([float(logits_V[symbol]) for symbol in allowed])
    network_V = np.exp(scores_V - scores_V.max())
    network_V /= network_V.sum()
    x_F = np.zeros(N_FEATURES)
    lengths = (N_FEATURES - 5) // 2
    for length in range(1, min(order - 1, len(history)) + 1):
        context = history[len(history) - length :]
        times = [times for gram, times in exact.counts[length + 1].items() if gram[:-1] == context]
        if sum(times):
            x_F[length - 1] = np.log1p(sum(times))
            mass = sum(exact.discounts[length + 1][min(each, 3)] for each in times)
            x_F[lengths + length - 1] = 1 - mass / sum(times)
    x_F[-5] = -(ngram_V * np.log(ngram_V)).sum()
    x_F[-4] = -(network_V * np.log(network_V)).sum()
    x_F[-3] = np.log(network_V.max())
    x_F[-2] = np.log1p(len(history) - 1)
    x_F[-1] = 1
    of_network, of_ngram = (0.5 + weights_2F @ x_F).clip(0, 2)
    product_V = network_V**of_network * ngram_V**of_ngram
    return allowed, product_V / product_V.sum()


@given(
    st.lists(st.text("abc", max_size=6), min_size=1, max_size=8),
    st.integers(1, 5),
    st.lists(st.sampled_from([3, 4, 5]), max_size=7),
    st.integers(0, 9),
)
@settings(max_examples=30)
def test_the_mixture_is_that_of_the_formula(texts, order, symbols, seed):
    part, vocabulary = encoded(texts)
    blend = blend_of(part, vocabulary, order, seed=seed)
    ids_BT = torch.tensor([[BOS, *symbols]])
    log_probs_V = forward(blend, ids_BT)[0][0, -1].double()
    logits_V = forward(blend.network, ids_BT)[0][0, -1]
    allowed, probs_V = expected_mixture(part, vocabulary, order, (BOS, *symbols), logits_V, gate(seed))
    assert log_probs_V[allowed].exp().tolist() == pytest.approx(probs_V.tolist(), rel=1e-4, abs=1e-6)
    assert log_probs_V.exp().sum().item() == pytest.approx(1, abs=1e-5)


@given(st.integers(0, 99), st.sampled_from([0.3, 3.0, 30.0]))
@settings(max_examples=20)
def test_exponents_stay_within_their_limits(seed, scale):
    part, vocabulary = encoded(TEXTS)
    blend, ids_BT = blend_of(part, vocabulary), random_ids(vocabulary)
    blend.set_gate(gate(seed) * scale / 0.06)
    logits_V = forward(blend.network, ids_BT)[0][0, 4]
    history = tuple(ids_BT[0, :5].tolist())
    if all(one >= 3 for one in history[1:]):
        allowed, probs_V = expected_mixture(part, vocabulary, 4, history, logits_V, blend.gate_EF)
        assert forward(blend, ids_BT)[0][0, 4, allowed].exp().tolist() == pytest.approx(probs_V.tolist(), abs=1e-4)
    log_probs_BTV = forward(blend, ids_BT)[0]
    assert torch.isfinite(log_probs_BTV).all()
    torch.testing.assert_close(log_probs_BTV.exp().sum(-1), torch.ones(3, 12), atol=1e-5, rtol=0)


def test_weights_of_zero_make_the_geometric_mean():
    part, vocabulary = encoded(TEXTS)
    blend = Blend(network(vocabulary.size), graph_of(part, vocabulary, 4)).eval()
    ids_BT = random_ids(vocabulary)
    mixed_BTV = forward(blend, ids_BT)[0].exp()
    alone_BTV = torch.softmax(forward(blend.network, ids_BT)[0] + blend.penalty_V, -1)
    node_BT, _ = blend.path(ids_BT, *blend.initial_state(3)[1:3])
    counted_BTV = blend.ngram_probs(node_BT.flatten()).view_as(mixed_BTV)
    mean_BTV = (alone_BTV * counted_BTV).sqrt()
    torch.testing.assert_close(mixed_BTV, mean_BTV / mean_BTV.sum(-1, keepdim=True), atol=1e-6, rtol=1e-5)


def test_probabilities_sum_to_one_and_unread_ids_have_none():
    part, vocabulary = encoded(TEXTS, conditions=("kind=x", "kind=y"))
    probs_BTV = forward(blend_of(part, vocabulary), random_ids(vocabulary, (20, 15)))[0].exp()
    allowed_V = torch.from_numpy(vocabulary.allowed_V())
    torch.testing.assert_close(probs_BTV.sum(-1), torch.ones(20, 15), atol=1e-5, rtol=0)
    assert (probs_BTV[..., ~allowed_V] < 1e-30).all() and (probs_BTV[..., allowed_V] > 1e-15).all()


@pytest.mark.parametrize("most", [0, 60, 1 << 24])
@pytest.mark.parametrize("cell", ["gru", "transformer"])
def test_steps_and_pieces_give_what_the_whole_sequence_does(monkeypatch, cell, most):
    monkeypatch.setattr("seqgen.counting.blend._MAX_TABLE", most)
    part, vocabulary = encoded(TEXTS, conditions=("kind=x",))
    blend = blend_of(part, vocabulary, cell=cell)
    ids_BT = random_ids(vocabulary)
    whole_BTV, end = forward(blend, ids_BT)
    with torch.inference_mode():
        step, state = make_stepper(blend), blend.initial_state(3)
        for t in range(ids_BT.shape[1]):
            logits_BV, state = step(ids_BT[:, t], state)
            torch.testing.assert_close(logits_BV, whole_BTV[:, t], atol=1e-5, rtol=1e-5)
    assert all(map(torch.equal, state[1:], end[1:]))
    first_BTV, middle = forward(blend, ids_BT[:, :5])
    rest_BTV, _ = forward(blend, ids_BT[:, 5:], middle)
    torch.testing.assert_close(torch.cat([first_BTV, rest_BTV], 1), whole_BTV, atol=1e-5, rtol=1e-5)


@given(st.lists(st.text("abc", max_size=8), min_size=1, max_size=9), st.integers(1, 8), st.integers(0, 300))
@settings(max_examples=30)
def test_a_small_table_gives_what_a_table_of_all_contexts_does(texts, order, most):
    part, vocabulary = encoded(texts, conditions=("kind=x",))
    ids_BT = random_ids(vocabulary, (4, 20), seed=most)
    whole = blend_of(part, vocabulary, order)
    assert whole._n_dense == whole.graph.n_nodes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqgen.counting.blend._MAX_TABLE", most)
        sparse = blend_of(part, vocabulary, order)
    assert sparse._n_dense < whole._n_dense or whole.graph.n_nodes * vocabulary.size <= most or order == 1
    found = [blend.path(ids_BT, *blend.initial_state(4)[1:3]) for blend in (sparse, whole)]
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])
    torch.testing.assert_close(
        *(blend.ngram_probs(found[0][0].flatten()) for blend in (sparse, whole)), atol=1e-6, rtol=1e-5
    )
    torch.testing.assert_close(*(forward(blend, ids_BT)[0] for blend in (sparse, whole)), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("most", [0, 1 << 24])
def test_conditions_and_padding_leave_node_and_position(monkeypatch, most):
    monkeypatch.setattr("seqgen.counting.blend._MAX_TABLE", most)
    part, vocabulary = encoded(TEXTS, conditions=("kind=x", "kind=y", "size=1"))
    assert vocabulary.symbol_offset == 6
    blend = blend_of(part, vocabulary)
    nodes, positions = blend.path(torch.tensor([[BOS, 3, PAD, 6, 4, 7, PAD, 5, 6]]), *blend.initial_state(1)[1:3])
    plain, _ = blend.path(torch.tensor([[BOS, 6, 7, 6]]), *blend.initial_state(1)[1:3])
    assert positions.tolist() == [[0, 0, 0, 1, 1, 2, 2, 2, 3]]
    assert nodes[0, [0, 3, 5, 8]].tolist() == plain[0].tolist()
    assert nodes[0, 1] == nodes[0, 2] == nodes[0, 0] and nodes[0, 4] == nodes[0, 3] and nodes[0, 6] == nodes[0, 5]
    again, anew = blend.path(torch.tensor([[BOS, 6, 7, BOS, 6]]), *blend.initial_state(1)[1:3])
    assert again[0, 3:].tolist() == plain[0, :2].tolist() and anew.tolist() == [[0, 1, 2, 0, 1]]


def test_a_text_is_read_without_positions_and_from_the_empty_context():
    part, vocabulary = streamed("abacabba" * 20)
    blend = blend_of(part, vocabulary, 3)
    nodes, positions = blend.path(torch.tensor([[BOS, 3, 4]]), *blend.initial_state(1)[1:3])
    assert nodes[0, 0] == 0 and blend.graph.length_R[nodes[0].numpy()].tolist() == [0, 1, 2]
    assert positions.tolist() == [[0, 0, 0]]
    exact = brute_force(part, vocabulary, 3)
    found = blend.ngram_probs(nodes[0])[:, 3:].tolist()
    assert found[2] == pytest.approx([exact.probability((3, 4), symbol) for symbol in (3, 4, 5)], abs=1e-6)


def test_there_may_be_no_rows():
    part, vocabulary = encoded(TEXTS)
    for most in (0, 1 << 24):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("seqgen.counting.blend._MAX_TABLE", most)
            blend = blend_of(part, vocabulary)
        with torch.inference_mode():
            logits_BTV, _ = blend(torch.zeros((0, 3), dtype=torch.int64), blend.initial_state(0))
            logits_BV, _ = make_stepper(blend)(torch.zeros(0, dtype=torch.int64), blend.initial_state(0))
        assert logits_BTV.shape == (0, 3, vocabulary.size) and logits_BV.shape == (0, vocabulary.size)


@pytest.mark.parametrize("cell", one_in(len(CELLS), CELLS))
@pytest.mark.parametrize("most", in_tiers([1 << 24, 100], lambda most: most > 100))
def test_a_blend_passes_the_kit_as_a_model(monkeypatch, cell, most):
    monkeypatch.setattr("seqgen.counting.blend._MAX_TABLE", most)

    def load(n_symbols):
        alphabet = "abcdefghijklmnopqrstuvwxyz"[: n_symbols - 3]
        part, vocabulary = encoded(["abc", "cab", "bad", "abba", "ace"], alphabet)
        blend = Blend(RecurrentModel(n_symbols, make(cell), hidden=12, embedding=6), graph_of(part, vocabulary, 3))
        blend.set_gate(gate())
        return blend

    spec = seqgen.ModelSpec(name="blend", summary="a blend", source="none", load=load, uses_cell=False)
    check_model(spec)


# -- exponents among the symbols of words


CODE = ["a(b, c)", "c(ab)", "b(b)[a]", "(a, [b])", "a.b(c)", "c(a_1)"]


def blend_of_words(seed=0):
    """Return a blend whose gate has weights for the symbols of words, and the same without them for either gate."""
    part, vocabulary = encoded(CODE, alphabet=sorted(set("".join(CODE))))
    inner, graph = network(vocabulary.size, seed=seed), graph_of(part, vocabulary, 4)
    gates = gate(seed), gate(seed + 1)
    blend = Blend(inner, graph, gate=np.concatenate(gates), word_V=vocabulary.word_V()).eval()
    return vocabulary, blend, *(Blend(inner, graph, gate=of).eval() for of in gates)


@pytest.mark.parametrize("seed", range(3))
def test_words_have_the_share_of_the_first_gate_and_each_symbol_that_of_the_second(seed):
    vocabulary, blend, outer, inner = blend_of_words(seed=seed)
    word_V = torch.from_numpy(vocabulary.word_V())
    assert "".join(vocabulary.decode([index]) for index in word_V.nonzero()[:, 0]) == "1_abc"
    ids_BT = random_ids(vocabulary, seed=seed)
    mixed_BTV, outer_BTV, inner_BTV = (forward(model, ids_BT)[0].double().exp() for model in (blend, outer, inner))
    share_BT1 = outer_BTV[..., word_V].sum(-1, keepdim=True)
    among_BTV = inner_BTV[..., word_V] / inner_BTV[..., word_V].sum(-1, keepdim=True)
    torch.testing.assert_close(mixed_BTV[..., word_V], share_BT1 * among_BTV, rtol=1e-4, atol=1e-7)
    assert torch.equal(mixed_BTV[..., ~word_V], outer_BTV[..., ~word_V])
    assert (outer_BTV - inner_BTV).abs().max() > 0.01
    torch.testing.assert_close(mixed_BTV.sum(-1), torch.ones_like(mixed_BTV[..., 0]), atol=1e-5, rtol=0)


def test_rows_with_words_are_the_same_step_by_step_and_alone():
    vocabulary, blend, *_ = blend_of_words()
    ids_BT = random_ids(vocabulary, (9, 12))
    whole_BTV = forward(blend, ids_BT)[0]
    with torch.inference_mode():
        step, state = blend.stepper(), blend.initial_state(9)
        alone, alone_state = blend.stepper(), blend.initial_state(1)
        for t in range(12):
            logits_BV, state = step(ids_BT[:, t], state)
            torch.testing.assert_close(logits_BV, whole_BTV[:, t], rtol=1e-4, atol=1e-5)
            logits_1V, alone_state = alone(ids_BT[3:4, t], alone_state)
            torch.testing.assert_close(logits_1V[0], logits_BV[3], rtol=1e-5, atol=1e-6)


def test_the_gate_among_words_is_fitted_to_their_symbols():
    predictions = telling(3000)
    word_V = torch.tensor([True, False, True, True, False])
    gates = cross_fit(predictions, "words", word_V)
    assert np.array_equal(gates.weights_GEF[:, :2], cross_fit(predictions, "words").weights_GEF)
    is_word_N = word_V[predictions.target_N].numpy()
    parts = [predictions.network_NV[:, word_V], predictions.ngram_NV[:, word_V], predictions.target_N]
    parts += [predictions.features_NF, predictions.record_N]
    network_NV, ngram_NV, target_N, features_NF, record_N = (part[is_word_N] for part in parts)
    target_N = torch.tensor([0, -1, 1, 2, -1])[target_N]

    def fitted(kept_N):
        kept = (part[kept_N] for part in (network_NV, ngram_NV, target_N, features_NF, record_N))
        return Predictions(*kept)

    of_words = fitted(np.ones(len(record_N), dtype=bool))
    assert np.array_equal(gates.weights_GEF[0, 2:], fit_gate(of_words))
    for fold in range(4):
        others, own = (fitted((record_N % 4 == fold) == inside) for inside in (False, True))
        wanted, found, all_ = (
            nats_of(own, for_all(own, weights_2F)).sum()
            for weights_2F in (fit_gate(others), gates.weights_GEF[1 + fold, 2:], gates.weights_GEF[0, 2:])
        )
        assert abs(found - wanted) < 0.2 * abs(wanted - all_) + 0.05


def test_without_symbols_of_words_nothing_is_fitted_among_them():
    predictions = predicted(300)
    gates = cross_fit(predictions, word_V=torch.zeros(5, dtype=torch.bool))
    assert gates.weights_GEF[:, 2:].reshape(5, -1).tolist() == [NEUTRAL] * 5
    mixed_NV = mix(predictions.network_NV, predictions.ngram_NV, torch.full((300, 4), 0.5), None, torch.zeros(5) > 0)
    torch.testing.assert_close(mixed_NV.exp().sum(1), torch.ones(300).double())


# -- the gate of the exponents


def predicted(n, seed=0, of=(0.7, 0.4), n_ids=5, per_record=10, spread=1.0):
    """Return symbols of a mixture with constant exponents, with features that say nothing."""
    rng = np.random.default_rng(seed)
    one, other = (torch.from_numpy(rng.dirichlet(np.ones(n_ids), n)).clamp(min=1e-30).log() for _ in range(2))
    probs_NV = mix(one, other, torch.tensor(of).double().expand(n, 2)).exp().numpy()
    targets_N = (rng.random((n, 1)) > probs_NV.cumsum(1)).sum(1).clip(max=n_ids - 1)
    features_NF = rng.normal(0, spread, (n, N_FEATURES)) + rng.normal(0, 3, N_FEATURES)
    features_NF[:, -1] = 1
    return Predictions(one, other, torch.from_numpy(targets_N), features_NF, np.arange(n) // per_record)


def telling(n, seed=0):
    """Return symbols whose first feature says which of both knows them, while another is constant."""
    one, other = predicted(n, seed, (1.0, 0.0)), predicted(n, seed, (0.0, 1.0))
    first_N = np.random.default_rng(seed).random(n) < 0.5
    one.features_NF[:, 0], one.features_NF[:, 3] = 5 + 2.0 * first_N, 7.0
    target_N = torch.where(torch.from_numpy(first_N), one.target_N, other.target_N)
    return Predictions(one.network_NV, one.ngram_NV, target_N, one.features_NF, one.record_N)


def nats_of(predictions, weights_N2F):
    """Return the loss of each symbol with some weights, by the formula."""
    exponents_N2 = 0.5 + np.einsum("nf,nkf->nk", predictions.features_NF, weights_N2F)
    product_NV = exponents_N2[:, :1] * predictions.network_NV.numpy()
    product_NV = product_NV + exponents_N2[:, 1:] * predictions.ngram_NV.numpy()
    own_N = product_NV[np.arange(len(product_NV)), predictions.target_N.numpy()]
    return np.log(np.exp(product_NV).sum(1)) - own_N


def for_all(predictions, weights_2F):
    return np.broadcast_to(weights_2F, (len(predictions.features_NF), 2, N_FEATURES))


def highest(predictions, exponents):
    """Return the highest value of likelihood and prior, by LBFGS, and a function that returns that of weights."""
    x_NF = torch.from_numpy(predictions.features_NF)
    scale_F, center_F = x_NF.std(0, correction=0), x_NF.mean(0)
    varies_F = scale_F >= 1e-3
    z_NF = torch.where(varies_F, (x_NF - center_F) / scale_F, 0.0)
    z_NF[:, -1] = 1.0
    prior_F = torch.tensor(
        [1000.0 if exponents == "fitted" else 10_000.0] * (N_FEATURES - 1) + [50.0], dtype=torch.float64
    )
    mean_2F = torch.tensor(INITIAL_GATES[exponents][: 2 * N_FEATURES], dtype=torch.float64).view(2, N_FEATURES)

    def value(scaled_2F):
        logits_NV = (0.5 + z_NF @ scaled_2F[0])[:, None] * predictions.network_NV
        logits_NV = logits_NV + (0.5 + z_NF @ scaled_2F[1])[:, None] * predictions.ngram_NV
        found = torch.log_softmax(logits_NV, -1).gather(1, predictions.target_N[:, None]).sum()
        return found - 0.5 * (prior_F * (scaled_2F - mean_2F) ** 2).sum()

    def value_of(weights_2F):
        scaled_2F = torch.from_numpy(weights_2F) * torch.where(varies_F, scale_F, 0.0)
        moved_2 = torch.from_numpy(weights_2F)[:, -1] + torch.from_numpy(weights_2F)[:, :-1] @ center_F[:-1]
        return float(value(torch.cat([scaled_2F[:, :-1], moved_2[:, None]], 1)))

    scaled_2F = mean_2F.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([scaled_2F], max_iter=300, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = -value(scaled_2F)
        loss.backward()
        scaled_2F.grad[0] *= exponents == "fitted"
        return loss

    optimizer.step(closure)
    return float(value(scaled_2F.detach())), value_of


@pytest.mark.parametrize("n", [1, 2, 30, 400, 3000])
@pytest.mark.parametrize("kind", [predicted, telling])
@pytest.mark.parametrize("exponents", ["fitted", "sharp", "words"])
def test_a_gate_has_the_largest_likelihood_under_its_prior(kind, n, exponents):
    predictions = kind(n, seed=n)
    best, value_of = highest(predictions, exponents)
    weights_2F = fit_gate(predictions, exponents)
    assert value_of(weights_2F) == pytest.approx(best, abs=0.05)  # of n symbols, in nats
    assert weights_2F.shape == (2, N_FEATURES) and np.isfinite(weights_2F).all()


@pytest.mark.parametrize("n", [0, 3, 400, 3000])
@pytest.mark.parametrize(("exponents", "of_network"), [("sharp", 0.9), ("words", 1.0)])
def test_of_sharp_exponents_that_of_the_network_stays(n, exponents, of_network):
    predictions = telling(n, seed=n) if n else predicted(n, seed=n)
    own_F = [0.0] * (N_FEATURES - 1) + [of_network - 0.5]
    found_2F = fit_gate(predictions, exponents)
    assert (found_2F[0] == own_F).all()
    if n >= 400:
        gates = cross_fit(predictions, exponents)
        assert (gates.weights_GEF[:, 0] == own_F).all()
        assert len({tuple(weights_F) for weights_F in gates.weights_GEF[:, 1].tolist()}) == 5
    if n == 3000:  # that of the counts differs between symbols, but less than if it were fitted freely
        b_N = predictions.features_NF @ found_2F[1]
        assert 0 < b_N.std() < (predictions.features_NF @ fit_gate(predictions)[1]).std()


@pytest.mark.parametrize("of", [(0.9, 0.1), (0.3, 0.8), (1.3, 0.3)])
def test_a_gate_finds_the_exponents_that_made_the_symbols(of):
    predictions = predicted(9000, seed=1, of=of)
    found_N2 = exponents(predictions.features_NF, for_all(predictions, fit_gate(predictions))).numpy()
    assert found_N2.mean(0).tolist() == pytest.approx(of, abs=0.06) and found_N2.std(0).max() < 0.1


def test_a_gate_finds_which_of_both_knows_a_symbol():
    weights_2F, new = fit_gate(telling(6000)), telling(6000, seed=1)
    even = nats_of(new, np.zeros((6000, 2, N_FEATURES))).mean()
    assert nats_of(new, for_all(new, weights_2F)).mean() < even - 0.02
    assert weights_2F[0, 0] > 0.05 > -0.05 > weights_2F[1, 0]
    assert abs(weights_2F[:, 3]).max() < 1e-12  # a feature that is constant says nothing


@pytest.mark.parametrize("n", [0, 5])
def test_few_symbols_leave_both_exponents_near_a_half(n):
    predictions = predicted(n, of=(1.0, 0.0))
    found_N2 = exponents(predictions.features_NF, for_all(predictions, fit_gate(predictions)))
    assert len(found_N2) == n and (abs(found_N2 - 0.5) < 0.06).all()
    if not n:
        assert fit_gate(predictions).ravel().tolist() == NEUTRAL


def test_the_logarithm_of_the_mixture_is_its_own():
    predictions, weights_2F = predicted(200), gate()
    found_N2 = exponents(predictions.features_NF, for_all(predictions, weights_2F)).double()
    mixed_NV = mix(predictions.network_NV, predictions.ngram_NV, found_N2)
    nats_N = -mixed_NV.gather(1, predictions.target_N[:, None])[:, 0].numpy()
    within_N = ((found_N2 > 0) & (found_N2 < 2)).all(1).numpy()
    assert within_N.sum() > 100
    wanted_N = nats_of(predictions, for_all(predictions, weights_2F))
    np.testing.assert_allclose(nats_N[within_N], wanted_N[within_N], rtol=1e-4, atol=1e-5)
    allowed_V = torch.tensor([0.0, 0.0, -torch.inf, 0.0, 0.0])
    masked_NV = mix(predictions.network_NV, predictions.ngram_NV, found_N2, allowed_V)
    assert (masked_NV[:, 2] == -torch.inf).all()
    torch.testing.assert_close(masked_NV.exp().sum(1), torch.ones(200).double())


@pytest.mark.parametrize(("n", "per_record"), [(300, 10), (9, 3), (700, 700), (60, 1)])
def test_each_record_has_a_gate_of_other_records(n, per_record):
    predictions = predicted(n, per_record=per_record)
    records, folds = np.unique(predictions.record_N), predictions.record_N % 4
    gates = cross_fit(predictions)
    assert gates.fitted_R.tolist() == records.tolist() and gates.weights_GEF.shape[0] == 1 + min(4, len(records))
    found_N2F = gates.of_records(predictions.record_N)
    for fold in range(min(4, len(records))):
        outside_N = folds != fold
        others = Predictions(*(part[outside_N] for part in vars(predictions).values()))
        own = Predictions(*(part[~outside_N] for part in vars(predictions).values()))
        assert (found_N2F[~outside_N] == gates.weights_GEF[1 + fold]).all()
        wanted, found, fitted = (
            nats_of(own, for_all(own, weights_2F)).sum()
            for weights_2F in (fit_gate(others), gates.weights_GEF[1 + fold], gates.weights_GEF[0])
        )
        assert abs(found - wanted) < 0.1 * (wanted - fitted) + 0.1  # in nats; one step from fitted to wanted
    unknown = np.array([-1, len(records), 10**9])
    assert (gates.of_records(unknown) == gates.weights_GEF[0]).all()


@pytest.mark.parametrize("n_records", [2, 5])
def test_a_record_unlike_the_others_has_their_gate(n_records):
    """One of Newton's steps from the gate of all records would stop far from it."""
    alike = predicted(40 * (n_records - 1), per_record=40, of=(1.2, 0.1))
    other = predicted(400, per_record=400, seed=1, of=(0.0, 1.8))
    record_N = np.concatenate((alike.record_N + 1, other.record_N))
    both = zip(list(vars(alike).values())[:4], list(vars(other).values())[:4], strict=True)
    parts = [torch.cat(pair) if torch.is_tensor(pair[0]) else np.concatenate(pair) for pair in both]
    predictions = Predictions(*parts, record_N)
    gates = cross_fit(predictions)
    inside_N = record_N % 4 == 0
    outside = Predictions(*(part[~inside_N] for part in vars(predictions).values()))
    own = Predictions(*(part[inside_N] for part in vars(predictions).values()))
    wanted, found, fitted = (
        nats_of(own, for_all(own, weights_2F)).sum()
        for weights_2F in (fit_gate(outside), gates.of_records(np.array([0]))[0], gates.weights_GEF[0])
    )
    assert wanted - fitted > 20 and abs(found - wanted) < 0.1 * (wanted - fitted)


@pytest.mark.parametrize("size", [0, 2, 19, 37, 53, 107, 162])
def test_a_gate_has_as_many_weights_as_some_version_had(size):
    with pytest.raises(ValueError, match=f"a gate has 54 or 108 weights, not {size}"):
        as_gate([0.0] * size)


@pytest.mark.parametrize(("of", "limit"), [((0.0, 1.9), 0.9), ((1.9, 0.0), 0.1)])
def test_the_mean_of_sharp_exponents_has_limits(of, limit):
    predictions = predicted(3000, of=of)
    mean_F = predictions.features_NF.mean(0)
    assert 0.5 + fit_gate(predictions, "sharp")[1] @ mean_F == pytest.approx(limit)
    means_G = 0.5 + cross_fit(predictions, "sharp").weights_GEF[:, 1] @ mean_F
    assert means_G == pytest.approx([limit] * 5, abs=1e-3)


def test_records_that_a_gate_is_fitted_to_may_have_any_numbers():
    predictions = predicted(90)
    spaced = Predictions(*list(vars(predictions).values())[:4], 7 + 5 * predictions.record_N)
    plain, gates = cross_fit(predictions), cross_fit(spaced)
    assert np.array_equal(plain.weights_GEF, gates.weights_GEF)
    assert np.array_equal(plain.of_records(predictions.record_N), gates.of_records(spaced.record_N))
    same = Gates.same(plain.weights_GEF[2].ravel())
    assert (same.of_records(predictions.record_N) == plain.weights_GEF[2]).all()


def test_a_cross_fitted_loss_is_not_lower_than_that_of_the_best_exponents():
    """With features that say nothing, no gate is better than the exponents that made the symbols."""
    differences, fitted = [], []
    best_2F = np.zeros((2, N_FEATURES))
    best_2F[:, -1] = 0.2, -0.1
    for seed in range(30):
        predictions = predicted(300, seed)
        best, gates = nats_of(predictions, for_all(predictions, best_2F)).sum(), cross_fit(predictions)
        differences.append((nats_of(predictions, gates.of_records(predictions.record_N)).sum() - best) / 300)
        fitted.append((nats_of(predictions, for_all(predictions, gates.weights_GEF[0])).sum() - best) / 300)
    error = np.std(differences) / math.sqrt(len(differences))
    assert -2 * error < np.mean(differences) < 0.03
    assert np.mean(fitted) < np.mean(differences)  # a loss on its own symbols would be too low


def test_a_large_vocabulary_is_fitted_to_fewer_symbols():
    assert [most_symbols(n_ids) for n_ids in (2, 40, 100, 1000, 50_000)] == [10_000, 10_000, 4000, 400, 100]


# -- the gate of a sum

N_SUM_FEATURES = 19


def mixed_nats(observed, weights_F):
    """Return the loss of each symbol under the mixture."""
    return scored_nats(observed, gate_scores(observed.features_NF, weights_F))


def simulated(n, seed=0, share=0.5, spread=1.0, per_record=10):
    """Return symbols of a mixture with a constant share, with features that say nothing."""
    rng = np.random.default_rng(seed)
    one, other = rng.dirichlet(np.ones(5), n), rng.dirichlet(np.ones(5), n)
    shares_NV = share * one + (1 - share) * other
    targets_N = (rng.random((n, 1)) > shares_NV.cumsum(1)).sum(1).clip(max=4)
    rows = np.arange(n)
    features_NF = rng.normal(0, spread, (n, N_SUM_FEATURES)) + rng.normal(0, 3, N_SUM_FEATURES)
    features_NF[:, -1] = 1
    return Observed(np.log(one[rows, targets_N]), np.log(other[rows, targets_N]), features_NF, rows // per_record)


def informative(n, seed=0):
    """Return symbols whose first features say which of both knows them."""
    rng = np.random.default_rng(seed)
    some = simulated(n, seed)
    x_N = rng.normal(size=n)
    gain_N = 2 * x_N + rng.normal(size=n)
    some.features_NF[:, 0], some.features_NF[:, 3] = 5 + 2 * x_N, 7.0
    return Observed(some.rest_N + gain_N, some.rest_N, some.features_NF, some.record_N)


def objective(observed, weights_F):
    """Return the log likelihood and the log prior of the scaled weights."""
    x_NF = observed.features_NF[:, :-1]
    scale_F = x_NF.std(0)
    center_F = x_NF.mean(0)
    varies_F = scale_F >= 1e-3
    scaled_F = np.where(varies_F, weights_F[:-1] * scale_F, 0)
    constant = weights_F[-1] + center_F[varies_F] @ weights_F[:-1][varies_F]
    return -mixed_nats(observed, weights_F).sum() - 0.5 * (scaled_F @ scaled_F + constant**2)


def by_lbfgs(observed, starts=3):
    """Return the highest value of the objective that LBFGS finds from several starts."""
    x_NF = torch.from_numpy(observed.features_NF)
    scale_F, center_F = x_NF.std(0, correction=0), x_NF.mean(0)
    varies_F = scale_F >= 1e-3
    z_NF = torch.where(varies_F, (x_NF - center_F) / scale_F, 0.0)
    z_NF[:, -1] = 1.0
    one_N, other_N = torch.from_numpy(observed.part_N), torch.from_numpy(observed.rest_N)
    best = -math.inf
    for seed in range(starts):
        torch.manual_seed(seed)
        weights_F = (seed * 0.3 * torch.randn(N_SUM_FEATURES, dtype=torch.float64)).requires_grad_()
        optimizer = torch.optim.LBFGS([weights_F], max_iter=500, line_search_fn="strong_wolfe")

        def loss(weights_F=weights_F):
            log_g, log_h = (torch.nn.functional.logsigmoid(sign * (z_NF @ weights_F)) for sign in (1, -1))
            return -torch.logaddexp(log_g + one_N, log_h + other_N).sum() + 0.5 * weights_F.square().sum()

        def closure(optimizer=optimizer, loss=loss):
            optimizer.zero_grad()
            value = loss()
            value.backward()
            return value

        optimizer.step(closure)
        best = max(best, -loss().item())
    return best


@pytest.mark.parametrize("n", [1, 2, 30, 400, 3000])
@pytest.mark.parametrize("kind", [simulated, informative])
def test_the_gate_has_the_largest_likelihood_under_its_prior(kind, n):
    observed = kind(n, seed=n)
    weights_F = fit_share(observed)
    assert objective(observed, weights_F) > by_lbfgs(observed) - 0.2  # of n symbols, in nats
    assert objective(observed, weights_F) >= objective(observed, np.zeros(N_SUM_FEATURES)) - 1e-9
    assert weights_F.shape == (N_SUM_FEATURES,) and np.isfinite(weights_F).all()


def test_a_gate_finds_which_model_knows_a_symbol():
    observed = informative(4000)
    weights_F = fit_share(observed)
    half = mixed_nats(observed, np.zeros(N_SUM_FEATURES)).mean()
    new = informative(4000, seed=1)
    assert mixed_nats(new, weights_F).mean() < half - 0.1
    shared = weights_F[0] * 2  # a standard deviation of the feature that says so
    assert shared > 1 and abs(weights_F[3]) < 1e-12  # a feature that is constant says nothing


def test_a_gate_of_one_feature_is_that_of_a_grid():
    """Only the constant varies here: the best share by a fine grid, its prior included."""
    rng = np.random.default_rng(0)
    ratio_N = rng.normal(0.5, 1.5, 500)
    features_NF = np.tile(rng.normal(size=N_SUM_FEATURES), (500, 1))
    features_NF[:, -1] = 1
    observed = Observed(ratio_N - 2, np.full(500, -2.0), features_NF, np.arange(500))
    weights_F = fit_share(observed)
    grid = np.linspace(-6, 6, 4801)
    values = [-mixed_nats(observed, np.eye(N_SUM_FEATURES)[-1] * w).sum() - w * w / 2 for w in grid]
    assert not weights_F[:-1].any() and weights_F[-1] == pytest.approx(grid[np.argmax(values)], abs=0.05)


def test_starting_weights_lead_to_the_same_gate():
    observed = informative(3000)
    plain = fit_share(observed)
    for start_F in (plain, np.random.default_rng(3).normal(0, 0.2, N_SUM_FEATURES)):
        found = fit_share(observed, start_F)
        assert objective(observed, found) == pytest.approx(objective(observed, plain), abs=0.3)


@pytest.mark.parametrize("better", [1, -1])
def test_a_gate_trusts_the_one_that_is_always_better(better):
    some = simulated(2000)
    observed = Observed(some.rest_N + 2.0 * better, some.rest_N, some.features_NF, some.record_N)
    best = np.maximum(observed.part_N, observed.rest_N)
    assert mixed_nats(observed, fit_share(observed)).mean() < -best.mean() + 0.05


def of_one_share(some):
    """The symbols with a gate that sees nothing, so that all symbols of a fit have one score."""
    constant_F = np.arange(N_SUM_FEATURES) == N_SUM_FEATURES - 1
    return replace(some, features_NF=some.features_NF * constant_F)


def test_of_many_records_each_fold_has_a_gate_of_the_others(monkeypatch):
    monkeypatch.setattr(sum_gate, "_MAX_SYMBOLS", 500)
    observed = of_one_share(simulated(2000))  # 200 records, of which one in four is fitted to
    weights_F, score_N = cross_fitted(observed)
    fitted_N = observed.record_N % 4 == 0
    assert len(set(score_N[~fitted_N])) == 1 and score_N[~fitted_N][0] == pytest.approx(weights_F[-1])
    for fold in range(4):
        inside_N = fitted_N & (observed.record_N // 4 % 4 == fold)
        others_F = fit_share(observed.take(fitted_N & ~inside_N), weights_F)
        assert len(set(score_N[inside_N])) == 1 and score_N[inside_N][0] == pytest.approx(others_F[-1])


def test_of_few_long_records_some_symbols_are_fitted_to(monkeypatch):
    monkeypatch.setattr(sum_gate, "_MAX_SYMBOLS", 500)
    observed = of_one_share(simulated(2000, per_record=250))
    weights_F, _ = cross_fitted(observed)
    assert weights_F == pytest.approx(fit_share(observed.take(np.arange(2000) % 4 == 0)))


def test_without_symbols_a_gate_mixes_half_and_half():
    nothing = Observed(np.empty(0), np.empty(0), np.empty((0, N_SUM_FEATURES)), np.empty(0, dtype=np.int64))
    assert fit_share(nothing).tolist() == [0.0] * N_SUM_FEATURES
    weights_F, nats = cross_fitted_loss(nothing)
    assert weights_F.tolist() == [0.0] * N_SUM_FEATURES and nats == 0
    one = Observed(np.log([0.8]), np.log([0.2]), np.ones((1, N_SUM_FEATURES)), np.zeros(1, dtype=np.int64))
    assert mixed_nats(one, np.zeros(N_SUM_FEATURES)).tolist() == pytest.approx([-math.log(0.5)])


def cross_fitted_loss(observed):
    """Return the weights of the gate, and the summed loss of new records."""
    weights_F, score_N = cross_fitted(observed)
    return weights_F, float(scored_nats(observed, score_N).sum())


def by_hand(observed, every=1, folds=4):
    """Return the loss of a gate fitted to other records, record by record of the fitted ones."""
    fitted_N = observed.record_N % every == 0

    def part(chosen_N):
        return Observed(*(getattr(observed, name)[chosen_N] for name in Observed.__dataclass_fields__))

    whole_F = fit_share(part(fitted_N))
    total = mixed_nats(part(~fitted_N), whole_F).sum()
    for fold in range(folds):
        inside_N = fitted_N & (observed.record_N // every % folds == fold)
        total += mixed_nats(part(inside_N), fit_share(part(fitted_N & ~inside_N), whole_F)).sum()
    return total


@pytest.mark.parametrize(("n", "every"), [(300, 1), (9, 1), (2500, 1), (25_000, 3)])
def test_each_record_is_mixed_by_a_gate_of_other_records(n, every):
    observed = informative(n)
    weights_F, nats = cross_fitted_loss(observed)
    assert nats == pytest.approx(by_hand(observed, every), rel=1e-9)
    own = Observed(observed.part_N + 1, *list(vars(observed).values())[1:])
    assert cross_fitted_loss(own)[1] != nats


def test_few_long_records_are_each_mixed_by_a_gate_of_the_others():
    """Of five records one in five would leave a single one, and nothing to fit its own gate to."""
    observed = informative(50_000)
    long = replace(observed, record_N=np.arange(50_000) // 10_000)
    short_nats, long_nats = (cross_fitted_loss(one)[1] for one in (observed, long))
    assert long_nats == pytest.approx(short_nats, rel=0.01)


def test_a_cross_fitted_loss_is_not_lower_than_that_of_the_best_fixed_gate():
    """With features that say nothing, no gate is better than the constant that made the symbols."""
    differences, fitted = [], []
    for seed in range(30):
        observed = simulated(300, seed)
        best = mixed_nats(observed, np.zeros(N_SUM_FEATURES)).sum()
        weights_F, nats = cross_fitted_loss(observed)
        differences.append((nats - best) / 300)
        fitted.append((mixed_nats(observed, weights_F).sum() - best) / 300)
    error = np.std(differences) / math.sqrt(len(differences))
    assert np.mean(differences) > -2 * error and np.mean(differences) < 0.06
    assert np.mean(fitted) < -3 * np.std(fitted) / math.sqrt(len(fitted))  # as a loss on its own symbols would be


def test_records_are_not_split_over_folds():
    """Symbols of a record that are alike: a fold with the others of its record would know them."""
    rng = np.random.default_rng(0)
    sign_N = np.repeat(rng.choice([-1.0, 1.0], 40), 25)
    features_NF = np.repeat(rng.normal(size=(40, N_SUM_FEATURES)), 25, axis=0)
    features_NF[:, -1] = 1
    network_N = -1 + 0.9 * sign_N
    records = np.repeat(np.arange(40), 25)
    observed = Observed(network_N, np.full(1000, -1.0), features_NF, records)
    alone = cross_fitted_loss(observed)[1]
    split = cross_fitted_loss(Observed(network_N, np.full(1000, -1.0), features_NF, np.arange(1000)))[1]
    assert split < alone - 50


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_few_symbols_choose_one_share_for_all(share):
    for n, fitted in ((199, False), (200, True)):
        weights_F, score_N = cross_fitted(simulated(n, seed=1, share=share))
        assert bool(np.any(weights_F[:-1])) is fitted and len(score_N) == n
        if not fitted:
            assert (weights_F[-1] > 0.3) if share > 0.5 else (weights_F[-1] < -0.3)
            assert len(np.unique(score_N)) <= 4  # one of each fold

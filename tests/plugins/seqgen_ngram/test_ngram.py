"""The n-gram against the same equations over plain dictionaries, and its table."""

from __future__ import annotations

import collections

import pytest
import torch
from safetensors.torch import load, save

import seqgen
from seqgen import testing

pytest.importorskip("seqgen_ngram")
from seqgen_ngram.ngram import NGramModel

B, T = 16, 12


def batch(n_symbols, seed=0, rows=B):
    """Ids from 1 on and what follows them, ended by 2 and padded by 0; low ids are likelier."""
    torch.manual_seed(seed)
    symbols = 3 + (torch.rand(rows, T - 1) ** 3 * (n_symbols - 3)).long()
    framed = torch.cat([torch.ones(rows, 1, dtype=torch.long), symbols, torch.zeros(rows, 1, dtype=torch.long)], 1)
    for row, length in enumerate(torch.randint(1, T, (rows,))):
        framed[row, length + 1] = 2
        framed[row, length + 2 :] = 0
    return framed[:, :-1], framed[:, 1:]


class ByDictionaries:
    """The equations; a context is a tuple."""

    def __init__(self, n_symbols, order):
        self.n_symbols, self.order = n_symbols, order
        self.counts = collections.defaultdict(collections.Counter)

    def contexts(self, ids, t):
        """The last 0, 1, .. n - 1 ids."""
        past = [0] * self.order + ids[: t + 1]
        return [tuple(past[len(past) - length :]) for length in range(self.order)]

    def learn(self, ids_BT, targets_BT):
        for ids, targets in zip(ids_BT.tolist(), targets_BT.tolist(), strict=True):
            for t, target in enumerate(targets):
                for h in self.contexts(ids, t) if target else ():
                    self.counts[h][target] += 1

    def p(self, ids, t):
        shares = [1 / self.n_symbols] * self.n_symbols
        for h in self.contexts(ids, t):
            seen = self.counts.get(h, {})
            n, kinds = sum(seen.values()), len(seen)
            if n:
                shares = [(seen.get(c, 0) + kinds * share) / (n + kinds) for c, share in enumerate(shares)]
        return shares

    def __call__(self, ids_BT):
        return torch.tensor([[self.p(ids, t) for t in range(len(ids))] for ids in ids_BT.tolist()], dtype=torch.float64)


class KneserNeyByDictionaries(ByDictionaries):
    """The equations of modified Kneser-Ney; grams are counted with all that is known before them."""

    def __init__(self, n_symbols, order):
        super().__init__(n_symbols, order)
        self.occurrences = collections.Counter()

    def learn(self, ids_BT, targets_BT):
        for ids, targets in zip(ids_BT.tolist(), targets_BT.tolist(), strict=True):
            for t, target in enumerate(targets):
                for length in range(min(self.order, t + 2)) if target else ():
                    gram = (*ids[t + 1 - length : t + 1], target)
                    self.occurrences[gram, length == t + 1] += 1
        self.counts = collections.defaultdict(collections.Counter)
        longer = {gram for gram, _ in self.occurrences}
        for gram, begins in self.occurrences:
            highest = len(gram) == self.order
            if begins or highest:
                self.counts[gram[:-1]][gram[-1]] += self.occurrences[gram, begins]
            if len(gram) > 1:
                self.counts[gram[1:-1]][gram[-1]] += 0
        for gram in longer:
            if len(gram) > 1 and (gram[1:], True) not in self.occurrences:
                self.counts[gram[1:-1]][gram[-1]] += 1

    def discounts(self, length):
        all_counts = [n for h, seen in self.counts.items() if len(h) == length for n in seen.values()]
        n = [all_counts.count(r) for r in range(5)]
        y = n[1] / (n[1] + 2 * n[2]) if n[1] and n[2] else 0
        found = [0.0]
        for r in (1, 2, 3):
            value = r - (r + 1) * y * n[r + 1] / n[r] if y and n[r] else -1
            found.append(value if 0 < value < r else r / 2)
        return found

    def p(self, ids, t):
        shares = [1 / self.n_symbols] * self.n_symbols
        for length in range(min(self.order, t + 2)):
            seen = self.counts.get(tuple(ids[t + 1 - length : t + 1]), {})
            total, taken = sum(seen.values()), self.discounts(length)
            if total:
                mass = sum(taken[min(n, 3)] for n in seen.values())
                own = [seen.get(c, 0) for c in range(self.n_symbols)]
                shares = [
                    (max(n - taken[min(n, 3)], 0) + mass * share) / total for n, share in zip(own, shares, strict=True)
                ]
        return shares


def predict(model, ids_BT):
    return model(ids_BT, model.initial_state(len(ids_BT)))[0].exp()


@pytest.mark.parametrize(
    ("n_symbols", "order", "buckets"),
    [
        (5, 1, 1),
        (5, 2, 16_384),
        (6, 5, 16_384),
        (4, 8, 16_384),
        (40, 6, 60_000),  # the longest contexts are hashed, too few of them to meet in a row
    ],
)
def test_it_is_the_equations(n_symbols, order, buckets):
    model, plain = NGramModel(n_symbols, order=order, buckets=buckets).double(), ByDictionaries(n_symbols, order)
    ids_BT, _ = batch(n_symbols, 9)
    assert torch.allclose(predict(model, ids_BT), torch.full((), 1 / n_symbols, dtype=torch.float64))
    for seed in range(3):
        for learner in (model, plain):
            learner.learn(*batch(n_symbols, seed, rows=4))
    for seed in (0, 9):  # learned, and new
        ids_BT, _ = batch(n_symbols, seed, rows=4)
        assert torch.allclose(predict(model, ids_BT), plain(ids_BT), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("n_symbols", "order"), [(5, 1), (5, 2), (6, 3), (6, 5), (5, 8), (12, 4)])
@pytest.mark.parametrize("rows", [1, 4, 24])
def test_kneser_ney_is_the_equations_however_rows_are_batched(n_symbols, order, rows):
    model = NGramModel(n_symbols, order=order, buckets=10**6, smoothing="kneser-ney").double()
    plain = KneserNeyByDictionaries(n_symbols, order)
    parts = [batch(n_symbols, seed, rows=8) for seed in range(3)]
    ids_BT, targets_BT = (torch.cat(some) for some in zip(*parts, strict=True))
    for some_BT, some_targets_BT in zip(ids_BT.split(rows), targets_BT.split(rows), strict=True):
        model.learn(some_BT, some_targets_BT)
    plain.learn(ids_BT, targets_BT)
    for seed in (0, 9):
        ids_BT, _ = batch(n_symbols, seed, rows=4)
        is_row_BT = torch.cat([torch.ones_like(ids_BT[:, :1]), ids_BT[:, 1:]], 1) > 0
        expected = plain(ids_BT)
        assert torch.allclose(predict(model, ids_BT)[is_row_BT], expected[is_row_BT], rtol=1e-9, atol=1e-12)


def test_kneser_ney_is_that_of_the_baselines():
    """Beside ``seqgen.counting``, whose distribution below the empty context has no mark and no padding."""
    from seqgen.counting import Records, leave_out_by_order

    ids_BT, targets_BT = batch(9, 4, rows=40)
    rows = [[1, *targets[targets > 0].tolist()] for targets in targets_BT]
    test = rows[:3]
    lengths = [len(row) for row in rows + test]
    ids = [id_ for row in rows + test for id_ in row]
    depth = [at for row in rows + test for at in range(len(row))]
    groups = [at for at, length in enumerate(lengths) for _ in range(length)]
    weights = [int(at < len(rows)) for at in groups]
    import numpy as np

    records = Records(*map(np.array, (ids, depth, groups, weights)), n_ids=9, n_symbols=9)
    for order, probs_N in enumerate(leave_out_by_order(records, 6), 1):
        model = NGramModel(9, order=order, buckets=10**6, smoothing="kneser-ney").double()
        model.learn(ids_BT, targets_BT)
        found = predict(model, ids_BT[:3]).gather(2, targets_BT[:3, :, None])[..., 0][targets_BT[:3] > 0]
        assert torch.allclose(found, torch.from_numpy(probs_N[-len(found) :]), rtol=1e-9)


@pytest.mark.parametrize("smoothing", ["kneser-ney", "witten-bell"])
@pytest.mark.parametrize("buckets", [1, 7, 50, 16_384])
def test_probabilities_sum_to_one(buckets, smoothing):
    model = NGramModel(30, order=6, buckets=buckets, smoothing=smoothing).double()
    for seed in range(4):
        model.learn(*batch(30, seed))
    for seed in (0, 9):
        total_BT = predict(model, batch(30, seed)[0]).sum(2)
        assert torch.allclose(total_BT, torch.ones_like(total_BT), rtol=1e-9)


def test_a_context_whose_row_is_taken_is_left_out():
    """One row for all contexts of a length: it is the first one's for good, and for others p_k = p_{k-1}."""
    model, plain = NGramModel(9, order=2, buckets=1).double(), ByDictionaries(9, 2)
    for learner in (model, plain):
        learner.learn(torch.tensor([[5]]), torch.tensor([[4]]))
        for seed in range(3):
            learner.learn(*batch(9, seed))
    plain.counts = {h: seen for h, seen in plain.counts.items() if h in ((), (5,))}
    ids_BT, _ = batch(9, 8)
    assert torch.allclose(predict(model, ids_BT), plain(ids_BT), rtol=1e-9)
    assert model.counts_RV[1].sum() == sum(plain.counts[5,].values()) > 1


def test_of_new_contexts_in_one_batch_the_same_one_gets_the_row_in_any_order():
    ids_BT, targets_BT = batch(20)
    one, other = NGramModel(20, buckets=30), NGramModel(20, buckets=30)
    one.learn(ids_BT, targets_BT)
    other.learn(ids_BT.flip(0), targets_BT.flip(0))
    assert torch.equal(one.owners_R, other.owners_R)
    assert torch.equal(one.counts_RV, other.counts_RV)


@pytest.mark.parametrize("buckets", [25, 16_384])
def test_learning_a_batch_twice_doubles_the_counts(buckets):
    model = NGramModel(12, buckets=buckets)
    model.learn(*batch(12))
    once = model.counts_RV.clone()
    assert once[0].sum() == (batch(12)[1] != 0).sum()
    model.learn(*batch(12))
    assert torch.equal(model.counts_RV, 2 * once)


@pytest.mark.parametrize("buckets", [3, 25, 16_384])
def test_numbers_of_grams_are_kept_up_to_date(buckets):
    model = NGramModel(12, order=4, buckets=buckets, smoothing="kneser-ney")
    for seed in range(4):
        model.learn(*batch(12, seed))
    again = NGramModel(12, order=4, buckets=buckets, smoothing="kneser-ney")
    assert torch.allclose(predict(again, batch(12)[0]), torch.full((B, T, 12), 1 / 12))
    again.load_state_dict(load(save(model.state_dict())))
    assert [grams[1:5] for grams in model._numbers_of_grams()] == [grams[1:5] for grams in again._numbers_of_grams()]
    assert torch.equal(predict(again, batch(12, 9)[0]), predict(model, batch(12, 9)[0]))


@pytest.mark.parametrize("smoothing", ["kneser-ney", "witten-bell"])
@pytest.mark.parametrize("order", [1, 2, 5])
@pytest.mark.parametrize("cuts", [(5, 7), (1,) * T])
def test_it_goes_on_from_its_state(order, cuts, smoothing):
    model = NGramModel(12, order=order, buckets=100, smoothing=smoothing).double()
    model.learn(*batch(12))
    ids_BT, _ = batch(12, 1)
    whole, end = model(ids_BT, model.initial_state(B))
    state, parts = model.initial_state(B), []
    for part in ids_BT.split(cuts, 1):
        kept = state.clone()
        logits, after = model(part, state)
        assert torch.equal(state, kept)
        parts.append(logits)
        state = after
    assert torch.equal(torch.cat(parts, 1), whole)
    assert torch.equal(state, end)
    assert end.shape == (B, order - 1)
    assert end.dtype == torch.int64
    rows = [3, 0, 3]
    _, half = model(ids_BT[:, :5], model.initial_state(B))
    assert torch.equal(model(ids_BT[rows, 5:], half[rows])[0], whole[rows, 5:])


@pytest.mark.parametrize("buckets", [25, 16_384])
def test_saving_and_loading(buckets):
    model, again = NGramModel(12, buckets=buckets), NGramModel(12, buckets=buckets)
    assert not list(model.parameters())
    model.learn(*batch(12))
    again.load_state_dict(load(save(model.state_dict())))
    for one in (model, again):
        one.learn(*batch(12, 1))
    assert torch.equal(predict(again, batch(12, 2)[0]), predict(model, batch(12, 2)[0]))


def test_logits_are_finite_however_often_one_symbol_follows():
    model = NGramModel(12, order=8)
    model.learn(torch.full((1, T), 3), torch.full((1, T), 3))
    model.counts_RV *= 1e6
    logits_BTV, _ = model(torch.full((1, T), 3), model.initial_state(1))
    assert torch.isfinite(logits_BTV).all()
    assert logits_BTV[0, -1].argmax() == 3


@pytest.mark.full
def test_kneser_ney_passes_all_checks(plugins):
    spec = plugins.registry.get("model", "ngram").spec
    checks = testing.checks_of(spec, smoothing="kneser-ney")
    assert len(checks) > 15
    for check in checks:
        assert isinstance(check(), str)


def test_options_have_bounds(plugins):
    entry = plugins.registry.get("model", "ngram")
    model = entry.build({}, 60)
    assert (model.order, model.buckets, model.smoothing) == (5, 16_384, "witten-bell")
    assert entry.spec.recommended["model"] == {"smoothing": "kneser-ney"}
    assert sum(buffer.numel() for buffer in model.buffers() if buffer.is_floating_point()) <= 5 * 16_384 * 60
    for options in ({"order": 0}, {"order": 9}, {"buckets": 0}, {"buckets": 2**24 + 1}, {"smoothing": "kn"}):
        with pytest.raises(seqgen.BadOption):
            entry.build(options, 60)

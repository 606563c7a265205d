"""The most probable rows, beam search, and sampling without replacement."""

import itertools
import json
import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqgen.config import SampleConfig
from seqgen.errors import BadOption, UsageError
from seqgen.model import RecurrentModel
from seqgen.sampling import Decoder, Sampler, beam_rows, top_rows
from seqgen.sampling.search import _largest
from seqgen.tokenizers import Vocabulary
from seqgen.tokenizers.byte import ByteTokenizer
from seqgen.tokenizers.char import CharTokenizer
from seqgen_attention.transformer import TransformerCell
from seqgen_classic.gru import GRUCell
from test_constraints import enumerate_rows


def make(cell, alphabet="ab", seed=5, conditions=()):
    torch.manual_seed(seed)
    vocabulary = Vocabulary(CharTokenizer(alphabet), conditions)
    return RecurrentModel(vocabulary.size, cell, hidden=8, embedding=4).eval(), vocabulary


def decoder(of, max_length=4, given=None, **wanted):
    return Decoder(*of, SampleConfig(max_length=max_length, **wanted), given=given)


@pytest.fixture(scope="module", params=[GRUCell, TransformerCell])
def tiny(request):
    of = make(request.param)
    return of, enumerate_rows(of, "ab", 4)


def best(shares, n, wanted=lambda text: True):
    return sorted(filter(wanted, shares), key=shares.__getitem__, reverse=True)[:n]


@pytest.mark.parametrize("n", [1, 5, 31])
def test_the_most_probable_rows_match_brute_force(tiny, n):
    of, shares = tiny
    top = top_rows(decoder(of), n, 10_000)
    assert list(top.texts) == best(shares, n)
    assert [math.exp(-nats) for nats in top.nats] == pytest.approx([shares[text] for text in top.texts], rel=1e-5)
    assert top.n_proven == n


def test_there_may_be_fewer_rows_than_asked(tiny):
    of, shares = tiny
    top = top_rows(decoder(of), 100, 10_000)
    assert sorted(top.texts) == sorted(shares) and top.unseen_nats == math.inf and top.n_proven == 31


def test_a_constraint_removes_rows_and_keeps_probabilities(tiny):
    of, shares = tiny
    top = top_rows(decoder(of, contains="ba", prefix="a"), 3, 10_000)
    assert list(top.texts) == best(shares, 3, lambda text: text.startswith("a") and "ba" in text)
    of_prefix = sum(share for text, share in shares.items() if text.startswith("a"))
    cut = 1 - sum(shares.values())
    for text, nats in zip(top.texts, top.nats, strict=True):
        assert shares[text] / (of_prefix + cut) < math.exp(-nats) < shares[text] / of_prefix


def test_a_search_that_stops_early_reports_its_bounds(tiny):
    of, shares = tiny
    for effort in range(1, 12):
        top = top_rows(decoder(of), 6, effort)
        assert top.n_nodes <= effort
        assert list(top.texts[: top.n_proven]) == best(shares, top.n_proven)
        assert all(
            share <= math.exp(-top.unseen_nats) * 1.00001 for text, share in shares.items() if text not in top.texts
        )
    assert top_rows(decoder(of), 6, 1).n_proven == 0 or best(shares, 1) == [""]


def test_a_wide_beam_finds_what_the_search_finds(tiny):
    of, shares = tiny
    rows = beam_rows(decoder(of), 40)
    assert [row.text for row in rows if not row.cut] == best(shares, 40)
    assert len(rows) == 40 and all(row.cut for row in rows[31:])
    wanted = {"contains": "ba", "length": "3-4"}
    found = best(shares, 40, lambda text: "ba" in text and len(text) >= 3)
    assert [row.text for row in beam_rows(decoder(of, **wanted), 40)] == found


def test_a_beam_of_one_is_no_worse_than_greedy(tiny):
    of, shares = tiny
    one = beam_rows(decoder(of), 1)[0]
    greedy = next(iter(Sampler(*of, SampleConfig(max_length=4, temperature=0)).take(1)))
    assert not one.cut and (greedy.cut or shares[one.text] >= shares[greedy.text])


@pytest.mark.full
def test_rows_without_replacement_have_their_frequencies():
    of = make(GRUCell)
    shares = enumerate_rows(of, "ab", 2)
    n_seeds, counts, first = 800, Counter(), Counter()
    for seed in range(n_seeds):
        sampled = [
            row.text + "…" * row.cut for row in beam_rows(decoder(of, 2, seed=seed, length="-2"), 2, replace=False)
        ]
        assert len(set(sampled)) == 2
        counts.update(sampled)
        first.update(sampled[:1])
    # With length -2 a row of two must end, so the shares of rows of two are those of their beginnings.
    guided = {text: share for text, share in shares.items() if len(text) < 2}
    ends = enumerate_beginnings(of)
    guided |= ends
    assert math.isclose(sum(guided.values()), 1, abs_tol=1e-5)
    for text, share in guided.items():
        included = share + sum(other * share / (1 - other) for name, other in guided.items() if name != text)
        for seen, expected in ((first[text], share), (counts[text], included)):
            assert abs(seen / n_seeds - expected) < 4.5 * math.sqrt(expected * (1 - expected) / n_seeds) + 1e-9


def enumerate_beginnings(of):
    """The probability that a row begins with each two letters."""
    model, vocabulary = of
    shares = {}
    for text in ("aa", "ab", "ba", "bb"):
        ids = [1, *vocabulary.encode(text).tolist()]
        with torch.inference_mode():
            logits_TV = model(torch.tensor([ids]), model.initial_state(1))[0][0].double()
            allowed_V = torch.from_numpy(vocabulary.allowed_V())
            log_probs = torch.log_softmax(logits_TV.masked_fill(~allowed_V, -math.inf), -1)
        shares[text] = math.exp(float(log_probs[0, ids[1]] + log_probs[1, ids[2]]))
    return shares


# -- symbols that are parts of characters


class FewBytes(ByteTokenizer):
    """The bytes of "a" and "é"."""

    n_symbols = 3
    known = "aé".encode()

    def encode(self, text):
        return [self.known.index(byte) for byte in text.encode()]

    def decode(self, ids):
        return bytes(self.known[index] for index in ids).decode("utf-8", "replace")

    def symbol_bytes(self):
        return [bytes([byte]) for byte in self.known]


@pytest.fixture(scope="module")
def of_bytes():
    torch.manual_seed(2)
    vocabulary = Vocabulary(FewBytes())
    return RecurrentModel(vocabulary.size, GRUCell, hidden=8, embedding=4).eval(), vocabulary


def shares_of_bytes(of, n):
    """The probabilities of rows of whole characters with at most ``n`` symbols, and that of one with other bytes."""
    model, vocabulary = of
    whole, broken = {}, 0.0
    for length in range(n + 1):
        for ids in itertools.product(range(3, 6), repeat=length):
            with torch.inference_mode():
                logits_TV = model(torch.tensor([[1, *ids]]), model.initial_state(1))[0][0].double()
                log_probs = torch.log_softmax(logits_TV.masked_fill(torch.arange(6) < 2, -math.inf), -1)
            share = math.exp(sum(float(log_probs[at, id_]) for at, id_ in enumerate([*ids, 2])))
            text = vocabulary.decode(ids)
            if "\N{REPLACEMENT CHARACTER}" in text:
                broken = max(broken, share)
            else:
                whole[text] = share
    return whole, broken


def test_the_most_probable_rows_have_whole_characters_only(of_bytes):
    shares, broken = shares_of_bytes(of_bytes, 4)
    assert broken > best_share(shares, 3)  # they would be listed
    top = top_rows(decoder(of_bytes), 40, 10_000)
    assert list(top.texts) == best(shares, 40) and "éé" in top.texts
    assert [math.exp(-nats) for nats in top.nats] == pytest.approx([shares[text] for text in top.texts], rel=1e-5)
    assert [row.text for row in beam_rows(decoder(of_bytes), 40) if not row.cut] == best(shares, 40)


def best_share(shares, n):
    return sorted(shares.values(), reverse=True)[n - 1]


@pytest.mark.parametrize("decode", ["beam", "gumbel"])
@pytest.mark.parametrize("max_length", [1, 2, 3])
def test_rows_of_beams_have_whole_characters_also_where_they_are_cut(of_bytes, decode, max_length):
    rows = beam_rows(decoder(of_bytes, max_length), 40, replace=decode == "beam")
    assert {(row.text, row.cut) for row in rows if row.cut} == {
        (text, True) for text in shares_of_bytes(of_bytes, max_length)[0] if len(text.encode()) == max_length
    }
    texts = Counter((row.text, row.cut) for row in rows)
    assert max(texts.values()) == 1 and "\N{REPLACEMENT CHARACTER}" not in "".join(row.text for row in rows)


# -- from a run


def test_top_of_a_run(tiny_run, words):
    top = tiny_run.top(5)
    assert top.n_proven == 5 and len(set(top.texts)) == 5
    scores = [score.nats for score in tiny_run.score(list(top.texts))]
    assert scores == pytest.approx(list(top.nats), rel=1e-4)
    assert list(top.nats) == sorted(top.nats)
    likeliest = Counter(row.text for row in tiny_run.sample(2000)).most_common(1)[0][0]
    assert likeliest in top.texts
    assert [(row.text, row.nats) for row in top] == list(zip(top.texts, top.nats, strict=True)) and len(top) == 5
    assert top[0].text == top.texts[0] and [row.text for row in top[-2:]] == list(top.texts[-2:])
    with pytest.raises(BadOption, match="effort"):
        tiny_run.top(5, n_nodes=0)


def test_the_most_probable_rows_obey_also_where_sampled_rows_would_be_exact(tiny_run):
    free, obeying = tiny_run.top(3), tiny_run.top(3, contains="ee")
    assert tiny_run.top(3, contains="ee", exact=True).texts == obeying.texts != free.texts
    assert all("ee" in text for text in obeying.texts)


def test_rows_of_a_beam_and_without_replacement(tiny_run):
    beam = [row.text for row in tiny_run.sample(60, decode="beam")]
    assert set(tiny_run.top(3).texts) <= set(beam)
    sampled = [row.text for row in tiny_run.sample(50, decode="gumbel", seed=3)]
    assert len(set(sampled)) == 50
    assert sampled == [row.text for row in tiny_run.sample(50, decode="gumbel", seed=3)]
    assert sampled != [row.text for row in tiny_run.sample(50, decode="gumbel", seed=4)]
    with pytest.raises(BadOption, match="'sample', 'beam' or 'gumbel', not 'beem'"):
        tiny_run.sample(5, decode="beem")
    with pytest.raises(UsageError, match="drop the filters"):
        tiny_run.sample(5, decode="beam", unique=True)


@pytest.mark.parametrize("decode", ["beam", "gumbel"])
def test_a_beam_with_fewer_rows_than_wanted_says_so(cli, tiny_run, decode):
    found = cli("sample", tiny_run.path, "-n", 5, "--decode", decode, "--regex", "e[ea]")
    assert found.code == 0 and set(found.out.split()) == {"ee", "ea"}
    assert f"--decode {decode} found 2 of 5 rows: no other prefixes satisfy the constraint" in found.err
    assert cli("sample", tiny_run.path, "-n", 2, "--decode", decode, "--regex", "e[ea]").err == ""


def test_a_beam_without_a_row_is_too_few_rows(cli, tiny_run, monkeypatch):
    monkeypatch.setattr("seqgen.sampling.beam_rows", lambda *_, **__: [])
    found = cli("sample", tiny_run.path, "-n", 5, "--decode", "beam")
    assert (found.code, found.out) == (8, "") and "found 0 of 5 rows: no other rows are possible" in found.err


@pytest.mark.parametrize("decode", ["beam", "gumbel"])
@pytest.mark.parametrize("max_length", [1, 2, 3])
def test_rows_that_are_cut_are_different_too(tiny_run, decode, max_length):
    rows = [(row.text, row.cut) for row in tiny_run.sample(60, decode=decode, max_length=max_length)]
    assert len(set(rows)) == len(rows) > 10
    assert any(cut for _, cut in rows) or (decode == "beam" and max_length > 1)  # which has enough rows that end
    assert all(len(text) == max_length for text, cut in rows if cut)


def test_the_command(cli, tiny_run):
    shown = cli("top", tiny_run.path, "-n", "3", "--json")
    found = json.loads(shown.out)
    assert [row["text"] for row in found["rows"]] == list(tiny_run.top(3).texts)
    assert found["proven"] == 3 and found["rows"][0]["p"] == pytest.approx(math.exp(-found["rows"][0]["nats"]))
    assert "3 of 3 proven; all other rows have p of at most " in cli("top", tiny_run.path, "-n", "3").out
    assert "of 50 proven" in cli("top", tiny_run.path, "-n", "50", "--nodes", "2").out


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 45))
def test_the_largest_are_those_of_a_stable_sort(values, most):
    values_N = np.array(values, dtype=np.float64)
    assert _largest(values_N, most).tolist() == np.argsort(-values_N, kind="stable")[:most].tolist()

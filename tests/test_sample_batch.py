"""``Run.sample_batch``: rows of requests that share the calls of the model are those of each request alone."""

from __future__ import annotations

import itertools

import pytest
import torch

import seqgen
from conftest import cells_in_tiers, registered
from seqgen.errors import BadOption, CorpusError, UnknownSymbol, UsageError

REQUESTS = [
    {"n": 5, "seed": 1},
    {"n": 33, "prefix": "an", "temperature": 0.7},
    {"n": 1, "prefix": "r", "top_p": 0.8, "seed": 9},
    {"n": 0},
    {"n": 40, "seed": 1, "top_k": 3, "max_length": 4},
    {"n": 7, "temperature": 0, "prefix": "k"},
    {"n": 20, "repetition_penalty": 3.0, "seed": 2},
    {"n": 3, "prefix": "ann", "max_length": 3},
]


def together(run, requests, on_step=lambda batch, step: None):
    with run.sample_batch() as batch:
        numbers = [batch.add(**request) for request in requests]
        for step in itertools.count():
            on_step(batch, step)
            if not batch.step():
                break
        assert all(map(batch.is_done, numbers))
        return [batch.rows(number) for number in numbers]


@pytest.mark.full
@pytest.mark.parametrize("cell", cells_in_tiers(entry.qualified for entry in registered("cell")))
def test_rows_are_those_of_each_request_alone(words, tmp_path, cell):
    run = seqgen.train(
        words, cell=cell, hidden=24, embedding=10, layers=2, steps=1, split="none", options={"samples": 0},
        out=tmp_path / "run",
    )  # fmt: skip
    assert together(run, REQUESTS) == [run.sample(**request) for request in REQUESTS]
    backwards = REQUESTS[::-1]
    assert together(run, backwards) == [run.sample(**request) for request in backwards]


@pytest.mark.full
@pytest.mark.parametrize("wide", [{"hidden": 520}, {"hidden": 100, "layers": 3}])
def test_rows_of_larger_models_and_of_blends(words, tmp_path, wide):
    run = seqgen.train(words, cell="gru", **wide, steps=20, blend="ngram", options={"samples": 0}, out=tmp_path / "run")
    requests = [{"n": 300, "seed": 1}, {"n": 200, "seed": 2, "prefix": "a"}, {"n": 700, "temperature": 0.5}]
    assert together(run, requests) == [run.sample(**request) for request in requests]


def test_conditions_and_one_long_text(words, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("text,label\n" + "".join(f"{letter * n},{letter}\n" for letter in "ab" for n in range(2, 6)))
    labelled = seqgen.train(
        table, cell="gru", hidden=8, steps=20, split="none", condition="label", text_field="text", label_field="label",
        out=tmp_path / "labelled",
    )  # fmt: skip
    requests = [{"n": 3, "label": "a"}, {"n": 4, "label": "b", "prefix": "b"}, {"n": 2}]
    assert together(labelled, requests) == [labelled.sample(**request) for request in requests]
    stream = seqgen.train(words, cell="vanilla", hidden=8, steps=5, layout="stream", out=tmp_path / "stream")
    requests = [{"n": 3, "max_length": 30}, {"n": 2, "prefix": "an", "max_length": 12}]
    assert together(stream, requests) == [stream.sample(**request) for request in requests]


def test_a_dropped_request_is_not_computed_any_more(tiny_run, monkeypatch):
    widths = []

    def watch(batch, step):
        if step == 3:
            widths.append(len(batch._started._rows.ids_C))
            batch.drop(0)
        if step == 4:
            widths.append(len(batch._started._rows.ids_C))

    requests = [{"n": 500, "temperature": 2.0}, {"n": 20, "seed": 4}]
    dropped, kept = together(tiny_run, requests, watch)
    assert kept == tiny_run.sample(**requests[1]) and widths[0] > 300 and widths[1] == 32
    whole = tiny_run.sample(**requests[0])
    assert [row.text for row in dropped] == [row.text[:3] for row in whole]
    assert all(row.cut == (len(full.text) >= 3) for row, full in zip(dropped, whole, strict=True))


def test_rows_can_be_seen_as_they_grow(tiny_run):
    seen = []
    (rows,) = together(tiny_run, [{"n": 4}], lambda batch, step: seen.append([row.text for row in batch.rows(0)]))
    assert seen[0] == [""] * 4
    for before, after in itertools.pairwise(seen):
        assert all(one.startswith(other) for one, other in zip(after, before, strict=True))
    assert len(seen) > 3 and rows == tiny_run.sample(4)


def test_a_request_is_refused_alone(tiny_run):
    with tiny_run.sample_batch() as batch:
        for settings, error in [
            ({"prefix": "Ä"}, UnknownSymbol), ({"n": -1}, BadOption), ({"temperature": -1}, BadOption),
            ({"contains": "a"}, UsageError), ({"unique": True}, UsageError), ({"decode": "beam"}, UsageError),
            ({"rows": (0, 5)}, UsageError), ({"nonsense": 1}, BadOption),
        ]:  # fmt: skip
            with pytest.raises(error):
                batch.add(**{"n": 2, **settings})
        number = batch.add(2)
        while batch.step():
            pass
        assert batch.rows(number) == tiny_run.sample(2)
    with tiny_run.sample_batch() as batch:
        assert not batch.step()


def test_a_batch_takes_other_requests_once_it_is_cleared(tiny_run):
    with tiny_run.sample_batch() as batch:
        for request in ({"n": 40, "seed": 1}, {"n": 3, "prefix": "an", "temperature": 0.5}, {"n": 5}):
            assert batch.add(**request) == 0
            while batch.step():
                pass
            assert batch.rows(0) == tiny_run.sample(**request)
            batch.clear()
        assert not batch.step()


def test_the_model_and_random_numbers_are_left_as_they_were(tiny_run):
    before, mode = torch.get_rng_state(), tiny_run.model.training
    together(tiny_run, REQUESTS)
    assert torch.equal(torch.get_rng_state(), before) and tiny_run.model.training == mode


class Gone(Exception):
    pass


@pytest.mark.parametrize("settings", [{}, {"unique": True}, {"contains": "an"}, {"exact": True, "contains": "an"}])
def test_sampling_ends_when_a_check_raises(tiny_run, settings):
    calls = []

    def check():
        calls.append(None)
        if len(calls) == 3:
            raise Gone

    with pytest.raises(Gone):
        list(tiny_run.iter_samples(50, check=check, **settings))
    assert len(calls) == 3
    list(tiny_run.iter_samples(5, check=lambda: calls.append(None)))
    assert len(calls) > 5


def test_the_most_probable_symbols_of_a_text(tiny_run):
    plain = tiny_run.score(["anna", ""])
    for score, top in zip(plain, tiny_run.score(["anna", ""], top=3), strict=True):
        assert top.nats_per_symbol == score.nats_per_symbol and score.top == ()
        assert [len(found) for found in top.top] == [3] * len(score.nats_per_symbol)
        symbols = [*score.text, ""]
        for at, (symbol, nats) in enumerate(zip(symbols, score.nats_per_symbol, strict=True)):
            everything = tiny_run.score(score.text, top=1000)[0].top[at]
            assert [one.nats for one in everything] == sorted(one.nats for one in everything)
            assert everything[:3] == top.top[at]
            assert {one.text: one.nats for one in everything}[symbol] == nats
            assert [one.text for one in everything if one.ends] == [""]
            nexts = tiny_run.next_symbols(score.text[:at], 3)
            assert [one.text for one in nexts] == [one.text for one in top.top[at]]


def test_a_run_whose_corpus_is_not_opened(tiny_run):
    run = seqgen.load(tiny_run.path, reads_corpus=False)
    assert run.sample(5, unique=True) == tiny_run.sample(5, unique=True)
    for use in (lambda: run.corpus, lambda: run.sample(2, novel=True), lambda: run.evaluate(5)):
        with pytest.raises(CorpusError, match="is not opened here"):
            use()

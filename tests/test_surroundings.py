"""Calls neither depend on the modes of torch around them nor change what the caller has set."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

import seqgen
from conftest import WORDS
from seqgen.errors import BadOption, UsageError

SMALL = {"cell": "gru", "hidden": 8, "steps": 12, "blend": "none", "options": {"model.dropout": 0.3}}


def float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    return lambda: torch.set_default_dtype(before)


def entered(context):
    context.__enter__()
    return lambda: context.__exit__(None, None, None)


MODES = {
    "float64": float64,
    "inference": lambda: entered(torch.inference_mode()),
    "no grad": lambda: entered(torch.no_grad()),
    "autocast": lambda: entered(torch.autocast("cpu", dtype=torch.bfloat16)),
}


@pytest.mark.parametrize("mode", MODES)
def test_a_run_does_not_depend_on_the_modes_around_it(mode, words, tmp_path):
    plain = seqgen.train(words, out=tmp_path / "plain", **SMALL)
    rows, nats = plain.sample(20, contains="a"), plain.score("anna")[0].nats
    leave = MODES[mode]()
    try:
        within = seqgen.train(words, out=tmp_path / "within", **SMALL)
        assert seqgen.load(plain.path).sample(20, contains="a") == rows
        assert seqgen.load(plain.path).score("anna")[0].nats == nats
    finally:
        leave()
    again = seqgen.load(within.path)
    for name, tensor in plain.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], tensor), name
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled() and not torch.is_autocast_enabled("cpu")


def test_random_numbers_of_the_caller_go_on_between_rows(tiny_run):
    torch.manual_seed(0)
    expected = torch.rand(5)
    torch.manual_seed(0)
    found = [torch.rand(1) for _ in tiny_run.iter_samples(4)]
    assert torch.equal(torch.cat([*found, torch.rand(1)]), expected)
    for _ in tiny_run.iter_samples(2):
        torch.manual_seed(5)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))


def test_rows_in_turn_leave_the_number_of_threads(tiny_run, monkeypatch):
    engine = tiny_run.settings.engine
    monkeypatch.setattr(tiny_run, "settings", tiny_run.settings.model_copy(
        update={"engine": engine.model_copy(update={"threads": 2})}))  # fmt: skip
    pairs = list(zip(tiny_run.iter_samples(3, seed=1), tiny_run.iter_samples(3, seed=2), strict=False))
    assert len(pairs) == 3 and torch.get_num_threads() == 1
    abandoned = tiny_run.iter_samples(100)
    next(abandoned)
    assert torch.get_num_threads() == 1


def test_rows_before_an_error_are_yielded(tiny_run):
    rows = []
    with pytest.raises(seqgen.SeqgenError, match="cannot find 500 different rows"):
        rows.extend(tiny_run.iter_samples(500, unique=True, effort=40))
    few = []
    with pytest.raises(seqgen.SeqgenError):
        for row in tiny_run.iter_samples(500, unique=True, effort=40):
            few.append(row)  # what a loop has seen when the error comes
    assert few


def test_batches_of_rows_leave_inference_mode_between_steps(tiny_run):
    with tiny_run.sample_batch() as first:
        with tiny_run.sample_batch() as second:
            numbers = first.add(3, seed=1), second.add(3, seed=2)
            while first.step() | second.step():
                assert not torch.is_inference_mode_enabled()
                (torch.ones(1, requires_grad=True) * 2).backward()
            with pytest.raises(UsageError, match="start together"):
                second.add(1)
            rows = second.rows(numbers[1])
        assert first.rows(numbers[0]) == tiny_run.sample(3, seed=1)
    assert rows == tiny_run.sample(3, seed=2) and not torch.is_inference_mode_enabled()


def test_an_unknown_condition_is_refused_by_scores_as_by_samples(tiny_run, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("text,label\n" + "".join(f"{word},{word[0]}\n" for word in WORDS))
    run = seqgen.train(table, condition=["label"], out=tmp_path / "run", **SMALL)
    for call in (lambda given: run.score("anna", given=given), lambda given: run.reference_scores(given=given)):
        with pytest.raises(UsageError, match=r"'labl'.*did you mean 'label'"):
            call({"labl": "a"})
        call({"label": "a"})
    for given in ({"label": "a"}, {"year": "1"}):
        with pytest.raises(UsageError):
            tiny_run.score("anna", given=given)


@pytest.mark.parametrize("seed", [-1, 2**70, "x", 1.5])
def test_a_seed_that_is_none_is_refused_by_a_plan(seed, words):
    with pytest.raises(BadOption, match="'seed' of train"):
        seqgen.plan(words, **SMALL).with_seed(seed)


def test_a_seed_of_numpy_is_a_seed(words, tmp_path):
    plan = seqgen.plan(words, **SMALL)
    run = plan.with_seed(np.int64(3)).train(tmp_path / "run")
    assert seqgen.load(run.path).settings.train.seed == 3


def test_a_run_is_passed_where_one_is_named_from_any_folder(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = []
    run = seqgen.train(words, out="run", listener=lambda folder, event: told.append(os.fspath(folder)), **SMALL)
    assert set(told) == {"run"}
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert seqgen.load(run).sample(2) == run.sample(2)


def test_a_shared_cache_holds_what_was_read(words, tmp_path):
    cache: dict[str, object] = {}
    for n in (30, 20):
        words.write_text("\n".join(WORDS[:n]) + "\n")
        assert seqgen.plan(words, cache=cache, **SMALL).data.survey.n_records == n
    for n in (30, 20):
        spec = seqgen.CorpusSpec(
            name="mine",
            summary="s",
            source="none",
            licence="none",
            load=lambda n=n: list(map(seqgen.Record, WORDS[:n])),
        )
        assert seqgen.plan("mine", plugins=[spec], cache=cache, **SMALL).data.survey.n_records == n
    assert len(cache) == 4
    seqgen.plan(words, cache=cache, **SMALL)
    assert len(cache) == 4


@pytest.mark.parametrize("name", ["../side", "/tmp/side", "a/../../side", "", "."])
def test_a_work_folder_keeps_to_itself(name, tmp_path):
    (tmp_path / "side").mkdir()
    folder = seqgen.WorkFolder.open(tmp_path / "work", {})
    assert folder.path.is_dir()
    for call in (folder.read, folder.remove, folder.run, lambda name: folder.write(name, b"x")):
        with pytest.raises(BadOption, match="is no name within"):
            call(name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["side", "work"]
    folder.write("a/b.txt", b"x")
    assert folder.read("a/b.txt") == b"x"


def test_an_allowed_symbol_of_probability_zero_is_listed_last(words, tmp_path):
    run = seqgen.train(words, cell="vanilla", hidden=4, steps=1, split="none", blend="none", out=tmp_path / "run")
    likeliest = next(one.text for one in run.next_symbols("") if not one.ends)
    with torch.no_grad():
        run.model.head.bias[run.vocabulary.encode(likeliest)[0]] = -torch.inf
    found = run.next_symbols("")
    assert (
        found[-1].text == likeliest
        and found[-1].probability == 0
        and len(found) == len(run.vocabulary.tokenizer.symbols) + 1
    )


def test_whole_numbers_of_numpy_are_whole_numbers(tiny_run):
    three = np.int64(3)
    assert tiny_run.top(three) == tiny_run.top(3) and len(tiny_run.next_symbols("an", three)) == 3
    with tiny_run.sample_batch() as batch:
        assert batch.add(three) == 0
    assert len(tiny_run.score("anna", top=three)[0].top[0]) == 3
    for call in (
        lambda n: tiny_run.top(n),
        lambda n: tiny_run.sample(n),
        lambda n: tiny_run.next_symbols("an", n),
        lambda n: tiny_run.score("anna", top=n),
    ):
        for wrong in (-1, 1.5, "3", True):
            with pytest.raises(BadOption, match="must be a whole number"):
                call(wrong)


def test_samples_are_counted_as_their_texts(tiny_run):
    samples = tiny_run.sample(40)
    expected = seqgen.measure.count_samples(tiny_run, [sample.text for sample in samples])
    assert seqgen.measure.count_samples(tiny_run, samples) == expected
    assert seqgen.measure.count_samples(tiny_run, iter(samples)) == expected


def test_an_interval_of_values_of_numpy():
    mean, half = seqgen.measure.mean_interval(np.array([1, 2, 3]))
    assert (mean, half) == seqgen.measure.mean_interval([1.0, 2.0, 3.0])


@pytest.mark.parametrize("options", [["dropout=0.1"], "dropout=0.1", {5: 1}])
def test_options_that_are_no_mapping_are_refused(options, words):
    with pytest.raises(BadOption, match="options are a mapping by name"):
        seqgen.plan(words, **{**SMALL, "options": options})

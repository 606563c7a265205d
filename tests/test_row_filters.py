"""Row filters, guidance, the repetition penalty, and their options."""

import itertools
import json
import math
import sys

import pytest
import torch

import seqgen
from seqgen.errors import BadOption, MissingExtra, TooFewRows, UsageError
from seqgen.sampling.filters import RowFilter, filter_rows
from seqgen.sampling.processors import repetition_penalty
from test_constraints import CORPORA, sampler


def distance(one, other):
    """Levenshtein's, by its definition."""
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        before, row = row, [at]
        for place, symbol in enumerate(other, 1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (letter != symbol)))
    return row[-1]


def training_records(run):
    return [text for text, where in run.where([record.text for record in run.corpus]).items() if where == "train"]


def test_filters_yield_the_requested_number_of_rows(tiny_run):
    training = training_records(tiny_run)
    rows = tiny_run.sample(100, unique=True, novel=True, min_edit=2)
    assert len({row.text for row in rows}) == 100
    assert all(min(distance(row.text, record) for record in training) >= 2 for row in rows)
    plain = {row.number: row.text for row in tiny_run.sample(rows[-1].number + 1)}
    kept = {row.number for row in rows}
    seen = set()
    for number, text in plain.items():  # each row left out has a reason
        near = min(distance(text, record) for record in training) < 2
        assert (number in kept) == (not near and text not in seen)
        seen |= {text} if number in kept else set()


def test_for_one_row_as_many_are_examined_as_for_a_hundred():
    none = RowFilter(lambda text: seqgen.Verdict(False, "no"), valid=True)
    for n, n_examined in ((1, "20,000"), (101, "20,200")):
        with pytest.raises(TooFewRows, match=f"only 0 among {n_examined} sampled"):
            list(filter_rows(itertools.repeat(seqgen.Sample(0, "a", False)), n, none))


def test_filtered_rows_do_not_depend_on_n_or_the_batch_size(tiny_run):
    wanted = {"unique": True, "novel": True, "regex": "[a-z]{2,6}", "seed": 1}
    many = [row.text for row in tiny_run.sample(300, **wanted)]
    assert [row.text for row in tiny_run.sample(10, **wanted)] == many[:10]
    for size in (32, 200):
        assert [row.text for row in tiny_run.sample(60, batch_size=size, **wanted)] == many[:60]
    exact = [row.text for row in tiny_run.sample(40, exact=True, **wanted)]
    assert [row.text for row in tiny_run.sample(10, exact=True, batch_size=64, **wanted)] == exact[:10]


def test_no_record_is_as_far_from_others_as_that(tiny_run):
    with pytest.raises(BadOption, match="min_edit"):
        tiny_run.sample(1, min_edit=10**20)


def test_the_effort_is_a_limit(tiny_run):
    with pytest.raises(TooFewRows, match=r"cannot find 50 matching rows: only \d+ among 50 sampled; .* raise --effort"):
        tiny_run.sample(50, contains="abc", exact=True, effort=50)
    with pytest.raises(TooFewRows, match="distant, different"):
        tiny_run.sample(3, min_edit=2, unique=True, temperature=0, effort=40)


def test_a_constraint_needs_no_filter_and_a_filter_no_constraint(tiny_run):
    assert all(row.text.endswith("a") for row in tiny_run.sample(20, ends="a"))
    with pytest.raises(UsageError, match="needs a validator"):
        tiny_run.sample(1, valid=True)
    with pytest.raises(BadOption, match="must be"):
        tiny_run.sample(-1)


@pytest.mark.parametrize("asked", [{}, {"exact": True}, {"unique": True}])
def test_a_row_that_is_cut_is_not_valid(asked, in_tmp):
    """Nor does it occur with look-ahead by a grammar, so that all ways have the same rows."""
    (in_tmp / "molecules.smi").write_text("C\nCN\nCC\nN\nNC\nCCC\n")
    run = seqgen.train("molecules.smi", cell="vanilla", hidden=4, steps=2, domain="smiles", split="none")
    free = run.sample(2000, prefix="C", max_length=2)
    assert any(row.cut and run.verdict(row.text).ok for row in free)
    assert not any(row.cut for row in run.sample(3, prefix="C", max_length=2, valid=True, effort=5000, **asked))


def test_the_repetition_penalty_applies_to_ids_of_the_row():
    logits_BV = torch.tensor([[1.0, -2.0, 3.0, -math.inf], [1.0, -2.0, 3.0, 0.5]])
    ids_BT = torch.tensor([[0, 1], [3, 3]])
    after = repetition_penalty(2.0)(logits_BV, ids_BT)
    assert after.tolist() == [[0.5, -4.0, 3.0, -math.inf], [1.0, -2.0, 3.0, 0.25]]
    assert torch.equal(repetition_penalty(2.0)(logits_BV, ids_BT[:, :0]), logits_BV)

    def n_repeated(penalty):
        rows = sampler(CORPORA["names"], repetition_penalty=penalty).take(99)
        return sum(len(row.text) - len(set(row.text)) for row in rows)

    assert n_repeated(4) < n_repeated(1)


@pytest.mark.parametrize(
    ("wanted", "modules", "extra"),
    [({"regex": "a+"}, ["outlines_core"], "constrain"), ({"min_edit": 2}, ["rapidfuzz.distance"], "evaluate")],
)
def test_a_missing_extra_is_named(tiny_run, monkeypatch, wanted, modules, extra):
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"\[{extra}\]"):
        tiny_run.sample(1, **wanted)


# -- guidance


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A run on words whose letters depend on their label in four of five cases."""
    folder = tmp_path_factory.mktemp("labelled")
    rows = [
        {"text": word, "label": label}
        for label, words in (("low", ["ab", "ba", "aa", "bb", "yz"]), ("high", ["yz", "zy", "yy", "zz", "ab"]))
        for word in words
    ] * 40
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return seqgen.train(
        path, cell="gru", hidden=16, steps=200, lr=0.02, batch_size=40, split="none", text_field="text",
        label_field="label", condition="label", out=folder / "run",
    )  # fmt: skip


def share_of_low(rows):
    return sum(set(row.text) <= set("ab") for row in rows) / len(rows)


def test_guidance_strengthens_conditions(labelled):
    plain = share_of_low(labelled.sample(1000, label="low"))
    guided = share_of_low(labelled.sample(1000, label="low", guidance=3))
    assert 0.7 < plain < 0.9 and guided > 0.95
    assert share_of_low(labelled.sample(1000, label="low", guidance=0)) < 0.7  # as if nothing had been asked
    with pytest.raises(UsageError, match="give --label"):
        labelled.sample(1, guidance=2)


def test_guided_logits_match_the_formula(labelled):
    model, vocabulary = labelled.model, labelled.vocabulary
    low = int(vocabulary.condition_ids([{"label": "low"}])[0, 0])
    with torch.inference_mode():
        told, free = (
            model(torch.tensor([[1, condition]]), model.initial_state(1))[0][0, -1].double() for condition in (low, 0)
        )
        guided = (free + 2.5 * (told - free)).masked_fill(~torch.from_numpy(vocabulary.allowed_V()), -math.inf)
        shares = torch.softmax(guided, -1)
    first = [row.text[:1] for row in labelled.sample(4000, label="low", guidance=2.5)]
    for symbol in "abyz":
        expected = float(shares[int(vocabulary.encode(symbol)[0])])
        assert first.count(symbol) / 4000 == pytest.approx(expected, abs=4 * math.sqrt(0.25 / 4000))


# -- the command


@pytest.mark.full
def test_the_options_of_the_command(cli, tiny_run):
    run = tiny_run.path
    found = cli(
        "sample", run, "-n", 30, "--contains", "a", "--contains", "e", "--avoid", "o", "--length", "3-7", "--ban", "z"
    )
    lines = found.out.splitlines()
    assert found.code == 0 and len(lines) == 30 and "of the model's rows satisfy it" in found.err
    assert all("a" in line and "e" in line and not set("oz") & set(line) and 3 <= len(line) <= 7 for line in lines)
    forced = cli("sample", run, "-n", 20, "--contains", "xwxw", "--fast")
    assert forced.code == 0 and "rows nearly reach the limit of " in forced.err and "without --fast" in forced.err
    assert cli("-q", "sample", run, "-n", 20, "--contains", "xwxw").err == ""
    kept = cli("sample", run, "-n", 5, "--regex", "[a-m]+", "--exact", "--unique")
    assert kept.code == 0 and len(set(kept.out.splitlines())) == 5
    assert kept.err.startswith("kept 5 of ") and "sampled rows" in kept.err
    assert all(set(line) <= set("abcdefghijklm") for line in kept.out.splitlines())
    few = cli("sample", run, "-n", 5, "--regex", "[a-m]{3}", "--exact", "--effort", 3)
    assert few.code == 8 and "cannot find 5 matching rows: only" in few.err and "among 3 sampled" in few.err
    never = cli("sample", run, "--contains", "ab", "--avoid", "b")
    assert never.code == 2 and "--contains 'ab' and --avoid 'b' exclude each other" in never.err
    assert never.err.count("\n") == 1
    assert len(cli("sample", run, "-n", 4, "--decode", "gumbel").out.splitlines()) == 4
    assert cli("sample", run, "--decode", "beam", "--unique").code == 2

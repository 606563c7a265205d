"""Conditioning on labels and fields, in training and sampling."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import seqgen
from seqgen.batches import RecordFeed, encode
from seqgen.batches.feed import uniforms
from seqgen.corpus import Record, Splitter
from seqgen.errors import UsageError
from seqgen.tasks.evaluate import losses
from seqgen.tokenizers import BOS, EOS, PAD, CharTokenizer, Vocabulary

ALL = Splitter((1.0, 0.0, 0.0))
TOKENS = ("label=x", "label=y", "cost=1", "cost=2")
RECORDS = st.lists(
    st.builds(
        Record,
        st.text("abc", max_size=6),
        st.sampled_from(["x", "y", None]),
        st.sampled_from([{"cost": 1}, {"cost": "2"}, {}]),
        st.none(),
    ),
    min_size=1,
    max_size=12,
)


def vocabulary_of(records):
    return Vocabulary(CharTokenizer.fit(["abc", *(record.text for record in records)]), TOKENS)


@given(RECORDS)
def test_conditions_stand_before_the_text_and_are_not_predicted(records):
    vocabulary = vocabulary_of(records)
    part = encode(records, vocabulary, ALL)["train"]
    batch = part.take(np.arange(len(records)))
    assert vocabulary.slots == ("label", "cost") and part.n_slots == 2
    for row, record in enumerate(records):
        ids, targets = batch.ids_BT[row].tolist(), batch.targets_BT[row].tolist()
        slots = [vocabulary.conditions[id_ - EOS - 1] if id_ else None for id_ in ids[1:3]]
        wanted = [f"label={record.label}" if record.label else None]
        wanted.append(f"cost={record.fields['cost']}" if record.fields else None)
        assert ids[0] == BOS and slots == wanted and targets[:2] == [PAD, PAD]
        symbols = vocabulary.encode(record.text).tolist()
        assert ids[3 : 3 + len(symbols)] == symbols and targets[2 : 3 + len(symbols)] == [*symbols, EOS]
        assert set(targets[3 + len(symbols) :]) <= {PAD}
    n_targets = sum(len(record.text) + 1 for record in records)
    assert batch.n_targets == n_targets == int((batch.targets_BT != PAD).sum())
    assert batch.n_chars == sum(len(record.text) for record in records)
    if batch.at_N is not None:
        assert (batch.targets_BT.t().flatten()[batch.at_N] != PAD).all() and len(batch.at_N) == n_targets


@given(RECORDS, st.integers(1, 5))
def test_batches_made_together_are_those_made_one_by_one(records, size):
    part = encode(records, vocabulary_of(records), ALL)["train"]
    cuts = [np.arange(len(records))[start : start + size] for start in range(0, len(records), size)]
    absent = np.random.default_rng(0).random((len(records), 2)) < 0.5
    for one, other in zip(
        [part.take(cut, None, absent[cut]) for cut in cuts], part.take_many(cuts, None, absent), strict=True
    ):
        assert torch.equal(one.ids_BT, other.ids_BT) and torch.equal(one.targets_BT, other.targets_BT)


def test_a_tenth_is_left_out_anew_each_epoch_and_the_same_for_a_seed():
    records = [Record("abc", "xy"[number % 2], {"cost": 1}) for number in range(2000)]
    part = encode(records, vocabulary_of(records), ALL)["train"]
    found = []
    for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0)):
        feed = RecordFeed(part, 50, seed)
        steps = range(epoch * feed.steps_per_epoch, (epoch + 1) * feed.steps_per_epoch)
        slots = np.concatenate([feed.batch(step).ids_BT[:, 1:3].numpy() for step in steps])
        found.append(slots[np.argsort(np.concatenate([feed.batch_indices(step) for step in steps]))])  # as the records
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2]) and not np.array_equal(found[0], found[3])
    assert all(0.07 < (slots == PAD).mean() < 0.13 for slots in found)


def test_uniforms_are_uniform_and_each_of_its_own():
    drawn = uniforms(7, np.arange(50_000), 2)
    assert drawn.min() >= 0 and drawn.max() < 1 and abs(drawn.mean() - 0.5) < 0.01
    assert len(np.unique(drawn)) == drawn.size
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1]) < 0.02
    assert np.array_equal(uniforms(7, np.array([9, 4]), 2), drawn[[9, 4]])


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A run on words of a's labelled low and of z's labelled high, whose cost is their length."""
    folder = tmp_path_factory.mktemp("told")
    rows = [
        {"text": letter * length, "label": label, "cost": length}
        for letter, label in (("a", "low"), ("z", "high"))
        for length in (1, 2, 3, 4)
    ] * 40
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return seqgen.train(
        path, cell="gru", hidden=24, steps=250, lr=0.02, batch_size=32, split="none", text_field="text",
        label_field="label", condition="label,cost", out=folder / "run",
    )  # fmt: skip


def test_what_is_asked_for_comes(told):
    assert told.settings.conditions == ("label", "cost")
    for label, letter in (("low", "a"), ("high", "z")):
        for cost in (1, 3):
            rows = told.sample(40, label=label, given={"cost": cost})
            assert sum(row.text == letter * cost for row in rows) >= 36
    free = "".join(row.text for row in told.sample(200))
    assert 0.25 < free.count("a") / len(free) < 0.75
    assert sum(len(row.text) == 2 for row in told.sample(60, given={"cost": 2})) >= 50


def test_a_text_is_likelier_under_its_own_label(told):
    own = told.score("aaa", given={"label": "low", "cost": 3})[0]
    other = told.score("aaa", given={"label": "high", "cost": 3})[0]
    assert own.nats < 1 < other.nats and len(own.nats_per_symbol) == 4


def test_rows_do_not_depend_on_how_many_are_drawn(told):
    many = told.sample(70, label="low", prefix="a")
    assert many[:5] == told.sample(5, label="low", prefix="a") and all(row.text[0] == "a" for row in many)


def test_mistakes_say_what_would_do(told, tiny_run, words, tmp_path):
    with pytest.raises(UsageError, match="no label 'lo'; did you mean 'low'"):
        told.sample(1, label="lo")
    with pytest.raises(UsageError, match="no cost '9'; known: 1, 2, 3, 4"):
        told.sample(1, given={"cost": 9})
    with pytest.raises(
        UsageError, match="not conditioned on labels, and its records have none; to sample by label, train on records"
    ):
        tiny_run.sample(1, label="low")
    with pytest.raises(UsageError, match="and its records have none; to score by label, train on records"):
        tiny_run.score("anna", label="low")
    with pytest.raises(UsageError, match=r"not conditioned on labels.*; it is conditioned on one, two: --given one="):
        (tmp_path / "two.csv").write_text("text,one,two\n" + "aa,1,2\nzz,2,1\n" * 20)
        options = {"steps": 1, "split": "none", "out": tmp_path / "two"}
        seqgen.train(tmp_path / "two.csv", condition="one,two", **options).sample(1, label="1")
    with pytest.raises(UsageError, match="no field 'mana' to give"):
        told.sample(1, given={"mana": 9})
    with pytest.raises(UsageError, match=r"no field 'costs' to give; did you mean 'cost'\?$"):
        told.sample(1, given={"costs": 9})
    (tmp_path / "names.csv").write_text("name,kind\nanna,a\nbert,b\n")
    with pytest.raises(UsageError, match=r"cannot condition on 'name': it is the text itself; name another field$"):
        seqgen.train(tmp_path / "names.csv", condition="name", steps=1, out=tmp_path / "x")
    with pytest.raises(UsageError, match=r"'label': no record has it beside its text; .*neither a label nor fields"):
        seqgen.train(words, condition="label", steps=1, out=tmp_path / "x")


def test_fields_are_scored_in_the_text(tmp_path):
    """A field with which no record begins is refused for that reason, not as one that rows cannot begin with."""
    (tmp_path / "rows.csv").write_text("kind,cost,text\n" + "low,1,aa\nhigh,2,zz\n" * 20)
    options = {"hidden": 4, "steps": 1, "split": "none", "out": tmp_path / "run"}
    run = seqgen.train(tmp_path / "rows.csv", options={"fields": "kind,cost,text"}, **options)
    for field in ("kind", "cost"):
        with pytest.raises(UsageError, match=f"^'{field}' is a field .*: write it in the text that is scored$"):
            run.score("kind=low", given={field: "1"})
    with pytest.raises(UsageError, match=r"^no field 'mana' to give; known: kind, cost, text"):
        run.score("kind=low", given={"mana": "1"})


def test_a_field_called_label_is_one(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "aa,low\nzz,high\n" * 20)
    run = seqgen.train(path, text_field="text", condition="label", steps=2, split="none", out=tmp_path / "run")
    assert run.vocabulary.conditions == ("label=high", "label=low")
    assert len(run.sample(3, label="low")) == 3


def test_a_condition_with_a_value_for_every_record_is_refused(tmp_path):
    path = tmp_path / "many.jsonl"
    path.write_text("".join(json.dumps({"text": "x", "id": n, "key": f"k{n}x"}) + "\n" for n in range(1500)))
    said = {"id": "it has 1,500 different numbers.* add a field with a few classes", "key": "it has 1,500 values"}
    for condition, words in said.items():
        with pytest.raises(UsageError, match=f"cannot condition on '{condition}': {words}"):
            seqgen.train(path, text_field="text", condition=condition, steps=1, out=tmp_path / "x")


@pytest.mark.parametrize(("n", "taken"), [(51, False), (50, True)])
def test_a_measured_quantity_is_refused_as_a_condition(tmp_path, n, taken):
    path = tmp_path / "measured.jsonl"
    path.write_text("".join(json.dumps({"text": "x" * (k % 7 + 1), "logP": k / 10 - 2}) + "\n" for k in range(n)) * 5)
    train = {"text_field": "text", "hidden": 4, "condition": "logP", "steps": 1, "out": tmp_path / "x"}
    if taken:
        assert len(seqgen.train(path, **train).vocabulary.conditions) == n
        return
    with pytest.raises(UsageError, match=r"cannot condition on 'logP': it has 51 different numbers.* low, middle"):
        seqgen.train(path, **train)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([f"{k},{k}" for k in range(60)], "60 different numbers"),
        ([*(f"{k}.5" for k in range(55)), "n.d.", ">2.1", "< 0,1"], "57 different numbers"),
        ([f"-{k}e-3 %" for k in range(51)], "51 different numbers"),
        ([f"{k} nM" for k in range(30)] + [f"{k} mg/mL" for k in range(30)], "60 different numbers"),
        ([f"CHEMBL{k}" for k in range(100)], "100 values for 100 records, so hardly two records share one"),
    ],
)
def test_quantities_and_identifiers_as_tables_have_them_are_refused_as_conditions(tmp_path, values, says):
    path = tmp_path / "table.jsonl"
    path.write_text("".join(json.dumps({"text": "x", "found": value}) + "\n" for value in values))
    with pytest.raises(UsageError, match=f"cannot condition on 'found': it has {says}"):
        seqgen.train(path, text_field="text", hidden=4, condition="found", steps=1, out=tmp_path / "x")


@pytest.mark.parametrize("form", ["1.1.{}.1", "2024-01-{}", "K{}"])
def test_codes_with_digits_are_no_quantities(tmp_path, form):
    path = tmp_path / "codes.jsonl"
    path.write_text("".join(json.dumps({"text": "x", "code": form.format(k)}) + "\n" for k in range(60)) * 3)
    run = seqgen.train(path, text_field="text", hidden=4, condition="code", steps=1, out=tmp_path / "x")
    assert len(run.vocabulary.conditions) == 60


def test_many_values_that_are_no_numbers_are_conditions(tmp_path):
    path = tmp_path / "towns.jsonl"
    path.write_text("".join(json.dumps({"text": "x" * (k % 7 + 1), "town": f"t{k}"}) + "\n" for k in range(60)) * 5)
    run = seqgen.train(path, text_field="text", hidden=4, condition="town", steps=1, out=tmp_path / "x")
    assert len(run.vocabulary.conditions) == 60


def test_the_test_loss_without_conditions_stands_beside_the_one_with_them(tmp_path, tiny_run):
    rows = [{"text": letter * n, "kind": letter} for letter in "az" for n in range(1, 20)]
    path = seqgen.write_records(tmp_path / "rows.jsonl", rows)
    settings = {"cell": "vanilla", "hidden": 6, "steps": 3, "split": "50/0/50", "condition": "kind"}
    run = seqgen.train(path, out=tmp_path / "run", **settings)
    texts = [record.text for record in run.corpus if run.settings.splitter.part(record) == "test"]
    figures, n_chars = run.evaluate(3), sum(len(text) + 1 for text in texts)
    told = [run.score(text, given={"kind": text[0]})[0].nats for text in texts]
    free = [run.score(text)[0].nats for text in texts]
    expected = [sum(nats) / math.log(2) / n_chars for nats in (free, told)]
    names = "test_unconditional_bits_per_char", "test_bits_per_char"
    assert [figures[name] for name in names] == pytest.approx(expected, rel=1e-5) and free != told
    note = "held-out losses are given each record's conditions (kind); baselines and samples have none"
    assert note in figures["notes"]
    shared = losses(run=str(run.path), checkpoint=run.state["step"], what="unconditional", first=0, last=1)
    assert sum(shared) == pytest.approx(sum(free), rel=1e-5)
    assert names[0] not in tiny_run.evaluate(1)


def write_with_sex(path, values):
    path.write_text("".join(json.dumps({"text": f"a{n}", "sex": value}) + "\n" for n, value in enumerate(values)))
    return str(path)


def test_values_that_only_held_out_records_have_are_reported(tmp_path):
    held = {"valid": [" F", "M", "x", " F"], "test": ["x", "z"]}
    files = {part: write_with_sex(tmp_path / f"{part}.jsonl", values) for part, values in held.items()}
    said: list[str] = []
    settings = {"condition": "sex", "cell": "vanilla", "hidden": 4, "steps": 2, "warn": said.append}
    train = write_with_sex(tmp_path / "train.jsonl", "FMFM" * 5)
    run = seqgen.train(train, **files, out=tmp_path / "run", **settings)
    lines = [
        "condition 'sex': 3 of 4 validation records have values that no training record has, such as ' F'; training "
        "records have 'F'",
        "condition 'sex': 2 of 2 test records have values that no training record has, such as 'x'",
    ]
    assert [line for line in said if "condition 'sex'" in line] == lines
    assert run.settings.corpus.unseen == {"valid": ["sex= F", "sex=x"], "test": ["sex=x", "sex=z"]}
    assert set(lines) <= set(run.evaluate(n=2)["notes"])
    said.clear()
    opened = seqgen.load(run.path, warn=said.append)
    for value in ("F", "x", "x", " F"):
        opened.sample(1, given={"sex": value})
    assert said == [f"no training record has the sex {value!r}: the model has not learned it" for value in ("x", " F")]
    more = write_with_sex(tmp_path / "more.jsonl", "xF" * 9)
    later = seqgen.train(more, start=run, split="none", out=tmp_path / "later", **settings)
    last = seqgen.train(train, start=later, **files, steps=2, out=tmp_path / "last", warn=said.append)
    assert last.settings.corpus.unseen == {"valid": ["sex= F"], "test": ["sex=z"], "start": ["sex= F", "sex=z"]}


def test_sampling_warns_of_values_that_no_training_record_has_together(tmp_path):
    def write(name, pairs):
        rows = [{"text": f"{name}{n}", "a": a, "b": b} for n, (a, b) in enumerate(pairs)]
        return seqgen.write_records(tmp_path / f"{name}.jsonl", [{k: v for k, v in row.items() if v} for row in rows])

    settings = {"condition": "a,b", "cell": "vanilla", "hidden": 4, "steps": 2, "best_by": "loss"}
    train, valid = write("train", ["xu", "xv", "yu", ("z", "")] * 4), write("valid", ["yv", "zu"])
    run = seqgen.train(train, valid=valid, out=tmp_path / "run", **settings)
    assert run.settings.corpus.combinations == [["a=x", "b=u"], ["a=x", "b=v"], ["a=y", "b=u"], ["a=z"]]
    said: list[str] = []
    opened = seqgen.load(run.path, warn=said.append)
    for values in ({}, {"a": "z"}, {"b": "v"}, {"a": "x", "b": "v"}, {"a": "y", "b": "v"}, {"b": "v", "a": "y"}):
        opened.sample(1, given=values)
    line = "no training record has the a 'y' and the b 'v': the model has not learned them together"
    assert said == [line]
    refitted = seqgen.refit(run, warn=said.append).settings.corpus.combinations
    assert sorted(refitted) == sorted([*run.settings.corpus.combinations, ["a=y", "b=v"], ["a=z", "b=u"]])
    alone = seqgen.train(train, start=run, split="none", out=tmp_path / "later", **settings)
    assert alone.settings.corpus.combinations is None
    many = write("many", [(str(n % 20), str(n // 20)) for n in range(400)])
    more = seqgen.train(many, split="none", out=tmp_path / "many", **settings)
    assert more.settings.corpus.combinations is None


def test_a_refit_has_learned_the_values_of_validation_records(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": f"a{n}", "sex": f"s{n % 20}"}) + "\n" for n in range(40)))
    run = seqgen.train(
        path, condition="sex", cell="vanilla", hidden=4, steps=2, split="40/30/30", out=tmp_path / "run", best_by="loss"
    )
    held = run.settings.corpus.unseen
    assert held["valid"] and held["test"] and held["test"] != held["valid"]
    unseen = seqgen.refit(run).settings.corpus.unseen
    assert unseen == {"test": [one for one in held["test"] if one not in held["valid"]]}


def test_a_stopped_run_goes_on_with_the_same_conditions(told, tmp_path):
    again = seqgen.load(told.path)
    assert again.sample(5, label="high") == told.sample(5, label="high")
    assert again.vocabulary.conditions == ("label=high", "label=low", "cost=1", "cost=2", "cost=3", "cost=4")


@pytest.fixture(scope="module")
def text_fields(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text_fields")
    rows = [{"size": size, "word": letter * size} for size in (1, 2, 3) for letter in "abc"] * 30
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return seqgen.train(
        path, cell="gru", hidden=48, steps=500, lr=0.01, batch_size=32, split="none",
        options={"corpus.fields": "size,word"}, out=folder / "run",
    )  # fmt: skip


def test_fields_that_records_begin_with_can_be_given(text_fields):
    rows = text_fields.sample(20, given={"size": 2}, temperature=0.3)
    assert all(row.text.startswith("size=2\nword=") for row in rows)
    with pytest.raises(UsageError, match="saw fields in one order only"):
        text_fields.sample(1, given={"word": "aa"})


@pytest.mark.full
def test_a_field_that_no_training_record_has_so_is_told_of_once(text_fields, cli):
    said: list[str] = []
    run = seqgen.load(text_fields.path, warn=said.append)
    for size in (2, 12, 12):
        assert run.sample(1, given={"size": size}, max_length=30)[0].text.startswith(f"size={size}\n")
    assert said == ["no training record has 'size=12': rows that begin with it are unreliable"]
    result = cli("sample", text_fields.path, "-n", 2, "--given", "size=12", "--max-length", 30, "--json")
    assert result.code == 0 and result.err == f"seqgen: {said[0]}\n"
    assert [json.loads(line)["row"] for line in result.out.splitlines()] == [0, 1]


def test_a_field_that_only_held_out_records_have_is_told_of(tmp_path):
    path, held = tmp_path / "rows.jsonl", tmp_path / "held.jsonl"
    path.write_text('{"size": 1, "word": "a"}\n{"size": 3, "word": "b"}\n' * 9)
    held.write_text('{"size": 2, "word": "a"}\n')
    said: list[str] = []
    trained = seqgen.train(path, valid=held, steps=2, options={"corpus.fields": "size,word"}, out=tmp_path / "run")
    run = seqgen.load(trained.path, warn=said.append)
    run.sample(1, given={"size": 3})
    assert said == []
    run.sample(1, given={"size": 2})
    assert len(said) == 1 and "'size=2'" in said[0]


class Classifier:
    """Naive Bayes on the 3-grams of a name, learned from records with labels."""

    def __init__(self, records):
        self.counts = {label: Counter() for label in {record.label for record in records}}
        for record in records:
            self.counts[record.label].update(self.grams(record.text))
        self.n_grams = len(set().union(*self.counts.values()))

    @staticmethod
    def grams(text):
        framed = f"^^{text.lower()}$"
        return [framed[at : at + 3] for at in range(len(framed) - 2)]

    def label(self, text):
        def nats(counts):
            total = counts.total() + self.n_grams
            return sum(math.log((counts[gram] + 1) / total) for gram in self.grams(text))

        return max(self.counts, key=lambda label: nats(self.counts[label]))

    def accuracy(self, pairs):
        return sum(self.label(text) == label for text, label in pairs) / len(pairs)


@pytest.mark.slow
def test_conditioned_names_are_told_apart_by_a_classifier(tmp_path, capsys):
    run = seqgen.train("names", condition="label", out=tmp_path / "run")
    splitter = Splitter(run.settings.train.split, run.settings.train.split_seed)
    records = list(run.corpus)
    classifier = Classifier([record for record in records if splitter.part(record) == "train"])
    held_out = classifier.accuracy([(r.text, r.label) for r in records if splitter.part(r) != "train"])
    told = {
        guidance: classifier.accuracy(
            [
                (row.text, label)
                for label in ("female", "male")
                for row in run.sample(500, label=label, guidance=guidance)
            ]
        )
        for guidance in (1, 2)
    }
    with capsys.disabled():
        print(
            f" names asked for: {told[1]:.1%} told right, {told[2]:.1%} with guidance 2; held-out ones: {held_out:.1%}"
        )
    assert told[1] > 0.7  # held-out names themselves are told right in five of six cases
    assert told[2] > 0.85


def test_a_field_whose_name_has_an_equals_sign_is_refused(in_tmp):
    """The symbol of a condition is field=value, which would then mean another field."""
    (in_tmp / "list.csv").write_text("text,a=b\nanna,x\nben,y\n")
    with pytest.raises(UsageError, match="cannot condition on 'a=b': a field with '=' in its name"):
        seqgen.train("list.csv", condition=["a=b"], steps=1)

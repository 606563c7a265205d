"""Trainings that begin with the weights of another run."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import seqgen
from conftest import ROOT
from resuming import digests
from seqgen.errors import BadOption, CheckpointError
from seqgen.tokenizers import ByteTokenizer, CharTokenizer, Vocabulary, grown, new_in, places_in, with_values

SMALL = {"hidden": 12, "embedding": 6, "batch_size": 8, "split": "80/10/10", "steps": 60}


@pytest.fixture
def first(words, in_tmp):
    return seqgen.train(words, cell="vanilla", out="first", seed=5, lr=0.02, **SMALL)


def accents(folder):
    """A corpus with two symbols that the words have not."""
    path = folder / "accents.txt"
    path.write_text("\n".join(["ané", "bené", "carü", "élan", "éna", "üne", "nané", "renü", "sené", "lané"] * 3))
    return path


# -- going on


def test_a_run_goes_on_from_the_best_weights_and_as_it_was(first):
    again = seqgen.train(start=first.path, out="again", steps=20)
    rows = again.metrics
    assert rows[0]["step"] == 0 and "train_loss_nats" not in rows[0]
    assert rows[0]["valid_loss_nats"] == pytest.approx(first.state["best_loss_nats"], rel=1e-6)
    was, now = (run.settings.model_dump(exclude={"start", "created"}) for run in (first, again))
    assert now["train"].pop("steps") == 20 and was["train"].pop("steps") == 60
    assert was == now
    assert again.settings.start.step == first.state["best_step"] and first.settings.start is None
    assert [sample.text for sample in again.sample(20)] != [sample.text for sample in first.sample(20)]


def test_weights_that_only_get_worse_stay_the_best(first):
    worse = seqgen.train(start=first.path, out="worse", steps=20, lr=1.0)
    assert worse.state["best_step"] == 0 and worse.folder.latest_state()["step"] == 20
    assert [sample.text for sample in worse.sample(20)] == [sample.text for sample in first.sample(20)]


def test_of_another_corpus_the_known_symbols_are_known(first, in_tmp):
    warned = []
    other = seqgen.train(accents(in_tmp), start=first.path, out="other", steps=1, lr=1e-8, warn=warned.append)
    assert len(warned) == 1 and warned[0].endswith("has not learned 2 of the symbols, which start fresh: é ü")
    text = "banana"
    places = torch.tensor(places_in(other.vocabulary, first.vocabulary))
    logits = []
    for run in (first, other):
        ids_BT = torch.tensor([[1, *run.vocabulary.encode(text)]])
        with torch.no_grad():
            logits.append(run.model.forward(ids_BT, run.model.initial_state(1))[0])
    torch.testing.assert_close(logits[1][..., places], logits[0], atol=1e-5, rtol=1e-5)
    assert other.settings.tokenizer == first.settings.tokenizer and other.settings.n_symbols == places.numel() + 2
    assert other.score(["éne"])[0].nats > 0


@pytest.mark.parametrize("options", [{"tie": True}, {"tie": True, "attention": 2}, {"layers": 2, "skip": "residual"}])
def test_every_tensor_of_a_symbol_moves_with_it(words, in_tmp, options):
    settings = {**SMALL, **{name: options[name] for name in ("layers",) if name in options}, "steps": 20}
    rest = {name: value for name, value in options.items() if name != "layers"}
    run = seqgen.train(words, cell="gru", out="run", options=rest, **settings)
    other = seqgen.train(accents(in_tmp), start=run.path, out="other", steps=1, lr=1e-8)
    places = torch.tensor(places_in(other.vocabulary, run.vocabulary))
    known, wider = run.model.state_dict(), other.model.state_dict()
    assert known.keys() == wider.keys()
    grown_by_two = 0
    for name, tensor in known.items():
        found = wider[name]
        if found.shape != tensor.shape:
            grown_by_two += 1
            found = found.index_select(0, places)
        torch.testing.assert_close(found, tensor, atol=1e-5, rtol=0)
    assert grown_by_two >= 2


# -- stopping and resuming


def test_it_resumes_from_nothing_but_its_beginning(first, in_tmp):
    whole = seqgen.train(accents(in_tmp), start=first.path, out="whole", steps=12)
    shutil.copytree("whole", "cut")
    shutil.rmtree("cut/checkpoints")
    seqgen.resume("cut")
    assert digests(in_tmp / "cut") == digests(whole.path)


@pytest.mark.parametrize("harm", ["gone", "other"])
def test_weights_that_are_not_there_any_more(first, in_tmp, cli, harm):
    seqgen.train(start=first.path, out="second", steps=5)
    best = first.state["best_step"]
    shutil.rmtree("second/checkpoints")
    shutil.rmtree(first.path)
    if harm == "other":
        seqgen.train(in_tmp / "words.txt", cell="vanilla", out="first", seed=6, lr=0.02, **SMALL, options={
            "eval_every": best, "patience": 0})  # fmt: skip
    result = cli("resume", "second")
    assert result.code == 4 and result.err.count("\n") == 1, result.err
    assert "train it anew" in result.err and ("gone" in result.err) == (harm == "gone")


# -- what must be as it was


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--cell", "gru"], "its cell is seqgen_classic:vanilla, so it cannot be 'gru'"),
        (["--tokenizer", "byte"], "its tokenizer is seqgen:char"),
        (["--model", "ngram"], "its model is seqgen:recurrent"),
        (["--params", "5k"], "--params"),
        (["--hidden", "16"], "do not fit the model that is asked for"),
        (["-o", "activation=relu", "--layers", "2"], "do not fit"),
        (["--layout", "stream"], "it learned lines, so it cannot learn stream"),
        (["--corpus", "names", "--condition", "label"], "not told any condition"),
    ],
)  # fmt: skip
def test_what_the_weights_cannot_be(first, cli, arguments, says):
    result = cli("train", "--from", str(first.path), "--steps", "1", "--out", "no", *arguments)
    assert result.code == 2 and result.err.count("\n") == 1 and says in result.err, result.err
    assert not (first.path.parent / "no").exists()


def test_what_may_be_another(first, cli):
    result = cli(
        "train", "--from", "first", "--steps", 1, "--out", "another", "--dropout", 0.2, "--lr", 0.001,
        "--batch-size", 4, "-o", "activation=relu",
    )  # fmt: skip
    assert result.code == 0 and f"from first at step {first.state['best_step']:,}" in result.err, result.err
    settings = json.loads((first.path.parent / "another" / "run.json").read_text())
    assert settings["model"]["options"]["dropout"] == 0.2 and settings["cell"]["options"]["activation"] == "relu"
    assert settings["train"]["lr"] == 0.001 and settings["train"]["batch_size"] == 4


def test_a_file_of_settings_stands_above_the_run(first, in_tmp):
    (in_tmp / "run.toml").write_text("[train]\nlr = 0.005\nsteps = 2\n[model]\ndropout = 0.1\n")
    run = seqgen.train(start="first", config="run.toml", out="second")
    assert (run.settings.train.lr, run.settings.train.steps, run.settings.train.seed) == (0.005, 2, 5)
    assert run.settings.model.options["dropout"] == 0.1
    (in_tmp / "other.toml").write_text('[cell]\nname = "gru"\n')
    with pytest.raises(BadOption, match="its cell is"):
        seqgen.train(start="first", config="other.toml", out="third")


def test_counts_are_no_weights(words, in_tmp):
    counted = seqgen.train(words, model="ngram", out="counted")
    with pytest.raises(BadOption, match="its model counts"):
        seqgen.train(start=counted.path, out="more")


def test_no_such_run_and_no_checkpoint(first, cli):
    assert cli("train", "--from", "nowhere").code == 2
    shutil.rmtree(first.path / "checkpoints")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        seqgen.train(start=first.path)


def test_other_held_out_records_are_told(first):
    warned = []
    seqgen.train(start=first.path, out="same", steps=1, warn=warned.append)
    assert warned == []
    seqgen.train(start=first.path, out="split", steps=1, split="70/20/10", warn=warned.append)
    assert len(warned) == 1 and warned[0].startswith("other records are held out than in first")


# -- conditions


def test_conditions_stay_and_may_have_new_values(in_tmp):
    labelled = ["anna\tf", "bert\tm", "cara\tf", "dirk\tm", "elsa\tf", "fred\tm"] * 5
    (in_tmp / "people.tsv").write_text("\n".join(["text\tlabel", *labelled]))
    first = seqgen.train("people.tsv", label_field="label", condition="label", out="first", **SMALL)
    (in_tmp / "more.tsv").write_text("\n".join(["text\tlabel", *["anna\tf", "bello\tdog"] * 9]))
    second = seqgen.train("more.tsv", label_field="label", start="first", out="second", steps=2, lr=1e-8)
    assert second.vocabulary.conditions == ("label=f", "label=m", "label=dog")
    assert second.settings.conditions == ("label",) and second.sample(2, label="dog")
    places = places_in(second.vocabulary, first.vocabulary)
    weights = [run.model.state_dict()["embedding.weight"] for run in (first, second)]
    torch.testing.assert_close(weights[1][places], weights[0], atol=1e-5, rtol=0)
    (in_tmp / "plain.txt").write_text("anna\nbert\ncara\n" * 5)
    third = seqgen.train("plain.txt", start="first", out="third", steps=2)
    assert third.vocabulary.conditions == first.vocabulary.conditions and third.sample(2, label="m")


def test_one_long_text(in_tmp):
    (in_tmp / "text.txt").write_text("the cat sat on the mat; the dog did not. " * 60)
    (in_tmp / "other.txt").write_text("a bat! the cat sat on the bat! " * 60)
    options = {"batch_size": 4, "hidden": 12, "steps": 6}
    seqgen.train("text.txt", layout="stream", out="first", **options)
    second = seqgen.train("other.txt", start="first", out="second", steps=3)
    assert second.settings.corpus.layout == "stream" and len(second.vocabulary.tokenizer.symbols) == 17
    assert second.settings.train.batch_size == 4


# -- symbols


@given(st.text(max_size=20), st.text(max_size=20), st.lists(st.sampled_from("xyz"), unique=True))
def test_grown_symbols(known_text, text, values):
    known = Vocabulary(CharTokenizer.fit([known_text]), ("label=x", "cost=1"))
    tokens = with_values(known.conditions, {"label": values})
    wider = Vocabulary(grown(known.tokenizer, [text], {}), tokens)
    assert set(wider.tokenizer.symbols) == set(known_text) | set(text)
    assert tokens[0] == "label=x" and tokens[-1] == "cost=1" and set(tokens) == {*known.conditions, *(
        f"label={value}" for value in values)}  # fmt: skip
    places = places_in(wider, known)
    assert len(set(places)) == known.size and places[:3] == [0, 1, 2]
    assert [wider.conditions[place - 3] for place in places[3 : known.first]] == list(known.conditions)
    assert wider.decode(places[known.first :]) == known.decode(range(known.first, known.size))
    assert new_in(wider, known) == [
        *(token for token in tokens if token not in known.conditions),
        *(symbol for symbol in wider.tokenizer.symbols if symbol not in known_text),
    ]


@pytest.mark.parametrize("name", ["smiles", "abc", "word", "bpe", "selfies", "fields"])
def test_tokenizers_grow_or_stay(plugins, name):
    texts = {"smiles": ["CCO", "c1ccccc1"], "selfies": ["CCO"], "abc": ["X:1\nM:4/4\nK:C\nCDEF|"]}.get(name, ["a cat"])
    more = {"smiles": ["C[nH]Cl"], "selfies": ["CN"], "abc": ["X:1\nM:4/4\nK:D\n^Fgab|"]}.get(name, ["the bat ran"])
    make = plugins.registry.get("tokenizer", name).load()
    known = make.fit(texts)
    wider = grown(known, more, {})
    assert wider.n_symbols > known.n_symbols if name in ("smiles", "selfies", "fields") else wider is known
    if wider is not known:
        for text in more + texts:
            assert wider.decode(wider.encode(text)) == text
        places = places_in(Vocabulary(wider), Vocabulary(known))
        assert [wider.decode([place - 3]) for place in places[3:]] == [
            known.decode([symbol]) for symbol in range(known.n_symbols)
        ]


def test_bytes_need_no_growth():
    known = ByteTokenizer.fit(["a"])
    assert grown(known, ["ü"], {}) is known
    assert places_in(Vocabulary(known), Vocabulary(known)) == list(range(259))


def test_the_readme_says_how(cli):
    assert "--from" in (ROOT / "README.md").read_text() and "--from" in cli("train", "--help").out

"""How files are read: what a run, a cache or another file may not change in it."""

from __future__ import annotations

import importlib
import json
import sys

import pytest

import seqgen
from conftest import WORDS, plugins_with
from seqgen.api import encoded_corpus
from seqgen.api.config import resolve
from seqgen.config import TrainConfig
from seqgen.files.caches import _digest, code_digest

QUICK = {"steps": 1, "hidden": 4, "blend": "none", "warn": lambda line: None}


def texts_of(run, part="train"):
    return [record.text for record in run.corpus if run.settings.splitter.part(record) == part]


def test_learned_symbols_of_a_large_file_are_those_of_its_layout(in_tmp, monkeypatch):
    monkeypatch.setattr(encoded_corpus, "_IN_MEMORY", 100)
    (in_tmp / "words.txt").write_text("\n".join(WORDS) + "\n")
    found = [
        seqgen.train("words.txt", layout=layout, out=f"{number}", **QUICK).vocabulary.tokenizer.to_json()
        for number, layout in enumerate(["stream", "lines", "stream", "lines"])
    ]
    assert found[0] == found[2] != found[1] == found[3]


def test_held_out_files_of_a_registered_corpus_are_read_by_its_domain(in_tmp):
    (in_tmp / "more.smi").write_text("CCO ethanol\nCCN\tethylamine\n")
    (in_tmp / "table.csv").write_text("id,canonical_smiles\n1,CCCO\n2,CCCN\n")
    run = seqgen.train("smiles", valid="more.smi", test="table.csv", out="run", **QUICK)
    assert texts_of(run, "valid") == ["CCO", "CCN"] and texts_of(run, "test") == ["CCCO", "CCCN"]
    assert texts_of(seqgen.load("run"), "test") == ["CCCO", "CCCN"]


def test_held_out_tables_need_the_columns_of_the_corpus(in_tmp):
    rows = "".join(f"{n},C{'C' * n}O,{'ab'[n % 2]}\n" for n in range(12))
    (in_tmp / "train.csv").write_text(f"id,SMILES,Kind\n{rows}")
    settings = {"options": {"corpus.label_field": "Kind"}, "condition": "label", **QUICK}
    for heading, says in (
        ("kind,SMILES", "has no column 'Kind', and held-out records need the columns of the corpus; rename its column"),
        ("Kind,smiles", "has no column 'SMILES', .*; rename its column 'smiles'"),
        ("Kind,molecule", "has no column 'SMILES', .*; it has Kind, molecule"),
    ):
        (in_tmp / "test.csv").write_text(f"{heading}\nb,CCN\n")
        with pytest.raises(seqgen.UsageError, match=says):
            seqgen.train("train.csv", test="test.csv", out="run", **settings)
    (in_tmp / "test.csv").write_text("Kind,SMILES,ID\nb,CCN,3\n")
    said: list[str] = []
    named = settings | {"condition": "label,id", "warn": said.append}
    seqgen.train("train.csv", test="test.csv", out="lost", **named)
    assert "no test record has the condition 'id': is its column named so, and filled?" in said
    (in_tmp / "test.csv").write_text("Kind,SMILES\nb,CCN\n")
    run = seqgen.train("train.csv", test="test.csv", out="run", **settings)
    assert [(record.text, record.label) for record in run.records("test")] == [("CCN", "b")]


def test_held_out_files_of_one_long_text_are_read_as_they_are(in_tmp):
    (in_tmp / "more.smi").write_text("CCO\nCCN\n" * 20)
    run = seqgen.train("smiles", layout="stream", valid="more.smi", out="run", **QUICK)
    assert run.settings.corpus.parts["valid"] == len("CCO\nCCN\n" * 20)


@pytest.mark.parametrize("rows", [['{"smi": "CCO"}', '{"smi": "CCN", "note": "x"}'], ['{"smi": "CCO"}'] * 2])
def test_the_only_field_of_the_first_object_is_the_text(in_tmp, rows):
    (in_tmp / "a.jsonl").write_text("\n".join(rows))
    run = seqgen.train("a.jsonl", split="none", out="run", **QUICK)
    assert [record.text[:2] for record in run.corpus] == ["CC", "CC"]


def test_a_warm_start_on_a_file_of_the_same_kind_keeps_the_options_of_its_reader(in_tmp):
    game = '[White "Ada"]\n\n1. e4 e5 2. Nf3 Nc6 1-0\n\n' * 9
    (in_tmp / "games").mkdir()
    for name in ("games/a.pgn", "b.pgn"):
        (in_tmp / name).write_text(game)
    given = {**QUICK, "split": "none"}
    seqgen.train("games", options={"reader.numbers": False}, out="first", **given)
    del given["hidden"], given["blend"]
    run = seqgen.train("b.pgn", start="first", out="second", **given)
    assert next(iter(run.corpus)).text == "e4 e5 Nf3 Nc6 1-0"


def test_held_out_files_are_found_from_any_folder(in_tmp, monkeypatch):
    folder = in_tmp / "w[1]"
    folder.mkdir()
    (folder / "words.txt").write_text("\n".join(WORDS))
    (folder / "valid.txt").write_text("Ada\nZoe\n")
    monkeypatch.chdir(folder)
    (in_tmp / "test.txt").write_text("Eva\nIda\n")
    seqgen.train("words.txt", valid="v*.txt", test=f"file://{in_tmp}/test.txt", out="run", **QUICK)
    monkeypatch.chdir(in_tmp)
    run = seqgen.load(folder / "run")
    assert texts_of(run, "valid") == ["Ada", "Zoe"] and texts_of(run, "test") == ["Eva", "Ida"]


def test_a_path_that_is_given_as_an_option_is_found_from_any_folder(in_tmp, monkeypatch):
    (in_tmp / "words.txt").write_text("\n".join(WORDS))
    seqgen.train("file", options={"corpus.path": "words.txt"}, out="run", **QUICK)
    (in_tmp / "below").mkdir()
    monkeypatch.chdir(in_tmp / "below")
    assert len(list(seqgen.load(in_tmp / "run").corpus)) == len(WORDS)


def test_an_option_of_another_part_is_not_the_corpus_s(in_tmp):
    class Upper(seqgen.Tokenizer):
        @classmethod
        def fit(cls, texts, *, normalize: str = "none"):
            return cls()

    (in_tmp / "words.txt").write_text("\n".join(WORDS))
    spec = seqgen.TokenizerSpec(name="upper", summary="s", load=Upper)
    config = TrainConfig(corpus="words.txt", steps=1, tokenizer="upper", options={"tokenizer.normalize": "NFKC"})
    options = resolve(config, plugins_with(spec), None).options
    assert options["corpus"]["normalize"] == "none" and options["tokenizer"] == {"normalize": "NFKC"}
    config = TrainConfig(corpus="words.txt", steps=1, options={"normalize": "NFC"})
    assert resolve(config, plugins_with(spec), None).options["corpus"]["normalize"] == "NFC"


def test_options_of_a_reader_come_from_the_file_and_the_command(in_tmp, cli):
    (in_tmp / "run.toml").write_text("[reader]\nnumbers = false\n")
    (in_tmp / "games.pgn").write_text('[White "Ada"]\n\n1. e4 e5 2. Nf3 Nc6 1-0\n\n' * 12)
    small = (
        "--hidden",
        4,
        "--steps",
        1,
        "--split",
        "none",
        "--config",
        "run.toml",
        "-o",
        "reader.result=false",
        "--out",
        "run",
    )
    assert cli("train", "--corpus", "games.pgn", *small).code == 0
    assert {record.text for record in seqgen.load("run").corpus} == {"e4 e5 Nf3 Nc6"}


@pytest.mark.parametrize(("first", "second"), [("a.fasta", "b.txt"), ("b.txt", "a.fasta")])
def test_a_warm_start_reads_another_kind_of_file_as_it_is(in_tmp, first, second):
    (in_tmp / "a.fasta").write_text(">one\nACGT\nACGT\n>two\nGGCC\n" * 9)
    (in_tmp / "b.txt").write_text("ACGTACGT\nGGCC\n" * 9)
    seqgen.train(first, tokenizer="char", out="first", **QUICK)
    run = seqgen.train(second, start="first", out="second", **{name: QUICK[name] for name in ("steps", "warn")})
    assert {record.text for record in run.corpus} == {"ACGTACGT", "GGCC"}
    assert (run.settings.corpus.options["reader"] is not None) == second.endswith("fasta")


@pytest.mark.parametrize(
    ("name", "content", "texts", "fields"),
    [
        ("a.jsonl", '{"id": 1}\n{"id": 2, "text": "ab"}\n', None, "line 1: has no field 'text'"),
        ("a.csv", "\n \nid,text\n1,ab\n2,ba\n", ["ab", "ba"], {"id": "1"}),
        ("a.csv", ",text,\n1,ab,x\n2,ba,y\n", ["ab", "ba"], {}),
        ("a.csv", "\nsep=|\nid|text\n1|a,b\n2|ba\n", ["a,b", "ba"], {"id": "1"}),
    ],
)
def test_tables_that_are_not_tidy(in_tmp, name, content, texts, fields):
    (in_tmp / name).write_text(content)
    if texts is None:
        with pytest.raises(seqgen.CorpusError, match=fields):
            seqgen.train(name, split="none", out="run", **QUICK)
        return
    records = list(seqgen.train(name, split="none", out="run", **QUICK).corpus)
    assert [record.text for record in records] == texts and dict(records[0].fields) == fields


def test_values_of_json_are_written_as_json(in_tmp):
    rows = [{"a": "x", "b": True, "d": {"k": 1}}, {"a": "y", "b": False, "d": {"k": 2}}]
    (in_tmp / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = seqgen.train("a.jsonl", label_field="b", split="none", out="run", options={"fields": "a,b,d"}, **QUICK)
    record = next(iter(run.corpus))
    assert record.text == 'a=x\nb=True\nd={"k": 1}' and record.label == "True"


def test_a_digest_of_code_covers_the_modules_beside_it(in_tmp, monkeypatch):
    package = in_tmp / "mypart"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "how.py").write_text("X = 1\n")
    (package / "part.py").write_text("from mypart.how import X\n\n\nclass Part:\n    x = X\n")
    monkeypatch.syspath_prepend(in_tmp)
    part = importlib.import_module("mypart.part").Part
    before = code_digest(part)
    (package / "how.py").write_text("X = 2\n")
    _digest.cache_clear()  # a process keeps what it has imported
    assert before and code_digest(part) != before
    sys.modules.pop("mypart.part")


def test_cells_of_a_table_are_stripped_with_their_texts(in_tmp):
    (in_tmp / "a.csv").write_text("text, kind \n ab , HIGH\nba,HIGH\n" * 1)
    run = seqgen.train("a.csv", condition="kind", split="none", out="run", options={"strip": True}, **QUICK)
    assert run.vocabulary.conditions == ("kind=HIGH",) and texts_of(run) == ["ab", "ba"]
    loose = seqgen.train("a.csv", condition="kind", split="none", out="loose", **QUICK)
    with pytest.raises(seqgen.UsageError, match="no kind 'LOW'; known: ' HIGH', HIGH"):
        loose.sample(1, given={"kind": "LOW"})


def test_a_run_with_conditions_says_that_it_is_blended_with_repeats(in_tmp, cli):
    rows = "".join(f"{word}-{word}-{word},{'ab'[n % 2]}\n" for n, word in enumerate(WORDS * 6))
    (in_tmp / "a.csv").write_text("text,kind\n" + rows)
    small = ("--hidden", 8, "--steps", 60, "--repeats", "on", "--split", "60/40/0", "--out", "run")
    said = cli("train", "--corpus", "a.csv", "--condition", "kind", *small)
    assert "not blended with counts, which know no conditions" in said.err
    assert "blended with what a record repeats: " in said.err

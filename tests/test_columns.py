"""Columns and lines of a file that a domain recognizes: a column SMILES, and names after the texts of a .smi file."""

import json
import random
import textwrap

import pytest

import seqgen
from seqgen.api.corpora import _claimed
from seqgen.corpus import load_file
from seqgen.corpus.corpus import get_counts
from seqgen.errors import UsageError

SMALL = {"hidden": 4, "steps": 1}
SMILES = ["CCO", "CCN", "c1ccccc1", "CC(=O)O"]
NAMES = ["ethanol", "ethyl amine", "benzene", "acetic acid"]


def lines(template: str, times: int = 5) -> str:
    return "".join(template.format(*pair) for pair in zip(SMILES, NAMES, strict=True)) * times


FILES = {
    "tab.smi": lines("{0}\t{1}\n"),
    "space.smi": lines("{0} {1}\n"),
    "mixed.smiles": "CCO\nCCN \n  c1ccccc1\tbenzene\nCC(=O)O acetic acid\n" * 5,
    "upper.csv": "name,SMILES,logP\n" + lines("{1},{0},1.5\n"),
    "lower.csv": "id;smiles\n" + lines("{1};{0}\n"),
    "text-too.csv": "text,Canonical_SMILES\n" + lines("{1},{0}\n"),
    "blanks.csv": "ChEMBL ID;Canonical SMILES\n" + lines("{1};{0}\n"),
    "hyphens.csv": "id,isomeric-smiles\n" + lines("{1},{0}\n"),
    "tabs.tsv": "title\tSmiles\n" + lines("{1}\t{0}\n"),
    "rows.jsonl": "".join(json.dumps({"name": n, "smiles": s}) + "\n" for s, n in zip(SMILES, NAMES, strict=True)) * 5,
    "both.csv": "canonical_smiles,smiles\n" + lines("X,{0}\n"),
}


@pytest.mark.parametrize("name", FILES)
def test_molecules_are_found_in_a_file(in_tmp, name):
    (in_tmp / name).write_text(FILES[name])
    run = seqgen.train(name, out="run", split="none", **SMALL)
    assert run.settings.corpus.domain == "seqgen_smiles:smiles"
    assert run.settings.tokenizer.name == "seqgen_smiles:smiles"
    assert set(run.vocabulary.tokenizer.symbols) == set("CON()=c1")
    assert seqgen.load("run").evaluate(n=2)["valid"] >= 0  # reads the file again


@pytest.mark.parametrize(
    ("name", "asked", "domain", "symbol"),
    [
        ("upper.csv", {"text_field": "name"}, "text", "z"),
        ("upper.csv", {"text_field": "SMILES"}, "smiles", "("),
        ("upper.csv", {"domain": "text"}, "text", "z"),
        ("upper.csv", {"domain": "smiles", "text_field": "name"}, "smiles", "z"),
        ("upper.csv", {"options": {"corpus.fields": "name,SMILES"}}, "text", "\n"),
        ("upper.csv", {"label_field": "SMILES"}, "text", "z"),
        ("space.smi", {"domain": "text"}, "text", "z"),
        ("space.smi", {"options": {"trailing_names": False}}, "smiles", "z"),
        ("upper.csv", {"layout": "stream"}, "smiles", "("),
        ("space.smi", {"layout": "stream", "split": "none"}, "smiles", "z"),
    ],
)
def test_what_is_said_wins(in_tmp, name, asked, domain, symbol):
    (in_tmp / name).write_text(FILES[name])
    run = seqgen.train(name, out="run", **{**SMALL, **asked})
    assert run.settings.corpus.domain.endswith(f":{domain}")
    assert symbol in run.vocabulary.tokenizer.to_json()["symbols"]


def test_columns_of_a_domain_may_be_written_with_hyphens_and_blanks():
    spec = seqgen.DomainSpec(name="peptide", summary="s", source="none", columns=("peptide-seq", "peptide seq", "seq"))
    assert _claimed(spec, ["id", " SEQ ", "Peptide_Seq"]) == ["Peptide_Seq", " SEQ "]


def test_a_heading_as_a_comment_is_a_record_of_runs_that_learned_it(in_tmp):
    (in_tmp / "mine.smi").write_text("#SMILES Name\n" + FILES["mixed.smiles"])
    old = {"corpus.headings": ["smiles"], "corpus.trailing_names": True}
    run = seqgen.train("mine.smi", out="run", split="none", options=old, **SMALL)
    assert next(iter(run.corpus)).text == "#SMILES" and seqgen.load("run").evaluate(n=2)["valid"] >= 0


def test_names_are_fields_of_the_records(in_tmp):
    (in_tmp / "mine.smi").write_text(FILES["mixed.smiles"])
    run = seqgen.train("mine.smi", out="run", condition="name", **SMALL)
    assert run.vocabulary.conditions == ("name=acetic acid", "name=benzene")


def test_a_first_line_that_names_the_columns_as_a_comment_is_no_record(in_tmp):
    (in_tmp / "mine.smi").write_text("#SMILES Name\n" + FILES["mixed.smiles"])
    run = seqgen.train("mine.smi", out="run", split="none", **SMALL)
    assert run.settings.corpus.n_records == 20
    assert len(list(run.corpus)) == 20 and get_counts(run.corpus)["headings skipped"] == 1


def test_a_first_line_that_names_the_columns_is_no_record(in_tmp, cli):
    (in_tmp / "mine.smi").write_text("SMILES Name\n" + FILES["mixed.smiles"])
    run = seqgen.train("mine.smi", out="run", split="none", **SMALL)
    texts = [record.text for record in seqgen.load("run").corpus]
    assert "SMILES" not in texts and len(texts) == run.settings.corpus.n_records
    (in_tmp / "other.txt").write_text("smiles and tears\nanna\n")
    assert next(iter(seqgen.train("other.txt", out="other", split="none", **SMALL).corpus)).text == "smiles and tears"


def test_one_molecule_in_two_spellings_is_told(in_tmp):
    (in_tmp / "mine.smi").write_text("CCO\nOCC\nC(C)O\nCCO\nc1ccccc1\nC1=CC=CC=C1\nCCN\n" * 3)
    said: list[str] = []
    seqgen.train("mine.smi", warn=said.append, **SMALL)
    (line,) = [line for line in said if "spelling" in line]
    assert line.startswith("3 of the first 21 records repeat another in a different spelling: ")


def test_training_molecules_held_out_in_another_spelling_are_counted(in_tmp):
    (in_tmp / "mine.smi").write_text("CCO\nc1ccccc1\nCCN\nCCC\n" * 3)
    (in_tmp / "valid.smi").write_text("OCC\nCCCC\n")
    (in_tmp / "test.smi").write_text("OCC\nC1=CC=CC=C1\nNCC\nCCC\n")
    said: list[str] = []
    run = seqgen.train("mine.smi", valid="valid.smi", test="test.smi", warn=said.append, **SMALL)
    lines = [
        "1 of 4 test records stand in the training part too; losses on them say little",
        "1 of 2 validation records and 3 of 4 test records are training records in another spelling; "
        "losses on them say little",
    ]
    assert [line for line in said if "say little" in line] == lines
    assert [line for line in run.evaluate(2)["notes"] if "say little" in line] == lines


def test_a_validator_that_raises_does_not_stop_a_run_with_held_out_files(in_tmp):
    (in_tmp / "picky.py").write_text(
        "import seqgen\n\nclass Picky:\n    def validate(self, text):\n"
        "        if text == 'odd':\n            raise ValueError('odd')\n        return seqgen.Verdict(True)\n\n"
        "@seqgen.hookimpl\ndef register_validators(register):\n"
        "    register(seqgen.ValidatorSpec(name='picky', summary='s', source='t', load=Picky))\n"
        "@seqgen.hookimpl\ndef register_domains(register):\n"
        "    register(seqgen.DomainSpec(name='picky', summary='s', source='t', validator='picky'))\n"
    )
    (in_tmp / "mine.txt").write_text("".join(f"text {n}\n" for n in range(1100)))
    (in_tmp / "test.txt").write_text("odd\ntext 1\n")
    said: list[str] = []
    run = seqgen.train("mine.txt", domain="picky", test="test.txt", plugins=["picky.py"], warn=said.append, **SMALL)
    assert run.state["step"] == 1 and [line for line in said if line.startswith("1 of 2 test records stand in")]
    assert [line for line in said if line.startswith("other spellings of held-out records are not counted: ")]


def test_evaluate_counts_other_spellings_that_the_split_holds_out(in_tmp):
    (in_tmp / "mine.smi").write_text("".join(f"{'C' * n}O\nO{'C' * n}\n" for n in range(2, 32)))
    run = seqgen.train("mine.smi", split="50/0/50", **SMALL)
    test = run.settings.corpus.parts["test"]
    training = {run.canonical(record.text) for record in run.corpus if run.settings.splitter.part(record) == "train"}
    held_out = [record.text for record in run.corpus if run.settings.splitter.part(record) == "test"]
    n = sum(run.canonical(text) in training for text in held_out)
    (note,) = [line for line in run.evaluate(2)["notes"] if "spelling" in line]
    assert 0 < n < test and note.startswith(f"{n} of {test} test records are training records in another spelling")


@pytest.mark.full
def test_wrapped_lines_of_one_text_are_noticed(in_tmp):
    words = random.Random(0).choices(
        "the model reads records of one line each; it ends there. Then a new one".split(), k=900
    )
    (in_tmp / "book.txt").write_text("\n".join(textwrap.wrap(" ".join(words), 66)) + "\n")
    said: list[str] = []
    seqgen.train("book.txt", warn=said.append, **SMALL)
    assert any("--layout stream reads them as one long text" in line for line in said)
    said.clear()
    (in_tmp / "titles.txt").write_text(
        "".join(f"A title of some length, number {n} of very many titles\n" for n in range(99))
    )
    seqgen.train("titles.txt", warn=said.append, **SMALL)
    seqgen.train("book.txt", layout="stream", warn=said.append, **SMALL)
    assert not any("stream" in line for line in said)


@pytest.mark.full
def test_other_files_beside_it_are_read_as_they_are(cli, in_tmp):
    """Held-out files, further runs and references may be tables or lines, whatever the corpus is."""
    for name in ("upper.csv", "space.smi", "rows.jsonl"):
        (in_tmp / name).write_text(FILES[name])
    for number, (name, other) in enumerate((("upper.csv", "space.smi"), ("space.smi", "rows.jsonl"))):
        held_out = {"valid": other} if name.endswith(".csv") else {}
        run = seqgen.train(name, out=f"run-{number}", **held_out, **SMALL)
        assert set(run.vocabulary.tokenizer.symbols) == set("CON()=c1")
        begun = seqgen.train(other, start=f"run-{number}", out=f"begun-{number}", steps=1)
        assert begun.vocabulary.tokenizer.symbols == run.vocabulary.tokenizer.symbols
        assert run.evaluate(n=4, reference=other)
    shown = cli("show", "corpus", "upper.csv", "--json")
    assert shown.code == 0 and json.loads(shown.out)["shown"][0] == "CCO"
    assert json.loads(cli("show", "corpus", "space.smi", "--json").out)["symbols"].keys() == set("CON()=c1")


@pytest.mark.full
def test_fields_of_two_domains_are_asked_about(cli, in_tmp):
    (in_tmp / "two.csv").write_text("smiles,SELFIES\nCCO,[C][C][O]\n" * 1 + "CCN,[C][C][N]\n" * 9)
    train = ("train", "--corpus", "two.csv", "--hidden", 4, "--steps", 1, "-q", "--out")
    refused = cli(*train, "a")
    assert refused.code == 2 and "--domain seqgen_smiles:selfies or --domain seqgen_smiles:smiles" in refused.err
    for number, said in enumerate((("--domain", "selfies"), ("--text-field", "SELFIES"))):
        assert cli(*train, f"b{number}", *said).code == 0
        assert "[C]" in seqgen.load(f"b{number}").vocabulary.tokenizer.symbols


def test_a_broken_table_is_refused_where_it_is_read(cli, in_tmp):
    (in_tmp / "bad.jsonl").write_text('{"smiles": \n')
    refused = cli("train", "--corpus", "bad.jsonl", "--steps", 1)
    assert refused.code == 3 and "line 1: not JSON" in refused.err
    (in_tmp / "x.smi").write_text(FILES["space.smi"])
    option = cli("train", "--corpus", "x.smi", "--layout", "stream", "-o", "corpus.trailing_names=true", "--steps", 1)
    assert option.code == 2 and "trailing_names needs plain text with one record per line" in option.err


@pytest.mark.parametrize("columns", ["smiles", ("SMILES",), ("",), (3,)])
def test_columns_are_small_letters(columns):
    with pytest.raises(ValueError, match=r"columns=.* is not a tuple of lower-case names like \('smiles',\)"):
        seqgen.DomainSpec(name="x", summary="x", columns=columns)


def test_the_field_that_is_taken_for_the_text_is_named(in_tmp, cli):
    rows = "".join(f"a{n}na,k{n % 3},{n}\n" for n in range(40))
    (in_tmp / "fruit.csv").write_text(f"name,kind,size\n{rows}")
    run = ["--steps", 1, "--hidden", 4]
    assert "fruit: the field 'name' is the text\n" in cli("train", "--corpus", "fruit.csv", *run).err
    held_out = cli("train", "--corpus", "fruit.csv", "--valid-file", "fruit.csv", *run)
    assert "fruit: the field 'name' is the text" in held_out.err
    assert "is the text" not in cli("train", "--corpus", "fruit.csv", "--text-field", "kind", *run).err
    (in_tmp / "plain.txt").write_text("ana\nbob\n" * 20)
    both = cli("train", "--corpus", "plain.txt", "--corpus", "fruit.csv", *run)
    assert "plain+1: the field 'name' is the text, 1 file read as CSV" in both.err
    (in_tmp / "books.csv").write_text("title,year\n" + "emma,1815\nsula,1973\n" * 20)
    two = cli("train", "--corpus", "fruit.csv", "--corpus", "books.csv", *run)
    assert "fruit+1: the field 'title' or 'name' is the text" in two.err
    (in_tmp / "one.csv").write_text("name\n" + "anna\nbert\n" * 20)
    assert "is the text" not in cli("train", "--corpus", "one.csv", *run).err


def test_a_list_that_is_the_training_part_of_its_split_is_suspected(in_tmp, cli):
    (in_tmp / "all.txt").write_text("".join(f"{a}{b}na\n" for a in "abcdefghijklmnop" for b in "abcdefghijklmnop"))
    run = seqgen.train("all.txt", steps=1, hidden=4)
    (in_tmp / "part.txt").write_text("".join(f"{record.text}\n" for record in run.records("train")))
    line = "(no validation records: no early stopping); is it the training part of the same split?"
    result = cli("train", "--corpus", "part.txt", "--steps", 1, "--hidden", 4)
    assert line in result.err
    assert "the same split? -o split_seed=1 is another\n" in result.err
    for more in (["--split", "none"], ["-o", "split_seed=1"]):
        other = cli("train", "--corpus", "part.txt", "--steps", 1, "--hidden", 4, *more)
        assert other.code == 0 and "the same split" not in other.err


def test_objects_need_not_have_all_fields_from_the_first_on(in_tmp):
    (in_tmp / "cards.jsonl").write_text('{"name": "a", "cost": 1}\n{"name": "b", "rarity": "x", "kind": "k"}\n')
    records = list(load_file(path="cards.jsonl", fields="name,cost,rarity", label_field="kind"))
    assert [record.label for record in records] == [None, "k"]
    assert "rarity" in records[1].text and "rarity" not in records[0].text
    with pytest.raises(UsageError, match="has no field 'rarities'; did you mean 'rarity'"):
        list(load_file(path="cards.jsonl", fields="name,rarities"))

"""Lists of words, case ignored, and sampled rows written as tables."""

from __future__ import annotations

import csv
import json

import pytest

import seqgen
from seqgen.corpus import load_file


@pytest.fixture
def run(tiny_run):
    return tiny_run.path


def texts(cli, *arguments):
    result = cli("sample", *arguments)
    assert result.code == 0, result.err
    return result.out.splitlines()


def test_rows_hold_one_of_the_words_of_a_file_and_none_of_another(cli, run, tmp_path):
    (tmp_path / "any.txt").write_text("an\n\nel\nor\n")
    (tmp_path / "none.txt").write_text("\n".join(f"{first}{last}" for first in "bcdfgh" for last in "aeiou"))
    rows = texts(cli, run, "-n", 50, "--contains-file", tmp_path / "any.txt", "--avoid-file", tmp_path / "none.txt")
    assert len(rows) == 50 and all(any(word in row for word in ("an", "el", "or")) for row in rows)
    assert not any(f"{first}{last}" in row for row in rows for first in "bcdfgh" for last in "aeiou")


@pytest.mark.full
@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "parquet"])
def test_what_was_found_is_written_where_rows_are_too_few(cli, run, tmp_path, ending):
    if ending == "parquet":
        pyarrow = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'tables'")
    file, picture = tmp_path / f"few.{ending}", tmp_path / "few.svg"
    asked = ("sample", run, "-n", 50, "--contains", "abc", "--exact", "--effort", 3000)
    few = cli(*asked, "--out", file)
    assert few.code == 8 and "wrote " in few.err
    if ending == "parquet":
        rows = [seqgen.Record(text) for text in pyarrow.read_table(file)["text"].to_pylist()]
    else:
        rows = list(load_file(path=str(file)))
    assert 0 < len(rows) < 50 and all("abc" in row.text for row in rows)
    assert cli(*asked, "--picture", picture).code == 8 and picture.read_bytes()


def test_case_is_ignored_on_request(cli, run, tiny_run, tmp_path):
    (tmp_path / "any.txt").write_text("AN\n")
    assert cli("sample", run, "-n", 5, "--contains-file", tmp_path / "any.txt").code == 2
    rows = texts(cli, run, "-n", 30, "--contains-file", tmp_path / "any.txt", "--avoid", "E", "--ignore-case")
    assert all("an" in row.lower() and "e" not in row.lower() for row in rows)
    rows = [row.text for row in tiny_run.sample(30, contains_any=("AN", "O"), ends="A", ignore_case=True)]
    assert all(("an" in row or "o" in row) and row.endswith("a") for row in rows)


def test_texts_to_avoid_that_no_row_can_have_are_named(cli, run, tmp_path):
    assert cli("sample", run, "-n", 2, "--avoid", "an").err == ""
    found = cli("sample", run, "-n", 2, "--avoid", "an,er")
    assert found.code == 0 and found.err == (
        "--avoid: 'an,er' cannot occur, since no symbol of this run has ','; repeat --avoid for several texts\n"
    )
    (tmp_path / "list.csv").write_text("anna,f\nan\n")
    found = cli("sample", run, "-n", 2, "--avoid-file", tmp_path / "list.csv")
    assert "1 of 2 texts, such as 'anna,f', cannot occur" in found.err


def test_a_file_of_words_that_cannot_be_used_is_said(cli, run, tmp_path):
    (tmp_path / "empty.txt").write_text("\n\n")
    (tmp_path / "latin.txt").write_bytes("jörg\n".encode("latin-1"))
    for name, code, says in (
        ("empty.txt", 2, "it has none"),
        ("gone.txt", 2, "no such file"),
        ("latin.txt", 3, "which is not UTF-8; save it as UTF-8, a text a line"),
    ):
        result = cli("sample", run, "--avoid-file", tmp_path / name)
        assert result.code == code and says in result.err and result.err.count("\n") == 1, result.err


def read(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".csv", ".tsv"):
        return list(csv.DictReader(text.splitlines(), delimiter="\t" if path.suffix == ".tsv" else ","))
    return json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".json", ".CSV"])
def test_rows_are_written_with_columns_by_the_ending(ending, cli, run, tiny_run, tmp_path):
    out = tmp_path / f"rows{ending}"
    assert cli("sample", run, "-n", 20, "--seed", 5, "--out", out).code == 0
    rows = read(out.rename(out.with_suffix(ending.lower())))
    known = tiny_run.describe(tiny_run.sample(20, seed=5))
    assert list(rows[0]) == ["row", "text", "cut", "bits_per_char", "where"]
    assert [row["text"] for row in rows] == [row["text"] for row in known]
    assert [str(row["where"]) for row in rows] == [row["where"] for row in known]
    assert [float(row["bits_per_char"]) for row in rows] == pytest.approx([row["bits_per_char"] for row in known])


def test_what_was_given_is_a_column(cli, tmp_path, in_tmp):
    (tmp_path / "people.csv").write_text("text,label\n" + "".join(f"name{n},{'ab'[n % 2]}\n" for n in range(60)))
    run = seqgen.train(tmp_path / "people.csv", cell="vanilla", hidden=8, steps=5, condition="label", out="people")
    assert cli("sample", run.path, "-n", 3, "--label", "b", "--out", "rows.csv").code == 0
    rows = read(tmp_path / "rows.csv")
    assert [row["label"] for row in rows] == ["b"] * 3
    known = run.describe(run.sample(3, label="b"), given={"label": "b"})
    assert [float(row["bits_per_char"]) for row in rows] == pytest.approx([row["bits_per_char"] for row in known])
    line = json.loads(texts(cli, run.path, "-n", 1, "--label", "a", "--json")[0])
    assert line["label"] == "a" and line["where"] in ("train", "valid", "test", "new") and line["bits_per_char"] > 0


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_condition_called_as_another_column_does_not_replace_it(ending, cli, in_tmp):
    (in_tmp / "odd.csv").write_text("name,row,text\n" + "".join(f"a{n}na,{n % 2},t{n % 3}\n" for n in range(60)))
    seqgen.train("odd.csv", text_field="name", cell="vanilla", hidden=8, steps=3, condition="row,text", out="odd")
    asked = ("sample", "odd", "-n", 3, "--given", "row=1", "--given", "text=t1")
    lines = [json.loads(line) for line in texts(cli, *asked[1:], "--json")]
    assert [line["row"] for line in lines] == [0, 1, 2] and "t1" not in {line["text"] for line in lines}
    assert {(line["given.row"], line["given.text"]) for line in lines} == {("1", "t1")}
    result = cli(*asked, "--out", f"rows.{ending}")
    assert result.code == 0, result.err
    if ending != "parquet":
        found = [record.text for record in load_file(path=f"rows.{ending}", text_field="text")]
        assert found == [line["text"] for line in lines]


def test_a_file_is_not_overwritten_unless_that_is_said(cli, run, tmp_path):
    out = tmp_path / "mine.txt"
    out.write_text("PRECIOUS\n")
    result = cli("sample", run, "--out", out)
    assert result.code == 2 and "--force" in result.err and result.err.count("\n") == 1
    assert out.read_text() == "PRECIOUS\n"
    assert cli("sample", run, "-n", 3, "--out", out, "--force").code == 0
    assert len(out.read_text().splitlines()) == 3


def test_a_missing_folder_is_said_before_the_work(cli, run, tmp_path):
    for command in (
        ("sample", run, "--out", tmp_path / "no" / "x.txt"),
        ("sample", run, "--picture", tmp_path / "no" / "x.svg"),
        ("evaluate", run, "-n", 5, "--html", tmp_path / "no" / "x.html"),
    ):
        result = cli(*command)
        assert result.code == 7 and "there is no folder" in result.err and result.err.count("\n") == 1, result.err
    (tmp_path / "here").mkdir()
    for command in (
        ("sample", run, "--workers", 2, "--out"),
        ("sample", run, "--picture"),
        ("evaluate", run, "--html"),
    ):
        result = cli(*command, tmp_path / "here")
        assert result.code == 7 and "it is a folder; name a file in it" in result.err and result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("rows.xlsx", "give a .csv"),
        ("rows.docx", "give a .txt"),
        ("rows.txt.gz", "pack the file"),
        ("rows.html", "seqgen export page"),
        ("rows.mid", "--picture FILE.mid"),
    ],
)
def test_other_kinds_of_files_are_refused_before_anything_is_sampled(name, hint, cli, run, tmp_path):
    result = cli("sample", run, "--out", tmp_path / name)
    assert result.code == 2 and f"not written as .{name.rpartition('.')[2]}; " in result.err and hint in result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.full
def test_too_few_rows_are_written_with_columns_too(cli, run, tmp_path):
    result = cli("sample", run, "-n", 5, "--unique", "-t", 0, "--out", tmp_path / "few.csv")
    assert result.code == 8 and len(read(tmp_path / "few.csv")) == 1
    result = cli("sample", run, "-n", 5, "--unique", "-t", 0, "--json")
    assert result.code == 8 and len(result.out.splitlines()) == 1
    result = cli("sample", run, "-n", 5, "--unique", "-t", 0, "--out", tmp_path / "few.json")
    assert result.code == 8 and len(read(tmp_path / "few.json")) == 1

"""Records from JSON, CSV and TSV files, gzipped or not."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seqgen
from seqgen.api.corpora import open_corpus
from seqgen.corpus import load_file
from seqgen.corpus.corpus import get_counts
from seqgen.corpus.readers import REPLACED
from seqgen.errors import BadOption, CorpusError, UsageError
from seqgen.registry import Entry

VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ROWS = st.lists(st.fixed_dictionaries({"name": VALUES, "kind": VALUES, "cost": VALUES}), max_size=8)


def records(path, **options):
    return list(load_file(path=str(path), **options))


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@given(rows=ROWS)
def test_json_lines_and_separated_values_hold_the_same(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    made = {"jsonl": "".join(json.dumps(row) + "\n" for row in rows)}
    for form, delimiter in (("csv", ","), ("tsv", "\t")):
        text = io.StringIO()
        writer = csv.DictWriter(text, ("name", "kind", "cost"), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
        made[form] = text.getvalue()
    wanted = [
        (row["name"], row["kind"] or None, {"cost": row["cost"]} if row["cost"] else {})  # an empty value is none
        for row in rows
        if row["name"].strip()
    ]
    for form, text in made.items():
        path = folder / f"rows.{form}"
        path.write_bytes(text.encode())
        found = records(path, text_field="name", label_field="kind")
        assert [(record.text, record.label, record.fields) for record in found] == wanted
        packed = folder / f"rows.{form}.gz"
        packed.write_bytes(gzip.compress(text.encode()))
        assert records(packed, text_field="name", label_field="kind") == found


def test_gzipped_text_is_text(tmp_path):
    path = tmp_path / "words.gz"
    path.write_bytes(gzip.compress(b"anna\nben\n"))
    assert [record.text for record in records(path)] == ["anna", "ben"]
    path.write_bytes(gzip.compress(b"anna\nben\n" * 99)[:-12])
    with pytest.raises(CorpusError, match="damaged gzip"):
        records(path)


def test_the_text_is_the_only_field_or_one_with_a_usual_name(tmp_path):
    assert [r.text for r in records(write_jsonl(tmp_path / "a.jsonl", ["x", "y"]))] == ["x", "y"]
    assert [r.text for r in records(write_jsonl(tmp_path / "b.jsonl", [{"word": "x"}]))] == ["x"]
    assert [r.text for r in records(write_jsonl(tmp_path / "c.jsonl", [{"id": 1, "title": "x"}]))] == ["x"]
    assert records(write_jsonl(tmp_path / "d.jsonl", [{"id": 1, "title": "x"}]))[0].fields == {"id": 1}
    nested = write_jsonl(tmp_path / "n.jsonl", [{"text": {"name": "Jörg", "of": [1, None]}}, {"text": 3}])
    assert [r.text for r in records(nested)] == ['{"name": "Jörg", "of": [1, null]}', "3"]
    (tmp_path / "bars.csv").write_text("id|text\n1|a,b\n")
    assert [r.text for r in records(tmp_path / "bars.csv")] == ["a,b"]
    with pytest.raises(UsageError, match="--text-field NAME, or -o text_field=NAME; it has a, b"):
        records(write_jsonl(tmp_path / "e.jsonl", [{"a": 1, "b": 2}]))


def test_fields_make_a_text_of_lines(tmp_path):
    rows = [{"name": "Ice", "cost": 2, "text": "a\nb"}, {"name": "Fire", "cost": None, "text": ""}]
    found = records(write_jsonl(tmp_path / "cards.jsonl", rows), fields="cost,name, text")
    assert [record.text for record in found] == ["cost=2\nname=Ice\ntext=a b", "name=Fire"]
    assert found[0].fields == {"cost": 2, "name": "Ice", "text": "a\nb"}


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("a.jsonl", b'{"text": "x"}\n\n{"text": \n', {}, "line 3: not JSON"),
        ("a.jsonl", b"[1]\n", {}, "line 1: '1' is neither an object nor a string"),
        ("a.jsonl", b'{"text": "x"}\n{"other": "x"}\n', {}, "line 2: has no field 'text'"),
        (
            "a.csv",
            b"a,b\n1,2\n1\n",
            {"text_field": "a"},
            "line 3: 1 field, but the first row names 2: '1'; a row has a comma",
        ),
        ("a.csv", b"name,town\nThe Lion,Bath,UK\n", {}, "2: 'The Lion,Bath,UK'; a text with a comma stands in double"),
        ("a.csv", b"name\nThe Lion, Bath\n", {}, "with a comma stands.*; if this is plain text, -o corpus.form=text"),
        ("a.tsv", b"a\tb\n1\t2\t3\n", {"text_field": "a"}, "a text with a tab stands in double quotes"),
        ("a.csv", b"a,b\n1,\xff\n", {"text_field": "a"}, "line 2: byte 3 of the line"),
        (
            "a.csv",
            b'a,b\n1,"2\n',
            {"text_field": "a"},
            "line 2: a quote opened here is not closed; inside a text",
        ),
        (
            "a.csv",
            b'name\n"Heroes" by Bowie\n',
            {},
            "line 2: a closing quote is not followed by the end of the field; inside",
        ),
        ("a.csv", b'a,b\n\n1,"2\n3,4\n5,6', {"text_field": "a"}, "line 3: a quote opened here is not closed"),
        ("a.csv", b'a,b\n1,"2\n3"\n4\n', {"text_field": "a"}, "line 4: 1 field, but"),
        ("a.csv", b"sep=;\r\na;a\r\n", {"text_field": "a"}, "line 2: 2 columns are named 'a'"),
        ("a.csv", b"sep=;\na;b\n1\n", {"text_field": "a"}, "line 3: 1 field, but"),
    ],
)
def test_complaints_name_the_line(tmp_path, name, content, options, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        records(path, **options)


def test_what_is_asked_must_be_there(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"name": "x", "cost": 1}])
    for options, message in [
        ({"text_field": "nam"}, "no field 'nam'; did you mean 'name'"),
        ({"text_field": "name", "label_field": "zzz"}, "no field 'zzz'"),
        ({"fields": "name,kost"}, "no field 'kost'"),
    ]:
        with pytest.raises(UsageError, match=message):
            records(path, **options)
    with pytest.raises(BadOption, match="exclude each other"):
        records(path, fields="name", text_field="name")
    plain = tmp_path / "a.txt"
    plain.write_text("x\n")
    with pytest.raises(BadOption, match="plain text"):
        records(plain, label_field="name")


@pytest.mark.full
def test_a_run_from_json_knows_labels_and_its_held_out_file(cli, in_tmp):
    rows = [
        {"word": word, "kind": kind} for word in ("anna", "berta", "carla") for kind in ("a", "b") for _ in range(9)
    ]
    write_jsonl(in_tmp / "train.jsonl", rows)
    write_jsonl(in_tmp / "valid.jsonl", [{"word": "clara", "kind": "b"}])
    result = cli(
        "train", "--corpus", "train.jsonl",
        "--valid-file", "valid.jsonl", "--text-field", "word", "--label-field", "kind",
        "--condition", "label", "--cell", "vanilla", "--hidden", 8, "--steps", 3, "--out", "run",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert cli("sample", "run", "--label", "b", "-n", 3).code == 0
    result = cli("sample", "run", "--label", "c")
    assert (result.code, result.err) == (2, "seqgen: no label 'c'; known: a, b\n")
    assert cli("resume", "run").code == 0 and cli("evaluate", "run", "-n", 9).code == 0
    shown = cli("show", "corpus", "train.jsonl", "-o", "text_field=word", "-o", "label_field=kind")
    assert shown.code == 0 and "a 27, b 27" in shown.out


def test_held_out_files_are_read_with_the_options_of_a_file_and_of_nothing_else(tmp_path):
    """Another corpus may have an option that is called as one of files is, and means something else."""

    def load(*, form: str = "short"):
        return [seqgen.Record(form)]

    (tmp_path / "held.txt").write_text("one\ntwo\n")
    spec = seqgen.CorpusSpec(name="forms", summary="s", source="t", licence="l", load=load)
    corpus = open_corpus(Entry("forms", spec), {"form": "long"}, valid=tmp_path / "held.txt")
    assert [(record.text, record.split) for record in corpus] == [("long", "train"), ("one", "valid"), ("two", "valid")]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_what_separates_fields_is_seen_from_the_first_row(tmp_path, separator, mark):
    rows = [["the name, first; then", "kind"], ["anna, or so", "f"], ["b;c\td", "m"]]
    text = "\n".join(separator.join(f'"{cell}"' for cell in row) for row in rows)
    (tmp_path / "rows.csv").write_text(mark + text)
    found = records(tmp_path / "rows.csv", text_field=rows[0][0], label_field="kind")
    assert [(record.text, record.label) for record in found] == [("anna, or so", "f"), ("b;c\td", "m")]


def test_two_fields_of_one_name_are_refused(tmp_path):
    (tmp_path / "rows.csv").write_text("smiles,id,smiles\nC,1,CC\n")
    with pytest.raises(CorpusError, match="line 1: 2 columns are named 'smiles'"):
        records(tmp_path / "rows.csv")
    (tmp_path / "rows.csv").write_text("name,,\nanna,,\n")  # as spreadsheets write empty columns
    assert [record.text for record in records(tmp_path / "rows.csv")] == ["anna"]


@pytest.mark.parametrize("text", ['[\n  {"name": "anna"}\n]\n', '[{"name": "anna"}]'])
def test_a_json_file_holds_an_array_or_an_object_per_line(tmp_path, text):
    (tmp_path / "rows.json").write_text(text)
    assert [record.text for record in records(tmp_path / "rows.json")] == ["anna"]
    (tmp_path / "rows.json").write_text('{"name": "anna"}\n')
    assert [record.text for record in records(tmp_path / "rows.json")] == ["anna"]


def test_a_file_that_is_one_object_is_called_that(tmp_path):
    path, game = tmp_path / "game.json", {"game": "Elfwars", "year": 1, "cards": [{"text": "a"}, {"text": "b"}]}
    path.write_text(json.dumps(game, indent=1))
    with pytest.raises(CorpusError, match="one object, not a list of records; a list stands in it under 'cards'"):
        records(path)
    path.write_text(json.dumps(game))
    with pytest.raises(UsageError, match="a list of objects stands in it under 'cards': save that alone"):
        records(path)
    path.write_text(json.dumps({"items": game["cards"]}))
    with pytest.raises(UsageError, match="a list of objects stands in it under 'items': save that alone"):
        records(path)
    path.write_text(json.dumps({"pubs": ["The Crown", "The Bell"]}, indent=1))
    with pytest.raises(CorpusError, match="a list stands in it under 'pubs': save that alone"):
        records(path)
    path.write_text(json.dumps({"pubs": ["The Crown", "The Bell"]}))
    with pytest.raises(UsageError, match=r"it is one object.*; a list of strings stands in it under 'pubs': save that"):
        records(path)
    path.write_text(json.dumps({"text": "an article", "authors": game["cards"]}))
    assert [record.text for record in records(path)] == ["an article"], "a record a file"
    path.write_text(json.dumps({"1": {"text": "a"}, "2": {"text": "b"}}, indent=1))
    with pytest.raises(CorpusError, match="one object, not a list of records; save the list of its records alone"):
        records(path)
    path.write_text('{"text": "a", "tags": ["x", "y"]}\n')
    assert [record.text for record in records(path)] == ["a"]


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_a_list_is_not_taken_as_a_text(tmp_path, form):
    path, row = tmp_path / f"rows.{form}", {"pubs": ["The Crown", "The Bell"], "tags": ["x", "y"]}
    path.write_text(json.dumps(row) if form == "jsonl" else json.dumps([row]))
    with pytest.raises(CorpusError, match=r"line 1: field 'pubs' holds a list.*\['The Crown.*; save that list alone"):
        records(path, text_field="pubs")
    more = [row | {"pubs": "The Lion"}, row]
    path.write_text("\n".join(map(json.dumps, more)) if form == "jsonl" else json.dumps(more, indent=None))
    with pytest.raises(CorpusError, match=r"line .: field 'pubs' holds a list.*; write each of its items as a record"):
        records(path, text_field="pubs")
    with pytest.raises(UsageError, match=r"it has pubs, tags$"):
        records(path)
    assert records(path, fields="tags")[0].text == 'tags=["x", "y"]'


@pytest.mark.parametrize("columns", [["name", "kind"], ["name"], ["first"]])
def test_an_object_of_columns_is_no_record(columns, tmp_path):
    path, by_row = tmp_path / "rows.json", {"0": "anna", "1": "ben"}
    path.write_text(json.dumps(dict.fromkeys(columns, by_row)))  # as to_json() of pandas writes it
    with pytest.raises(CorpusError, match=r"holds an object, not a text, .*; save a list of rows, .* orient='records'"):
        records(path)
    path.write_text(json.dumps([dict.fromkeys(columns, by_row)] * 2))
    assert [one.text for one in records(path)] == [json.dumps(by_row)] * 2


@pytest.mark.parametrize(("first", "counts"), [("anna", {"row taken as the heading: 'anna'": 1}), ("name", {})])
def test_a_heading_that_may_be_a_record_is_counted(first, counts, tmp_path):
    (tmp_path / "list.csv").write_text(f"{first}\nben\ncarl\n")
    source = load_file(path=str(tmp_path / "list.csv"))
    assert [record.text for record in source] == ["ben", "carl"] and get_counts(source) == counts
    chosen = load_file(path=str(tmp_path / "list.csv"), text_field=first)
    assert len(list(chosen)) == 2 and get_counts(chosen) == {}


def test_a_heading_amid_the_rows_is_no_record(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"name,kind\nanna,f\r\nname,kind\r\nben,m\nname,m\n")  # as cat joins two files
    source = load_file(path=str(tmp_path / "a.csv"))
    assert [record.text for record in source] == ["anna", "ben", "name"]
    assert get_counts(source) == {"rows that repeat the names of the columns skipped": 1}
    (tmp_path / "b.csv").write_text("name\nanna\nname\n")  # a list of words may hold this one
    assert [record.text for record in records(tmp_path / "b.csv")] == ["anna", "name"]


def test_what_was_replaced_in_an_array_is_counted(tmp_path):
    (tmp_path / "rows.json").write_bytes(b'[{"name": "ann\xff"}, {"name": "ben"}]')
    source = load_file(path=str(tmp_path / "rows.json"), encoding_errors="replace")
    assert [record.text for record in source] == ["ann\N{REPLACEMENT CHARACTER}", "ben"]
    assert get_counts(source) == {REPLACED: 1}


def test_names_of_fields_can_be_told_apart_and_rows_without_label_are_counted(tmp_path):
    (tmp_path / "rows.csv").write_text('"a, b";id;kind\nanna;1;f\nben;2;\n')
    heading = "the first row names the columns; if it is a record, put names above it"
    with pytest.raises(UsageError, match=rf"it has 'a, b', id, kind \({heading}\)$"):
        records(tmp_path / "rows.csv")
    source = load_file(path=str(tmp_path / "rows.csv"), text_field="a, b", label_field="kind")
    assert [record.label for record in source] == ["f", None]
    assert get_counts(source) == {"rows without label kept": 1}


@pytest.mark.parametrize("text", ["name\na;b\n", '"name;kind"\n"a;b"\n'])
def test_one_field_may_hold_any_separator(tmp_path, text):
    (tmp_path / "rows.csv").write_text(text)
    assert [record.text for record in records(tmp_path / "rows.csv")] == ["a;b"]


def test_a_first_row_that_is_no_row_is_told_by_its_place(tmp_path):
    (tmp_path / "rows.csv").write_text('"name"x;kind\nanna;f\n')
    with pytest.raises(CorpusError, match="line 1: "):
        records(tmp_path / "rows.csv", text_field="name")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_line_that_tells_excel_what_separates_fields_is_heeded(tmp_path, separator):
    (tmp_path / "rows.csv").write_text(f"\ufeffsep={separator}\r\nname{separator}kind\r\nanna{separator}f")
    (record,) = records(tmp_path / "rows.csv", text_field="name", label_field="kind")
    assert (record.text, record.label) == ("anna", "f")
    (tmp_path / "rows.csv").write_text("sep=\nanna\n")  # a name like others
    assert [record.fields for record in records(tmp_path / "rows.csv", text_field="sep=")] == [{}]


def test_what_the_line_for_excel_says_holds_against_what_the_first_row_looks_like(tmp_path):
    (tmp_path / "rows.csv").write_text("sep=;\na,b,c;kind\nanna;f\n")
    assert [record.text for record in records(tmp_path / "rows.csv", text_field="a,b,c")] == ["anna"]


def test_the_separator_of_a_long_first_row_does_not_depend_on_what_was_read_before(tmp_path):
    before = csv.field_size_limit(131_072)
    try:
        (tmp_path / "a.csv").write_text(f"text;{'x' * 200_000}\nanna;1\n")
        assert [one.text for one in records(tmp_path / "a.csv", max_line_chars=300_000)] == ["anna"]
    finally:
        csv.field_size_limit(before)


@pytest.mark.parametrize("fields", [",", "a,,b", "a,", "", " "])
def test_an_empty_name_among_the_fields_is_refused(tmp_path, fields):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadOption, match="with an empty name"):
        records(tmp_path / "a.csv", fields=fields)


def test_long_items_of_an_array_are_not_skipped(tmp_path):
    (tmp_path / "a.json").write_text('["anna", "a name that is long"]')
    with pytest.raises(BadOption, match=r"cannot skip long lines of .*: it is one JSON array"):
        records(tmp_path / "a.json", max_line_chars=10, long_lines="skip")
    (tmp_path / "a.json").write_text('"anna"\n"a name that is long"\n')
    assert [one.text for one in records(tmp_path / "a.json", max_line_chars=10, long_lines="skip")] == ["anna"]


@pytest.mark.parametrize("separator", [",", "\t"])
def test_a_text_of_many_lines_is_no_longer_than_a_line(separator, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f'text{separator}n\nanna{separator}1\n"ben\n' + "carl\n" * 30 + f'dora"{separator}2\n')
    assert [len(one.text) for one in records(path, max_line_chars=158)] == [4, 158]
    with pytest.raises(
        CorpusError, match=r"line 3: it has 158 characters, more than 157; .*=N allows longer ones, or the"
    ):
        records(path, max_line_chars=157)


@pytest.mark.parametrize(
    ("content", "n"),
    [
        ('text\tlabel\n"Come here,\tA\nand stay."\tB\nplain\tC\n"Now,\tA\r\ngo."\tB\n', 2),
        ('text\tlabel\n"Come here,\nand stay."\tB\n', 0),
        ('text\n"Come here,\nand stay."\n', 0),
    ],
)
def test_rows_that_quotes_join_to_one_are_counted(content, n, tmp_path):
    (tmp_path / "a.tsv").write_bytes(content.encode())
    source = load_file(path=str(tmp_path / "a.tsv"))
    assert len(list(source)) == content.count("\n") - 1 - content.count(",")
    found = {name: n for name, n in get_counts(source).items() if "quotes" in name}
    line = f"rows whose quotes join lines that look like rows, first in {str(tmp_path / 'a.tsv')!r}, line 2"
    assert found == ({line: n} if n else {})

from __future__ import annotations

import datetime
import io
import json
import sys
import zipfile
from pathlib import Path

import pytest

import seqgen

pytest.importorskip("seqgen_tables")
from seqgen_tables import excel
from seqgen_tables.parquet import ParquetReader

TINY = ("--cell", "vanilla", "--hidden", 4, "--steps", 5, "--split", "none", "-o", "samples=1")


def cell(column, row, value):
    place = f"{chr(65 + column)}{row}"
    if value is None:
        return ""
    if isinstance(value, float | int):
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'


def sheet(rows):
    cells = ["".join(cell(at, n, value) for at, value in enumerate(row)) for n, row in enumerate(rows, 1)]
    data = "".join(f'<row r="{n}">{row}</row>' for n, row in enumerate(cells, 1))
    return f"{excel._SHEET.split('<sheetData>')[0]}<sheetData>{data}</sheetData></worksheet>"


def workbook(sheets):
    """A workbook of sheets, each a list of rows."""
    file, parts = io.BytesIO(), dict(excel._PARTS)
    for part, begin in (("xl/workbook.xml", "<sheet "), ("xl/_rels/workbook.xml.rels", "<Relationship ")):
        before, rest = parts[part].split(begin, 1)
        one, after = rest.split("/>", 1)
        many = ""
        for n, name in enumerate(sheets, 1):
            mine = one.replace("people", name).replace('sheetId="1"', f'sheetId="{n}"').replace("sheet1", f"sheet{n}")
            many += begin + mine.replace('d="r"', f'd="r{n}"') + "/>"
        parts[part] = before + many + after
    for n, rows in enumerate(sheets.values(), 1):
        parts[f"xl/worksheets/sheet{n}.xml"] = sheet(rows)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return file.getvalue()


PEOPLE = [["name", "kind", "n", None], ["Ada", "f", 1, "no name"], [None, "m", 2.5, None], [], ["Ben", None, 3]]


def texts(path):
    return [(record.text, record.label, dict(record.fields)) for record in seqgen.load(path).corpus]


@pytest.mark.full
def test_a_workbook_is_read(cli, in_tmp):
    Path("a.xlsx").write_bytes(workbook({"first": PEOPLE, "2nd": [["title"], ["Countess"]]}))
    trained = cli("train", "--corpus", "a.xlsx", "--label-field", "kind", *TINY, "--out", "run")
    assert trained.code == 0 and "1 row without text skipped" in trained.err, trained.err
    assert texts("run") == [("Ada", "f", {"n": 1}), ("Ben", None, {"n": 3})]
    for sheet in ("2nd", "2"):
        shown = cli("show", "corpus", "a.xlsx", "-o", f"reader.sheet={sheet}")
        assert shown.code == 0 and "Countess" in shown.out, shown.err
    with zipfile.ZipFile("all.zip", "w") as archive:
        archive.write("a.xlsx", "in/a.xlsx")
    for path, place in (("a.xlsx", "a.xlsx"), ("all.zip", "all.zip/in/a.xlsx")):
        missing = cli("show", "corpus", path, "-o", "reader.sheet=third")
        assert missing.code == 3 and f"{place}': it has no sheet 'third'; it has first, 2nd" in missing.err
    content = Path("a.xlsx").read_bytes()
    for cut in (100, len(content) // 2, len(content) - 30):
        Path("b.xlsx").write_bytes(content[:cut])
        damaged = cli("train", "--corpus", "b.xlsx", *TINY)
        assert damaged.code == 3 and "b.xlsx': it is damaged: " in damaged.err, damaged.err
    Path("c.xlsx").write_bytes(workbook({"first": [["a", "a"], [1, 2]]}))
    twice = cli("train", "--corpus", "c.xlsx", *TINY)
    assert twice.code == 3 and "2 columns are named 'a'" in twice.err


@pytest.mark.parametrize("name", ["²", "0", "9" * 5000])
def test_a_sheet_that_is_none_does_not_make_a_workbook_damaged(name):
    pytest.importorskip("python_calamine")
    file = workbook({"first": PEOPLE, "²nd": [["title"]]})
    with pytest.raises(seqgen.CorpusError, match=f"^it has no sheet '{name}'; it has first, ²nd$"):
        list(excel.ExcelReader(sheet=name).read(io.BytesIO(file)))


@pytest.mark.parametrize("name", ["", "1", "01", "²"])
def test_a_sheet_is_found_by_its_name_or_number(name):
    pytest.importorskip("python_calamine")
    sheets = {"²" if name == "²" else "first": [["n"], [1e300], [2.0**53], [2.0**53 - 1], [-3.0]], "last": [["title"]]}
    cells = [row["n"] for row in excel.ExcelReader(sheet=name).read(io.BytesIO(workbook(sheets)))]
    assert list(map(repr, cells)) == ["1e+300", "9007199254740992.0", "9007199254740991", "-3"]


@pytest.mark.parametrize("first", ["Ann", "Names of 2020", "name"])
def test_the_first_row_of_a_sheet_that_may_be_no_name_is_reported(first, cli, in_tmp):
    Path("a.xlsx").write_bytes(workbook({"people": [[first], ["Ben"], ["Cid"]]}))
    shown = json.loads(cli("show", "corpus", "a.xlsx", "--json").out)
    found = {f"column taken as the text: {first!r}": 1} if first != "name" else {}
    assert shown["records"] == 2 and shown["skipped_or_changed"] == found
    chosen = json.loads(cli("show", "corpus", "a.xlsx", "--text-field", first, "--json").out)
    assert chosen["records"] == 2 and chosen["skipped_or_changed"] == {}


def write_parquet(path, columns, **options):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    parquet.write_table(pyarrow.table(columns), path, **options)


def test_bytes_of_a_parquet_file_are_text(cli, in_tmp):
    """Some writers do not say of a column that it is text."""
    write_parquet("a.parquet", {"text": [b"Ada", "Zoë".encode(), b"Ben"] * 9, "image": [b"\xff\xd8"] * 27})
    trained = cli("train", "--corpus", "a.parquet", *TINY, "--out", "run")
    assert trained.code == 0, trained.err
    assert {text for text, *_ in texts("run")} == {"Ada", "Zoë", "Ben"}
    refused = cli("show", "corpus", "a.parquet", "--text-field", "image")
    assert refused.code == 3 and "row 1: field 'image' holds bytes that UTF-8 cannot decode" in refused.err


def test_bytes_within_lists_of_a_parquet_file_are_text(tmp_path):
    pa = pytest.importorskip("pyarrow")
    columns = {
        "tags": pa.array([[b"a", "ë".encode(), b"\xff", None], None], pa.list_(pa.binary())),
        "both": pa.array([{"x": [b"b"], "y": 1}, None], pa.struct([("x", pa.list_(pa.binary())), ("y", pa.int8())])),
        "map": pa.array([[(b"k", b"v")], []], pa.map_(pa.binary(), pa.binary())),
    }
    write_parquet(tmp_path / "a.parquet", columns)
    with (tmp_path / "a.parquet").open("rb") as file:
        first, second = ParquetReader().read(file)
    assert first == {"tags": ["a", "ë", b"\xff", None], "both": {"x": ["b"], "y": 1}, "map": [("k", "v")]}
    assert second == {"tags": None, "both": None, "map": []}


@pytest.mark.full
def test_a_parquet_file_is_read(cli, in_tmp):
    day = datetime.date(2020, 1, 2)
    columns = {
        "name": ["Ada", None, "Ben"],
        "kind": ["f", "m", None],
        "n": [1, 2, 3],
        "day": [day] * 3,
        "tags": [["a"], [], None],
    }
    write_parquet("a.parquet", columns)
    trained = cli("train", "--corpus", "a.parquet", "--label-field", "kind", *TINY, "--out", "run")
    assert trained.code == 0, trained.err
    first = {"n": 1, "day": day, "tags": ["a"]}
    assert texts("run") == [("Ada", "f", first), ("Ben", None, {"n": 3, "day": day})]
    assert cli("resume", "run").code == 0
    few = cli("show", "corpus", "a.parquet", "-o", "reader.columns=name,n", "--json")
    assert few.code == 0
    none = cli("show", "corpus", "a.parquet", "-o", "reader.columns=nam")
    assert none.code == 3 and "it has no column 'nam'; it has name, kind, n, day, tags" in none.err
    untold = cli("train", "--corpus", "a.parquet", "--text-field", "nam", *TINY)
    assert untold.code == 2 and "has no field 'nam'; did you mean 'name'?" in untold.err
    content = Path("a.parquet").read_bytes()
    for cut in (20, len(content) // 2, len(content) - 3):
        Path("b.parquet").write_bytes(content[:cut])
        damaged = cli("train", "--corpus", "b.parquet", *TINY)
        assert damaged.code == 3 and "b.parquet': it is damaged: " in damaged.err, damaged.err


@pytest.mark.full
def test_a_missing_library_is_named_with_its_extra(cli, in_tmp, monkeypatch):
    Path("a.parquet").write_bytes(b"PAR1\x15\x04")
    Path("a.xlsx").write_bytes(excel.example())
    for name in ("pyarrow", "pyarrow.parquet", "python_calamine"):
        monkeypatch.setitem(sys.modules, name, None)
    for file, what in (("a.parquet", "a Parquet file"), ("a.xlsx", "a workbook")):
        refused = cli("train", "--corpus", file, *TINY)
        assert (refused.code, refused.err) == (
            2, f"seqgen: {what} needs the extra 'tables': pip install 'seqgen-lm[tables]'\n",
        )  # fmt: skip


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls", "a.parquet"])
@pytest.mark.parametrize("text", ["The Lion\nThe Crown\n", "Zoë\n"])
def test_plain_text_under_the_name_of_a_table_needs_no_package(name, text, cli, in_tmp, monkeypatch):
    Path(name).write_text(text, encoding="latin-1")
    for package in ("pyarrow", "pyarrow.parquet", "python_calamine"):
        monkeypatch.setitem(sys.modules, package, None)
    refused = cli("train", "--corpus", name, *TINY)
    what = "a Parquet file" if name.endswith("t") else "a workbook"
    assert (
        refused.code == 3 and f"{name}': it is plain text, not {what}; give it a name that ends in .txt" in refused.err
    )


def test_times_smaller_or_later_than_those_of_python_are_read():
    arrow = pytest.importorskip("pyarrow")
    from seqgen_tables.parquet import ParquetReader

    def read(values, kind):
        file = io.BytesIO()
        arrow.parquet.write_table(arrow.table({"name": ["Ada"] * len(values), "at": arrow.array(values, kind)}), file)
        rows = list(ParquetReader().read(file))
        assert [row["name"] for row in rows] == ["Ada"] * len(values)
        return [row["at"] for row in rows]

    from_epoch = datetime.datetime(1970, 1, 1, 0, 0, 0, 1)
    assert read([1999, 1000, None], arrow.timestamp("ns")) == [from_epoch, from_epoch, None]
    assert read([1001], arrow.timestamp("ns", "UTC")) == [from_epoch.replace(tzinfo=datetime.UTC)]
    assert read([1001], arrow.time64("ns")) == [from_epoch.time()]
    assert read([1001], arrow.duration("ns")) == [datetime.timedelta(microseconds=1)]
    assert read([[1001], None], arrow.list_(arrow.timestamp("ns"))) == [[from_epoch], None]
    assert read([{"a": 1001}], arrow.struct([("a", arrow.timestamp("ns"))])) == [{"a": from_epoch}]
    assert read([[("a", 1001)]], arrow.map_(arrow.string(), arrow.timestamp("ns"))) == [[("a", from_epoch)]]
    assert read([3_000_000, 0], arrow.date32()) == ["10183-09-21", datetime.date(1970, 1, 1)]


def test_dates_beyond_python_change_no_others(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    far, epoch = 6_000_000, 0
    table = pa.table({
        "text": ["a", "b"],
        "day": pa.array([far, epoch], pa.date32()),
        "days": pa.array([[far], [epoch, far]], pa.list_(pa.date32())),
        "both": pa.array([{"x": far}, {"x": epoch}], pa.struct([("x", pa.date32())])),
        "times": pa.array([[1], [2]], pa.large_list(pa.timestamp("ns"))),
        "pair": pa.array([[1, 2], [3, 4]], pa.list_(pa.timestamp("ns"), 2)),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet")
    with (tmp_path / "a.parquet").open("rb") as file:
        first, second = ParquetReader().read(file)
    assert first["day"] == "18397-06-11" and second["day"].isoformat() == "1970-01-01"
    assert first["days"] == ["18397-06-11"] and second["days"][1] == "18397-06-11"
    assert first["both"] == {"x": "18397-06-11"} and second["both"]["x"].year == 1970
    assert len(first["pair"]) == 2 and first["times"][0].year == 1970


def test_a_list_of_dates_may_be_the_text(in_tmp):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"text": pa.array([[0], [1]], pa.list_(pa.date32()))}), in_tmp / "a.parquet")
    run = seqgen.train("a.parquet", steps=1, hidden=4, blend="none", split="none", out="run", warn=lambda line: None)
    assert [record.text for record in run.corpus] == ['["1970-01-01"]', '["1970-01-02"]']

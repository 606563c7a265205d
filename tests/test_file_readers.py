"""Readers of plugins: which file each reads, what it yields, and messages about damaged files."""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

import seqgen
from seqgen.corpus import InstalledReader, Readers, get_stamp, load_file
from seqgen.errors import BadOption, CorpusError, PluginError, UsageError

EXAMPLE = Path(__file__).parent.parent / "docs" / "examples" / "contacts.py"
CARD = "BEGIN:VCARD\nFN:{}\nTITLE:x\nEND:VCARD\n"
TINY = ("--cell", "vanilla", "--hidden", 4, "--steps", 1, "--split", "none", "-o", "samples=1")


@pytest.fixture
def vcards(in_tmp):
    """The example of the guide in the current folder."""
    sys.modules.pop("contacts", None)
    shutil.copy(EXAMPLE, "contacts.py")
    yield
    sys.modules.pop("contacts", None)


def installed(read, *, text=True, table=False, endings=(".x",), matches=None, counts=None):
    part = type("R", (), {"read": lambda self, source: read(source), "counts": counts or {}})
    return InstalledReader("p:x", "reader x of p", "1", endings, matches, text, table, {}, part)


def read(path, reader, **options):
    source = load_file(Readers([reader]), path=str(path), **options)
    return list(source), dict(source.counts)


def words(lines):
    for line in lines:
        if line == "bad":
            raise seqgen.CorpusError("it is bad")
        yield seqgen.Record(line, label="w", fields={"n": len(line)})


@pytest.mark.full
def test_a_file_is_read_by_its_ending_or_its_content(cli, vcards):
    book = "".join(CARD.format(name) for name in ("Ada", "Grace"))
    Path("book.vcf").write_text(book)
    Path("book.txt").write_bytes(b"\xef\xbb\xbf" + book.encode())
    Path("book.VCF.gz").write_bytes(gzip.compress(book.encode("utf-16")))
    Path("list.txt").write_text("anna\nben\n")
    with zipfile.ZipFile("all.zip", "w") as file:
        for name in ("book.vcf", "list.txt"):
            file.write(name, f"in/{name}")
    plugin = ("--plugin", "contacts.py")
    for corpus, n in (("book.vcf", 2), ("book.txt", 2), ("book.VCF.gz", 2), ("all.zip", 4), ("b*", 6)):
        trained = cli("train", "--corpus", corpus, *TINY, *plugin, "--out", "run")
        assert trained.code == 0 and f" {n} training records" in trained.err, trained.err
        named = seqgen.load("run", plugins=["contacts.py"]).settings.corpus.options["reader"]
        assert named == (None if corpus == "all.zip" else "contacts:vcard")
        shutil.rmtree("run")
    lines = cli("train", "--corpus", "book.vcf", "-o", "corpus.separator=line", *TINY, *plugin)
    assert "8 training records" in lines.err
    stream = cli(
        "train", "--corpus", "book.vcf", "--layout", "stream", "-o", "window=4", "--batch-size", 1, *TINY, *plugin
    )
    assert stream.code == 0 and f"book: {len(book)} training symbols" in stream.err, stream.err


def test_a_run_needs_the_reader_it_was_made_with(cli, vcards):
    Path("book.vcf").write_text(CARD.format("Ada"))
    assert cli("train", "--corpus", "book.vcf", *TINY, "--plugin", "contacts.py", "--out", "run").code == 0
    assert cli("evaluate", "run", "-n", 1, "--plugin", "contacts.py").code == 0
    assert "contacts" in {plugin["package"] for plugin in json.loads(Path("run/run.json").read_text())["plugins"]}
    refused = cli("sample", "run", "--novel", "-n", 1)
    assert refused.code == 4 and "needs the reader 'contacts:vcard' of contacts.py " in refused.err


@pytest.mark.full
def test_a_reader_is_chosen_by_name_and_given_options(cli, in_tmp):
    Path("mine.py").write_text(
        "import seqgen\nfrom typing import Annotated\nfrom pydantic import Field\n"
        "class Halves:\n"
        "    def __init__(self, *, sign: Annotated[str, Field(description='cut at')] = '/', most: int = 9):\n"
        "        self.sign, self.most = sign, most\n"
        "    def read(self, lines):\n"
        "        for line in lines:\n"
        "            for part in line.split(self.sign)[:self.most]: yield seqgen.Record(part)\n"
        "@seqgen.hookimpl\n"
        "def register_readers(register):\n"
        "    register(seqgen.ReaderSpec(name='halves', summary='s', load=Halves, endings=('.half',), example=b'a/b'))\n"
    )
    Path("a.csv").write_text("a;b;c\n")
    plugin, chosen = ("--plugin", "mine.py"), ("-o", "corpus.reader=halves")
    trained = cli("train", "--corpus", "a.csv", *chosen, "-o", "reader.sign=;", "-o", "reader.most=2", *TINY, *plugin)
    assert trained.code == 0 and " 2 training records" in trained.err, trained.err
    Path("run.toml").write_text('[corpus]\nname = "a.csv"\nreader = "halves"\n[reader]\nsign = ";"\n')
    trained = cli("train", "--config", "run.toml", *TINY, *plugin)
    assert trained.code == 0 and " 3 training records" in trained.err, trained.err
    for options, said in (
        (("-o", "reader.sgn=;"), "reader halves has no option 'sgn'; did you mean 'sign'?"),
        (("-o", "reader.most=x"), "option 'most' of reader halves"),
        (("-o", "corpus.form=csv"), "the reader 'mine:halves' excludes the options form and separator"),
    ):
        refused = cli("train", "--corpus", "a.csv", *chosen, *options, *TINY, *plugin)
        assert refused.code == 2 and said.replace("mine:", "") in refused.err.replace("mine:", ""), refused.err
    unknown = cli("train", "--corpus", "a.csv", "-o", "corpus.reader=halve", *TINY, *plugin)
    assert unknown.code == 2 and "no reader named 'halve'; did you mean 'halves'?" in unknown.err
    assert "option" in cli("show", "reader", "halves", *plugin).out
    assert cli("evaluate", "a-vanilla-001", "-n", 1, *plugin).code == 0


def test_records_are_stripped_bounded_and_counted(tmp_path):
    path = tmp_path / "a.x"
    path.write_text(" anna \n\n" + "b" * 30_000 + "\n  \n")
    reader = installed(words, counts={"odd lines skipped": 1})
    with pytest.raises(CorpusError, match=r"a.x', record 3: it has 30,000 characters, more than 10000; -o"):
        read(path, reader)
    records, counts = read(path, reader, long_lines="skip", strip=True)
    assert records == [seqgen.Record("anna", "w", {"n": 6})]
    assert counts == {"records without text skipped": 2, "long records skipped": 1, "odd lines skipped": 1}
    assert len(read(path, reader, max_line_chars=30_000)[0]) == 2
    with pytest.raises(BadOption, match="cannot skip undecodable lines of"):
        read(path, reader, encoding_errors="skip")
    path.write_bytes(b"a\nb\xff\n")
    assert [record.text for record in read(path, reader, encoding_errors="replace")[0]] == ["a", "b\ufffd"]
    with pytest.raises(CorpusError, match=r"^'[^']*a.x', line 2: byte 2 of the line"):
        read(path, reader)


def test_messages_say_the_file_and_the_place(tmp_path):
    path = tmp_path / "a.x"
    path.write_text("a\nb\nbad\n")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as file:
        file.write(path, "in/a.x")
    with pytest.raises(CorpusError, match=r"^'[^']*z.zip/in/a.x', line 3: it is bad$"):
        read(tmp_path / "z.zip", installed(words))

    def rows(file):
        yield {"text": file.readline().decode().strip()}
        raise seqgen.CorpusError("it is cut short")

    with pytest.raises(CorpusError, match=r"^'[^']*a.x', after row 1: it is cut short$"):
        read(path, installed(rows, text=False, table=True))
    with pytest.raises(UsageError, match="has no field 'name'"):
        read(path, installed(rows, text=False, table=True), text_field="name")
    for failing, said in (
        (lambda lines: [next(iter(lines)), 1 / 0], r"reader x of p fails on '[^']*a.x', line 1: ZeroDivisionError"),
        (lambda lines: lines, "reader x of p: read yielded str 'a', not a seqgen.Record"),
        (lambda lines: [seqgen.Record("a", 3)], "reader x of p: read yielded the label 3, which is not a string"),
        (lambda lines: [seqgen.Record("a", fields={3: 4})], "reader x of p: read yielded the field name 3, which is"),
        (lambda lines: [seqgen.Record("a", split="all")], "reader x of p: read yielded the split 'all', which is not"),
    ):
        with pytest.raises(PluginError, match=said):
            read(path, installed(failing))
    with pytest.raises(PluginError, match=r"reader x of p: counts is {'odd lines skipped': 'many'}, not numbers by"):
        read(path, installed(lambda lines: [], counts={"odd lines skipped": "many"}))
    packed = gzip.compress(b"a\n" * 99_999)
    (tmp_path / "b.x").write_bytes(packed[:-30])
    with pytest.raises(CorpusError, match=r"^'[^']*b.x' is a damaged gzip file: "):
        read(tmp_path / "b.x", installed(words))


def test_rows_have_a_text_and_a_label(tmp_path):
    path = tmp_path / "a.x"
    path.write_bytes(b"\0")
    table = [
        {"name": "anna", "kind": "f", "n": 1},
        {"name": None, "kind": "f", "n": 2},
        {"name": 7, "kind": None, "n": None},
    ]
    reader = installed(lambda file: table, text=False, table=True)
    records, counts = read(path, reader, label_field="kind")
    assert records == [seqgen.Record("anna", "f", {"n": 1}), seqgen.Record("7", None, {})]
    assert counts == {"rows without text skipped": 1, "rows without label kept": 1}
    assert read(path, reader, fields="name,n")[0][0].text == "name=anna\nn=1"
    stream = "".join(record.text for record in read(path, reader, layout="stream", text_field="kind")[0])
    assert stream == "f\nf\n"


def test_a_file_that_two_readers_claim_is_refused(tmp_path):
    path = tmp_path / "a.x"
    path.write_text("a\n")
    one, other = installed(words), installed(words)
    with pytest.raises(UsageError, match=r"several readers claim '.*a\.x'; say which: -o corpus.reader=p:x or -o"):
        load_file(Readers([one, other]), path=str(path))
    assert list(load_file(Readers([one, other], one), path=str(path)))


def test_a_reader_is_part_of_the_stamp(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a\n")
    by_content = installed(words, matches=lambda name, start: start == b"a\n")
    stamps = [get_stamp(load_file(Readers(readers), path=str(path))) for readers in ([], [by_content], [by_content])]
    assert stamps[0] != stamps[1] == stamps[2]
    assert Counter(record.label for record in load_file(Readers([by_content]), path=str(path))) == {"w": 1}


def test_lines_of_a_reader_may_be_as_long_as_records(tmp_path, monkeypatch):
    monkeypatch.setattr("seqgen.corpus.reading._MAX_RAW_CHARS", 50)
    (tmp_path / "a.x").write_text("b" * 60)
    with pytest.raises(CorpusError, match="line 1: longer than 50 characters"):
        read(tmp_path / "a.x", installed(words), max_line_chars=40)
    assert len(read(tmp_path / "a.x", installed(words), max_line_chars=60)[0]) == 1


@pytest.mark.parametrize(
    ("encoding", "reason"),
    [("utf-16", "is not utf-16: UTF-16 stream does not start with BOM"), ("punycode", "is not puny")],
)
def test_bytes_that_are_not_of_an_encoding_are_no_fault_of_the_reader(encoding, reason, tmp_path):
    (tmp_path / "a.x").write_bytes("\xe4nna\nben\n".encode("latin-1"))
    with pytest.raises(CorpusError, match=f"a.x' {reason}"):
        read(tmp_path / "a.x", installed(words), encoding=encoding)
    faulty = installed(lambda lines: [next(iter(lines)).encode().decode("ascii")])
    with pytest.raises(PluginError, match=r"reader x of p fails on .*a.x', line 1: Unicode"):
        read(tmp_path / "a.x", faulty, encoding="latin-1")

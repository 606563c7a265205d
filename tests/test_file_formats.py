"""Files that do not hold one record per line are recognized, with a hint on how to read them."""

from __future__ import annotations

import contextlib
import gzip
import io
import shlex
import tarfile
import time
import zipfile

import pytest

import seqgen
from conftest import in_tiers, one_in
from seqgen.corpus import FileKinds, TextFile, load_file
from seqgen.corpus.opening import START, refuse_text_format
from seqgen.errors import BadOption, CorpusError

TINY = ("--cell", "vanilla", "--hidden", 4, "--steps", 1, "--split", "none", "-o", "samples=1")

FASTA = ">sp|P1|A first\nMKVLAAGIV\nGGA\n>sp|P2|B second\nMALW\n"
SDF = "\n".join(
    ["water", "  made", "", "  1  0  0  0  0  0  0  0  0  0999 V2000", "    0.0 0.0 0.0 O", "M  END", "$$$$"]
)
PGN = '[Event "Open"]\n[White "A"]\n\n1. e4 e5 1-0\n\n[Event "Cup"]\n[White "B"]\n\n1. d4 *\n'
ABC = "%abc-2.1\n\nX:1\nT:First\nK:G\nGABc|\n\nX:2\nT:Second\nK:D\nDEFG|\n"
GENBANK = "LOCUS       AB0001 12 bp DNA\nORIGIN\n  1 acgt\n//\nLOCUS       AB0002 4 bp DNA\nORIGIN\n  1 ac\n//\n"
MOL2 = "@<TRIPOS>MOLECULE\nwater\n@<TRIPOS>ATOM\n1 O\n@<TRIPOS>MOLECULE\nair\n@<TRIPOS>ATOM\n1 N\n"
WRITTEN = {  # what it is, the option that reads its records, and these
    "FASTA": (FASTA, ">", [">sp|P1|A first\nMKVLAAGIV\nGGA", ">sp|P2|B second\nMALW"]),
    "an SDF file": (f"{SDF}\n{SDF}\n", "$$$$", [SDF.removesuffix("\n$$$$")] * 2),
    "PGN": (PGN, "[Event ", [part.strip() for part in PGN.replace("[Event", "|[Event").split("|")[1:]]),
    "ABC": (ABC, "X:", ["X:1\nT:First\nK:G\nGABc|", "X:2\nT:Second\nK:D\nDEFG|"]),
    "GenBank": (GENBANK, "//", [part.strip() for part in GENBANK.split("//\n")[:-1]]),
    "a MOL2 file": (
        MOL2,
        "@<TRIPOS>MOLECULE",
        ["water\n@<TRIPOS>ATOM\n1 O", "air\n@<TRIPOS>ATOM\n1 N"],
    ),
}


@pytest.fixture
def without_readers(monkeypatch):
    """Core and the corpus names alone, so that no plugin reads these files."""
    monkeypatch.setenv("SEQGEN_LOAD_PLUGINS", "seqgen_names,seqgen_classic")


@pytest.mark.full
@pytest.mark.promise("R16")
@pytest.mark.parametrize("what", in_tiers(WRITTEN, list(WRITTEN)[:2].__contains__))
def test_a_file_of_records_of_several_lines_names_the_option_that_reads_them(what, cli, in_tmp, without_readers):
    text, separator, records = WRITTEN[what]
    (in_tmp / "corpus.txt").write_text(text)
    option = f"corpus.separator={shlex.quote(separator)}"
    commands = (
        ("train", "--corpus", "corpus.txt", *TINY),
        ("train", "--corpus", "names", "--valid-file", "corpus.txt", "--steps", 1),
        ("show", "corpus", "corpus.txt"),
    )
    for command in commands:
        refused = cli(*command)
        assert refused.code == 3 and refused.err.count("\n") == 1, refused.err
        assert f"it is {what}" in refused.err and f"-o {option} reads its records" in refused.err
        assert not (in_tmp / "runs").exists()
    read = cli("train", "--corpus", "corpus.txt", "-o", f"corpus.separator={separator}", *TINY, "--out", "run")
    assert read.code == 0, read.err
    run = seqgen.load("run")
    assert [record.text for record in run.corpus] == records and run.settings.corpus.multiline
    as_lines = cli("train", "--corpus", "corpus.txt", "-o", "corpus.separator=line", *TINY, "--out", "lines")
    assert as_lines.code == 0, as_lines.err
    lines = [line for line in text.splitlines() if line.strip()]
    assert [record.text for record in seqgen.load("lines").corpus] == lines
    as_one = cli("train", "--corpus", "corpus.txt", "--layout", "stream", *TINY, "--batch-size", 1, "-o", "window=4")
    assert as_one.code == 0, as_one.err


NAMED = {
    "FASTQ": ("@read1\nACGTN\n+\nIIII!\n", "awk 'NR%4==2' corpus.txt > corpus.txt"),
    "one JSON array": ('[{"name": "anna"}, {"name": "ben"}]', "-o corpus.form=jsonl reads its items"),
    "JSON array": ('[\n  "anna",\n  "ben"\n]\n', "-o corpus.form=jsonl reads its items"),
    "JSON objects": ('{"name": "anna"}\n{"name": "ben"}\n', "-o corpus.form=jsonl"),
    "HTML": ("\n<!DOCTYPE html>\n<html><body>anna</body></html>\n", "a file, one per line"),
    "XML": ('<?xml version="1.0"?>\n<score/>\n', "a file, one per line"),
    "RTF": ("{\\rtf1\\ansi anna}\n", "as plain text"),
}


@pytest.mark.promise("R16")
@pytest.mark.parametrize("what", NAMED)
def test_a_text_of_another_kind_is_named(what, cli, in_tmp, without_readers):
    text, way = NAMED[what]
    (in_tmp / "corpus.txt").write_text("\ufeff" + text)
    refused = cli("train", "--corpus", "corpus.txt", *TINY)
    assert refused.code == 3 and refused.err.count("\n") == 1
    assert what in refused.err and way.replace("corpus.txt >", "")[:10] in refused.err, refused.err


PLAIN = [
    "anna\nben\n",
    "> quoted: all of it\n",
    ">>> print(1)\n1\n>>> 2\n",
    "X: 10\nY: 20\n",
    "[C][C]\n[O]\n",
    '["Hello," she said]\n',
    "[1] Smith, J.\n[2] Doe, J.\n",
    "<b>anna</b>\n",
    "{anna}\n{ben}\n",
    "@anna\n@ben\n",
    "BZh\nPK\nRIFF\nGIF\n",
    "LOCUS\nFOCUS\n",
    "a,b\n1,2\n",
    "%PD\n",
    "",
]


@pytest.mark.parametrize("text", PLAIN)
def test_plain_records_are_taken_for_nothing_else(text, tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text(text)
    FileKinds().refuse_known_formats(str(path))
    assert [record.text for record in TextFile(path)] == text.splitlines()


def zipped(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, "content")
    return data.getvalue()


def tarred() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("corpus.txt"))
    return data.getvalue()


BINARIES = {
    "an Excel workbook": zipped("[Content_Types].xml", "xl/workbook.xml"),
    "a Word document": zipped("[Content_Types].xml", "word/document.xml"),
    "an Office document (before 2007)": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "a zip archive": zipped("corpus.txt"),
    "a NumPy archive": zipped("arr_0.npy"),
    "a Parquet file": b"PAR1\x15\x04\x15\x10",
    "a MIDI file": b"MThd\0\0\0\x06\0\x01\0\x02\x01\xe0MTrk",
    "a PDF document": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "a PNG image": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "an SQLite database": b"SQLite format 3\0\x10\0",
    "a doubly gzipped file": gzip.compress(gzip.compress(b"anna\n")),
    "an xz file": b"\xfd7zXZ\0\0\x04",
    "a bzip2 file": b"BZh91AY&SY\x8b",
    "a tar archive": tarred(),
    "tar archive": gzip.compress(tarred()),
}


@pytest.mark.promise("R16")
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("what", one_in(3, BINARIES))
def test_a_file_that_is_no_text_is_named_with_what_to_do(what, encoding, cli, in_tmp, without_readers):
    (in_tmp / "corpus.dat").write_bytes(BINARIES[what])
    refused = cli("train", "--corpus", "corpus.dat", "-o", f"corpus.encoding={encoding}", *TINY)
    assert refused.code == 3 and refused.err.count("\n") == 1
    assert refused.err.startswith("seqgen: cannot read records from ") and f"{what}; " in refused.err, refused.err
    held_out = cli("train", "--corpus", "names", "--valid-file", "corpus.dat", "--steps", 1)
    assert held_out.code == 3 and what in held_out.err


# -- separators


def read(tmp_path, text, separator, **options):
    path = tmp_path / "corpus.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    source = load_file(path=str(path), separator=separator, **options)
    found = list(source)
    assert found == list(source), "the same each time"
    return [record.text for record in found], dict(source.counts)


@pytest.mark.parametrize("block", [1, 7, 1 << 16])
@pytest.mark.parametrize("n_blank", [1, 2, 64, 200])
def test_blank_lines_separate(n_blank, block, tmp_path, monkeypatch):
    monkeypatch.setattr("seqgen.corpus.readers._BLOCK_CHARS", block)
    text = "\n \n" + " a\nb \r\n" + "\n" * n_blank + "c\n\t\nd\ne"
    assert read(tmp_path, text, "") == ([" a\nb ", "c", "d\ne"], {})
    assert read(tmp_path, text, "", strip=True)[0] == ["a\nb", "c", "d\ne"]


def test_a_line_that_is_the_separator_alone_belongs_to_no_record(tmp_path):
    assert read(tmp_path, "a\nb\n---\nc\n---\n\n---\nd", "---")[0] == ["a\nb", "c", "d"]
    assert read(tmp_path, "--- 1\nb\n\nc\n\n---\nd\n", "---")[0] == ["--- 1\nb\n\nc", "d"]


@pytest.mark.parametrize("n_blank", [3, 70, 200_000])
def test_blank_lines_within_a_record_are_kept_and_those_after_it_are_not(n_blank, tmp_path):
    blank = "\n" * n_blank
    text = f"X:1\na\n{blank}X:2\n{blank}b\n"
    if n_blank < 1000:
        assert read(tmp_path, text, "X:", max_line_chars=400)[0] == ["X:1\na", f"X:2\n{blank}b"]
        return
    with pytest.raises(CorpusError, match=f"the record from line {n_blank + 3} of .* is longer than 10000 characters"):
        read(tmp_path, text, "X:")
    assert read(tmp_path, text, "X:", long_lines="skip") == (["X:1\na"], {"long records skipped": 1})


def test_records_are_no_longer_than_lines_may_be(tmp_path):
    assert read(tmp_path, "abcd\nefgh\n\n\n", "", max_line_chars=9)[0] == ["abcd\nefgh"]
    with pytest.raises(CorpusError, match=r"the record from line 2 .* longer than 8 characters; -o corpus.max_line"):
        read(tmp_path, "\nabcd\nefgh\n\n", "", max_line_chars=8)
    skipped = read(tmp_path, "\nabcd\nefgh\n\nij\n", "", max_line_chars=8, long_lines="skip")
    assert skipped == (["ij"], {"long records skipped": 1})


def test_a_record_with_a_line_that_cannot_be_decoded_is_skipped(tmp_path):
    text = b"a\n\xff\n\nb\n\n\xfe\n"
    found = read(tmp_path, text, "", encoding_errors="skip")
    assert found == (["b"], {"records with undecodable lines skipped": 2, "undecodable lines skipped": 2})
    assert read(tmp_path, text, "", encoding_errors="replace")[0] == ["a\n\ufffd", "b", "\ufffd"]
    with pytest.raises(CorpusError, match="line 2: byte 1"):
        read(tmp_path, text, "")


@pytest.mark.parametrize(("separator", "sought"), [("", "is blank"), ("Y:", "starts with 'Y:'")])
def test_a_separator_that_no_line_has_is_refused(separator, sought, tmp_path):
    with pytest.raises(CorpusError, match=f"no line {sought}"):
        read(tmp_path, "X:1\na\n", separator)
    assert read(tmp_path, "one\n", separator)[0] == ["one"]


@pytest.mark.parametrize("options", [{"layout": "stream"}, {"form": "csv"}, {"form": "jsonl"}])
def test_what_has_no_separator(options, words):
    with pytest.raises(BadOption, match="separator '---' applies to records of plain text"):
        load_file(path=str(words), separator="---", **options)


@pytest.mark.full
def test_records_of_several_lines_are_resumed_and_sampled_as_they_were_read(cli, in_tmp):
    """The separator stands in a TOML file here; held-out files are separated by it too."""
    (in_tmp / "tunes.txt").write_text("".join(f"X:{n}\nK:G\n{'GABc' * (n % 5 + 1)}\n\n" for n in range(40)))
    (in_tmp / "held.txt").write_text("X:77\nK:G\nGABc\n\nX:78\nK:G\nGG\n")
    (in_tmp / "run.toml").write_text('[corpus]\nname = "tunes.txt"\nseparator = "X:"\n[train]\nsteps = 4\n')
    trained = cli(
        "train", "--config", "run.toml", "--valid-file", "held.txt", "--cell", "vanilla", "--hidden", 4, "--out", "run",
        "-o", "eval_every=2",
    )  # fmt: skip
    assert trained.code == 0, trained.err
    run = seqgen.load("run")
    assert run.settings.corpus.options["separator"] == "X:" and run.settings.corpus.parts["valid"] == 2
    assert cli("resume", "run").code == 0
    assert cli("evaluate", "run", "-n", 5).code == 0
    sampled = cli("sample", "run", "-n", 3, "-0")
    assert sampled.code == 0 and sampled.out.count("\0") == 3


PIECES = (
    "\n",
    " ",
    "\t\n",
    " \n",
    "#\n",
    "%\n",
    ";\n",
    "a\n",
    "a",
    ">a\n",
    "a:\n",
    "X:1\n",
    "@a\n",
    "[",
    "[ ",
    "{",
    '"',
    "\\",
    "\\a",
    "<",
)
STARTS = ("", ">a\n", "@a\n", "X:1\n", '[Event "a"]\n', '["', '{"a": ', "\n")


@pytest.mark.promise("R15")
def test_looking_at_the_start_takes_no_time(record_property):
    """Starts that repeat one piece, behind what each kind begins with: no pattern tries them over and over again."""
    begun = time.process_time()
    for start in STARTS:
        for piece in PIECES:
            with contextlib.suppress(CorpusError):
                refuse_text_format("x.txt", (start + START * piece)[:START])
    assert time.process_time() - begun < 20  # an exponential pattern takes for ever
    record_property("cases", len(STARTS) * len(PIECES))

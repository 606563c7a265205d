"""Folders, patterns, archives, several files and standard input read as one corpus."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import shutil
import sys
import tracemalloc
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqgen
from seqgen.corpus import TextFile, get_source_files, get_stamp, load_file
from seqgen.corpus.json_array import JsonArray
from seqgen.corpus.opening import unmarked_encoding
from seqgen.corpus.places import absolute, find_places, title_of
from seqgen.corpus.reading import InstalledReader, Readers
from seqgen.corpus.tables import Columns, Table
from seqgen.errors import BadOption, CorpusError, NoSuchFile, UsageError
from seqgen.files import spool
from seqgen.work_folder import WorkFolder

TINY = ("--cell", "vanilla", "--hidden", 4, "--steps", 5, "--split", "none", "-o", "samples=1")


@pytest.fixture
def data(in_tmp):
    """A folder with a file of each kind."""
    zstandard = pytest.importorskip("zstandard")
    folder = in_tmp / "data"
    (folder / "sub" / ".git").mkdir(parents=True)
    (folder / "a.txt").write_text("anna\nben")
    (folder / "b.csv").write_text("text,kind\ncarl,m\n")
    (folder / "c.JSON").write_text('[\n "dora",\n {"text": "emil", "kind": "m"}]')
    (folder / "d.txt.gz").write_bytes(gzip.compress(b"fritz\n"))
    (folder / "e.txt.zst").write_bytes(zstandard.compress(b"gustav\n") + zstandard.compress(b"hans\n"))
    (folder / "f.txt").write_bytes("ida\njörg\n".encode("utf-16"))
    (folder / "sub" / "g.jsonl").write_text('{"name": "karl"}\n')
    (folder / ".hidden.txt").write_text("no\n")
    (folder / "sub" / ".git" / "config").write_text("no\n")
    return folder


NAMES = ["anna", "ben", "carl", "dora", "emil", "fritz", "gustav", "hans", "ida", "jörg", "karl"]


def texts(path, **options):
    source = load_file(path=path if isinstance(path, list) else str(path), **options)
    found = [record.text for record in source]
    assert found == [record.text for record in source], "the same each time"
    return found


def zipped(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder).as_posix())
        file.writestr("__MACOSX/a.txt", "no\n")
    return archive


def test_a_folder_an_archive_and_a_pattern_are_read_in_the_order_of_paths(data):
    assert texts(data) == NAMES
    assert texts(zipped(data, data.parent / "all.zip")) == NAMES
    assert texts(data / "*.txt") == ["anna", "ben", "ida", "jörg"]
    assert texts(data / "**" / "*.json*") == ["karl"]
    shutil.move(data.parent / "all.zip", data / "aa.zip")
    assert texts(data) == [*NAMES[:2], *NAMES, *NAMES[2:]]
    assert texts([str(data / "b.csv"), str(data / "a.txt"), str(data / "b.*")]) == ["anna", "ben", "carl"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(in_tmp, cli):
    (in_tmp / "a[b]*.txt").write_text("anna\n")
    (in_tmp / "ab.txt").write_text("ben\n")
    assert texts("a[b]*.txt") == ["anna"]
    assert cli("show", "corpus", "a[b]*.txt").code == 0


def test_the_current_folder_is_no_pattern(in_tmp, monkeypatch, cli):
    (in_tmp / "a[1]").mkdir()
    (in_tmp / "a[1]" / "b.txt").write_text("anna\nben\n" * 9)
    monkeypatch.chdir(in_tmp / "a[1]")
    trained = cli("train", "--corpus", "*.txt", "--cell", "vanilla", "--hidden", 4, "--steps", 1, "--out", "run")
    assert trained.code == 0, trained.err
    assert cli("sample", "run", "--novel", "-n", 1).code == 0


def test_runs_in_a_folder_are_no_part_of_it(in_tmp, cli):
    """A run and a bench of the folder lie in it, and what they write changes no record."""
    (in_tmp / "list.txt").write_text("anna\nben\n" * 9)
    trained = cli("train", "--corpus", ".", "--cell", "vanilla", "--hidden", 4, "--steps", 2, "--out", "tiny")
    assert trained.code == 0, trained.err
    study = WorkFolder.open(in_tmp / "study", {"study.json": {}})
    with study.locked():
        study.write("notes.txt", b"no record\n")
    assert texts(in_tmp) == ["anna", "ben"] * 9
    assert cli("resume", "tiny").code == 0 and cli("evaluate", "tiny", "-n", 2).code == 0
    refused = cli("train", "--corpus", "tiny")
    assert refused.code == 2 and "is a run, and no corpus: seqgen train --from" in refused.err
    for name in ("run.json", ".lock"):  # of something else
        (in_tmp / "other").mkdir(exist_ok=True)
        (in_tmp / "other" / name).write_text('{"text": "x"}\n')
    assert texts(in_tmp / "other") == ["x"]
    (in_tmp / "other" / ".lock").unlink()
    assert texts(in_tmp) == [*["anna", "ben"] * 9, "x"]


def test_only_folders_that_seqgen_wrote_are_skipped_and_these_are_counted(in_tmp, cli):
    folder = in_tmp / "data"
    for inside, names in {
        "": ["a.txt"],
        "package": [".lock", "b.txt"],  # of another program
        "study": [".lock", "study.json", "no.txt"],
        "rows.csv.shards": [".lock", "job.json", "no.txt"],
    }.items():
        (folder / inside).mkdir(exist_ok=True)
        for name in names:
            (folder / inside / name).write_text(f"{name}\n")
    assert texts(folder) == ["a.txt", "b.txt"]
    trained = cli("train", "--corpus", "data", *TINY, "--out", "data/run")
    shards = "1 folder of unfinished samples skipped"
    assert trained.code == 0 and f"data: {shards}, 1 run folder skipped" in trained.err, trained.err
    shown = json.loads(cli("show", "corpus", "data", "--json").out)["skipped_or_changed"]
    assert shown == {"folders of unfinished samples skipped": 1, "run folders skipped": 2}
    small = "--cell", "vanilla", "--hidden", 4, "--steps", 1
    held = cli("train", "--corpus", "data/package/b.txt", "--valid-file", "data", *small, "--out", "held")
    assert f"{shards}, 2 run folders skipped" in held.err, held.err
    (in_tmp / "runs").mkdir()
    shutil.move(folder / "run", in_tmp / "runs" / "run")
    refused = cli("train", "--corpus", "runs", *TINY)
    assert refused.code == 2 and "/runs': it holds no files but those that seqgen wrote" in refused.err


def test_a_file_whose_ending_is_left_out_is_named(in_tmp, cli):
    (in_tmp / "desserts.txt").write_text("cake\n")
    refused = cli("train", "--corpus", "desserts")
    assert refused.code == 2 and "a file is named with its ending: desserts.txt" in refused.err
    assert "a record a line would do too" in cli("train", "--corpus", "dessert").err
    (in_tmp / "desserts.html").write_text("<p>cake</p>\n")
    assert "with its ending: desserts.txt" in cli("train", "--corpus", "desserts").err


def test_files_with_no_more_than_the_ending_in_common_are_not_suggested(in_tmp, cli):
    (in_tmp / "desserts.txt").write_text("cake\n")
    assert cli("train", "--corpus", "./nosuch.txt").err == "seqgen: no such file: './nosuch.txt'\n"
    for near in ("./deserts.txt", "./desserts.csv"):
        assert "did you mean 'desserts.txt'?" in cli("train", "--corpus", near).err


def test_fields_are_of_the_tables_among_the_files(data):
    (data / "c.JSON").unlink()
    (data / "sub" / "g.jsonl").unlink()
    found = [(record.text, record.label) for record in load_file(path=str(data), label_field="kind")]
    assert found[:3] == [("anna", None), ("ben", None), ("carl", "m")]
    with pytest.raises(BadOption, match="is plain text, which has no fields"):
        texts(data / "*.txt", label_field="kind")


@pytest.mark.parametrize("named", ["../{}", "../{}/a.txt", "../{}/*.txt", "../{}/./sub/../?.txt"])
def test_a_path_does_not_lead_through_the_current_folder(data, monkeypatch, named):
    """So the records are found again when that folder is gone."""
    monkeypatch.chdir(data / "sub")
    plain = named.format(f"../{data.name}")
    kept = absolute(plain)
    expected = [list(load_file(path=path)) for path in (plain, kept)]
    assert expected[0] == expected[1] and "sub" not in Path(kept).parts and Path(kept).is_absolute()


def test_each_file_is_read_once_also_where_one_path_names_it_twice(data):
    (data / "sub" / "link.txt").symlink_to(data / "a.txt")
    assert texts(data / "**" / "**" / "a.txt") == ["anna", "ben"]
    assert sorted(texts(data)) == NAMES
    with zipfile.ZipFile(data.parent / "twice.zip", "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("a.txt", "one\n")
        archive.writestr("a.txt", "two\n")
    assert texts(data.parent / "twice.zip") == ["two"]


def test_an_archive_that_is_replaced_is_read_anew(in_tmp):
    for content in ("old", "new"):
        with zipfile.ZipFile(in_tmp / "next.zip", "w") as archive:
            archive.writestr("a.txt", f"{content}\n")
        os.utime(in_tmp / "next.zip", (1, 1))  # as copies that keep times have it
        (in_tmp / "next.zip").replace(in_tmp / "z.zip")
        assert texts(in_tmp / "z.zip") == [content]


def test_a_folder_that_cannot_be_listed_is_refused(data, monkeypatch):
    plain = os.scandir

    def refusing(path="."):
        if str(path).endswith("sub"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plain(path)

    monkeypatch.setattr(os, "scandir", refusing)  # root may list all folders
    with pytest.raises(CorpusError, match=r"cannot read '.*sub': Permission denied"):
        texts(data)


def test_the_parent_of_a_link_is_that_of_the_folder_it_leads_to(data, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "link").symlink_to(data / "sub")
    assert texts(absolute(str(tmp_path / "elsewhere" / "link" / ".." / "a.txt"))) == texts(data / "a.txt")
    assert absolute(str(tmp_path / "elsewhere" / "link")) == str(tmp_path / "elsewhere" / "link")


def test_one_long_text_of_several_files_keeps_their_last_lines_apart(data):
    text = "".join(texts(data / "?.txt", layout="stream"))
    assert text == "anna\nben\nida\njörg\n"


@pytest.mark.full
@pytest.mark.promise("R16")
def test_what_holds_no_file_is_named(in_tmp, cli):
    (in_tmp / "empty").mkdir()
    with zipfile.ZipFile(in_tmp / "empty.zip", "w"):
        pass
    (in_tmp / "no.zip").write_bytes(b"PK\x03\x04 and so on")
    for corpus, code, said in (
        ("empty", 2, "cannot read records from the folder '{}/empty': it holds no files"),
        ("empty.zip", 2, "cannot read records from the archive '{}/empty.zip': it holds no files"),
        (
            "no.zip",
            3,
            "'{}/no.zip' is a damaged zip archive: its list of files, which stands at its end, is missing; "
            "it may be cut short, or no archive at all",
        ),
        ("*.csv", 2, "no such file: no file matches the pattern '{}/*.csv'"),
        ("nothing.csv", 2, "no such file: 'nothing.csv'"),
    ):
        for command in (("train", "--corpus", corpus, *TINY), ("show", "corpus", corpus)):
            refused = cli(*command)
            assert (refused.code, refused.err) == (code, f"seqgen: {said.format(in_tmp)}\n")
    with pytest.raises(NoSuchFile, match="no such file: 'Anna'; a corpus is a registered name or the path of a file"):
        seqgen.train(["Anna", "Ben"])
    with pytest.raises(UsageError, match="cannot join the corpus 'names' with files: it is a registered one"):
        seqgen.train(["names", "a.txt"])
    table = np.zeros((3, 3))  # or a data frame: an error is one line
    with pytest.raises(UsageError, match=r"not array\(\[\[0\., 0\., 0\.\], .*write_records") as caught:
        seqgen.train(table)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="a corpus is a registered name or the path of a file, not \\[\\]"):
        seqgen.train([])
    with pytest.raises(NoSuchFile):
        seqgen.train(["a.txt", "b.txt"])


@pytest.mark.promise("R16")
def test_complaints_name_the_file_in_the_archive_and_the_line(in_tmp, cli):
    with zipfile.ZipFile("corpus.zip", "w") as file:
        file.writestr("names/a.txt", "anna\n")
        file.writestr("names/b.txt", b"ben\ncarl\nd\xffra\n")
    refused = cli("train", "--corpus", "corpus.zip", *TINY)
    assert refused.code == 3 and f"'{in_tmp}/corpus.zip/names/b.txt', line 3: byte 2 of the line" in refused.err
    (in_tmp / "folder").mkdir()
    (in_tmp / "folder" / "a.txt").write_text("anna\n")
    (in_tmp / "folder" / "b.csv").write_text("text,x\nben,1\ncarl\n")
    refused = cli("train", "--corpus", "folder", *TINY)
    assert refused.code == 3 and f"'{in_tmp}/folder/b.csv', line 3: 1 field, but the first row" in refused.err
    (in_tmp / "folder" / "b.csv").rename("folder/b.pdf")
    (in_tmp / "folder" / "b.pdf").write_bytes(b"%PDF-1.7\n")
    refused = cli("train", "--corpus", "folder", *TINY)
    assert refused.code == 3 and f"cannot read records from '{in_tmp}/folder/b.pdf': it is a PDF" in refused.err
    assert "; a pattern, such as --corpus '*.txt', leaves files out" in refused.err


def spoiled(archive: Path, text: bytes) -> None:
    """Change a byte of a stored member."""
    content = bytearray(archive.read_bytes())
    content[content.index(text)] ^= 1
    archive.write_bytes(content)


@pytest.mark.full
@pytest.mark.promise("R16")
def test_a_damaged_member_is_named(in_tmp, cli):
    packed = gzip.compress("".join(f"name{n}\n" for n in range(9999)).encode())
    with zipfile.ZipFile("corpus.zip", "w") as file:
        file.writestr("a.txt", "anna\n")
        file.writestr("b.txt", "ben\n" * 30_000 + "carl\n")
        file.writestr("c.txt.gz", packed[:-20])
    where = f"seqgen: '{in_tmp}/corpus.zip"
    refused = cli("train", "--corpus", "corpus.zip", *TINY)
    assert refused.code == 3 and refused.err.startswith(f"{where}/c.txt.gz' is a damaged gzip file: Compressed file")
    spoiled(in_tmp / "corpus.zip", b"carl")
    refused = cli("train", "--corpus", "corpus.zip", *TINY)
    assert (refused.code, refused.err) == (
        3, f"{where}/b.txt' is a damaged member of a zip archive: Bad CRC-32 for file 'b.txt'\n",
    )  # fmt: skip
    content = bytearray((in_tmp / "corpus.zip").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag of an encrypted file
    (in_tmp / "secret.zip").write_bytes(content)
    with pytest.raises(CorpusError, match=r"a.txt': .* is encrypted, password required .*; unpack the archive"):
        texts(in_tmp / "secret.zip")


@pytest.mark.parametrize("cut", [1, 9, 400])
def test_a_damaged_zstandard_file_is_named(cut, in_tmp):
    zstandard = pytest.importorskip("zstandard")
    lines = "".join(f"name{n}\n" for n in range(99_999))
    packed = zstandard.compress(lines.encode())
    Path("a.zst").write_bytes(packed)
    assert texts("a.zst") == lines.split()
    Path("a.zst").write_bytes(packed[:-cut])
    with pytest.raises(CorpusError, match=r"a\.zst' is a damaged Zstandard file: it ends within a frame"):
        texts("a.zst")
    Path("a.zst").write_bytes(packed + b"more")
    with pytest.raises(CorpusError, match=r"a\.zst' is a damaged Zstandard file: "):
        texts("a.zst")
    Path("a.txt").write_text("ben\n")
    Path("a.zst").write_bytes(zstandard.compress(packed))
    with pytest.raises(CorpusError, match="it is a doubly packed Zstandard file; unpack it once"):
        texts("a.zst")


def test_an_archive_in_an_archive_is_to_be_unpacked(in_tmp):
    for outer, inner in (("in.zip", "a.txt"), ("out.zip", "in.zip")):
        Path("a.txt").write_text("anna\n")
        with zipfile.ZipFile(outer, "w") as file:
            file.write(inner)
    with pytest.raises(CorpusError, match=r"out.zip/in.zip': it is a zip archive; unpack it"):
        texts("out.zip")
    Path("in.zip").rename("in.dat")
    with pytest.raises(CorpusError, match=r"in.dat': it is a zip archive; give it a name that ends in .zip"):
        texts("in.dat")


@pytest.mark.parametrize("mark", [0x50, 0x5F])
def test_frames_that_are_skipped_may_stand_anywhere_in_a_zstandard_file(mark, in_tmp):
    zstandard = pytest.importorskip("zstandard")
    skipped = bytes([mark, 0x2A, 0x4D, 0x18, 4, 0, 0, 0]) + b"size"  # as pzstd writes before each frame
    frames = [zstandard.compress(f"{name}\n".encode()) for name in ("anna", "ben")]
    Path("a.txt.zst").write_bytes(skipped + frames[0] + skipped + frames[1] + skipped)
    assert texts("a.txt.zst") == ["anna", "ben"]


def test_without_a_package_for_zstandard_the_extra_is_named(in_tmp, cli, monkeypatch):
    if sys.version_info >= (3, 14):
        pytest.skip("Python unpacks it")
    Path("a.zst").write_bytes(b"\x28\xb5\x2f\xfd\x04\0")
    monkeypatch.setitem(sys.modules, "zstandard", None)
    refused = cli("show", "corpus", "a.zst")
    assert refused.code == 2 and "a Zstandard file needs the extra 'zstd': pip install" in refused.err


OTHERWISE = {
    "path": Path("b.csv"), "label": "f", "split": "valid", "max_line_chars": 7, "encoding": "latin-1",
    "encoding_errors": "skip", "long_lines": "skip", "strip": True, "normalize": "NFC",
}  # fmt: skip


@pytest.mark.parametrize("name", [field.name for field in fields(TextFile) if field.compare])
def test_a_file_that_is_read_otherwise_has_another_stamp(data, monkeypatch, name):
    monkeypatch.chdir(data)
    file = TextFile(Path("a.txt"))
    assert replace(file, **{name: OTHERWISE[name]}).stamp() != file.stamp() == TextFile(Path("a.txt")).stamp()


COLUMNS_OTHERWISE = {"text": "kind", "label": "kind", "text_fields": ("text", "kind")}


@pytest.mark.parametrize("name", [field.name for field in fields(Columns)])
def test_a_table_with_other_columns_has_another_stamp(data, name):
    table = Table(TextFile(data / "b.csv"), "csv")
    assert replace(table, columns=Columns(**{name: COLUMNS_OTHERWISE[name]})).stamp() != table.stamp()
    assert replace(table, form="tsv").stamp() != table.stamp()


def test_a_change_of_any_member_is_noticed(data):
    archive = zipped(data, data.parent / "all.zip")
    for path in (data, archive, data / "**" / "*"):
        before = get_stamp(load_file(path=str(path)))
        assert before == get_stamp(load_file(path=str(path))) != get_stamp(load_file(path=str(path), strip=True))
        assert json.dumps(before)
        if path != archive:
            changes = (
                lambda: (data / "new.txt").write_text("new\n"),
                lambda: (data / "new.txt").write_text("newer\n"),
                lambda: (data / "new.txt").unlink(),
            )
        else:
            changes = (lambda: archive.write_bytes(archive.read_bytes() + b"\n"),)
        for change in changes:
            was = get_stamp(load_file(path=str(path)))
            change()
            assert get_stamp(load_file(path=str(path))) != was
    files = get_source_files(load_file(path=str(data)))
    assert [path.name for path in files] == ["a.txt", "b.csv", "c.JSON", "d.txt.gz", "e.txt.zst", "f.txt", "g.jsonl"]
    assert get_source_files(load_file(path=str(archive))) == [archive]


@pytest.mark.full
def test_a_run_resumes_with_the_same_files_only(data, cli):
    trained = cli("train", "--corpus", data, *TINY, "--out", "run", "-o", "save_every_s=1e-9")
    assert trained.code == 0 and "data: 11 training records" in trained.err, trained.err
    run = seqgen.load("run")
    assert run.settings.corpus.options["path"] == str(data) and [record.text for record in run.corpus] == NAMES
    assert cli("evaluate", "run", "-n", 3).code == 0
    (data / "sub" / "z.txt").write_text("zoe\n")
    sampled = cli("sample", "run", "-n", 1, "--novel")
    assert sampled.code == 3 and "has changed since the run began" in sampled.err
    refit = cli("train", "--from", "run", "--steps", 2, "--split", "none", "--out", "again")
    assert refit.code == 0 and "12 training records" in refit.err


@pytest.mark.full
def test_corpus_may_be_given_several_times(data, cli):
    trained = cli("train", "--corpus", data / "b.csv", "--corpus", data / "a.txt", *TINY, "--out", "run")
    assert trained.code == 0 and "b+1: 3 training records" in trained.err, trained.err
    run = seqgen.load("run")
    assert [record.text for record in run.corpus] == ["anna", "ben", "carl"]
    for file in ("--valid-file", "--test-file"):
        held = cli("train", "--corpus", "names", file, data, "--steps", 1, "--hidden", 4, "-o", "samples=1")
        assert held.code == 0 and "11 " in held.err.splitlines()[1], held.err
    reference = cli("evaluate", "run", "-n", 2, "--reference", data)
    assert reference.code == 0 and "--reference: metrics compare with it, and the domain text has none" in reference.out


def test_the_title_is_the_name_of_the_file_or_folder(tmp_path):
    (tmp_path / "v1.2").mkdir()
    assert title_of(str(tmp_path / "v1.2")) == "v1.2"
    assert title_of("/x/names.csv.gz") == "names.csv"
    assert title_of("/x/data") == "data"
    assert title_of("/x/data/**/a*.csv") == "data"
    assert title_of(["/x/b.txt", "/x/a.txt"]) == "b+1"
    assert title_of("s3://bucket/names.csv?x=1") == "names"


# -- standard input


@pytest.fixture
def piped(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return lambda content: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.full
def test_standard_input_is_stored_once_and_resumed(piped, cli, in_tmp):
    piped(b"anna\nben\ncarl\n")
    trained = cli("train", "--corpus", "-", *TINY, "--out", "run")
    assert trained.code == 0 and "stdin: 3 training records" in trained.err, trained.err
    stored = Path(seqgen.load("run").settings.corpus.options["path"])
    assert stored.read_bytes() == b"anna\nben\ncarl\n" and stored.name == "stdin"
    assert os.name != "posix" or stored.stat().st_mode & 0o077 == 0
    assert cli("resume", "run").code == 0 and cli("evaluate", "run", "-n", 2).code == 0
    piped(b"anna\nben\ncarl\n")
    assert cli("show", "corpus", "-").code == 0
    assert len(list(stored.parent.parent.iterdir())) == 1, "equal content is stored once, and nothing else stays"
    piped(b"text,x\nanna,1\n")
    assert cli("show", "corpus", "-", "-o", "form=csv").code == 0
    piped(b"")
    empty = cli("train", "--corpus", "-", *TINY)
    assert empty.code == 3 and "holds no records" in empty.err


def test_equal_bytes_that_come_at_once_are_stored_once(tmp_path):
    def store(number):
        return spool(tmp_path / "home", "stdin", [b"anna\n", b"%d\n" % (number // 8)])

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(store, range(80)))
    assert len(set(found)) == 10 and all(path.read_bytes().startswith(b"anna\n") for path in found)


def test_a_terminal_is_no_corpus(monkeypatch, cli):
    terminal = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdin", terminal)
    refused = cli("train", "--corpus", "-", *TINY)
    assert refused.code == 2 and "standard input is a terminal; pipe records" in refused.err


# -- JSON arrays


def items(text, limit=10_000, block=7):
    blocks = iter([text[at : at + block] for at in range(0, len(text), block)])
    return list(JsonArray(blocks, limit, lambda line, reason: ValueError(f"line {line}: {reason}")))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=9,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(JSON, max_size=5), st.integers(1, 40), st.sampled_from([None, 0, 2]), st.booleans())
def test_an_array_is_read_in_pieces_of_any_size(values, block, indent, ascii_only):
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
    found = items(f"\n {text}\n", block=block)
    assert [value for _, value in found] == values
    if indent is not None and values:
        assert found[0][0] == 3


@pytest.mark.parametrize("block", range(1, 12))
def test_a_number_may_be_cut_anywhere(block):
    numbers = [0.0, -1.5e-07, 1e300, 12.25, -0.5, 6]
    for text in (json.dumps(numbers), "[0.0,-1.5E-7,1e+300,12.25,-0.5,6]"):
        assert [value for _, value in items(text, block=block)] == numbers


def test_a_number_of_too_many_digits_is_named_with_its_line():
    with pytest.raises(ValueError, match="line 2: not JSON: a number has too many digits"):
        items("[1,\n" + "9" * 5000 + "]")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2", "line 1: the array is not closed: the file may be cut off"),
        ('["anna",\n"ben"', "line 2: the array is not closed"),
        ('["anna",\n"ben"\n,\n', "line 4: not JSON: the file ends inside an array or object"),
        ('["anna",\n"ben",\n{"a":\n', "line 4: not JSON: the file ends inside an array or object"),
        ("[1,\n2\n3]", "line 3: expected a comma or ] after an item, found '3'"),
        ("[1,\n\n]", "line 3: not JSON: a comma stands before ']'; remove it"),
        ('["a",\n"b]', """line 2: not JSON: '"b]' is a string that is not closed: the file may be cut off"""),
        ('["a",\n{"b": 1,\n c}]', "line 3: not JSON: 'c}]'; names stand in double quotes"),
        ("['anna',\n'ben']", """line 1: not JSON: "'anna',"; strings stand in double quotes"""),
        ("[Verse 1]\nla", "strings stand in double quotes; if this is plain text, -o corpus.form=text reads"),
        ('["a",\n"b", None]', "line 2: not JSON: 'None]'; write null, true or false"),
        ('["a",\n,"b"]', """line 2: not JSON: a value is missing before ',"b"]'"""),
        ('["a",\n{"b": "say "c""}]', "line 2: not JSON: 'c\"\"}]'; a comma is missing before it, or a backslash"),
        ('["a",\n"b\nc"]', """line 2: not JSON: '"b\\n'; inside a string, write a line end as \\n"""),
        ("[1]\n[2]", "line 2: '[' after the end of the array"),
        ('[\n"' + "x" * 99 + '"]', "line 2: an item longer than 50 characters begins here"),
        ('[\n"' + "x" * 99, "line 2: an item longer than 50 characters begins here"),
    ],
)
@pytest.mark.parametrize("block", [1, 16, 1 << 16])
def test_what_is_no_array_is_named_with_its_line(text, said, block):
    with pytest.raises(ValueError) as caught:
        items(text, limit=50, block=block)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "The Lion\nThe Crown\n",
            "line 1: not JSON: 'The Lion'; strings stand in double quotes; if this is plain text, ",
        ),
        ("12 Bells\n", "line 1: not JSON: 'Bells'; one value ends before it: write one in each line; if this is plain"),
        ('"a"\n"b", "c"\n', """line 2: not JSON: ', "c"'; one value ends before it"""),
        (
            '"a"\n{"text":\n',
            "line 2: not JSON: the line ends inside an array or object, and may be cut off; write each",
        ),
        ("{'text': 'a'}\n", """line 1: not JSON: "'text': 'a'}"; strings stand in double quotes"""),
        ('"a"\n{"text": "b",}\n', "line 2: not JSON: a comma stands before '}'; remove it"),
        ('"a"\n{"text": "b", "text": "c"}\n', "line 2: an object gives 'text' twice; give each name one value"),
        ('["a",\n{"c": [{"b": 1, "b": 1}]}]', "line 2: an object gives 'b' twice; give each name one value"),
        ('"a"\n\ufeff"b"\n', "line 2: not JSON: a byte order mark (U+FEFF) stands before it; remove it"),
        ('"a"\n{"text": ' + "x" * 99, "line 2: not JSON: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'; strings stand"),
    ],
)
def test_a_line_that_is_not_json_is_explained(text, said, in_tmp):
    Path("a.json").write_text(text)
    with pytest.raises(CorpusError) as caught:
        texts("a.json")
    assert said in str(caught.value)


def test_a_value_nested_too_deeply_is_named(in_tmp):
    with pytest.raises(ValueError, match="line 1: a value is nested too deeply"):
        items("[" * 99_999, limit=10**6, block=1 << 16)
    Path("a.json").write_text(f'["a",\n{{"b": {"[" * 101}{"]" * 101}}}]')
    with pytest.raises(CorpusError, match="line 2: a value is nested more than 100 levels deep"):
        texts("a.json")


def test_a_value_of_a_line_that_is_nested_too_deeply_is_named(in_tmp):
    Path("a.jsonl").write_text(f'"a"\n{{"text": "b", "c": {"[" * 101}{"]" * 101}}}\n')
    with pytest.raises(CorpusError, match="line 2: a value is nested more than 100 levels deep"):
        texts("a.jsonl")
    Path("a.jsonl").write_text(f'{{"text": "b", "c": [{"[], " * 200}[]]}}\n')
    assert texts("a.jsonl") == ["b"]


@pytest.mark.full
def test_a_large_array_is_read_in_bounded_memory(in_tmp):
    with Path("a.json").open("w") as file:
        file.write("[" + ",".join(f'{{"text": "name {n}", "x": "{"x" * 300}"}}' for n in range(20_000)) + "]")
    tracemalloc.start()
    count = sum(1 for _ in load_file(path="a.json"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000 and peak < 2_000_000 < Path("a.json").stat().st_size / 3


# -- large


@pytest.mark.full
def test_a_folder_of_a_thousand_files(in_tmp, cli):
    folder = in_tmp / "many"
    folder.mkdir()
    for n in range(1000):
        (folder / f"{n:04}.txt").write_text(f"anna {n}\nben {n}\n")
    trained = cli("train", "--corpus", "many", *TINY)
    assert trained.code == 0 and "many: 2,000 training records" in trained.err
    assert len(find_places("many")) == 1000
    archive = zipped(folder, in_tmp / "many.zip")
    assert texts(archive) == texts(folder)
    assert [record.text for record in TextFile(folder / "0007.txt")] == ["anna 7", "ben 7"]


@pytest.mark.full
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.txt.gz"])
def test_text_of_two_bytes_a_character_without_a_mark_is_refused(encoding, name, cli, in_tmp):
    data = "text\nanna\nben\nzoë\n".encode(encoding)
    Path(name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    refused = cli("train", "--corpus", name, *TINY)
    assert refused.code == 3 and refused.err.count("\n") == 1, refused.err
    assert f"it is {encoding.upper()} without a byte order mark; -o corpus.encoding={encoding} reads it" in refused.err
    assert "carl" not in texts(name, encoding=encoding) and "zoë" in texts(name, encoding=encoding)
    assert cli("train", "--corpus", name, "--layout", "stream", *TINY).code == 3 or name.endswith(".csv")


@given(st.text(max_size=60).map(str.encode) | st.binary(max_size=60).map(lambda data: data.replace(b"\0", b"x")))
def test_other_bytes_are_not_taken_for_it(data):
    assert unmarked_encoding(data) == "" or data.count(b"\0") > 0.4 * len(data)


@pytest.mark.full
def test_a_file_that_is_given_twice_counts_once_and_is_named(cli, in_tmp):
    folder = in_tmp / "data"
    folder.mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (folder / name).write_text(f"{name}\nanna\n")
    twice = cli("train", "--corpus", "data/a.txt", "--corpus", "data/../data/a.txt", *TINY, "--out", "one")
    assert twice.code == 0 and "data/a.txt' given more than once; the records of a file count once" in twice.err
    assert seqgen.load("one").settings.corpus.n_records == 2
    overlapping = cli("train", "--corpus", "data/*.txt", "--corpus", "data", *TINY, "--out", "two")
    assert overlapping.code == 0 and "data/a.txt' and 2 more given more than once" in overlapping.err
    assert seqgen.load("two").settings.corpus.n_records == 6
    apart = cli("train", "--corpus", "data/a.txt", "--corpus", "data/b.txt", *TINY, "--out", "three")
    assert apart.code == 0 and "more than once" not in apart.err


def test_each_file_of_a_folder_is_looked_into_once(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text("ada\nbea\n", encoding="utf-8")
    looked = Counter()

    def matches(name, start):
        looked[name] += 1
        return False

    reader = InstalledReader("r", "the reader r", "1", (), matches, True, False, {}, lambda: None)
    texts = load_file(Readers([reader]), path=str(tmp_path))
    for _ in range(3):
        assert len(list(texts)) == 10 and texts.stamp()
    assert looked == Counter({f"{number}.txt": 1 for number in range(5)})

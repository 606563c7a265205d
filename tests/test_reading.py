"""Reading takes time linear in the size of a file, for any content."""

from __future__ import annotations

import gzip
import time

import pytest

from seqgen.corpus import Record, TextFile, load_file
from seqgen.errors import CorpusError


def took_s(source) -> float:
    began = time.process_time()
    assert sum(1 for _ in source) == 2
    return time.process_time() - began


@pytest.mark.promise("R16")
@pytest.mark.parametrize("name", ["ends.txt.gz", "ends.jsonl.gz"])
def test_line_ends_alone_are_skipped_as_quickly_as_text_is_read(name, tmp_path):
    """A gigabyte of them fits into a megabyte; it took minutes."""
    path, n = tmp_path / name, 40_000_000
    path.write_bytes(gzip.compress(b'"anna"\n' + b"\n" * n + b'"ben"\n', 1))
    source = load_file(path=str(path))
    assert took_s(source) < 0.8
    assert source.counts == {"blank lines skipped": n}
    assert [record.text.strip('"') for record in source] == ["anna", "ben"]


@pytest.mark.full
@pytest.mark.promise("R16")
def test_a_table_of_line_ends_is_refused(tmp_path):
    path = tmp_path / "ends.csv"
    path.write_bytes(b"name\nanna\n" + b"\n" * 1_000_000 + b"ben\n")
    assert [record.text for record in load_file(path=str(path))] == ["anna", "ben"]
    path.write_bytes(b"name\nanna\n" + b"\n" * 1_000_001 + b"ben\n")
    with pytest.raises(CorpusError, match="is not a table: it has 1,000,001 consecutive blank lines"):
        list(load_file(path=str(path)))


@pytest.mark.promise("R16")
def test_a_line_of_any_length_is_read_in_time_proportional_to_it(tmp_path):
    """Forty million characters took a minute, and twice as many four."""
    path = tmp_path / "long.txt"
    path.write_text("anna\n" + "abcdefgh" * 5_000_000 + "\n")
    assert took_s(TextFile(path, max_line_chars=10**9)) < 3


@pytest.mark.parametrize("n_empty", [1, 62, 63, 64, 65, 66, 100, 1000])
@pytest.mark.parametrize("block", [1, 7, 64, 1 << 16])
@pytest.mark.parametrize("begin", ["", "\n", "x" * 50 + "\n"])
def test_blank_lines_are_counted_wherever_they_stand(n_empty, block, begin, tmp_path, monkeypatch):
    monkeypatch.setattr("seqgen.corpus.readers._BLOCK_CHARS", block)
    path = tmp_path / "corpus.txt"
    text = begin + "anna\n" + "\n" * n_empty + "ben\r\n" + "\n" * n_empty
    path.write_text(text, newline="")
    source = TextFile(path, max_line_chars=20, long_lines="skip")
    assert list(source) == [Record("anna"), Record("ben")]
    assert source.counts["blank lines skipped"] == 2 * n_empty + (begin == "\n")
    assert source.counts.get("long lines skipped", 0) == (len(begin) > 20)
    path.write_text(text.replace("ben", "\xff"), encoding="latin-1", newline="")
    with pytest.raises(CorpusError, match=f"line {n_empty + 2 + len(begin.splitlines())}: byte 1"):
        list(TextFile(path))
    path = path.with_suffix(".jsonl")
    path.write_text(text.replace("anna", '"anna"').replace("ben", "{"), newline="")
    with pytest.raises(CorpusError, match=f"line {n_empty + 2 + len(begin.splitlines())}: not JSON"):
        list(load_file(path=str(path), max_line_chars=20, long_lines="skip"))

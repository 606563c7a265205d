"""Damaged caches, and corpora edited without changing size and time, are detected, reported and rebuilt."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest

import seqgen
from conftest import read_again
from seqgen.api import encoded_corpus
from seqgen.batches import cached, encode, encode_stream, make_feed
from seqgen.corpus import Record, Splitter
from seqgen.errors import DiskError
from seqgen.files import arrays, dump_checksummed, dump_json, load_checksummed
from seqgen.files.arrays import ArrayFile, CheckedArray, damaged_blocks, map_array
from seqgen.tokenizers import CharTokenizer, Vocabulary

TEXTS = [f"word{number}" for number in range(500)]
RECORDS = [Record(text) for text in TEXTS]
VOCABULARY = Vocabulary(CharTokenizer.fit(TEXTS))
LONG = Vocabulary(CharTokenizer.fit(TEXTS), ends=False)
BLOCK = 1 << 9


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 512 bytes, so that a small array has many."""
    monkeypatch.setattr(arrays, "BLOCK_BYTES", BLOCK)


def build(make_sink):
    return encode(RECORDS, VOCABULARY, Splitter(), make_sink)


def build_long(make_sink):
    return encode_stream(RECORDS, sum(map(len, TEXTS)), LONG, Splitter(), make_sink)


def numbers(parts):
    """All that the parts hold."""
    names = ("flat", "starts_N", "lengths_N", "chars_N", "flat_S")
    return [np.asarray(getattr(parts[part], name)).tolist() for part in parts for name in names
            if hasattr(parts[part], name)]  # fmt: skip


def test_blocks_are_summed_over_pieces_of_any_size(tmp_path, small_blocks):
    rng = np.random.default_rng(0)
    for dtype, width in ((np.uint8, None), (np.int64, None), (np.int16, 3)):
        pieces = [rng.integers(0, 100, (n,) if width is None else (n, width)) for n in (0, 1, 700, 3, 2000)]
        file = ArrayFile(tmp_path / np.dtype(dtype).name, dtype, width)
        for piece in pieces:
            file.append(piece)
        array = file.finish()
        sums = file.describe()["crc32"]
        assert len(sums) == -(-array.nbytes // BLOCK) > 2
        assert list(damaged_blocks(array, sums)) == []
        bad = bytearray((tmp_path / np.dtype(dtype).name).read_bytes())
        for block in (0, 2, len(sums) - 1):
            bad[block * BLOCK] ^= 1
        (tmp_path / "a").write_bytes(bytes(bad))
        assert list(damaged_blocks(map_array(tmp_path / "a", np.dtype(dtype).str, list(array.shape)), sums)) == [
            0, 2, len(sums) - 1,
        ]  # fmt: skip


def test_a_block_is_compared_when_it_is_first_used_and_not_again(tmp_path, small_blocks, monkeypatch):
    file = ArrayFile(tmp_path / "a", np.int32)
    file.append(np.arange(1000))
    array, sums = file.finish(), file.describe()["crc32"]
    seen: list[int] = []

    def looked(array, crc32, blocks=None):
        seen.extend(blocks)
        return damaged_blocks(array, crc32, blocks)

    monkeypatch.setattr(arrays, "damaged_blocks", looked)
    checked = CheckedArray(array, sums, lambda block: pytest.fail("damaged"))
    assert checked[np.array([[130, 5], [129, 6]])].tolist() == [[130, 5], [129, 6]] and seen == [0, 1]
    assert checked[3] == 3 and checked.take(np.array([7, 5000]), mode="clip").tolist() == [7, 999] and seen == [0, 1, 7]
    assert checked[250:390].tolist() == list(range(250, 390)) and seen == [0, 1, 7, 2, 3]
    assert checked[0:0].tolist() == [] and seen == [0, 1, 7, 2, 3]
    assert np.asarray(checked).tolist() == list(range(1000)) and sorted(seen) == list(range(8))
    assert checked[-1] == 999 and len(checked) == 1000 and checked.dtype == np.int32 and len(seen) == 8


def test_what_is_damaged_when_it_is_used_is_renewed_once(tmp_path, small_blocks):
    file = ArrayFile(tmp_path / "a", np.int32)
    file.append(np.arange(1000))
    good, sums = file.finish(), file.describe()["crc32"]
    bad, renewed = np.array(good), []
    bad[300] = 7

    def renew(block):
        renewed.append(block)
        return good, sums

    checked = CheckedArray(bad, sums, renew)
    assert checked[5] == 5 and not renewed
    assert checked[300] == 300 and renewed == [2]
    assert np.asarray(checked).tolist() == list(range(1000)) and renewed == [2]
    with pytest.raises(DiskError, match="damaged again"):
        CheckedArray(bad, sums, lambda block: (bad, sums))[300]


@pytest.mark.full
@pytest.mark.promise("R31")
@pytest.mark.parametrize("kind", ["records", "stream"])
def test_flipped_bits_of_a_cache_are_found_and_it_is_made_anew(kind, in_memory, small_blocks, record_property):
    """200 flips over all files of an encoded corpus, records and a long text: said in a line, the same numbers."""
    make = build if kind == "records" else build_long
    cached(in_memory, {}, make)
    (folder,) = in_memory.iterdir()
    good, whole = {path.name: path.read_bytes() for path in folder.iterdir()}, numbers(cached(in_memory, {}, make))
    rng, names = random.Random(0), [name for name in sorted(good) if good[name]]
    for number in range(200):
        name = names[number % len(names)]
        bad = bytearray(good[name])
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        (folder / name).write_bytes(bytes(bad))
        said: list[str] = []
        assert numbers(cached(in_memory, {}, make, said.append)) == whole
        assert len(said) == 1 and name in said[0] and said[0].endswith("rebuilding it") and "\n" not in said[0]
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == good
    assert numbers(cached(in_memory, {}, lambda sink: pytest.fail("made anew"), pytest.fail)) == whole
    record_property("cases", 200)


@pytest.mark.parametrize("kind", ["records", "stream"])
def test_batches_are_the_same_when_a_block_goes_bad_amid_the_training(kind, in_memory, small_blocks, monkeypatch):
    monkeypatch.setattr("seqgen.batches.encoded._MAX_PADDED", 0)  # a small part is copied to memory whole
    make = build if kind == "records" else build_long
    wished = {"batch_size": 1, "window": 64, "seed": 3}
    plain = make_feed(cached(in_memory, {}, make)["train"], **wished)
    expected = [plain.batch(step).ids_BT.tolist() for step in range(30)]
    said: list[str] = []
    parts = cached(in_memory, {}, make, said.append)
    feed = make_feed(parts["train"], **wished)
    if kind == "records":
        feed._ahead = 1
    (folder,) = in_memory.iterdir()
    got = [feed.batch(0).ids_BT.tolist()]
    path = folder / "train.flat.bin"
    used = np.flatnonzero(~parts["train"].flat._unchecked if kind == "records" else ~parts["train"].flat_S._unchecked)
    with path.open("r+b") as file:  # where it is mapped, blocks that were not used yet
        for block in set(range(path.stat().st_size // BLOCK)) - set(used.tolist()):
            file.seek(block * BLOCK)
            file.write(b"\0" * BLOCK)
    got += [feed.batch(step).ids_BT.tolist() for step in range(1, 30)]
    assert got == expected
    assert len(said) == 1 and "train.flat.bin" in said[0]


@pytest.mark.parametrize("dump", [dump_json, dump_checksummed])
def test_a_cache_without_checksums_is_made_anew(dump, tmp_path):
    first, said = cached(tmp_path, {}, build), []
    (folder,) = tmp_path.iterdir()
    meta, sealed = load_checksummed((folder / "meta.json").read_bytes())
    assert sealed
    for array in meta["arrays"].values():
        del array["crc32"]
    (folder / "meta.json").write_bytes(dump(meta))
    again = cached(tmp_path, {}, build, said.append)
    assert numbers(again) == numbers(first)
    assert len(said) == 1 and said[0].endswith("; rebuilding it")


def test_a_seal_says_whether_anything_was_changed():
    value = {"a": [1, 2.5, "ä"], "b": {"c": None}}
    data = dump_checksummed(value)
    assert load_checksummed(data) == (value, True) and load_checksummed(dump_json(value)) == (value, False)
    for at in range(len(data)):
        for bit in range(8):
            bad = bytearray(data)
            bad[at] ^= 1 << bit
            try:
                found, sealed = load_checksummed(bytes(bad))
            except ValueError:
                continue
            assert not sealed and found != value  # the name of the checksum itself: a further key
    for wrong in (b"[]", b"1", b"", b"{}", b'{"sha256": 1}\n', data[:-1], data + b"\n"):
        with pytest.raises(ValueError):
            load_checksummed(wrong)


WISHES = {"cell": "vanilla", "hidden": 8, "steps": 4, "batch_size": 8, "split": "80/10/10"}


@pytest.fixture
def large(monkeypatch, tmp_path):
    """Every corpus is one that goes to files."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(encoded_corpus, "_IN_MEMORY", 10)
    return tmp_path / "cache" / "seqgen"


def edit_keeping_size_and_times(path: Path) -> None:
    """Put other letters into a file in place; its size and the time of its change are what they were."""
    before = path.stat()
    content = path.read_text(encoding="utf-8")
    with path.open("r+", encoding="utf-8") as file:
        file.write(content.replace("anna", "enne", 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (before.st_size, before.st_mtime_ns, before.st_ino) == (after.st_size, after.st_mtime_ns, after.st_ino)


def test_a_large_corpus_edited_with_size_and_time_kept_does_not_pass_as_unchanged(words, tmp_path, large):
    run = seqgen.train(words, **WISHES, out=tmp_path / "run")
    assert run.where(["anna"])["anna"] != "new"
    edit_keeping_size_and_times(words)
    with pytest.raises(seqgen.CorpusError, match="has changed since"):
        seqgen.load(run.path).where(["anna"])
    with pytest.raises(seqgen.CorpusError, match="has changed since"):
        seqgen.load(run.path).evaluate(5)
    other = seqgen.train(words, **WISHES, out=tmp_path / "other")
    assert other.settings.corpus.digest != run.settings.corpus.digest


def test_a_corpus_that_changes_between_counting_and_encoding_is_refused(words, tmp_path, large, monkeypatch):
    """By what is encoded, not by the times of the file."""
    read_again(monkeypatch)
    counting = encoded_corpus.survey

    def then_edit(*given, **options):
        yield from counting(*given, **options)
        if changes:
            edit_keeping_size_and_times(changes.pop())

    monkeypatch.setattr(encoded_corpus, "survey", then_edit)
    for most in (10, 1 << 30):  # in files, and in memory
        monkeypatch.setattr(encoded_corpus, "_IN_MEMORY", most)
        good, changes = words.read_text(encoding="utf-8"), [words]
        with pytest.raises(seqgen.CorpusError, match="changed while it was read"):
            seqgen.train(words, **WISHES, out=tmp_path / "run")
        assert not (tmp_path / "run").exists()
        words.write_text(good, encoding="utf-8")
    seqgen.train(words, **WISHES, out=tmp_path / "run")


@pytest.mark.promise("R31")
def test_flipped_bits_of_what_is_kept_of_reading_are_found(words, tmp_path, large, record_property):
    """100 flips of each of what is kept of a corpus that was read: it is read again, and kept as before."""
    from seqgen.api.encoded_corpus import open_survey_cache
    from seqgen.corpus import Corpus, read_lines

    seqgen.train(words, **WISHES, out=tmp_path / "run")
    corpus = Corpus("words", read_lines(words))
    cache = open_survey_cache(corpus)
    cache.store({"n_records": 40, "digest": "abc"})
    (path,) = [path for path in (large / "read").iterdir() if b'"abc"' in path.read_bytes()]
    good, rng = path.read_bytes(), random.Random(0)
    for _ in range(100):
        bad = bytearray(good)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(bad))
        assert open_survey_cache(corpus).read() is None
    path.write_bytes(good)
    assert open_survey_cache(corpus).read() == {"n_records": 40, "digest": "abc"}
    edit_keeping_size_and_times(words)
    assert open_survey_cache(corpus).read() is None
    for path in (large / "read").iterdir():
        path.write_bytes(path.read_bytes().replace(b"sha256", b"sha25v"))
    again = seqgen.train(words, **WISHES, out=tmp_path / "again")
    assert json.loads((again.path / "run.json").read_bytes())["corpus"]["n_records"] == 40
    record_property("cases", 100)


def test_a_resumed_run_says_that_its_cache_was_damaged_and_is_the_same(words, tmp_path, large):
    said: list[str] = []
    whole = seqgen.train(words, **WISHES, out=tmp_path / "whole")
    for path in (large / "encoded").rglob("train.flat.bin"):
        path.write_bytes(bytes(path.stat().st_size))
    again = seqgen.train(words, **WISHES, out=tmp_path / "again", warn=said.append)
    assert [line for line in said if "train.flat.bin" in line and line.endswith("rebuilding it")]
    assert (again.path / "metrics.jsonl").read_bytes() == (whole.path / "metrics.jsonl").read_bytes()

"""Large corpora: encoded once into files that are then memory-mapped, and never partly written."""

from __future__ import annotations

import dataclasses
import os
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

import seqgen
from seqgen.api import encoded_corpus
from seqgen.batches import Encoded, Stream, cached, encode, encode_stream
from seqgen.corpus import Record, Splitter
from seqgen.errors import DiskError
from seqgen.files import arrays as files_arrays
from seqgen.files import cache_folder
from seqgen.files.arrays import ArrayFile, CheckedArray, map_array
from seqgen.tokenizers import CharTokenizer, Vocabulary

TEXTS = [f"word{number}" for number in range(500)]
RECORDS = [Record(text, "ab"[len(text) % 2]) for text in TEXTS]
VOCABULARY = Vocabulary(CharTokenizer.fit(TEXTS), ("label=a", "label=b"))


def build(make_sink):
    return encode(RECORDS, VOCABULARY, Splitter(), make_sink)


def arrays(part):
    if isinstance(part, Stream):
        return [part.flat_S, np.array(part.n_chars)]
    return [part.flat, part.starts_N, part.lengths_N, part.chars_N, part.conditions_NC]


def same(one, other):
    return all(
        np.array_equal(a, b) and a.dtype == b.dtype
        for part in ("train", "valid", "test")
        for a, b in zip(arrays(one[part]), arrays(other[part]), strict=True)
    )


def test_files_hold_what_memory_would(tmp_path):
    in_memory = encode(RECORDS, VOCABULARY, Splitter())
    first = cached(tmp_path, {"digest": "x"}, build)
    assert same(first, in_memory)
    again = cached(tmp_path, {"digest": "x"}, lambda make_sink: pytest.fail("encoded twice"))
    assert same(again, in_memory) and first["train"].flat.dtype == np.uint8
    assert not np.asarray(again["train"].flat).flags.writeable
    cached(tmp_path, {"digest": "y"}, build)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_long_text_too(tmp_path):
    vocabulary = Vocabulary(CharTokenizer.fit(TEXTS), ends=False)

    def build_stream(make_sink):
        return encode_stream(RECORDS, sum(map(len, TEXTS)), vocabulary, Splitter(), make_sink)

    assert same(
        cached(tmp_path, {}, build_stream), encode_stream(RECORDS, sum(map(len, TEXTS)), vocabulary, Splitter())
    )
    assert isinstance(cached(tmp_path, {}, lambda make_sink: pytest.fail("again"))["train"], Stream)


def test_a_half_written_cache_is_never_used(tmp_path):
    class Killed(Exception):
        pass

    def die(make_sink):
        make_sink("train.flat", np.uint8, None).append(np.ones(5, np.uint8))
        raise Killed

    with pytest.raises(Killed):
        cached(tmp_path, {}, die)
    assert not list(tmp_path.iterdir())
    cached(tmp_path, {}, build)
    (folder,) = tmp_path.iterdir()
    for damage in ("cut", "no meta", "nonsense"):
        if damage == "cut":
            os.truncate(folder / "train.flat.bin", 10)
        elif damage == "no meta":
            (folder / "meta.json").unlink()
        else:
            (folder / "meta.json").write_text("[1]")
        assert same(cached(tmp_path, {}, build), encode(RECORDS, VOCABULARY, Splitter())), damage
        (folder,) = tmp_path.iterdir()


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    def refuse(self, piece):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ArrayFile, "append", refuse)
    with pytest.raises(DiskError, match="No space left"):
        cached(tmp_path, {}, build)
    assert not list(tmp_path.iterdir())


def test_arrays_of_any_shape(tmp_path):
    for width in (None, 3):
        file = ArrayFile(tmp_path / f"{width}", np.int16, width)
        pieces = [np.arange(6, dtype=np.int64).reshape((-1,) if width is None else (-1, 3)) for _ in range(3)]
        for piece in pieces:
            file.append(piece)
        assert np.array_equal(file.finish(), np.concatenate(pieces))
    empty = ArrayFile(tmp_path / "empty", np.int16, 2)
    assert empty.finish().shape == (0, 2)
    with pytest.raises(ValueError, match="bytes, not"):
        map_array(tmp_path / "3", "<i2", [99, 3])


def test_a_run_from_files_is_the_run_from_memory(words, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    wishes = {"cell": "vanilla", "hidden": 8, "steps": 12, "batch_size": 8, "split": "80/10/10"}
    plain = seqgen.train(words, **wishes, out=tmp_path / "plain")
    assert not (tmp_path / "cache").exists()
    monkeypatch.setattr(encoded_corpus, "_IN_MEMORY", 10)
    mapped = seqgen.train(words, **wishes, out=tmp_path / "mapped")
    assert len(list((tmp_path / "cache" / "seqgen" / "encoded").iterdir())) == 1
    with monkeypatch.context() as patch:  # it is not even read again
        patch.setattr(encoded_corpus, "survey", lambda *given: pytest.fail("read again"))
        again = seqgen.train(words, **wishes, out=tmp_path / "again")
    assert (again.path / "metrics.jsonl").read_bytes() == (mapped.path / "metrics.jsonl").read_bytes()
    for name, tensor in plain.model.state_dict().items():
        assert torch.equal(tensor, mapped.model.state_dict()[name])
    assert mapped.evaluate(20) | {"run": "", "trained_s": 0} == plain.evaluate(20) | {"run": "", "trained_s": 0}
    assert len(list((tmp_path / "cache" / "seqgen" / "encoded").iterdir())) == 1


def test_a_file_that_has_changed_is_read_again(words, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(encoded_corpus, "_IN_MEMORY", 10)
    wishes = {"cell": "vanilla", "hidden": 8, "steps": 2, "split": "none"}
    first = seqgen.train(words, **wishes, out=tmp_path / "first")
    words.write_text(words.read_text() + "zoë\n", encoding="utf-8")
    second = seqgen.train(words, **wishes, out=tmp_path / "second")
    assert second.settings.corpus.n_records == first.settings.corpus.n_records + 1
    assert second.vocabulary.tokenizer.n_symbols > first.vocabulary.tokenizer.n_symbols
    with pytest.raises(seqgen.CorpusError, match="has changed since"):
        first.evaluate(5)
    for folder in ("read", "encoded"):
        for path in (tmp_path / "cache" / "seqgen" / folder).rglob("*.json"):
            path.write_text("damaged")
    third = seqgen.train(words, **wishes, out=tmp_path / "third")
    assert third.settings.corpus == second.settings.corpus


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(words, tmp_path, monkeypatch):
    from seqgen.api.encoded_corpus import open_survey_cache
    from seqgen.corpus import Corpus, read_lines

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    cache = open_survey_cache(Corpus("c", read_lines(words)))
    cache.store([1])
    assert cache.read() is None and open_survey_cache(Corpus("c", [Record("a")])).read() is None


def test_a_survey_of_fewer_statistics_is_not_taken_for_one_of_all(words, tmp_path, monkeypatch):
    """As a version of seqgen with another statistic would find it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(encoded_corpus, "_IN_MEMORY", 10)
    survey, counted = encoded_corpus.survey, []
    monkeypatch.setattr(encoded_corpus, "survey", lambda *given, **more: counted.append(None) or survey(*given, **more))
    first = seqgen.plan(words).settings.corpus
    n_counted = len(counted)
    assert seqgen.plan(words).settings.corpus == first and len(counted) == n_counted > 0
    more = dataclasses.make_dataclass("More", [("n_more", int, 0)], bases=(encoded_corpus.Survey,))
    monkeypatch.setattr(encoded_corpus, "Survey", more)
    assert seqgen.plan(words).settings.corpus == first and len(counted) > n_counted


@pytest.fixture
def homeless(tmp_path, monkeypatch):
    """Return the temporary folder of a user without a home folder."""

    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", home)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


def test_without_a_home_folder_the_cache_is_one_of_this_user_in_the_temporary_folder(homeless, words, monkeypatch):
    monkeypatch.setattr(encoded_corpus, "_IN_MEMORY", 10)
    seqgen.train(words, cell="vanilla", hidden=8, steps=2, split="none", out=homeless.parent / "run")
    (folder,) = homeless.glob("seqgen*")
    assert sorted(path.name for path in folder.iterdir()) == ["encoded", "read"]
    if os.name == "posix":
        assert folder.name == f"seqgen-{os.getuid()}" and folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.name != "posix", reason="users and modes of folders")
@pytest.mark.parametrize("made", ["link", "file", "writable", "of another"])
def test_a_cache_that_others_may_write_to_is_refused(made, homeless, monkeypatch):
    folder = homeless / f"seqgen-{os.getuid()}"
    (homeless / "theirs").mkdir(mode=0o700)
    if made == "link":
        folder.symlink_to("theirs")
    elif made == "file":
        folder.write_text("")
    else:
        folder.mkdir(mode=0o700)
    if made == "writable":
        folder.chmod(0o770)
    if made == "of another":
        owner = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: owner + 1)
        folder.rename(homeless / f"seqgen-{owner + 1}")
    with pytest.raises(DiskError, match=r"the cache folder|cannot write"):
        cache_folder("read")


@pytest.mark.full
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the pages of a process are read from /proc")
@pytest.mark.parametrize("often", [True, False])
def test_records_read_from_files_keep_few_pages(often, tmp_path, monkeypatch):
    """All records of 64 MB are read; a page brings its neighbours, and all are dropped after 128 records."""
    monkeypatch.setattr(files_arrays, "_READ_BEFORE_DROP", 128 if often else 1 << 30)

    def mapped_mb():
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"RssFile:\s+(\d+)", status)[1]) / 1024

    n, length = 1 << 16, 1 << 10
    file = ArrayFile(tmp_path / "flat", np.uint8)
    for _ in range(64):
        file.append(np.ones(1 << 20, np.uint8))
    lengths = np.full(n, length, np.int32)
    flat = CheckedArray(file.finish(), file.describe()["crc32"], lambda block: pytest.fail("damaged"))
    encoded = Encoded(flat, np.arange(n, dtype=np.int64) * length, lengths, lengths)
    assert encoded.longest == length
    before, most = mapped_mb(), 0.0
    for rows in np.random.default_rng(0).permutation(n).reshape(-1, 128):
        encoded.take(rows)
        most = max(most, mapped_mb() - before)
    assert (most < 24) is often, most

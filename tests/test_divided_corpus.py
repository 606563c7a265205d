"""A large corpus in parts, counted and encoded by several processes: with the bytes of one."""

from __future__ import annotations

import gzip
import importlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seqgen
from seqgen.api import encoded_corpus
from seqgen.api.corpora import open_corpus, sort_out_corpus
from seqgen.api.encoded_corpus import CorpusReading, read_again
from seqgen.api.train import plan
from seqgen.batches import encode, join_encoded
from seqgen.corpus import (
    Distinct,
    PartOfCorpus,
    Splitter,
    Survey,
    TextFile,
    divide,
    files_of,
    load_file,
    parts,
    survey,
)
from seqgen.corpus.corpus import get_counts
from seqgen.divided_corpus import DividedCorpus
from seqgen.errors import CorpusError
from seqgen.plugins.selection import default_plugins
from seqgen.tokenizers import CharTokenizer, Vocabulary

LINES = st.text(st.sampled_from("ab \n\r\t\x0b\u2028\ufeffé𝄞"), max_size=200).map(str.encode)
DAMAGED = st.binary(max_size=200)


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(parts, "LARGE_BYTES", 1)
    monkeypatch.setattr(parts, "PART_BYTES", 300)


@settings(max_examples=200)
@given(LINES | DAMAGED, st.integers(1, 50), st.sampled_from(["replace", "skip"]))
def test_the_parts_of_a_file_are_the_file(tmp_path_factory, data, size, errors):
    path = tmp_path_factory.mktemp("parts") / "a.txt"
    path.write_bytes(data)
    whole = TextFile(path, encoding_errors=errors, max_line_chars=20, long_lines="skip")
    try:
        records = list(whole)
    except CorpusError:  # it begins like a packed file, or one of another encoding
        return
    found, counts = [], {}
    for part in divide(files_of(whole), 1, size) or [[[0, 0, -1]]]:
        source = PartOfCorpus(files_of(whole), part)
        found += source
        counts = {name: counts.get(name, 0) + get_counts(source).get(name, 0) for name in {*counts, *source.counts}}
    assert found == records and counts == whole.counts


def test_files_that_are_not_plain_text_are_parts_as_a_whole(in_tmp):
    Path("a.csv").write_text("text,kind\n" + "anna,f\n" * 100)
    Path("b.txt").write_bytes("anna\n".encode("utf-16") * 100)
    Path("c.txt.gz").write_bytes(gzip.compress(bytes(range(32, 127)) * 10))
    Path("d.txt").write_text("anna\n" * 100)
    Path("e.txt").write_text("anna\n")
    files = files_of(load_file(path=["a.csv", "b.txt", "c.txt.gz", "d.txt", "e.txt"]))
    found = divide(files, 1, 200)
    assert [piece[0] for part in found for piece in part] == [0, 1, 2, 3, 3, 3, 4]
    assert all((piece[2] < 0) == (piece[0] != 3) for part in found for piece in part)
    assert found[-1][-1] == [4, 0, -1] and len(divide(files, 1, 10**6)) == 0
    assert divide(files_of(load_file(path="d.txt")), 501) == []  # it is not large
    assert files_of(load_file(path="d.txt", layout="stream")) != [] and files_of(["anna"]) == []


def test_a_packed_file_is_a_part_as_a_whole_however_large_it_is(in_tmp):
    lines = [f"{number * 7919 % 10_007}" for number in range(2000)]
    Path("a.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    Path("b.txt").write_text("anna\n")
    files = files_of(load_file(path=["a.txt.gz", "b.txt"]))
    found = divide(files, 1, 200)
    assert found == [[[0, 0, -1]], [[1, 0, -1]]]
    assert [record.text for part in found for record in PartOfCorpus(files, part)] == [*lines, "anna"]


def test_distinct_texts_are_estimated_alike_in_parts(monkeypatch):
    monkeypatch.setattr(importlib.import_module("seqgen.corpus.distinct"), "_MAX_KEPT", 100)
    texts = [str(n * n % 7001) for n in range(9000)]
    whole = Distinct()
    whole.add(texts)
    joined = Distinct()
    for at in range(0, 9000, 700):
        part = Distinct(joined.mask)
        part.add(texts[at : at + 700])
        joined.join(part)
    assert (joined.mask, joined.kept) == (whole.mask, whole.kept) and 0.7 < whole.count() / len(set(texts)) < 1.3


# -- counted and encoded


@pytest.fixture
def folder(in_tmp):
    """Files of several kinds, with labels in some, and held-out records."""
    data = in_tmp / "data"
    data.mkdir()
    names = [f"name {n * n % 997} {'é' * (n % 3)}" for n in range(300)]
    (data / "a.csv").write_text("text,kind\n" + "".join(f'"{name}\nx",k{n % 3}\n' for n, name in enumerate(names[:90])))
    (data / "b.txt").write_text("\ufeff" + "\r\n".join(names) + "\n\n\n" + "\n".join(names[::-1]))
    (data / "c.jsonl").write_text("".join(json.dumps({"text": name, "kind": "k9"}) + "\n" for name in names[:50]))
    with zipfile.ZipFile(data / "d.zip", "w") as archive:
        archive.writestr("inside.txt", "\n".join(names))
    (in_tmp / "valid.txt").write_text("\n".join(names[:40]) + "\n")
    return data


def opened(path, **options):
    entry, implied = sort_out_corpus(path if isinstance(path, list) else str(path), default_plugins())
    held = {name: options.pop(name) for name in ("valid", "test", "divided") if name in options}
    return open_corpus(entry, entry.options({**implied, **options}), **held, plugins=default_plugins())


@pytest.mark.parametrize(
    "held",
    [{}, {"valid": "valid.txt"}, {"test": "valid.txt"}, {"test": "valid.txt", "divided": True}],
    ids=["none", "valid", "test", "divided"],
)
def test_parts_are_counted_and_encoded_as_by_one_pass(held, folder, small_parts):
    corpus = opened(folder, label_field="kind", **held)
    divided = DividedCorpus.of(corpus, "c", "seqgen:char", 2, default_plugins())
    assert divided is not None and len(divided.parts) > 20
    here = DividedCorpus(divided.opening, "c", "seqgen:char", divided.parts, 1, default_plugins())
    one, several = Survey(), Survey()
    fitted = CharTokenizer.fit(survey(corpus, "c", one, ["label"]))
    joined = CharTokenizer.join([CharTokenizer.from_json(part) for part in here.count(several, {}, ["label"])])
    assert several == one and joined.to_json() == fitted.to_json() and one.counts and one.values["label"]
    vocabulary = Vocabulary(fitted, tuple(f"label={value}" for value in one.values["label"]))
    splitter = Splitter((0.6, 0.4, 0.0) if "divided" in held else (0.6, 0.2, 0.2), 3)
    whole = encode(corpus, vocabulary, splitter)
    assert bool(len(whole["valid"])) == (held == {} or "valid" in held or "divided" in held)
    for part, found in join_encoded(here.encode(vocabulary, splitter, one.digest), vocabulary).items():
        for name, array in vars(whole[part]).items():
            assert np.array_equal(getattr(found, name), array) and getattr(found, name).dtype == array.dtype
    with pytest.raises(CorpusError, match="changed while it was read"):
        join_encoded(here.encode(vocabulary, splitter, "another"), vocabulary)


def test_what_one_process_reads(folder, small_parts, monkeypatch, in_tmp):
    plugins = default_plugins()
    text = folder / "b.txt"
    assert DividedCorpus.of(opened(text), "c", "seqgen:char", 1, plugins) is None
    assert DividedCorpus.of(opened(text, layout="stream"), "c", "seqgen:char", 2, plugins) is None
    assert DividedCorpus.of(opened("names"), "c", "seqgen:char", 2, plugins) is None
    monkeypatch.setattr("seqgen.divided_corpus.threads_here", lambda: 1)
    assert DividedCorpus.of(opened(text), "c", "seqgen:char", None, plugins) is None
    monkeypatch.setattr("seqgen.divided_corpus.threads_here", lambda: 64)
    assert DividedCorpus.of(opened(text), "c", "seqgen:char", None, plugins).workers == 8


def test_the_first_problem_of_a_file_is_reported_as_by_one_process(folder, small_parts, monkeypatch):
    text = folder / "b.txt"
    text.write_bytes(text.read_bytes() + b"\n" + b"x" * 11_000 + b"\nbad \xff byte\n")
    told = []
    for workers in (1, 2):
        with pytest.raises(CorpusError) as refused:
            plan(folder, workers=workers, steps=1)
        told.append(str(refused.value))
    assert told[0] == told[1] and "b.txt', line 603: longer than 10000 characters" in told[0]


@pytest.mark.full
@pytest.mark.parametrize("workers", [2, 3])
def test_processes_write_the_bytes_of_one(workers, folder, small_parts, monkeypatch, in_tmp):
    monkeypatch.setattr(encoded_corpus, "_IN_MEMORY", 10)
    settings = {"condition": "label", "label_field": "kind", "valid": "valid.txt", "steps": 1}
    caches = {}
    for number in (1, workers):
        monkeypatch.setenv("XDG_CACHE_HOME", str(in_tmp / f"cache{number}"))
        data = plan(folder, workers=number, **settings).data
        files = sorted(path for path in (in_tmp / f"cache{number}").rglob("*") if path.is_file())
        caches[number] = data.survey, {path.relative_to(in_tmp / f"cache{number}"): path.read_bytes() for path in files}
    assert caches[1] == caches[workers] and len(caches[1][1]) > 10


@pytest.mark.full
def test_the_corpus_of_a_run_is_read_again_by_several_processes(folder, small_parts, monkeypatch, in_tmp):
    run = seqgen.train(folder, cell="vanilla", hidden=4, steps=2, out="run", label_field="kind", workers=1)
    found = [
        read_again(run.corpus, run.settings, run.vocabulary, plugins=run.plugins, workers=workers) for workers in (1, 2)
    ]
    assert found[0].survey == found[1].survey
    assert np.array_equal(found[0].encoded["train"].flat, found[1].encoded["train"].flat)


@pytest.mark.full
def test_a_tokenizer_without_join_is_fitted_by_one_process(folder, small_parts, monkeypatch):
    from seqgen.registry import Entry

    corpus, registry = opened(folder / "b.txt"), default_plugins().registry
    entry: Entry = registry.get("tokenizer", "char")
    divided = DividedCorpus.of(corpus, "c", entry.qualified, 2, default_plugins())
    monkeypatch.setattr(type(divided), "count", lambda *given: pytest.fail("counted in parts"))
    monkeypatch.delattr(CharTokenizer, "join")
    found = CorpusReading(corpus, "c", divided=divided).learn(entry, {}, Splitter())
    monkeypatch.undo()
    one = CorpusReading(corpus, "c").learn(entry, {}, Splitter())
    assert found.survey == one.survey and np.array_equal(found.encoded["train"].flat, one.encoded["train"].flat)


def test_a_condition_of_very_many_values_is_refused_before_it_fills_the_memory(in_tmp, small_parts, monkeypatch):
    monkeypatch.setattr(importlib.import_module("seqgen.corpus.survey"), "_MAX_COUNTED", 1500)
    Path("a.csv").write_text("text,key\n" + "".join(f"anna,{n}\n" for n in range(9000)))
    Path("b.csv").write_text("text,key\n" + "".join(f"anna,{n}\n" for n in range(9000, 10_000)))
    corpus = opened(["a.csv", "b.csv"])
    told = (
        "cannot condition on 'key': it has more than 1,500 values \\(at most 1,000\\); add a field with a few classes"
    )
    with pytest.raises(seqgen.UsageError, match=told):
        list(survey(corpus, "c", Survey(), ["key"]))
    divided = DividedCorpus.of(corpus, "c", "seqgen:char", 2, default_plugins())
    here = DividedCorpus(divided.opening, "c", "seqgen:char", divided.parts, 1, default_plugins())
    with pytest.raises(seqgen.UsageError, match=told):
        here.count(Survey(), {}, ["key"])

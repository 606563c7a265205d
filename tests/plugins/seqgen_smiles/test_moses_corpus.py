from __future__ import annotations

import gzip
import itertools
import os
import zipfile
from pathlib import Path

import pytest

import seqgen
from seqgen import testing

pytest.importorskip("seqgen_smiles")
from seqgen_smiles import specs
from seqgen_smiles.moses_corpora import load, load_scaffolds, load_test

REAL = "SEQGEN_TEST_MOLSETS"
FOLDER = "moses/dataset/data"


def canonical(text: str) -> str:
    """As the wheel writes it, where there is something to tell."""
    try:
        from rdkit import Chem
    except ImportError:
        return text
    return Chem.MolToSmiles(Chem.MolFromSmiles(text))


TRAIN = list(dict.fromkeys(canonical("".join(atoms)) for atoms in itertools.product("CN", repeat=11)))
TEST, SCAFFOLDS = ["CCN", "CCS"], ["C1CC1"]


def packed(texts: list[str], header: str = "SMILES") -> bytes:
    return gzip.compress("\n".join([header, *texts, ""]).encode(), 1)


def files() -> dict[str, bytes]:
    return {
        f"{FOLDER}/train.csv.gz": packed(TRAIN),
        f"{FOLDER}/test.csv.gz": packed(TEST),
        f"{FOLDER}/test_scaffolds.csv.gz": packed([f"{text},x" for text in SCAFFOLDS], "SMILES,SPLIT"),
        "moses/__init__.py": b"raise RuntimeError('never imported')",
    }


def a_wheel(folder: Path, **changes: bytes) -> str:
    path = folder / "molsets-0.3.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files().items():
            archive.writestr(name, changes.get(Path(name).name.partition(".")[0], content))
    return str(path)


@pytest.fixture
def wheel(tmp_path: Path) -> str:
    return a_wheel(tmp_path)


@pytest.mark.full
def test_the_contract_of_each(wheel):
    for spec in specs.CORPORA[1:]:
        testing.check_corpus(spec, path=wheel)
        assert spec.licence == "MIT" and spec.canonical


def test_the_split_of_moses(wheel):
    records = list(load(path=wheel, valid_share=0.1))
    assert [record.text for record in records] == [*TRAIN, *TEST]
    held_out = {record.text for record in records if record.split == "valid"}
    assert 0.07 < len(held_out) / len(TRAIN) < 0.13
    assert all(record.split == "test" for record in records[len(TRAIN) :])
    fewer = {record.text for record in load(path=wheel, valid_share=0.05) if record.split == "valid"}
    assert fewer < held_out, "a smaller share is a part of a larger one"
    assert {record.split for record in load(path=wheel, valid_share=0)} == {"train", "test"}


def test_references_have_no_split(wheel):
    assert [(record.text, record.split) for record in load_test(path=wheel)] == [(text, None) for text in TEST]
    assert [(record.text, record.split) for record in load_scaffolds(path=wheel)] == [("C1CC1", None)]


def test_an_unpacked_wheel(tmp_path, wheel):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert list(load(path=str(tmp_path / "unpacked"))) == list(load(path=wheel))


def test_selfies(wheel):
    pytest.importorskip("selfies", reason="it comes with the extra 'chem'")
    assert [record.text for record in load_test(path=wheel, form="selfies")] == ["[C][C][N]", "[C][C][S]"]
    assert {record.split for record in load(path=wheel, form="selfies")} == {"train", "valid", "test"}


def test_one_line_where_the_package_is_missing(cli, in_tmp):
    result = cli("train", "--corpus", "moses", "--steps", 1)
    assert result.code == 2 and result.err.count("\n") == 1
    assert "pip download --no-deps molsets" in result.err and "-o corpus.path=PATH" in result.err


def test_files_that_are_something_else(tmp_path):
    with pytest.raises(seqgen.UsageError, match="no such file"):
        load(path=str(tmp_path / "absent.whl"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(seqgen.CorpusError, match="is not molsets"):
        load(path=str(tmp_path / "empty"))
    (tmp_path / "text.whl").write_text("no wheel")
    with pytest.raises(seqgen.CorpusError, match="neither a wheel nor a folder"):
        load_test(path=str(tmp_path / "text.whl"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (packed(TEST, "ID,TEXT"), "no column SMILES"),
        (packed(TEST)[:-12], "damaged"),
        (b"SMILES\nCCN\n", "damaged"),
        (gzip.compress(b"SMILES\n\xff\n"), "damaged"),
        (gzip.compress(b"N,SMILES\n1\n"), "damaged"),
        (gzip.compress(b""), "no column SMILES"),
    ],
    ids=["column", "cut", "not packed", "not UTF-8", "short row", "empty"],
)
def test_a_damaged_list_is_told(tmp_path, content, message):
    with pytest.raises(seqgen.CorpusError, match=message):
        list(load_test(path=a_wheel(tmp_path, test=content)))


@pytest.mark.skipif(REAL not in os.environ, reason=f"{REAL} does not name the wheel of molsets")
def test_the_real_wheel():
    real = os.environ[REAL]
    counts = {"train": 0, "valid": 0, "test": 0}
    symbols: set[str] = set()
    for record in load(path=real):
        counts[record.split] += 1
        symbols.update(record.text)
    assert counts == {"train": 1_576_598, "valid": 8_065, "test": 176_074} and len(symbols) == 26
    assert sum(1 for _ in load_test(path=real)) == 176_074 and sum(1 for _ in load_scaffolds(path=real)) == 176_225
    pytest.importorskip("rdkit", reason="it comes with the extra 'chem'")
    assert testing.check_accepts(specs.VALIDATOR, specs.CORPORA[2], most=1000, path=real) == 1

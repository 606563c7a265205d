from __future__ import annotations

import pytest

pytest.importorskip("seqgen_smiles")
from seqgen_smiles.corpus import load


def test_molecules():
    texts = [record.text for record in load()]
    assert len(set(texts)) == len(texts) and max(map(len, texts)) <= 120
    assert all(text.count("(") == text.count(")") and text.count("[") == text.count("]") for text in texts)


def test_rdkit_parses_them():
    chem = pytest.importorskip("rdkit.Chem", reason="rdkit is not installed: it is in no extra yet")
    texts = [record.text for record in load()]
    valid = sum(chem.MolFromSmiles(text) is not None for text in texts)
    assert valid >= 0.99 * len(texts)

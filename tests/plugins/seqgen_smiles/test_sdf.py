from __future__ import annotations

from pathlib import Path

import pytest

import seqgen

pytest.importorskip("seqgen_smiles")
pytest.importorskip("rdkit")
from seqgen_smiles.sdf import EXAMPLE, SdfReader, is_sdf

WATER = EXAMPLE.decode()[EXAMPLE.decode().index("water") :]


def read(text, **options):
    reader = SdfReader(**options)
    return [(record.text, dict(record.fields)) for record in reader.read(text.split("\n"))], dict(reader.counts)


def test_molecules_are_read_with_their_names_and_data():
    assert read(EXAMPLE.decode()) == ([("CCO", {"name": "ethanol", "logP": "-0.31"}), ("O", {"name": "water"})], {})
    data = WATER.replace("$$$$", "> 25 <A note> (7)\none\ntwo\n\n>  <empty>\n\n$$$$")
    assert read(data)[0] == [("O", {"name": "water", "A note": "one\ntwo"})]
    assert read(WATER.removesuffix("$$$$\n"))[0] == [("O", {"name": "water"})]


def test_what_rdkit_writes_is_read_back():
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    smiles = ["C[C@H](N)C(=O)O", "c1ccccc1O", "F/C=C/F", "[NH4+].[Cl-]"]
    for force in (False, True):
        blocks = []
        for one in smiles:
            molecule = Chem.MolFromSmiles(one)
            rdDepictor.Compute2DCoords(molecule)
            blocks.append(Chem.MolToMolBlock(molecule, forceV3000=force) + "$$$$\n")
        found, counts = read("".join(blocks))
        assert [text for text, _ in found] == [Chem.CanonSmiles(one) for one in smiles] and not counts


def test_molecules_that_rdkit_refuses_are_counted():
    wrong = WATER.replace(" O   0  0", " Q1  0  0")
    found, counts = read(wrong + WATER)
    assert len(found) == 1 and counts == {"molecules that RDKit refuses skipped": 1}
    with pytest.raises(seqgen.CorpusError, match="the file ends within a molecule"):
        read(EXAMPLE.decode()[:150])


def test_blank_blocks_are_no_molecules():
    assert read("\n$$$$\n" + WATER + "\n \n$$$$\n$$$$\n" + WATER) == ([("O", {"name": "water"})] * 2, {})


def test_a_value_ends_with_a_blank_line_only():
    data = WATER.replace("$$$$", "> <logP>\n> 5 <b>\n> 6\n\n\n> <c>\n1\n\n$$$$")
    assert read(data)[0] == [("O", {"name": "water", "logP": "> 5 <b>\n> 6", "c": "1"})]


def test_two_data_items_of_one_name_are_refused(in_tmp):
    Path("a.sdf").write_text(EXAMPLE.decode().replace("$$$$", ">  <logP>\n0.1\n\n$$$$", 1))
    with pytest.raises(
        seqgen.CorpusError, match=r"a\.sdf', line 17: the molecule that ends here has two .* 'logP'; re"
    ):
        seqgen.train("a.sdf", steps=1)


def test_a_run_learns_from_an_sdf(cli, in_tmp):
    assert is_sdf("x", EXAMPLE) and not is_sdf("x", b"CCO\nCC\n")
    Path("a.sdf").write_bytes(EXAMPLE)
    tiny = ("--cell", "vanilla", "--hidden", 4, "--steps", 5, "--split", "none", "-o", "samples=1")
    trained = cli("train", "--corpus", "a.sdf", *tiny, "--out", "run")
    assert trained.code == 0 and "(domain: smiles)" in trained.err and "2 training records" in trained.err, trained.err
    assert [record.fields["name"] for record in seqgen.load("run").corpus] == ["ethanol", "water"]
    Path("b.sdf").write_bytes(EXAMPLE[:-60])
    refused = cli("train", "--corpus", "b.sdf", *tiny)
    assert refused.code == 3 and "b.sdf', line 18: the file ends within a molecule" in refused.err

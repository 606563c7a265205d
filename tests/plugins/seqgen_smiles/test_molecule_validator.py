from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seqgen import testing

pytest.importorskip("rdkit", reason="it comes with the extra 'chem'")
pytest.importorskip("selfies", reason="it comes with the extra 'chem'")
from rdkit import Chem

from seqgen_smiles import specs
from seqgen_smiles.augmentation import rewrite
from seqgen_smiles.molecules import read
from seqgen_smiles.validator import load

PIECES = ["C", "c", "1", "2", "%12", "(", ")", "=", "#", "[nH]", "N", "O", "Cl", ".", "[", "]", "@", "[C]", "[=C]", "/"]
LIKELY = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def test_the_contracts():
    testing.check_validator(specs.VALIDATOR)
    testing.check_augmentation(specs.AUGMENTATION)


@given(st.one_of(LIKELY, st.text(st.characters(exclude_categories=()))))
@example("C1CC\x00")
@example("\ud800")
@example("(" * 5000)
@example("[" * 3000 + "]" * 3000)
def test_a_verdict_on_any_text(text):
    verdict = load().validate(text)
    assert verdict.ok == (verdict.reason == "") == (verdict.canonical is not None)
    if verdict.ok:
        again = load().validate(verdict.canonical)
        assert again.ok and again.canonical == verdict.canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("OCC", "CCO"),
        ("C1=CC=CC=C1", "c1ccccc1"),
        ("[Cl-].[Na+]", "[Cl-].[Na+]"),
        ("[Na+].[Cl-]", "[Cl-].[Na+]"),
        ("[C][C][O]", "[C][C][O]"),
        ("[O][C][C]", "[C][C][O]"),
        ("[C][=C][C][=C][C][=C][Ring1][=Branch1]", "[C][=C][C][=C][C][=C][Ring1][=Branch1]"),
        ("[H][H]", "[H][H]"),
    ],
)
def test_canonical_forms(text, canonical):
    assert load().validate(text).canonical == canonical


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("C1CC", "the ring 1 opened at position 1 is not closed"),
        ("C(C", "the branch opened at position 1 is not closed"),
        ("CC)", "the branch closed at position 2 was not opened"),
        ("C[nH", "the bracket at position 1 is not closed"),
        ("C]", "the bracket at position 1 was not opened"),
        ("CC N", "' ' at position 2 is not a SMILES symbol"),
        ("C☃", "'☃' at position 1 is not a SMILES symbol"),
        ("C[Xx]", "'[Xx]' at position 1 is not an atom"),
        ("[C][Xx]", "'[Xx]' at position 3 is not an atom"),
        ("=C", "'=' at position 0 does not follow an atom"),
        ("C=", "it ends with a bond"),
        ("C.", "it ends with a dot"),
        ("[nop]", "it has no atoms"),
        ("CN(C)(C)C", "atom 1 (N) has valence 4, which is too high"),
        ("cC", "atom 0 is aromatic but not in a ring"),
        ("c1cccc1", "the aromatic ring of atoms 0, 1, 2, 3, 4 cannot be kekulized"),
    ],
)
def test_reasons(text, reason):
    assert load().validate(text).reason == reason


def test_rdkit_says_nothing_meanwhile_and_what_it_said_before_afterwards(capfd):
    from rdkit import rdBase

    before = rdBase.LogStatus()
    load().validate("c1cccc1"), load().validate("C(")
    assert capfd.readouterr() == ("", "")
    assert rdBase.LogStatus() == before


def test_both_writings_are_one_molecule():
    smiles, selfies = read("CCO"), read("[C][C][O]")
    assert selfies.is_selfies and not smiles.is_selfies
    assert Chem.MolToSmiles(smiles.molecule) == Chem.MolToSmiles(selfies.molecule)


def test_another_order_of_atoms_is_the_same_molecule():
    text, random = "C[C@H](N)C(=O)Oc1ccc(Cl)cc1", Random(0)
    written = {rewrite(text, random) for _ in range(50)}
    assert len(written) > 30
    assert {load().validate(form).canonical for form in written} == {load().validate(text).canonical}


def test_another_order_of_selfies():
    text, random = "[C][C][=Branch1][C][=O][O][C]", Random(0)
    written = {rewrite(text, random) for _ in range(20)}
    assert len(written) > 3 and all(read(form).is_selfies for form in written)
    assert {load().validate(form).canonical for form in written} == {load().validate(text).canonical}


@given(LIKELY, st.integers(0, 99))
def test_what_is_no_molecule_stays_as_it_is(text, seed):
    written = rewrite(text, Random(seed))
    assert written == rewrite(text, Random(seed))
    assert written == text or load().validate(text).ok


@pytest.mark.parametrize(
    ("text", "aromatic"),
    [
        ("OC1=CC=CC=C1Br", False), ("C1=CN(C)C=C1[Si](C)(C)CCl", False), ("Oc1ccccc1Br", True),
        ("C1=CC=CC=C1c1cccs1", True),
        ("[*:1]c1ccccc1", True), ("[#6]C1=CC=CC=C1", False),
        ("[nH]1cccc1", True), ("CC[13c]1ccc[se]1", True),
    ],
)  # fmt: skip
def test_a_molecule_in_the_form_of_kekule_stays_in_it(text, aromatic):
    """Its alphabet has no aromatic atoms, and a record with unknown symbols would not be augmented."""
    random = Random(0)
    written = {rewrite(text, random) for _ in range(30)}
    assert len(written) > 3 and {"c" in one or "n" in one for one in written} == {aromatic}
    assert {load().validate(one).canonical for one in written} == {load().validate(text).canonical}


def test_a_molecule_beyond_reason_is_refused_before_it_ends_the_process():
    verdict = load().validate("C" * 22_000)
    assert not verdict.ok and verdict.reason == "it has 22,000 characters, more than 10,000"


@pytest.mark.parametrize(("text", "other"), [("[C]-[O]", "[C][O]"), ("[O]-[O]", "[O][O]")])
def test_a_molecule_and_one_in_selfies_have_different_forms(text, other):
    mine, theirs = load().validate(text).canonical, load().validate(other).canonical
    assert mine != theirs and load().validate(mine).canonical == mine and load().validate(theirs).canonical == theirs

"""The grammar of SMILES accepts what the parser does, within its bounds."""

import itertools
import random

import pytest

from seqgen.sampling.text_automata import accepts
from seqgen_smiles.corpus import load
from seqgen_smiles.grammar import SmilesGrammar
from seqgen_smiles.molecules import parse

SMILES = "CNOFBrlI[]()123=#.+-@/\\:nocH"


@pytest.mark.slow
def test_the_grammar_of_smiles_accepts_what_rdkit_parses():
    pytest.importorskip("rdkit")
    grammar, rng, n_parsed = SmilesGrammar(), random.Random(0), 0
    records = [record.text for record in load() if accepts(grammar, record.text)]
    for _ in range(100_000):
        text = list(rng.choice(records)[: rng.randint(1, 60)])
        for _ in range(rng.randint(1, 3)):
            text[rng.randrange(len(text))] = rng.choice(SMILES)
        written = "".join(text)
        if parse(written, sanitize=False) is not None:
            n_parsed += 1
            depths = itertools.accumulate({"(": 1, ")": -1}.get(character, 0) for character in written)
            assert accepts(grammar, written) or max(depths) > 4, written
    assert n_parsed > 10_000


@pytest.mark.parametrize(
    "text", ["C1CC1", "C(=O)O", "[Na+].[Cl-]", "C->N", "F/C=C\\F", "BrC", "[13C@@H](Cl)N", "C(C)1CC1"]
)
def test_the_grammar_of_smiles_accepts(text):
    assert accepts(SmilesGrammar(), text)


@pytest.mark.parametrize(
    ("text", "expected"), [("[C].[C]", True), (".[C]", False), ("[C]..[C]", False), ("[C].", False)]
)
def test_a_dot_of_selfies_is_between_two_groups(text, expected):
    assert accepts(SmilesGrammar(), text) is expected


@pytest.mark.parametrize(
    "text", ["", "C1CC", "C(C", "CC)", "C=", "=C", "C()C", "(C)C", "[C", "C]", "C..C", "1CC1", "C(=1)C1", "C<N"]
)
def test_the_grammar_of_smiles_refuses(text):
    assert not accepts(SmilesGrammar(), text)

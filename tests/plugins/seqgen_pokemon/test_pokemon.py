from __future__ import annotations

import unicodedata

import pytest

pytest.importorskip("seqgen_pokemon")
import seqgen
from seqgen_pokemon.corpus import load


def test_names():
    names = [record.text for record in load()]
    assert len(names) == len(set(names)) == 1025
    assert names[0] == "Bulbasaur" and names[24] == "Pikachu" and names[-1] == "Pecharunt"
    assert {"Nidoran♀", "Flabébé", "Farfetch'd", "Mr. Mime", "Type: Null"} <= set(names)
    assert all(name == unicodedata.normalize("NFC", name).strip() for name in names)


@pytest.mark.full
def test_it_is_trained_with_what_is_recommended(in_tmp, cli):
    made = cli("train", "--corpus", "pokemon", "--steps", 2, "--hidden", 8, "--cell", "vanilla")
    assert made.code == 0, made.err
    settings = seqgen.load("pokemon-vanilla-001").settings
    assert settings.train.steps == 2 and settings.model.options["dropout"] == 0.5
    sampled = cli("sample", "-n", 3)
    assert sampled.code == 0 and len(sampled.out.splitlines()) == 3

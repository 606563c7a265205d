"""The Python of the page on molecules, with short runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import seqgen

pytest.importorskip("rdkit", reason="no RDKit (extra: chem)")
PAGE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "molecules.md"
SPELLING, BETTER, LAST = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)


def run(block):
    """Run a block; return its names."""
    space = {"__name__": "page"}
    exec(compile(block, PAGE.name, "exec"), space)
    return space


def test_other_spellings_become_one_without_aromatic_atoms(capsys):
    run(SPELLING)
    assert capsys.readouterr().out == "{'OC1=CC=CC=C1': None}\n" and "# {'OC1=CC=CC=C1': None}" in SPELLING


@pytest.mark.full
def test_the_best_of_each_round_are_trained_on(in_tmp, capsys):
    first = 'seqgen.train("smiles", steps=120, hidden=64, options={"train.samples": 0})'
    space = run(BETTER.replace("1500", "12").replace("steps=100", "steps=2").replace('seqgen.train("smiles")', first))
    assert capsys.readouterr().out.count("mean QED 0.") == 4
    records = [record.text for record in seqgen.load(space["run"]).corpus]
    assert records == sorted(space["found"], key=space["found"].get)[-200:] and len(records) >= 12


@pytest.mark.full
def test_a_run_in_python(in_tmp):
    assert len(run(LAST)["rows"]) == 5

from __future__ import annotations

import subprocess
import sys

import pytest

import seqgen
from seqgen import testing

pytest.importorskip("seqgen_smiles")
from seqgen_smiles import specs
from seqgen_smiles.corpus import load
from seqgen_smiles.tokenizers import SmilesTokenizer

CHEM = "it comes with the extra 'chem'"
SMILES = specs.CORPORA[0]


def test_molecules():
    texts = [record.text for record in load()]
    assert len(set(texts)) == len(texts) and max(map(len, texts)) <= 120
    assert all(text.count("(") == text.count(")") and text.count("[") == text.count("]") for text in texts)


def test_the_validator_accepts_all_of_them_as_the_datasheet_says():
    pytest.importorskip("rdkit", reason=CHEM)
    assert testing.check_accepts(specs.VALIDATOR, SMILES, most=1000) == 1


def test_every_name_of_the_domains_is_handed_in(plugins):
    for name in ("smiles", "moses", "moses-test", "moses-scaffolds"):
        assert plugins.registry.get("corpus", name).spec.domain == "smiles"
    for name in ("smiles", "selfies"):
        assert plugins.registry.get("domain", name).spec.tokenizer == name
    assert plugins.registry.get("augmentation", "random-smiles").spec.source == "arXiv:1703.07076"


def test_as_selfies():
    selfies = pytest.importorskip("selfies", reason=CHEM)
    pytest.importorskip("rdkit", reason=CHEM)
    from seqgen_smiles.molecules import canonical, read

    written = iter(load(form="selfies"))
    for _ in range(100):
        text = next(written).text
        assert "".join(selfies.split_selfies(text)) == text
        reading = read(text)
        assert reading.is_selfies and reading.molecule is not None
        assert canonical(read(canonical(reading))) == canonical(reading)


def test_a_form_that_does_not_exist_is_refused(plugins):
    with pytest.raises(seqgen.BadOption, match="form"):
        plugins.registry.get("corpus", "smiles").options({"form": "inchi"})


@pytest.mark.full
def test_a_run_from_the_corpus_to_its_figures(cli, in_tmp):
    pytest.importorskip("rdkit", reason=CHEM)
    lines = "\n".join(record.text for record, _ in zip(load(), range(300), strict=False))
    (in_tmp / "some.txt").write_text(lines + "\n")
    trained = cli("train", "--corpus", "some.txt", "--domain", "smiles", "--steps", 3, "--hidden", 32, "-q")
    assert trained.code == 0, trained.err
    judged = cli("evaluate", "-n", 20, "--json")
    assert judged.code == 0, judged.err
    assert '"moses.valid"' in judged.out


@pytest.mark.full
def test_without_rdkit_a_run_is_trained_and_what_needs_it_costs_one_line(in_tmp):
    hidden = "import sys; sys.modules |= dict.fromkeys(('rdkit', 'selfies', 'fcd')); import seqgen.cli; "
    (in_tmp / "mine.smi").write_text("CCO mol1\nCCN mol2\nCCC mol3\nCCCl mol4\n" * 10)
    for arguments, code, line in (
        (["train", "--corpus", "smiles", "--steps", "1", "-q"], 0, ""),
        (["evaluate", "-n", "1"], 0, "pip install 'seqgen-lm[chem]'; unique and novel compare texts as they stand"),
        (["sample", "-n", "2", "--unique", "--novel"], 0, "seqgen-lm[chem]'; without it rows are compared as they"),
        (["sample", "-n", "1", "--valid"], 2, "the validator smiles needs the extra 'chem'"),
        (["train", "--corpus", "mine.smi", "--steps", "1"], 0, "the records are not validated: the validator smiles"),
        (["compare", "smiles-gru-001", "mine-gru-001", "-n", "2"], 0, "'; without it texts are compared as they stand"),
        (["train", "--corpus", "smiles", "--steps", "1", "-o", "corpus.form=selfies"], 2, "seqgen-lm[chem]"),
    ):
        call = [sys.executable, "-c", f"{hidden}sys.exit(seqgen.cli.main({arguments!r}))"]
        result = subprocess.run(call, capture_output=True, text=True)
        assert result.returncode == code, result.stderr
        assert line in " ".join((result.stderr + result.stdout).split()) and "Traceback" not in result.stderr


def test_an_aromatic_atom_is_unknown_to_records_of_kekules_form():
    kekulized, aromatic = (SmilesTokenizer.fit([text]) for text in ("C1=CC=CC=C1[NH3+]Cl", "c1ccccc1O"))
    for text in ("c1ccccc1", "C[nH]", "C[13cH]C"):
        with pytest.raises(seqgen.UnknownSymbol, match=r"write rings in Kekulé's form, C1=CC=CC=C1 \(RDKit"):
            kekulized.encode(text)
    for tokenizer, text in ((kekulized, "C[Si]"), (kekulized, "C[Sn]"), (aromatic, "n"), (kekulized, "x")):
        with pytest.raises(seqgen.UnknownSymbol) as caught:
            tokenizer.encode(text)
        assert "Kekulé" not in str(caught.value)

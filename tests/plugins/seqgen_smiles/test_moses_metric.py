from __future__ import annotations

import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import seqgen
from seqgen import testing

pytest.importorskip("rdkit", reason="it comes with the extra 'chem'")
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from seqgen_smiles import frechet, specs, workers
from seqgen_smiles.corpus import load
from seqgen_smiles.metric import Moses
from seqgen_smiles.novelty import novelty
from seqgen_smiles.properties import Filters, fragments, scaffold
from seqgen_smiles.similarity import cosine, diversities, nearest, wasserstein
from seqgen_smiles.stats import StatsConfig, total
from seqgen_smiles.stats_collector import StatsCollector

TEXTS = [record.text for record in load()][:1000]
RINGS = ["c1ccc(-c2ccccc2)cc1", "c1ccc2ccccc2c1", "O=C(Nc1ccccc1)c1ccccc1", "CCO", "C1CCCCC1N"]


@pytest.fixture(scope="module")
def plain() -> Moses:
    return Moses(jobs=1)


def test_the_contract():
    testing.check_metric(specs.METRIC)


def test_a_set_beside_itself(plain):
    figures = plain(RINGS, RINGS, RINGS)
    for name in ("valid", "SNN", "Frag", "Scaf"):
        assert figures[name] == pytest.approx(1)
    for name in ("Novelty", "logP", "SA", "QED", "weight"):
        assert figures[name] == pytest.approx(0)
    assert "Filters" not in figures, "molsets is neither installed nor given"
    assert "FCD" not in figures, "of five molecules"
    assert "unique@1k" not in figures, "of five molecules"


def reasons(metric, samples, reference, training=()):
    """Return the omitted values by reason; all that have a label are there or omitted."""
    found = metric(samples, reference, training)
    assert {*found, *metric.omitted} == set(Moses.labels) and not {*found} & {*metric.omitted}
    by_reason = {}
    for name, reason in metric.omitted.items():
        by_reason.setdefault(reason, []).append(name)
    return by_reason


WHEEL = "its lists are in the package molsets: -o moses.path=WHEEL"
COMPARED = ["SNN", "Frag", "Scaf", "logP", "SA", "QED", "weight"]


def test_values_that_are_omitted_have_a_reason(plain, monkeypatch):
    monkeypatch.setattr(frechet, "lacking_extra", lambda: "")
    fcd = "it needs 1,000 of fewer than 350 characters: 5 of the valid samples, 5 of the reference"
    few = {"there are only 5 samples": ["unique@1k", "unique@10k"], fcd: ["FCD"], WHEEL: ["Filters"]}
    assert reasons(plain, RINGS, RINGS, RINGS) == few
    no_training = few | {"there is no training record": ["Novelty"]}
    assert reasons(plain, RINGS, RINGS) == no_training
    without = Moses(jobs=1, properties=False, fcd=False)
    assert not {"FCD", "logP", "weight"} & {*without(RINGS, RINGS), *without.omitted}
    no_reference = {name: values for name, values in no_training.items() if name != fcd}
    for reference, reason in (
        ([], "there is no molecule to compare with"),
        (["x"], "no molecule of the reference is valid"),
    ):
        assert reasons(plain, RINGS, reference) == no_reference | {reason: ["FCD", *COMPARED]}
    acyclic = reasons(plain, ["CCO"], RINGS, ["C"])
    assert acyclic["the samples or the reference have no scaffold with two rings"] == ["Scaf"]


def test_without_a_valid_sample_everything_else_is_omitted_for_that_reason(plain, monkeypatch):
    monkeypatch.setattr(frechet, "lacking_extra", lambda: "it needs the extra 'fcd'")
    others = ["unique@1k", "unique@10k", "Novelty", *COMPARED[:3], "IntDiv", "IntDiv2", *COMPARED[3:]]
    installed = {WHEEL: ["Filters"], "it needs the extra 'fcd'": ["FCD"]}
    assert reasons(plain, ["no molecule"], RINGS, RINGS) == installed | {"no sample is valid": others}
    assert reasons(plain, [], RINGS, RINGS) == installed | {"there is no sample": ["valid", *others]}


def test_without_the_scorer_of_rdkit_there_is_no_sa(monkeypatch):
    monkeypatch.setattr("seqgen_smiles.stats_collector.property_functions", lambda names: {"weight": len})
    found = reasons(Moses(jobs=1), RINGS, RINGS, RINGS)
    assert found["this RDKit has no SA_Score"] == ["SA"]


def test_one_molecule_again_and_again(plain):
    figures = plain(["CCO", "OCC"], ["CCN"], [])
    assert figures["IntDiv"] == figures["IntDiv2"] == pytest.approx(0)
    assert "Novelty" not in figures, "nothing was trained on"
    assert "Scaf" not in figures, "there is no scaffold"
    assert figures["weight"] == pytest.approx(46.069 - 45.085, abs=1e-3)


@pytest.mark.full
def test_uniqueness_is_of_the_first_valid_ones():
    texts = ["no molecule"] * 100 + TEXTS[:500] + ["CC(C)(C)CO"] * 700
    figures = Moses(jobs=1, properties=False)(texts, [], [])
    assert figures["valid"] == 1200 / 1300 and figures["unique@1k"] == 501 / 1000 and "unique@10k" not in figures
    assert Moses(jobs=1, most=100)(texts, RINGS, []) == {"valid": 0.0}


@pytest.mark.parametrize("n", [999, 1000])
def test_uniqueness_is_given_of_enough_samples_however_many_are_valid(n):
    figures = Moses(jobs=1, properties=False)(["no molecule"] * (n - 4) + ["CCO", "OCC", "CCN", "CC"], [], [])
    assert figures.get("unique@1k") == (3 / 4 if n == 1000 else None)


def test_nothing_to_judge(plain):
    assert plain([], [], []) == {} and plain(["x"], ["CC"], ["CC"]) == {"valid": 0.0}
    assert set(plain(["CC"], [], [])) == {"valid", "IntDiv", "IntDiv2"}
    assert "SNN" not in plain(["CC"], ["no molecule"], [])


def test_the_published_row():
    (row,) = Moses.published.values()
    assert row["FCD"] == 0.0732 and row["Novelty"] == 0.8419 and len(row) == 11


def test_selfies_are_the_same_molecules(plain):
    selfies = pytest.importorskip("selfies", reason="it comes with the extra 'chem'")
    written = [selfies.encoder(text) for text in RINGS]
    assert plain(written, RINGS, RINGS) == plain(RINGS, written, written)


def test_similarities_are_those_of_rdkit():
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(text)) for text in TEXTS[:90]]
    ours = StatsCollector(StatsConfig(shape=True)).collect(TEXTS[:90]).prints
    table = np.array([DataStructs.BulkTanimotoSimilarity(one, prints) for one in prints])
    assert nearest(ours[:40], ours[40:]) == pytest.approx(table[:40, 40:].max(1).mean(), abs=1e-6)
    first, second = diversities(ours)
    assert first == pytest.approx(1 - table.mean(), abs=1e-6)
    assert second == pytest.approx(1 - np.sqrt((table**2).mean(1)).mean(), abs=1e-6)


def test_similarities_do_not_depend_on_the_blocks(monkeypatch):
    ours = StatsCollector(StatsConfig(shape=True)).collect(TEXTS[:90]).prints
    before = nearest(ours[:40], ours[40:]), *diversities(ours)
    monkeypatch.setattr("seqgen_smiles.similarity._ROWS", 7)
    monkeypatch.setattr("seqgen_smiles.similarity._COLUMNS", 11)
    assert (nearest(ours[:40], ours[40:]), *diversities(ours)) == pytest.approx(before, abs=1e-7)


def test_fragments_and_scaffolds():
    assert fragments(Chem.MolFromSmiles("CC")) == ["CC"]
    acetanilide = Chem.MolFromSmiles("CC(=O)Nc1ccccc1")
    assert Counter(fragments(acetanilide)) == Counter(["[1*]C(C)=O", "[5*]N[5*]", "[16*]c1ccccc1"])
    assert scaffold(Chem.MolFromSmiles("CCc1ccc(Cc2ccccc2)cc1O")) == ["c1ccc(Cc2ccccc2)cc1"]
    assert scaffold(Chem.MolFromSmiles("Cc1ccccc1")) == scaffold(Chem.MolFromSmiles("CCO")) == []


def test_cosine_and_wasserstein():
    assert cosine({"a": 3, "b": 4}, {"a": 4, "b": 3}) == pytest.approx(24 / 25)
    assert cosine({"a": 1}, {"b": 1}) == 0 and cosine({}, {"a": 1}) is None
    assert wasserstein([0.0, 1.0, 3.0], [5.0, 6.0, 8.0]) == pytest.approx(5)
    assert wasserstein([0.0], [0.0, 1.0]) == pytest.approx(0.5) and wasserstein([], [1.0]) is None


def test_the_filters_of_a_wheel(tmp_path, plain):
    path = tmp_path / "molsets.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("moses/metrics/mcf.csv", "names,smarts\nMCF1,[#6]-[#17]\n")
        archive.writestr("moses/metrics/wehi_pains.csv", '"[#6]-[#8]-[#1]"     ,"<regId=alcohol>"\n')
    texts = ["CCO", "CCCl", "CCN", "CC[O-]", "CC[Si]", "C1CCCCCCC1", "C1CCCCCC1", "COC"]
    assert Moses(path=str(path), jobs=1)(texts, [])["Filters"] == 3 / 8
    with pytest.raises(seqgen.UsageError, match=r"no such file.* -o moses\.path=PATH$"):
        Moses(path=str(tmp_path / "absent.whl"))


def test_screening_changes_no_filter():
    smarts = ["c1ccccc1-[#7](-[#1])-[#1]", "[#6]=[#8]", "[N;X3](=O)=O", "[$([#6](-[#1])(-[#1])-[#1])]-[#8]", "*"]
    for pattern in smarts:
        filters, query = Filters([pattern]), Chem.MolFromSmarts(pattern)
        none = Filters([])
        for text in TEXTS[:100]:
            molecule = Chem.MolFromSmiles(text)
            found = Chem.AddHs(molecule).HasSubstructMatch(query)
            assert filters.passes(molecule) == (none.passes(molecule) and not found)


@pytest.mark.full
def test_workers_describe_what_is_described_here(monkeypatch):
    monkeypatch.setattr(workers, "_CHUNK", 60)
    texts = [*TEXTS[:500], "no molecule", "\ud800", "C\nC"]
    config = StatsConfig(shape=True, properties=("weight",), every=3, smarts=("[#6]=[#8]",))
    here, there = (total(workers.collect_stats(texts, config, jobs)) for jobs in (1, 2))
    assert here.prints.shape == (len(here.valid), 128) and np.array_equal(here.prints, there.prints)
    here.prints = there.prints
    assert here == there and here.canonical[-3:] == [None] * 3


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.full)])
def test_the_texts_whose_properties_are_computed_are_evenly_spaced_over_all_chunks(monkeypatch, jobs):
    monkeypatch.setattr(workers, "_CHUNK", 10)
    texts = ["C" * n for n in range(1, 61)]
    weights = total(workers.collect_stats(texts, StatsConfig(properties=("weight",)), 1)).properties["weight"]
    config = StatsConfig(properties=("weight",), every=3)
    assert total(workers.collect_stats(texts, config, jobs)).properties["weight"] == weights[::3]


def test_without_workers_the_work_is_done_here(monkeypatch):
    monkeypatch.setattr(workers, "_CHUNK", 60)
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert len(total(workers.collect_stats(TEXTS[:500], StatsConfig(), 2)).valid) == 500


@dataclass(frozen=True)
class Canonical:
    """Training texts of a corpus that declares its texts canonical."""

    texts: list[str]
    canonical: ClassVar[bool] = True

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)


def test_novelty_by_the_writing_of_the_training_texts():
    selfies = pytest.importorskip("selfies", reason="it comes with the extra 'chem'")
    molecules = ["CCO", "c1ccccc1", "CCN", "CCN"]
    for training in (["CCO", "CCC"], ["OCC", "CCC"], ["[C][C][O]"], ["[O][C][C]"]):
        assert novelty(molecules, training, 1) == pytest.approx(2 / 3)
    assert novelty(molecules, [selfies.encoder("c1ccccc1")], 1) == pytest.approx(2 / 3)
    assert novelty(molecules, [], 1) is None and novelty([], ["C"], 1) is None


def test_novelty_finds_other_spellings_after_many_canonical_records():
    canonical, kekulized = list(map(Chem.CanonSmiles, TEXTS)), "C1=CC=CC=C1C1=CC=CC=C1"
    assert novelty([RINGS[0], "CCO"], [*canonical, kekulized], 1) == 0.5


def test_novelty_compares_texts_of_a_canonical_corpus_directly():
    selfies = pytest.importorskip("selfies", reason="it comes with the extra 'chem'")
    assert novelty(["CCO", "CCN"], Canonical(["CCO", "NCC"]), 1) == 0.5
    written = Canonical([selfies.encoder("CCO"), selfies.encoder("NCC")])
    assert novelty(["CCO", "CCN"], written, 1) == 0.5


def test_the_frechet_distance_of_normal_distributions():
    random = np.random.default_rng(0)
    mean, other_mean = random.normal(size=(2, 6))
    scales, others = random.uniform(0.1, 2, size=(2, 6))
    expected = ((mean - other_mean) ** 2).sum() + ((np.sqrt(scales) - np.sqrt(others)) ** 2).sum()
    first, second = (mean, np.diag(scales)), (other_mean, np.diag(others))
    assert frechet.frechet(first, second) == pytest.approx(expected)
    turn = np.linalg.qr(random.normal(size=(6, 6)))[0]
    turned = [(turn @ middle, turn @ spread @ turn.T) for middle, spread in (first, second)]
    assert frechet.frechet(*turned) == pytest.approx(expected)
    flat = (mean, np.zeros((6, 6)))
    assert frechet.frechet(flat, flat) == pytest.approx(0)


def test_chemnet(monkeypatch):
    fcd = pytest.importorskip("fcd", reason="it comes with the extra 'fcd'")
    from torch import no_grad, stack, tensor

    monkeypatch.setattr(frechet, "_MIN_MOLECULES", 2)
    texts = [Chem.CanonSmiles(text) for text in TEXTS[:12]]
    assert frechet.lacking(texts, ["C"]) == "it needs 2 of fewer than 350 characters: 1 of the reference"
    assert frechet.lacking(texts, texts) == ""
    mean, covariance = frechet._moments(texts[:6])
    assert frechet.distance(texts[:6], texts[6:]) > 1
    with no_grad():  # as the package itself reads texts
        rows = stack([tensor(row).float() for row in fcd.utils.SmilesDataset(texts[:6])])
        expected = fcd.load_ref_model()(rows.transpose(1, 2)).numpy()
    assert np.allclose(mean, expected.mean(0), atol=1e-5) and np.allclose(covariance, np.cov(expected.T), atol=1e-5)

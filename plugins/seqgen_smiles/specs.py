"""Specs that this plugin registers; cheap to import."""

from __future__ import annotations

from typing import Any

import seqgen

_MOSES: dict[str, Any] = {
    "source": "MOSES (arXiv:1811.12823), from ZINC Clean Leads; in the package molsets",
    "licence": "MIT",
    "domain": "smiles",
    "canonical": True,
}
_PARTS: dict[str, Any] = {"validator": "smiles", "renderer": "smiles", "metrics": ("moses",)}

CORPORA = (
    seqgen.CorpusSpec(
        name="smiles",
        summary="4,881 small molecules written as SMILES",
        source="NCI open database, first entries, as distributed with RDKit",
        licence="public data of a US federal agency; RDKit's extract BSD-3-Clause",
        load="seqgen_smiles.corpus:load",
        domain="smiles",
        recommended={"model": {"hidden": 256, "dropout": 0.2}, "train": {"batch_size": 64, "steps": 1500}},
    ),
    seqgen.CorpusSpec(
        name="moses",
        summary="1.76 million drug-like molecules with the split of MOSES (needs the wheel of molsets)",
        load="seqgen_smiles.moses_corpora:load",
        recommended={"train": {"batch_size": 256}},
        **_MOSES,
    ),
    seqgen.CorpusSpec(
        name="moses-test",
        summary="176,074 test molecules of MOSES, a reference for samples",
        load="seqgen_smiles.moses_corpora:load_test",
        **_MOSES,
    ),
    seqgen.CorpusSpec(
        name="moses-scaffolds",
        summary="176,225 molecules of MOSES with held-out scaffolds, a reference for samples",
        load="seqgen_smiles.moses_corpora:load_scaffolds",
        **_MOSES,
    ),
)
TOKENIZERS = (
    seqgen.TokenizerSpec(
        name="smiles",
        summary="symbols are atoms, bonds, brackets and ring numbers",
        source="after the pattern of Schwaller et al., arXiv:1711.04810",
        load="seqgen_smiles.tokenizers:SmilesTokenizer",
    ),
    seqgen.TokenizerSpec(
        name="selfies",
        summary="symbols are the bracketed symbols of SELFIES",
        source="arXiv:1905.13741",
        load="seqgen_smiles.tokenizers:SelfiesTokenizer",
    ),
)
VALIDATOR = seqgen.ValidatorSpec(
    name="smiles",
    summary="RDKit parses and sanitizes it, as SMILES or SELFIES",
    source="RDKit",
    load="seqgen_smiles.validator:load",
)
RENDERER = seqgen.RendererSpec(
    name="smiles",
    summary="text with formula and weight; structures as .svg and .png",
    source="RDKit",
    load="seqgen_smiles.renderer:MoleculeRenderer",
)
METRIC = seqgen.MetricSpec(
    name="moses",
    summary="MOSES metrics: novelty, diversity, nearest neighbours, fragments, scaffolds, filters, FCD",
    source="arXiv:1811.12823",
    load="seqgen_smiles.metric:Moses",
)
AUGMENTATION = seqgen.AugmentationSpec(
    name="random-smiles",
    summary="the same molecule with its atoms in random order",
    source="arXiv:1703.07076",
    load="seqgen_smiles.augmentation:load",
)
READER = seqgen.ReaderSpec(
    name="sdf",
    summary="molecules of an SDF as SMILES; their names and data are fields (extra: chem)",
    source="CTfile formats, Dassault Systèmes BIOVIA, with RDKit",
    load="seqgen_smiles.sdf:SdfReader",
    endings=(".sdf", ".sd"),
    matches="seqgen_smiles.sdf:is_sdf",
    example="seqgen_smiles.sdf:EXAMPLE",
)
DOMAINS = (
    seqgen.DomainSpec(
        name="smiles",
        summary="molecules written as SMILES",
        source="doi:10.1021/ci00057a005",
        tokenizer="smiles",
        endings=(".smi", ".smiles", ".sdf", ".sd"),
        columns=("smiles", "canonical_smiles", "isomeric_smiles"),
        trailing_names=True,
        syntax=True,
        automaton="seqgen_smiles.grammar:SmilesGrammar",
        **_PARTS,
    ),
    seqgen.DomainSpec(
        name="selfies",
        summary="molecules written as SELFIES",
        source="arXiv:1905.13741",
        tokenizer="selfies",
        endings=(".selfies",),
        columns=("selfies",),
        trailing_names=True,
        **_PARTS,
    ),
)

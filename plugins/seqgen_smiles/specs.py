"""What this plugin hands in; cheap to import."""

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
        source="NCI open database, first entries, as RDKit carries them",
        licence="public data of a US federal agency; RDKit's extract BSD-3-Clause",
        load="seqgen_smiles.corpus:load",
        domain="smiles",
        recommended={"model": {"hidden": 256, "dropout": 0.2}, "train": {"batch_size": 64}},
    ),
    seqgen.CorpusSpec(
        name="moses",
        summary="1.76 million drug-like molecules, split as MOSES does (needs the wheel of molsets)",
        load="seqgen_smiles.moses:load",
        recommended={"train": {"batch_size": 256, "lr": 2e-3}},
        **_MOSES,
    ),
    seqgen.CorpusSpec(
        name="moses-test",
        summary="the 176,074 test molecules of MOSES, to compare samples with",
        load="seqgen_smiles.moses:load_test",
        **_MOSES,
    ),
    seqgen.CorpusSpec(
        name="moses-scaffolds",
        summary="the 176,225 molecules of MOSES with scaffolds held out, to compare samples with",
        load="seqgen_smiles.moses:load_scaffolds",
        **_MOSES,
    ),
)
TOKENIZERS = (
    seqgen.TokenizerSpec(
        name="smiles",
        summary="an atom, a bond, a bracket or a ring number is a symbol",
        source="after the pattern of Schwaller et al., arXiv:1711.04810",
        load="seqgen_smiles.tokenizers:SmilesTokenizer",
    ),
    seqgen.TokenizerSpec(
        name="selfies",
        summary="a bracket piece of SELFIES is a symbol",
        source="arXiv:1905.13741",
        load="seqgen_smiles.tokenizers:SelfiesTokenizer",
    ),
)
VALIDATOR = seqgen.ValidatorSpec(
    name="smiles",
    summary="RDKit reads it, as SMILES or SELFIES, and finds it sound",
    source="RDKit",
    load="seqgen_smiles.validator:load",
)
RENDERER = seqgen.RendererSpec(
    name="smiles",
    summary="formula and weight beside the text; drawn structures as .svg and .png",
    source="RDKit",
    load="seqgen_smiles.renderer:load",
)
METRIC = seqgen.MetricSpec(
    name="moses",
    summary="the figures of MOSES: novelty, diversity, nearest neighbours, fragments, scaffolds, filters, FCD",
    source="arXiv:1811.12823",
    load="seqgen_smiles.metric:Moses",
)
AUGMENTATION = seqgen.AugmentationSpec(
    name="random-smiles",
    summary="the same molecule, its atoms in another order",
    source="arXiv:1703.07076",
    load="seqgen_smiles.augmentation:load",
)
DOMAINS = (
    seqgen.DomainSpec(
        name="smiles",
        summary="molecules written as SMILES",
        source="doi:10.1021/ci00057a005",
        tokenizer="smiles",
        endings=(".smi", ".smiles"),
        columns=("smiles", "canonical_smiles", "isomeric_smiles"),
        trailing_names=True,
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

"""Molecules, written as SMILES or SELFIES.

Sources: the open database of the US National Cancer Institute (seqgen_corpora/smiles/DATASHEET.md), and the benchmark
MOSES (arXiv:1811.12823; DATASHEET-moses.md beside this file).
"""

from __future__ import annotations

from collections.abc import Callable

import seqgen
from seqgen_smiles import specs


@seqgen.hookimpl
def register_corpora(register: Callable[[seqgen.CorpusSpec], None]) -> None:
    """Hand in ``smiles`` and the three of MOSES."""
    for spec in specs.CORPORA:
        register(spec)


@seqgen.hookimpl
def register_tokenizers(register: Callable[[seqgen.TokenizerSpec], None]) -> None:
    """Hand in ``smiles`` and ``selfies``."""
    for spec in specs.TOKENIZERS:
        register(spec)


@seqgen.hookimpl
def register_validators(register: Callable[[seqgen.ValidatorSpec], None]) -> None:
    """Hand in ``smiles``."""
    register(specs.VALIDATOR)


@seqgen.hookimpl
def register_renderers(register: Callable[[seqgen.RendererSpec], None]) -> None:
    """Hand in ``smiles``."""
    register(specs.RENDERER)


@seqgen.hookimpl
def register_metrics(register: Callable[[seqgen.MetricSpec], None]) -> None:
    """Hand in ``moses``."""
    register(specs.METRIC)


@seqgen.hookimpl
def register_augmentations(register: Callable[[seqgen.AugmentationSpec], None]) -> None:
    """Hand in ``random-smiles``."""
    register(specs.AUGMENTATION)


@seqgen.hookimpl
def register_domains(register: Callable[[seqgen.DomainSpec], None]) -> None:
    """Hand in ``smiles`` and ``selfies``; they differ in the tokenizer."""
    for spec in specs.DOMAINS:
        register(spec)

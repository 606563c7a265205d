"""Molecules written as SMILES or SELFIES.

Sources: the open database of the US National Cancer Institute (seqgen_corpora/smiles/DATASHEET.md), and the benchmark
MOSES (arXiv:1811.12823; DATASHEET-moses.md in this folder).
"""

from __future__ import annotations

from collections.abc import Callable

import seqgen
from seqgen_smiles import specs


@seqgen.hookimpl
def register_corpora(register: Callable[[seqgen.CorpusSpec], None]) -> None:
    """Register ``smiles`` and the three corpora of MOSES."""
    for spec in specs.CORPORA:
        register(spec)


@seqgen.hookimpl
def register_tokenizers(register: Callable[[seqgen.TokenizerSpec], None]) -> None:
    """Register ``smiles`` and ``selfies``."""
    for spec in specs.TOKENIZERS:
        register(spec)


@seqgen.hookimpl
def register_validators(register: Callable[[seqgen.ValidatorSpec], None]) -> None:
    """Register ``smiles``."""
    register(specs.VALIDATOR)


@seqgen.hookimpl
def register_renderers(register: Callable[[seqgen.RendererSpec], None]) -> None:
    """Register ``smiles``."""
    register(specs.RENDERER)


@seqgen.hookimpl
def register_metrics(register: Callable[[seqgen.MetricSpec], None]) -> None:
    """Register ``moses``."""
    register(specs.METRIC)


@seqgen.hookimpl
def register_augmentations(register: Callable[[seqgen.AugmentationSpec], None]) -> None:
    """Register ``random-smiles``."""
    register(specs.AUGMENTATION)


@seqgen.hookimpl
def register_readers(register: Callable[[seqgen.ReaderSpec], None]) -> None:
    """Register ``sdf``."""
    register(specs.READER)


@seqgen.hookimpl
def register_domains(register: Callable[[seqgen.DomainSpec], None]) -> None:
    """Register ``smiles`` and ``selfies``, which differ in the tokenizer."""
    for spec in specs.DOMAINS:
        register(spec)

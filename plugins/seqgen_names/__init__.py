"""English first names, labelled female or male, and a validator of names.

Source: Moby Word II (Grady Ward), public domain; see seqgen_corpora/names/DATASHEET.md.
"""

from __future__ import annotations

from collections.abc import Callable

import seqgen


@seqgen.hookimpl
def register_corpora(register: Callable[[seqgen.CorpusSpec], None]) -> None:
    """Register ``names``."""
    register(
        seqgen.CorpusSpec(
            name="names",
            summary="8,841 English first names, labelled female or male",
            source="Moby Word II (Grady Ward)",
            licence="public domain",
            load="seqgen_names.corpus:Names",
            domain="name",
            labels=("female", "male"),
            canonical=True,
            recommended={"model": {"hidden": 256, "dropout": 0.2}, "train": {"steps": 1500}},
        )
    )


@seqgen.hookimpl
def register_domains(register: Callable[[seqgen.DomainSpec], None]) -> None:
    """Register ``name``."""
    register(seqgen.DomainSpec(name="name", summary="names of people and places", validator="name"))


@seqgen.hookimpl
def register_validators(register: Callable[[seqgen.ValidatorSpec], None]) -> None:
    """Register ``name``."""
    register(
        seqgen.ValidatorSpec(
            name="name",
            summary="letters, with apostrophes, hyphens, periods or spaces between the parts",
            source="Unicode character categories",
            load="seqgen_names.validator:NameValidator",
        )
    )

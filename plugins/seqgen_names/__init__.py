"""First names in English, labelled female or male, and what a name looks like.

Source: Moby Word II (Grady Ward), public domain; see seqgen_corpora/names/DATASHEET.md.
"""

from __future__ import annotations

from collections.abc import Callable

import seqgen


@seqgen.hookimpl
def register_corpora(register: Callable[[seqgen.CorpusSpec], None]) -> None:
    """Hand in ``names``."""
    register(
        seqgen.CorpusSpec(
            name="names",
            summary="8,841 English first names, labelled female or male",
            source="Moby Word II (Grady Ward)",
            licence="public domain",
            load="seqgen_names.corpus:load",
            domain="name",
            labels=("female", "male"),
            canonical=True,
            recommended={"train": {"steps": 3000}, "model": {"dropout": 0.2}},
        )
    )


@seqgen.hookimpl
def register_domains(register: Callable[[seqgen.DomainSpec], None]) -> None:
    """Hand in ``name``."""
    register(seqgen.DomainSpec(name="name", summary="names of people and places", validator="name"))


@seqgen.hookimpl
def register_validators(register: Callable[[seqgen.ValidatorSpec], None]) -> None:
    """Hand in ``name``."""
    register(
        seqgen.ValidatorSpec(
            name="name",
            summary="letters and what stands between the parts of a name",
            source="Unicode's categories of characters",
            load="seqgen_names.validator:NameValidator",
        )
    )

"""First names in English, labelled female or male.

Source: Moby Word II (Grady Ward), public domain; see seqgen_corpora/names/DATASHEET.md.
"""

from __future__ import annotations

import seqgen


@seqgen.hookimpl
def register_corpora(register):
    """Hand in ``names``."""
    register(
        seqgen.CorpusSpec(
            name="names",
            summary="8,841 English first names, labelled female or male",
            source="Moby Word II (Grady Ward)",
            licence="public domain",
            load="seqgen_names.corpus:load",
            labels=("female", "male"),
            recommended={"train": {"steps": 3000}, "model": {"dropout": 0.2}},
        )
    )

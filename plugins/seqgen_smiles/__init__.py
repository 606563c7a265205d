"""Molecules as SMILES strings.

Source: the open database of the US National Cancer Institute; see seqgen_corpora/smiles/DATASHEET.md.
"""

from __future__ import annotations

import seqgen


@seqgen.hookimpl
def register_corpora(register):
    """Hand in ``smiles``."""
    register(
        seqgen.CorpusSpec(
            name="smiles",
            summary="4,881 small molecules written as SMILES",
            source="NCI open database, first entries, as RDKit carries them",
            licence="public data of a US federal agency; RDKit's extract BSD-3-Clause",
            load="seqgen_smiles.corpus:load",
            recommended={"model": {"hidden": 256, "dropout": 0.2}, "train": {"batch_size": 64}},
        )
    )

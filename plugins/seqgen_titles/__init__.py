"""Titles of machine-learning papers.

Source: bibliographies that Python packages carry; see seqgen_corpora/titles/DATASHEET.md.
"""

from __future__ import annotations

import seqgen


@seqgen.hookimpl
def register_corpora(register):
    """Hand in ``titles``."""
    register(
        seqgen.CorpusSpec(
            name="titles",
            summary="2,418 titles of machine-learning papers",
            source="bibliographies in Python packages, listed in the datasheet",
            licence="facts, gathered from packages under Apache-2.0, MIT and BSD licences",
            load="seqgen_titles.corpus:load",
            recommended={"model": {"hidden": 256, "dropout": 0.4}, "train": {"steps": 1500, "batch_size": 32}},
        )
    )

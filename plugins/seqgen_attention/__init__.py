"""Cells that look back over everything they have seen: the transformer block."""

from __future__ import annotations

import seqgen


@seqgen.hookimpl
def register_cells(register):
    """Hand in ``transformer``."""
    register(
        seqgen.CellSpec(
            name="transformer",
            summary="a causal transformer block: attention over all steps so far, and an MLP",
            source="arXiv:1706.03762; norm before each part: arXiv:2002.04745; rotary positions: arXiv:2104.09864",
            load="seqgen_attention.transformer:TransformerCell",
            options="seqgen_attention.options:TransformerOptions",
        )
    )

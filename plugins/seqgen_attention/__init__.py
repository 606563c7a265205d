"""Cells that look back at what they have seen: the transformer block, and dilated convolutions."""

from __future__ import annotations

import seqgen

_CELLS = (
    seqgen.CellSpec(
        name="transformer",
        summary="a causal transformer block: attention over all steps so far, and an MLP",
        source="arXiv:1706.03762; norm before each part: arXiv:2002.04745; rotary positions: arXiv:2104.09864",
        load="seqgen_attention.transformer:TransformerCell",
        options="seqgen_attention.options:TransformerOptions",
    ),
    seqgen.CellSpec(
        name="tcn",
        summary="dilated causal convolutions: a temporal convolutional network, or with gates a WaveNet",
        source="arXiv:1803.01271; with gates: arXiv:1609.03499",
        load="seqgen_attention.tcn:TCNCell",
        options="seqgen_attention.options:TCNOptions",
        recommended={"train": {"lr": 1e-2}},
    ),
)


@seqgen.hookimpl
def register_cells(register):
    """Hand in ``transformer`` and ``tcn``."""
    for spec in _CELLS:
        register(spec)

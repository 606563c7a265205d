"""Cells that look back at earlier inputs: a causal transformer block and dilated convolutions."""

from __future__ import annotations

from collections.abc import Callable

import seqgen

_CELLS = (
    seqgen.CellSpec(
        name="transformer",
        summary="causal transformer block: self-attention over past steps, and an MLP",
        source="arXiv:1706.03762; pre-norm: arXiv:2002.04745; rotary positions: arXiv:2104.09864; "
        "RMSNorm: arXiv:1910.07467; SwiGLU: arXiv:2002.05202",
        load="seqgen_attention.transformer:TransformerCell",
        options="seqgen_attention.options:TransformerOptions",
    ),
    seqgen.CellSpec(
        name="tcn",
        summary="dilated causal convolutions: a temporal convolutional network or, gated, a WaveNet",
        source="arXiv:1803.01271; gated: arXiv:1609.03499",
        load="seqgen_attention.tcn:TCNCell",
        options="seqgen_attention.options:TCNOptions",
        recommended={"train": {"lr": 1e-2}},
    ),
)


@seqgen.hookimpl
def register_cells(register: Callable[[seqgen.CellSpec], None]) -> None:
    """Register ``transformer`` and ``tcn``."""
    for spec in _CELLS:
        register(spec)

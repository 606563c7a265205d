"""The causal pre-norm transformer block.

    a = W_in x                                          a = x if x has as many features as h
    q, k, v = W_Q LN_1(a), W_K LN_1(a), W_V LN_1(a)     split into heads of d features
    y_m = sum_n softmax_n(R_m q_m . R_n k_n / sqrt(d)) v_n      per head; m attends to the last C steps n <= m
    b = a + W_O [y of every head]
    c = b + W_2 gelu(W_1 LN_2(b))                       or, with swiglu, b + W_2 (silu(W_1 LN_2(b)) * W_3 LN_2(b))
    h = LN_3(c)

R_m rotates the plane of features i and i + d/2, i = 0 .. d/2 - 1, by the angle m theta_i, theta_i = 10000^(-2i/d), so
R_m q . R_n k depends only on m - n. (The last feature of an odd d is not rotated.) Every block ends with the norm LN_3,
which a pre-norm transformer has once, since a cell does not know whether it is the last layer. With rms_norm all three
norms are RMSNorm, which does not subtract the mean and has no bias. Biases of W_in, and without swiglu of W_1 and W_2,
are omitted; the other maps have none.

The state is the cache of R k and v. It grows by one entry per step, up to twice the context, and a step costs in
proportion to it. When it is cut back to the context, its keys are rotated back, so that positions stay small.

Source: arXiv:1706.03762, sections 3.2 and 3.3, with gelu (arXiv:1606.08415) for ReLU; the norm before each sublayer and
at the end: arXiv:2002.04745, table 1; R: arXiv:2104.09864, section 3.2.2; RMSNorm: arXiv:1910.07467; SwiGLU:
arXiv:2002.05202.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen
from seqgen_attention.blocks import RMSNorm, SwiGLU
from seqgen_attention.rotary import rotate

_MIN_HEAD_SIZE = 32  # features per head at least, unless the number of heads is given


class TransformerCell(seqgen.Cell):
    """A causal transformer block: self-attention, then an MLP.

    Dimension letters: A heads, D features per head, S cached steps (the state's and T more), C context.

    Args:
        input_size: I.
        hidden_size: H; the state is the cache (keys, values), each (B, A, cached steps, D).
        heads: A; None: the most that divide H into 32 features or more.
        mlp_ratio: hidden units of the MLP / H.
        context: C, steps that each step attends to, itself included.
        rms_norm: normalize by the root mean square instead of mean and variance.
        swiglu: gate the MLP.

    Raises:
        BadOption: H is not divisible by the number of heads.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        heads: int | None = None,
        mlp_ratio: float = 4.0,
        context: int = 1024,
        rms_norm: bool = False,
        swiglu: bool = False,
    ) -> None:
        super().__init__(input_size, hidden_size)
        self.context = context
        if heads is None:
            heads = max(n for n in range(1, max(1, hidden_size // _MIN_HEAD_SIZE) + 1) if hidden_size % n == 0)
        if hidden_size % heads:
            raise seqgen.BadOption(
                f"cannot split {hidden_size} units into {heads} heads: set heads to a divisor of {hidden_size}"
            )
        self.heads, inner_size = heads, max(1, round(mlp_ratio * hidden_size))
        self.input = nn.Linear(input_size, hidden_size) if input_size != hidden_size else nn.Identity()
        norm: Callable[[int], nn.Module] = RMSNorm if rms_norm else nn.LayerNorm
        self.attention_norm = norm(hidden_size)
        self.attention_in = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.attention_out = nn.Linear(hidden_size, hidden_size, bias=False)
        plain = nn.Linear(hidden_size, inner_size), nn.GELU(), nn.Linear(inner_size, hidden_size)
        self.mlp = nn.Sequential(norm(hidden_size), *([SwiGLU(hidden_size, inner_size)] if swiglu else plain))
        self.norm = norm(hidden_size)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return an empty cache (keys, values), each (B, A, 0, D)."""
        empty_BASD = self.attention_out.weight.new_empty(batch_size, self.heads, 0, self.hidden_size // self.heads)
        return empty_BASD, empty_BASD

    def forward(self, x_BTI: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Compute all steps by the module's equations."""
        a_BTH = self.input(x_BTI)
        heads_BTH, state = self._attend(self.attention_norm(a_BTH), state)
        b_BTH = a_BTH + self.attention_out(heads_BTH)
        return self.norm(b_BTH + self.mlp(b_BTH)), state

    def _attend(self, x_BTH: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the heads' outputs (B, T, H), and the cache with these steps appended."""
        T, before = x_BTH.shape[1], state[0].shape[2]
        parts_BTH = self.attention_in(x_BTH).chunk(3, 2)
        q_BATD, k_BATD, v_BATD = (part_BTH.unflatten(2, (self.heads, -1)).transpose(1, 2) for part_BTH in parts_BTH)
        q_BATD, k_BATD = rotate(q_BATD, before), rotate(k_BATD, before)
        k_BASD, v_BASD = torch.cat([state[0], k_BATD], 2), torch.cat([state[1], v_BATD], 2)
        steps, mask_TS = before + T, None
        seen = slice(max(0, before + 1 - self.context), None)  # from the earliest step that a new step attends to
        if T > 1 and (before or steps > self.context):
            mask_TS = torch.ones(T, steps, dtype=torch.bool, device=x_BTH.device)
            mask_TS = mask_TS.tril(before).triu(before + 1 - self.context)[:, seen]
        y_BATD = functional.scaled_dot_product_attention(
            q_BATD, k_BASD[:, :, seen], v_BASD[:, :, seen], mask_TS, is_causal=T > 1 and mask_TS is None
        )
        if steps >= 2 * self.context:
            dropped = steps - self.context
            k_BASD, v_BASD = rotate(k_BASD[:, :, dropped:], -dropped, 0), v_BASD[:, :, dropped:]
        return y_BATD.transpose(1, 2).flatten(2), (k_BASD, v_BASD)

"""The mLSTM of the xLSTM: a matrix memory and exponential gates.

    x, z = W_up u
    w = silu(conv(x))                               a causal convolution of each feature over time
    q, k, v = W_q w, W_k w / sqrt(d), W_v x         in each head, of d features
    i, f = W_i [q, k, v], W_f [q, k, v]             one number per head, before exp and sigmoid
    m' = max(log sigmoid(f) + m, i)
    C' = exp(log sigmoid(f) + m - m') C + exp(i - m') k v^T
    n' = exp(log sigmoid(f) + m - m') n + exp(i - m') k
    h = C'^T q / (max(|n' . q|, exp(-m')) + 10^-6)
    y = W_down ((LN(h) + s * w) * silu(z))          LN in each head; s a vector

m keeps the exponentials finite. Apart from the 10^-6, h does not depend on it, so it is detached; its gradient would be
zero up to rounding. The gates see k before it is scaled. The bias of f starts between 3 and 6, evenly spaced over the
heads, and that of i near 0; W_f and W_i start at 0. Sequences run in chunks: all pairs of steps at once within a chunk,
C, n and m from one chunk to the next.

Source: arXiv:2405.04517, the mLSTM in its pre-up-projection block; C as k v^T (in the paper v k^T), the 10^-6, the
initial values, and i and f from [q, k, v] after the implementation NX-AI/xlstm, whose W_q, W_k and W_v have blocks of
four features instead of a head. The norm and the residual connection are left to the model.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen
from seqgen_parallel.linear_recurrence import CausalConvolution, SequenceCell
from seqgen_parallel.matrix_memory import Memory, run_chunk

_MIN_HEAD_SIZE = 16  # features per head at least, unless the number of heads is given
_CHUNK = 64


class MLSTMCell(SequenceCell):
    """An mLSTM block.

    Dimension letters: E inner features, A heads, D features per head.

    Args:
        input_size: I.
        hidden_size: H; the state is (the convolution's last inputs (B, kernel - 1, E), (C (B, A, D, D), n (B, A, D),
            m (B, A))).
        expand: E / H.
        heads: A; None: the most that divide E into 16 features or more.
        kernel: kernel size of the convolution.

    Raises:
        BadOption: E is not divisible by the number of heads.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, expand: float = 2.0, heads: int | None = None, kernel: int = 4
    ) -> None:
        super().__init__(input_size, hidden_size)
        E = max(1, round(expand * hidden_size))
        A = heads or max(n for n in range(1, max(1, E // _MIN_HEAD_SIZE) + 1) if E % n == 0)
        if E % A:
            raise seqgen.BadOption(f"cannot split {E} inner features into {A} heads: set heads to a divisor of {E}")
        D = E // A
        self.input = nn.Linear(input_size, 2 * E, bias=False)
        self.convolution = CausalConvolution(E, kernel)
        self.query_key = nn.Parameter(torch.empty(A, D, 2 * D).uniform_(-(D**-0.5), D**-0.5))
        self.value = nn.Parameter(torch.empty(A, D, D).uniform_(-(D**-0.5), D**-0.5))
        self.gates = seqgen.Recurrent(3 * E, 2 * A, bias=True)
        self.gain, self.skip = nn.Parameter(torch.ones(E)), nn.Parameter(torch.ones(E))
        self.output = seqgen.Recurrent(E, hidden_size)
        nn.init.zeros_(self.gates.weight)
        with torch.no_grad():
            self.gates.bias.copy_(  # type: ignore[union-attr]
                torch.cat((0.1 * torch.randn(A), torch.linspace(3, 6, A)))
            )

    def initial_state(self, batch_size: int) -> tuple[Tensor, Memory]:
        """Return zeros of the state's shapes."""
        A, D, _ = self.value.shape
        shapes = (A, D, D), (A, D), (A,)
        c_BADD, n_BAD, m_BA = (self.gain.new_zeros(batch_size, *shape) for shape in shapes)
        return self.convolution.initial_state(batch_size), (c_BADD, n_BAD, m_BA)

    def project(self, u_BTI: Tensor) -> Tensor:
        """Return x and silu(z), (B, T, 2 E)."""
        x_BTE, z_BTE = self.input(u_BTI).chunk(2, 2)
        return torch.cat((x_BTE, functional.silu(z_BTE)), 2)

    def run_sequence(self, p_TBP: Tensor, state: tuple[Tensor, Memory]) -> tuple[Tensor, tuple[Tensor, Memory]]:
        """Compute all steps by the module's equations."""
        (before_BKE, memory), (x_TBE, z_TBE), (A, D, _) = state, p_TBP.chunk(2, 2), self.value.shape
        w_TBE, before_BKE = self.convolution(x_TBE, before_BKE)
        w_TBE = functional.silu(w_TBE)
        w_BATD, x_BATD = (e_TBE.unflatten(2, (A, D)).permute(1, 2, 0, 3) for e_TBE in (w_TBE, x_TBE))
        q_BATD, k_BATD = torch.einsum("batd,ade->bate", w_BATD, self.query_key).chunk(2, 3)
        v_BATD = torch.einsum("batd,ade->bate", x_BATD, self.value)
        seen_TBE = torch.cat([e_BATD.permute(2, 0, 1, 3).flatten(2) for e_BATD in (q_BATD, k_BATD, v_BATD)], 2)
        i_BAT, f_BAT = self.gates(seen_TBE).permute(1, 2, 0).chunk(2, 1)
        inputs = q_BATD, k_BATD * D**-0.5, v_BATD, i_BAT, functional.logsigmoid(f_BAT)
        outputs = []
        for q, k, v, i, f in zip(*(tensor.split(_CHUNK, 2) for tensor in inputs), strict=True):
            h_BATD, memory = run_chunk(q, k, v, i, f, memory)
            outputs.append(h_BATD)
        h_BATD = torch.cat(outputs, 2) if len(outputs) > 1 else outputs[0]
        h_TBE = functional.layer_norm(h_BATD, (D,)).permute(2, 0, 1, 3).flatten(2) * self.gain
        return self.output((h_TBE + self.skip * w_TBE) * z_TBE), (before_BKE, memory)

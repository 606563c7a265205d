"""The neural Turing machine: an LSTM controller that reads from and writes to a memory.

M_t is a memory of N slots (rows) with F features each, r_t the vector read from it. The controller sees x_t, r_{t-1}:

    h_t, c_t = LSTM([x_t, r_{t-1}], h_{t-1}, c_{t-1})

For each head it emits k = tanh(.), beta = softplus(.), g = sigmoid(.), s = softmax(.), gamma = 1 + softplus(.), where
each . is a linear map of h_t, clipped to [-clip, clip], and for a write head also e = sigmoid(.), a = tanh(.):

    w^c(i) = softmax_i(beta K[k, M_{t-1}(i)]), K[u, v] = u v / (|u| |v|)    content addressing
    w^g = g w^c + (1 - g) w_{t-1}                                           interpolation
    w~(i) = sum_j w^g(j) s(i - j), i - j modulo N, from -shift to shift     shift
    w_t(i) = w~(i)^gamma / sum_j w~(j)^gamma                                sharpening
    r_t = sum_i w_t(i) M_{t-1}(i)                                           read head
    M_t(i) = M_{t-1}(i) (1 - w_t(i) e) + w_t(i) a                           each write head, in turn
    y_t = W [h_t, r_t] + b

Source: arXiv:1410.5401, section 3, after TensorFlow 1's NTMCell, which too reads before it writes. There the initial
memory, r_0 and w_0 are learned, and y is clipped too. Here the memory starts at 1e-6 (arXiv:1807.08518), r_0 = 0, and
every head starts at the first slot, since equal weights on equal slots would stay indistinguishable.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

import seqgen

_State = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
_START, _LEAST_NORM, _LEAST_WEIGHT = 1e-6, 1e-8, 1e-20


class NTMCell(seqgen.StepCell):
    """A neural Turing machine cell.

    Dimension letters: N slots, F features per slot, R read heads, A all heads, D head parameters.

    Args:
        input_size: I.
        hidden_size: H, of the controller and the output; the state is (h, c, read, weights, memory): h and c (B, H),
            the vectors read (B, R F), the weights of all heads (B, A N), read heads first, the memory (B, N F).
        slots: N.
        features: F.
        read_heads: R.
        write_heads: A - R.
        shift: most slots by which a head moves per step.
        clip: bound on the magnitude of the head parameters before their activation.
        forget_bias: initial bias of the controller's forget gate.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        slots: int = 8,
        features: int = 16,
        read_heads: int = 1,
        write_heads: int = 1,
        shift: int = 1,
        clip: float = 20.0,
        forget_bias: float = 1.0,
    ) -> None:
        super().__init__(input_size, hidden_size)
        self.slots, self.features, self.readers, self.writers = slots, features, read_heads, write_heads
        self.shift, self.clip, self.heads = shift, clip, read_heads + write_heads
        self.sizes = [features, 1, 1, 2 * shift + 1, 1]  # of k, beta, g, s, gamma
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.recurrent = seqgen.Recurrent(hidden_size + read_heads * features, 4 * hidden_size)
        self.head_sizes = [self.heads * sum(self.sizes), 2 * write_heads * features]  # for addressing; for e and a
        self.tell = seqgen.Recurrent(hidden_size, sum(self.head_sizes), bias=True)
        self.output = seqgen.Recurrent(hidden_size + read_heads * features, hidden_size, bias=True)
        nn.init.constant_(self.input.bias[hidden_size : 2 * hidden_size], forget_bias)
        for linear in (self.tell, self.output):
            nn.init.zeros_(linear.bias)  # type: ignore[arg-type]

    def initial_state(self, batch_size: int) -> _State:
        """Return the state with a memory of 1e-6, all heads at the first slot, and zeros elsewhere."""
        zeros_BH, w_BN = self.zeros(batch_size), self.zeros(batch_size).new_zeros(batch_size, self.slots)
        w_BN[:, 0] = 1
        read_BF = w_BN.new_zeros(batch_size, self.readers * self.features)
        memory_BM = w_BN.new_full((batch_size, self.slots * self.features), _START)
        return zeros_BH, zeros_BH.clone(), read_BF, w_BN.repeat(1, self.heads), memory_BM

    def project(self, x_BTI: Tensor) -> Tensor:
        """Return the controller's W x for i, f, o and the candidate, (B, T, 4 H)."""
        return self.input(x_BTI)

    def step(self, p_BP: Tensor, state: _State) -> tuple[Tensor, _State]:
        """Compute one step by the module's equations."""
        (h_BH, c_BH, read_BF, w_BW, memory_BM), H = state, self.hidden_size
        gates_BP, j_BH = (p_BP + self.recurrent(torch.cat((h_BH, read_BF), 1))).split((3 * H, H), 1)
        i_BH, f_BH, o_BH = torch.sigmoid(gates_BP).chunk(3, 1)
        c_BH = torch.addcmul(f_BH * c_BH, i_BH, torch.tanh(j_BH))
        h_BH = o_BH * torch.tanh(c_BH)
        heads_BD, written_BD = torch.clamp(self.tell(h_BH), -self.clip, self.clip).split(self.head_sizes, 1)
        memory_BNF = memory_BM.unflatten(1, (self.slots, self.features))
        heads_BAD, w_BAN = (both.unflatten(1, (self.heads, -1)) for both in (heads_BD, w_BW))
        w_BAN = self.address(heads_BAD, memory_BNF, w_BAN)
        read_BF = torch.bmm(w_BAN[:, : self.readers], memory_BNF).flatten(1)
        for w_BN, ea_BF in zip(w_BAN.unbind(1)[self.readers :], written_BD.chunk(self.writers, 1), strict=True):
            w_BN1, (e_BF, a_BF) = w_BN[:, :, None], ea_BF.chunk(2, 1)
            memory_BNF = memory_BNF * (1 - w_BN1 * torch.sigmoid(e_BF)[:, None]) + w_BN1 * torch.tanh(a_BF)[:, None]
        y_BH = self.output(torch.cat((h_BH, read_BF), 1))
        return y_BH, (h_BH, c_BH, read_BF, w_BAN.flatten(1), memory_BNF.flatten(1))

    def address(self, heads_BAD: Tensor, memory_BNF: Tensor, w_BAN: Tensor) -> Tensor:
        """Return the weights of all heads (B, A, N) from their parameters, the memory and the previous weights."""
        k_BAF, beta_BA1, g_BA1, s_BAS, gamma_BA1 = heads_BAD.split(self.sizes, 2)
        k_BAF = torch.tanh(k_BAF)
        norms_BAN = k_BAF.norm(dim=2)[:, :, None] * memory_BNF.norm(dim=2)[:, None]
        similar_BAN = torch.bmm(k_BAF, memory_BNF.transpose(1, 2)) / (norms_BAN + _LEAST_NORM)
        by_content_BAN = torch.softmax(functional.softplus(beta_BA1) * similar_BAN, 2)
        gated_BAN = torch.lerp(w_BAN, by_content_BAN, torch.sigmoid(g_BA1))
        shift_weights = torch.softmax(s_BAS, 2).split(1, 2)
        shifted = [s_BA1 * gated_BAN.roll(by - self.shift, 2) for by, s_BA1 in enumerate(shift_weights)]
        log_BAN = torch.log(torch.clamp_min(sum(shifted[1:], shifted[0]), _LEAST_WEIGHT))
        return torch.softmax((1 + functional.softplus(gamma_BA1)) * log_BAN, 2)

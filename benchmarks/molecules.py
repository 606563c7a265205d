"""Drawing strings of the lengths of molecules from LSTMs of three layers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

import ours
from bare_sampling import Adjust, BareSampler, head_of, lstm_layers, torch_step
from matmul import products, sampling_gflop
from report import COMPARED, Compare, Section, table
from sampling import mean_length
from seqgen.config import SampleConfig
from seqgen.sampling import Sampler
from seqgen.tokenizers import EOS, Vocabulary
from timing import Done, Setting, Work, interleave

_CERTAIN = 1e4
MEAN, DEVIATION, SHORTEST, LONGEST = 36, 6, 15, 57
CAPTION = """Strings a second, of 2,048, from an LSTM of 3 x 768, embedding 32, with fresh weights, float32, 2 threads.
So that rows end like real molecules, both sides apply the same decoding step: the probability of the end at
a position is that of a normal distribution of lengths around 36, deviation 6, clipped to 15 .. 57. The
baseline `batched loop` computes 512 rows together under inference_mode through torch.nn.LSTM, all of them
until the last has ended, and draws by softmax and multinomial. The rate of matrix products counts 2
operations a weight for each symbol that stands in a row, its end too; it is compared with that of products
alone, of 512 and of 2,048 rows."""


def measure(setting: Setting) -> Section:
    """The table."""
    data, hidden = ours.encode(ours.molecules(500)), setting.pick(768, 8)
    n, width = setting.pick((2048, 512), (32, 32))
    vocabulary = data.vocabulary
    model = ours.make_model(vocabulary.size, "lstm", hidden, 32, 3)
    adjust = ending_like_molecules(vocabulary)
    step = torch_step(lstm_layers(model), model.embedding, head_of(model, vocabulary))
    bare = BareSampler(step, vocabulary, LONGEST, adjust)
    sampler = Sampler(model, vocabulary, SampleConfig(max_length=LONGEST), processors=[adjust])
    texts: dict[str, list[str]] = {}

    def drawing(name: str, draw) -> Work:
        def work() -> Done:
            texts[name] = draw()
            n_symbols = sum(map(len, texts[name])) + len(texts[name])
            return {"molecules": n, "gflop": sampling_gflop(model.stack, model.head, n_symbols)}

        return work

    variants = {
        "batched loop": drawing("batched loop", lambda: bare.draw(n, width)),
        "seqgen": drawing("seqgen", lambda: [row.text for row in sampler.take(n)]),
    }
    with setting.threads(2):
        alone = {f"products {m} x {hidden} x {4 * hidden}": products(m, hidden, 4 * hidden, setting)
                 for m in (512, 2048)}  # fmt: skip
        rounds = interleave(variants | alone, setting.rounds)
    rows = [Compare("batched loop", "molecules"), Compare("seqgen", "molecules", "batched loop", 1.4)]
    for name in alone:
        rows += [Compare(name, "gflop"), Compare("seqgen", "gflop", name, 0.8)]
    lengths = "; ".join(f"{name}: {mean_length(rows):.1f} symbols a row" for name, rows in texts.items())
    return Section(
        "molecules",
        "strings of the lengths of molecules",
        CAPTION,
        [table(COMPARED, [r.row(rounds) for r in rows]), lengths],
    )


def ending_like_molecules(vocabulary: Vocabulary) -> Adjust:
    """A decoding step that gives the end, at each position, the probability that molecules have."""

    def reached(length: float) -> float:
        """The share of molecules that are shorter."""
        return 0.0 if length <= SHORTEST else 0.5 * (1 + math.erf((length - 0.5 - MEAN) / DEVIATION / math.sqrt(2)))

    odds = []
    for length in range(LONGEST + 1):
        here = (reached(length + 1) - reached(length)) / (1 - reached(length))
        odds.append(math.log(here / (1 - here)) if here else -math.inf)
    odds[LONGEST] = _CERTAIN
    barred_V = torch.zeros(vocabulary.size).masked_fill(~torch.from_numpy(vocabulary.allowed_V()), -torch.inf)
    barred_V[EOS] = -torch.inf

    def process(logits_BV: Tensor, ids_BT: Tensor) -> Tensor:
        logits_BV = logits_BV + barred_V
        logits_BV[:, EOS] = torch.logsumexp(logits_BV, 1) + odds[ids_BT.shape[1]]
        return logits_BV

    return process

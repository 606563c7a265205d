"""Sampling strings with the lengths of molecules from three-layer LSTMs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

import fixtures
from matmul import products, sampling_gflop
from name_sampling import mean_length
from report import COMPARED, Compare, Section, table
from seqgen.config import SampleConfig
from seqgen.sampling import Sampler
from seqgen.tokenizers import EOS, Vocabulary
from timing import Done, Setting, Work, interleave
from torch_sampling import Adjust, TorchSampler, copy_head, to_torch_lstm, torch_step

_CERTAIN = 1e4
MEAN, DEVIATION, SHORTEST, LONGEST = 36, 6, 15, 57
CAPTION = """Strings per second, sampling 2,048, from an LSTM of 3 x 768, embedding 32, untrained, float32, 2 threads.
So that rows end like real molecules, both sides apply the same logits processor: the probability of the end at a
position follows a normal distribution of lengths with mean 36 and deviation 6, clipped to 15 .. 57. The baseline
`batched loop` computes 512 rows at a time under inference_mode with torch.nn.LSTM, all of them until the last has
ended, and samples by softmax and multinomial. The rate of matrix products counts 2 operations per weight for each
symbol of a row, its end included; it is compared with that of products alone, of 512 and of 2,048 rows."""


def measure(setting: Setting) -> Section:
    """Return the section."""
    data, hidden = fixtures.encode(fixtures.molecules(500)), setting.pick(768, 8)
    n, width = setting.pick((2048, 512), (32, 32))
    vocabulary = data.vocabulary
    model = fixtures.make_model(vocabulary.size, "lstm", hidden, 32, 3)
    adjust = molecule_lengths(vocabulary)
    step = torch_step(to_torch_lstm(model), model.embedding, copy_head(model, vocabulary))
    bare = TorchSampler(step, vocabulary, LONGEST, adjust)
    sampler = Sampler(model, vocabulary, SampleConfig(max_length=LONGEST), processors=[adjust])
    texts: dict[str, list[str]] = {}

    def sampling(name: str, sample) -> Work:
        def work() -> Done:
            texts[name] = sample()
            n_symbols = sum(map(len, texts[name])) + len(texts[name])
            return {"molecules": n, "gflop": sampling_gflop(model.stack, model.head, n_symbols)}

        return work

    variants = {
        "batched loop": sampling("batched loop", lambda: bare.sample(n, width)),
        "seqgen": sampling("seqgen", lambda: [row.text for row in sampler.take(n)]),
    }
    with setting.threads(2):
        alone = {f"products {m} x {hidden} x {4 * hidden}": products(m, hidden, 4 * hidden, setting)
                 for m in (512, 2048)}  # fmt: skip
        rounds = interleave(variants | alone, setting.rounds)
    rows = [Compare("batched loop", "molecules"), Compare("seqgen", "molecules", "batched loop", 1.4)]
    for name in alone:
        rows += [Compare(name, "gflop"), Compare("seqgen", "gflop", name, 0.8)]
    lengths = "; ".join(f"{name}: {mean_length(rows):.1f} symbols per row" for name, rows in texts.items())
    return Section(
        "molecule_sampling",
        "sampling strings with the lengths of molecules",
        CAPTION,
        [table(COMPARED, [r.row(rounds) for r in rows]), lengths],
    )


def molecule_lengths(vocabulary: Vocabulary) -> Adjust:
    """Return a logits processor that ends rows with the length distribution of molecules."""

    def cumulative(length: float) -> float:
        """Return the share of shorter molecules."""
        return 0.0 if length <= SHORTEST else 0.5 * (1 + math.erf((length - 0.5 - MEAN) / DEVIATION / math.sqrt(2)))

    odds = []
    for length in range(LONGEST + 1):
        here = (cumulative(length + 1) - cumulative(length)) / (1 - cumulative(length))
        odds.append(math.log(here / (1 - here)) if here else -math.inf)
    odds[LONGEST] = _CERTAIN
    barred_V = torch.zeros(vocabulary.size).masked_fill(~torch.from_numpy(vocabulary.allowed_V()), -torch.inf)
    barred_V[EOS] = -torch.inf

    def process(logits_BV: Tensor, ids_BT: Tensor) -> Tensor:
        logits_BV = logits_BV + barred_V
        logits_BV[:, EOS] = torch.logsumexp(logits_BV, 1) + odds[ids_BT.shape[1]]
        return logits_BV

    return process

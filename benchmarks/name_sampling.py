"""Sampling names from the course notebook's model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from fixtures import encode, endless_batches, make_learner, make_model, names
from report import COMPARED, Compare, Section, table
from seqgen.api.encoded_corpus import EncodedCorpus
from seqgen.config import SampleConfig
from seqgen.model import RecurrentModel
from seqgen.sampling import Sampler
from timing import Done, Setting, WithRunMemory, Work, interleave
from torch_sampling import TorchSampler, notebook_sampler, vanilla_step

CAPTION = """Names per second, decoded to str, from the notebook's model (embedding 16, 64 ReLU units) after 500
training steps of 128 names, float32, 1 thread; rows are cut off at 30 symbols on all sides. `batched loop` computes
1,000 rows at a time under inference_mode, all of them until the last has ended, and samples by softmax and
multinomial; `one row` is the same with one row. `the notebook's loop` samples one name at a time with
numpy.random.choice, every name up to the length of the longest one, also under inference_mode. All have the same
weights. `seqgen` is `Sampler.take(10_000)`."""


def measure(setting: Setting) -> Section:
    """Return the section."""
    data = encode(names())
    model = trained(data, setting.pick(500, 5))
    max_length, n = 2 * data.longest_symbols, setting.pick(10_000, 64)
    bare = TorchSampler(vanilla_step(model, data.vocabulary), data.vocabulary, max_length)
    notebook = notebook_sampler(model, data.vocabulary, data.longest_symbols)
    ours = lambda: [row.text for row in sampler(model, data, max_length).take(n)]  # noqa: E731
    variants: dict[str, Work] = {
        "the notebook's loop": _rows(lambda: notebook(setting.pick(50, 2))),
        "one row": _rows(lambda: bare.sample(setting.pick(100, 2), 1)),
        "batched loop": _rows(lambda: bare.sample(n, 1000)),
        "seqgen": WithRunMemory(_rows(ours, times=5), ours),
    }
    with setting.threads(1):
        rounds = interleave(variants, setting.rounds)
        texts = bare.sample(n, 1000), [row.text for row in sampler(model, data, max_length).take(n)]
    rows = [
        Compare("the notebook's loop", "names"),
        Compare("one row", "names"),
        Compare("batched loop", "names"),
        Compare("seqgen", "names", "batched loop", 6.0),
        Compare("seqgen", "names", "the notebook's loop", 300.0),
        Compare("seqgen", "names", "one row"),
    ]
    lengths = "mean length of a name: {:.2f} by the batched loop, {:.2f} by seqgen".format(*map(mean_length, texts))
    return Section(
        "name_sampling", "10,000 names", CAPTION, [table(COMPARED, [row.row(rounds) for row in rows]), lengths]
    )


def trained(data: EncodedCorpus, n_steps: int) -> RecurrentModel:
    """Return the notebook's model after a short training, so that its names have realistic lengths."""
    model = make_model(data.vocabulary.size, "vanilla", 64, 16)
    learner = make_learner(model, data, lr=3e-3)
    for batch in islice(endless_batches(data.encoded["train"], 128), n_steps):
        learner.take(batch)
    return model


def sampler(model: RecurrentModel, data: EncodedCorpus, max_length: int) -> Sampler:
    """Return a sampler as a run builds it."""
    return Sampler(model, data.vocabulary, SampleConfig(max_length=max_length))


def mean_length(texts: Sequence[str]) -> float:
    """Return the mean number of characters per row."""
    return sum(map(len, texts)) / len(texts)


def _rows(sample: Callable[[], Sequence[str]], times: int = 1) -> Work:
    def work() -> Done:
        return {"names": sum(len(sample()) for _ in range(times))}

    return work

"""Drawing names from the notebook's model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from bare_sampling import BareSampler, notebook_names, vanilla_step
from ours import encode, endless_batches, learner_of, make_model, names
from report import COMPARED, Compare, Section, table
from seqgen.api.encoded_corpus import EncodedCorpus
from seqgen.config import SampleConfig
from seqgen.model import RecurrentModel
from seqgen.sampling import Sampler
from timing import Done, OfARun, Setting, Work, interleave

CAPTION = """Names a second, decoded to str, from the notebook's model (embedding 16, 64 ReLU units) after 500
training steps of 128 names, float32, 1 thread; a row is cut at 30 symbols on all sides. `batched loop` computes 1,000
rows together under inference_mode, all of them until the last has ended, and draws by softmax and multinomial; `one
row` is the same with one row. `the notebook's loop` is its way to draw one name at a time: numpy chooses from the
probabilities, and every name is computed up to the length of the longest one, whatever is kept of it; under
inference_mode, too. All have the same weights as ours. `seqgen` is `Sampler.take(10_000)`."""


def measure(setting: Setting) -> Section:
    """The table."""
    data = encode(names())
    model = trained(data, setting.pick(500, 5))
    max_length, n = 2 * data.longest_symbols, setting.pick(10_000, 64)
    bare = BareSampler(vanilla_step(model, data.vocabulary), data.vocabulary, max_length)
    notebook = notebook_names(model, data.vocabulary, data.longest_symbols)
    ours = lambda: [row.text for row in sampler(model, data, max_length).take(n)]  # noqa: E731
    variants: dict[str, Work] = {
        "the notebook's loop": _rows(lambda: notebook(setting.pick(50, 2))),
        "one row": _rows(lambda: bare.draw(setting.pick(100, 2), 1)),
        "batched loop": _rows(lambda: bare.draw(n, 1000)),
        "seqgen": OfARun(_rows(ours, times=5), ours),
    }
    with setting.threads(1):
        rounds = interleave(variants, setting.rounds)
        texts = bare.draw(n, 1000), [row.text for row in sampler(model, data, max_length).take(n)]
    rows = [
        Compare("the notebook's loop", "names"),
        Compare("one row", "names"),
        Compare("batched loop", "names"),
        Compare("seqgen", "names", "batched loop", 6.0),
        Compare("seqgen", "names", "the notebook's loop", 300.0),
        Compare("seqgen", "names", "one row"),
    ]
    lengths = "mean length of a name: {:.2f} by the batched loop, {:.2f} by seqgen".format(*map(mean_length, texts))
    return Section("sampling", "10,000 names", CAPTION, [table(COMPARED, [row.row(rounds) for row in rows]), lengths])


def trained(data: EncodedCorpus, n_steps: int) -> RecurrentModel:
    """The notebook's model, trained a little, so that its names end like names."""
    model = make_model(data.vocabulary.size, "vanilla", 64, 16)
    learner = learner_of(model, data, lr=3e-3)
    for batch in islice(endless_batches(data.encoded["train"], 128), n_steps):
        learner.take(batch)
    return model


def sampler(model: RecurrentModel, data: EncodedCorpus, max_length: int) -> Sampler:
    """Ours, as a run draws."""
    return Sampler(model, data.vocabulary, SampleConfig(max_length=max_length))


def mean_length(texts: Sequence[str]) -> float:
    """Characters a row."""
    return sum(map(len, texts)) / len(texts)


def _rows(draw: Callable[[], Sequence[str]], times: int = 1) -> Work:
    def work() -> Done:
        return {"names": sum(len(draw()) for _ in range(times))}

    return work

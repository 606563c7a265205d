"""Measurements of a run that ``Run.evaluate`` sums up or leaves out, for plugins that compare runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from seqgen.api.conditioning import Conditioning
from seqgen.checkpoint import find_differences
from seqgen.checkpoint import leakage_notes as _leakage_notes
from seqgen.compute import computing
from seqgen.metrics import FEW_RECORDS as FEW_RECORDS
from seqgen.plugins import DIGITS

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.api.encoded_corpus import EncodedCorpus
    from seqgen.api.run import Run
    from seqgen.evaluation import Difference, HeldOut, RecordLosses, SampleCounts
    from seqgen.sampling import Sample

    Numbers = npt.NDArray[Any]

Part = Literal["valid", "test"]


def prefix_nats(
    run: Run, prefix: str, *, label: str | None = None, given: Mapping[str, Any] | None = None
) -> list[float]:
    """Return the negative log-likelihood of each symbol of a prefix, in nats; a stop is not counted.

    Args:
        run: the run.
        prefix: the start of a sequence.
        label: of sequences of this label.
        given: values of conditions, or of fields that come before the prefix, which are scored with it.

    Raises:
        UnknownSymbol: the prefix has a symbol that is not in the corpus.
        UsageError: a label or field that the run does not know.
    """
    conditioning = Conditioning.of(run, label, given or {})
    n_symbols = len(run.vocabulary.encode(conditioning.prefix + prefix))
    if not n_symbols:
        return []
    (score,) = run.score(conditioning.prefix + prefix, given=conditioning.conditions)
    return list(score.nats_per_symbol[:n_symbols])


class TrainingState(NamedTuple):
    """The progress of the training of a run, by its newest checkpoint.

    Attributes:
        step: optimizer steps done.
        elapsed_s: seconds of training and evaluation.
        ended: whether training has ended, and was not only stopped.
        best_step: the step that an evaluation found best; None: none has.
    """

    step: int
    elapsed_s: float
    ended: bool
    best_step: int | None = None


def training_state(run: Run) -> TrainingState:
    """Return the progress of the training of a run; zeros where it has no checkpoint."""
    state = run.folder.latest_state() or {}
    ended, best_step = bool(state.get("ended")), state.get("best_step")
    return TrainingState(state.get("step", 0), state.get("elapsed_s", 0.0), ended, best_step)


def leakage_notes(run: Run) -> list[str]:
    """Return a note where a run started from weights that had learned from its held-out records; else none."""
    return _leakage_notes(run.settings.start)


def read_corpus(run: Run, cache: MutableMapping[str, EncodedCorpus] | None = None) -> EncodedCorpus:
    """Read and encode the corpus of a run.

    Args:
        run: the run.
        cache: corpora that runs share: one that was read for a run with the same symbols and split is not read again.

    Raises:
        CorpusError: it is unreadable, or has changed since the run was trained.
        UsageError: it is gone, or what it needs is not installed.
    """
    cache, settings, vocabulary = {} if cache is None else cache, run.settings, run.vocabulary
    # A run that started from another's weights has that one's symbols before its own.
    symbols = vocabulary.conditions, vocabulary.tokenizer.to_json()
    split = settings.train.split, settings.train.split_seed
    key = repr((settings.corpus, settings.tokenizer, symbols, split))
    if key not in cache:
        cache[key] = run.read_corpus()
    return cache[key]


def held_out_loss(run: Run, part: Part, corpus: EncodedCorpus | None = None) -> HeldOut | None:
    """Return the loss on all records of a held-out part: ``loss_nats``, ``bits_per_char`` and ``n_records``.

    Args:
        run: the run.
        part: "valid" or "test".
        corpus: the result of ``read_corpus``, or the ``data`` of a :class:`seqgen.TrainingPlan`; None: it is read.

    Returns:
        None where the part is empty.
    """
    from seqgen.evaluation import held_out_loss as loss_of
    from seqgen.evaluation import penalty

    encoded = (read_corpus(run) if corpus is None else corpus).encoded[part]
    if not len(encoded):
        return None
    with computing(run.settings.engine.threads):
        return loss_of(run.model, encoded, penalty(run.vocabulary, run.model), most=10**9)


def record_losses(run: Run, part: Part, corpus: EncodedCorpus | None = None) -> RecordLosses | None:
    """Return the loss of each record of a held-out part, in the order of the corpus; of a long text, of each window.

    That is ``nats_N``, ``chars_N`` and ``texts_N``, numbers that are the same for records of the same text, or for
    windows of 256 symbols in one of 10 to 32 parts of a long text. Its windows are those of its own symbols: two runs
    have the same ones if their tokenizers cut the text alike.

    Args:
        run: the run.
        part: "valid" or "test".
        corpus: as ``held_out_loss`` takes it.

    Returns:
        None where the part is empty.
    """
    from seqgen.batches import Encoded
    from seqgen.counting import record_keys
    from seqgen.evaluation import RecordLosses, penalty, record_nats
    from seqgen.evaluation import record_losses as losses_of

    encoded = (read_corpus(run) if corpus is None else corpus).encoded[part]
    if not len(encoded):
        return None
    with computing(run.settings.engine.threads):
        penalty_V = penalty(run.vocabulary, run.model)
        if not isinstance(encoded, Encoded):
            return losses_of(run.model, encoded, run.vocabulary, penalty_V)
        nats_N = record_nats(run.model, encoded, penalty_V)
    chars_N, n_targets = encoded.chars_N.astype("float64") + 1, int((encoded.lengths_N - 1).sum())
    return RecordLosses(nats_N, chars_N, n_targets, record_keys(encoded))


def count_bits_per_char(corpus: EncodedCorpus, part: Part) -> dict[str, float]:
    """Return the bits per character that counting reaches on a held-out part, by a name that states the order.

    The names are "5-gram", "Kneser-Ney n=5", "PPMd n=4" (if pyppmd is installed) and "xz", with the orders that fit the
    training part. At most 3 million training characters are counted, and 300,000 predicted; the alphabet is that of the
    whole corpus.

    Args:
        corpus: as ``held_out_loss`` takes it.
        part: "valid" or "test", with at least one record.
    """
    from seqgen.api.evidence import MAX_TEST, MAX_TRAINING
    from seqgen.evaluation import count_bits_per_char as bits_of
    from seqgen.evaluation import excerpt

    limits = {"train": MAX_TRAINING, part: MAX_TEST}
    texts = {name: excerpt(corpus.encoded[name], corpus.vocabulary, most_chars=limit) for name, limit in limits.items()}
    return bits_of(texts["train"], texts[part], corpus.survey.alphabet, ends=corpus.vocabulary.ends)


def count_samples(run: Run, texts: Iterable[str | Sample]) -> SampleCounts:
    """Return how many of some samples are valid, unique and novel, and the shares of each.

    Where the domain has no validator, or it is not installed, all count as valid.

    Args:
        run: the run.
        texts: the samples, or their texts.

    Raises:
        CorpusError: the corpus is not what the run was trained on.
    """
    from seqgen.evaluation import count_samples as counts_of

    only_texts = [text if isinstance(text, str) else text.text for text in texts]
    return counts_of(only_texts, run.corpus, run.settings.splitter, run.validator_here, run.recorded_form)


def tokens_per_s(run: Run, corpus: EncodedCorpus | None = None) -> float | None:
    """Return the targets per second over the whole training run, evaluations included; None at step 0.

    Args:
        run: the run.
        corpus: as ``held_out_loss`` takes it.
    """
    from seqgen.batches import Stream, count_batches, make_feed

    train, settings = (read_corpus(run) if corpus is None else corpus).encoded["train"], run.settings.train
    state = training_state(run)
    if isinstance(train, Stream):  # each step has as many
        feed = make_feed(train, batch_size=settings.batch_size, window=settings.window, seed=0)
        per_step = float(feed.batch(0).n_targets)
    else:
        per_step = float((train.lengths_N - 1).sum()) / count_batches(len(train), settings.batch_size)
    return per_step * state.step / state.elapsed_s if state.step and state.elapsed_s else None


def settings_diff(runs: Mapping[str, Run]) -> dict[str, dict[str, Any]]:
    """Return the settings that are not the same in all of some runs.

    Args:
        runs: by name.

    Returns:
        For each setting, as ``-o`` spells it, its value in each run; None where a run has no such setting. "plugins" is
        there where their code differs: their names, each with the first digits of the digest of its code; of a plugin
        in one file these are its version, and those of the modules beside it that it imports may follow.
    """
    found = find_differences({name: run.settings for name, run in runs.items()})
    plugins = {name: _code_of_plugins(run) for name, run in runs.items()}
    return found | ({"plugins": plugins} if len(set(plugins.values())) > 1 else {})


def _code_of_plugins(run: Run) -> str | None:
    rows = [(str(row["package"]), [row.get("sha256"), row.get("code")]) for row in run.settings.plugins]
    shown = [(name, [digest[:DIGITS] for digest in digests if digest]) for name, digests in rows]
    return ", ".join(" ".join((name, *digests)) for name, digests in shown if digests) or None


def mean_interval(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean, and the half width of its 95% interval by Student's t; None for one value."""
    from seqgen.evaluation import mean_interval as interval_of

    return interval_of(values)


def is_blended(metrics: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether held-out losses are those of a blend, and training losses those of its network alone.

    Args:
        metrics: lines of metrics.jsonl.
    """
    from seqgen.render.curve import is_blended as found

    return found(metrics)


def paired_difference(
    nats_N: Numbers, other_N: Numbers, chars_N: Numbers, texts_N: Numbers | None = None
) -> Difference:
    """Return how many more bits per character one model needs than another for the same records.

    Args:
        nats_N: the loss of each record (N,) in nats, of the first model.
        other_N: the same of the second model.
        chars_N: the characters of each record; its stop counts as one more.
        texts_N: a number for the text of each record, as ``record_losses`` has it; None: all texts differ.

    Returns:
        ``bits_per_char``, with its 95% interval ``low`` and ``high`` by a bootstrap over distinct texts.
    """
    from seqgen.evaluation import paired_difference as difference_of

    return difference_of(nats_N, other_N, chars_N, texts_N)

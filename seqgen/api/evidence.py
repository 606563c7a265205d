"""The texts that an evaluation compares: samples, and excerpts of training and held-out records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seqgen.api.encoded_corpus import EncodedCorpus
from seqgen.errors import MissingExtra
from seqgen.render import counted

if TYPE_CHECKING:
    from seqgen.api.open_run import OpenRun

MAX_TRAINING, MAX_TEST = 3_000_000, 300_000
"""Characters of the training part and of a held-out part, of the baselines and of shared substrings."""
_MAX_COMPARED = 10_000  # held-out and training records whose lengths and characters are compared with
_MAX_EXAMINED = 500  # samples and held-out records that are looked for in the training records
_PIECE = 200  # characters of a long text that are looked for together, at most
_N_BLOCKS = 32  # parts of a held-out long text, whose pieces are alike, at most
_MAX_NEAR, _MAX_NEAR_CHARS = 200_000, 20_000_000  # training records among which the nearest is looked for


@dataclass
class Evidence:
    """The texts that an evaluation compares.

    Attributes:
        samples: texts drawn from it.
        looked_for: what is looked for in the training text: the samples; of a long text, pieces of them.
        train: training texts, an excerpt.
        near: training records among which the nearest is looked for, an excerpt.
        tested: the test texts, or those of validation where there are none, an excerpt.
        held_out: held-out records, an excerpt; of a long text, pieces as long as those of the samples.
        training: as many training records, or pieces, at most.
        alphabet: the characters of the corpus.
        where: the part of the corpus that each sample and each examined held-out record stands in, or "new".
        groups: of a long text, the sample that each piece of samples is from, and the part of the held-out text that
            each held-out piece stands in; of records, none.
        sizes: records of the training part and of those held out; of a long text, symbols.
        different: different texts of the training part, and further ones of those held out; of a long text, none.
        notes: what was left out or cut, a line each.
    """

    samples: list[str]
    looked_for: list[str] = field(default_factory=list)
    train: list[str] = field(default_factory=list)
    near: list[str] = field(default_factory=list)
    tested: list[str] = field(default_factory=list)
    held_out: list[str] = field(default_factory=list)
    training: list[str] = field(default_factory=list)
    alphabet: set[str] = field(default_factory=set)
    where: dict[str, str] = field(default_factory=dict)
    groups: tuple[Mapping[str, int], Mapping[str, int]] = ({}, {})
    sizes: tuple[int, int] = (0, 0)
    different: tuple[int, int] = (0, 0)
    notes: list[str] = field(default_factory=list)


def gather(run: OpenRun, data: EncodedCorpus, samples: list[str]) -> Evidence:
    """Return excerpts of the parts of the corpus, and the part that has each sample and held-out record."""
    from seqgen.evaluation import excerpt, membership

    found, encoded = Evidence(samples, alphabet=set(data.survey.alphabet)), data.encoded
    train, valid, test = (encoded[part] for part in ("train", "valid", "test"))
    found.train = excerpt(train, run.vocabulary, most_chars=MAX_TRAINING)
    _gather_tested(found, run, data)
    found.sizes = len(train), len(valid) + len(test)
    if not found.sizes[1]:
        found.notes.append("nothing is held out: no baselines, distances or chance levels")
    if run.vocabulary.ends:
        _gather_records(found, run, data)
        found.notes += _leakage(run, data) if found.sizes[1] else []
        if found.sizes[1] and not found.different[1]:
            found.notes.append("all held-out records are training records too: no chance levels")
        found.looked_for = samples
        sought = [*samples, *_examined(found.held_out)]
        found.where = membership(sought, run.corpus, run.settings.splitter, str)
    else:
        _gather_pieces(found, run, data)
    return found


def _gather_tested(found: Evidence, run: OpenRun, data: EncodedCorpus) -> None:
    from seqgen.evaluation import excerpt

    train, valid, test = (data.encoded[part] for part in ("train", "valid", "test"))
    tested = test if len(test) else valid
    found.tested = excerpt(tested, run.vocabulary, most_chars=MAX_TEST)
    if len(valid) and not len(test):
        found.notes.append("there is no test part: the baselines use the validation part")
    for name, part, texts in (("training", train, found.train), ("held-out", tested, found.tested)):
        n_all, n_here = _n_chars(part), sum(map(len, texts))
        if n_here < n_all:
            what = "the baselines count" if name == "training" else "the baselines predict"
            also = ", in which shared substrings are looked for too" if name == "training" else ""
            found.notes.append(f"{what} {n_here:,} of {n_all:,} {name} characters{also}")


def _gather_records(found: Evidence, run: OpenRun, data: EncodedCorpus) -> None:
    from seqgen.evaluation import count_different, excerpt

    found.different = count_different(data.encoded)  # type: ignore[arg-type]  # of records
    limits = {"most_chars": 10 * MAX_TEST, "most": _MAX_COMPARED}
    for part in ("valid", "test"):
        found.held_out += excerpt(data.encoded[part], run.vocabulary, **limits)
    found.training = excerpt(data.encoded["train"], run.vocabulary, **limits)
    near = {"most_chars": _MAX_NEAR_CHARS, "most": _MAX_NEAR}
    found.near = excerpt(data.encoded["train"], run.vocabulary, **near)


def _leakage(run: OpenRun, data: EncodedCorpus) -> list[str]:
    """Return notes on held-out records that are training records too, which held-out losses count."""
    from seqgen.evaluation import leakage_warnings

    corpus = run.settings.corpus
    one_spelling = run.corpus.canonical and not (corpus.valid or corpus.test)  # a file's may be any
    form = None if run.validator_here is None or one_spelling else run.canonical
    return leakage_warnings(run.corpus, data.encoded, data.survey, run.settings.splitter, form, run.recorded_form)


def _gather_pieces(found: Evidence, run: OpenRun, data: EncodedCorpus) -> None:
    from seqgen.evaluation import excerpt, pieces

    found.notes.append(
        "one long text has no records: unique, novel, lengths, exact copies and the nearest record are left out"
    )
    texts = [
        text
        for part in ("valid", "test")
        for text in excerpt(data.encoded[part], run.vocabulary, most_chars=MAX_TRAINING)
    ]
    # All pieces have one length: longer ones would share more.
    width = min((len(text) for text in (*found.samples, *texts) if text), default=1)
    width = min(width, _PIECE)
    found.held_out = [piece for text in texts for piece in pieces(text, width, _MAX_COMPARED)]
    cut = [pieces(text, width, _MAX_EXAMINED) for text in found.samples]
    found.looked_for = [piece for some in cut for piece in some]
    found.groups = (
        {piece: number for number, some in enumerate(cut) for piece in some},
        {piece: number * _N_BLOCKS // len(found.held_out) for number, piece in enumerate(found.held_out)},
    )
    found.training = [piece for text in found.train for piece in pieces(text, width, _MAX_COMPARED)]


def _n_chars(part: object) -> int:
    n_chars = getattr(part, "n_chars", None)
    return int(part.chars_N.sum(dtype="int64")) if n_chars is None else int(n_chars)  # type: ignore[attr-defined]


def _examined(texts: Iterable[str]) -> list[str]:
    """Return at most 500 different texts, evenly spaced, without an empty one."""
    different = [text for text in dict.fromkeys(texts) if text]
    return different[:: max(1, -(-len(different) // _MAX_EXAMINED))]


def baseline_metrics(run: OpenRun, found: Evidence) -> dict[str, Any]:
    """Return the baselines by name, in bits per character, and the orders of those that choose one."""
    from seqgen.evaluation import baseline_bits_per_char, kneser_ney_bits_per_char, ppmd_bits_per_char

    if not found.tested:
        return {}
    ends = run.vocabulary.ends
    values = baseline_bits_per_char(found.train, found.tested, found.alphabet, ends=ends)
    metrics: dict[str, Any] = {f"baseline_{name}_bits_per_char": bits for name, bits in values.items()}
    counts = kneser_ney_bits_per_char(found.train, found.tested, found.alphabet, ends=ends)
    metrics |= {
        "baseline_kneser_ney_bits_per_char": counts.by_order[counts.order - 1],
        "baseline_kneser_ney_order": counts.order,
        "baseline_kneser_ney_by_order": counts.by_order,
    }
    try:
        order, bits = ppmd_bits_per_char(found.train, found.tested, ends=ends)
    except MissingExtra as error:
        found.notes.append(f"left out: {error}")
        return metrics
    return metrics | {"baseline_ppmd_bits_per_char": bits, "baseline_ppmd_order": order}


def distance_metrics(run: OpenRun, found: Evidence) -> dict[str, float]:
    """Return the distances of lengths and characters of the samples from those of held-out records."""
    from seqgen.evaluation import distances

    if not found.held_out or not found.samples:
        return {}
    return distances(found.looked_for, found.held_out, found.training, lengths=run.vocabulary.ends)


def _of_few_records(found: Evidence, metrics: Mapping[str, float]) -> list[str]:
    """Return a note where the interval of copies is above chance, though no test of different records is."""
    if metrics["copies_low"] <= metrics.get("copies_chance_high", 1.0):
        return []
    n_records = sum(found.where[text] == "train" for text in set(found.samples))
    return [
        f"the copies exceed chance by their interval, but are of {counted(n_records, 'training record')}: too few to "
        "tell copying from records that are frequent"
    ]


def _of_similar_records(metrics: Mapping[str, float]) -> list[str]:
    """Return a note where shared substrings alone speak for copies, and those of held-out records are as long."""
    from seqgen.evaluation import LEVEL

    if metrics.get("shared_p", 0.0) <= LEVEL or metrics.get("nearest_difference_high", 0.0) < 0:
        return []
    return [
        "samples share longer substrings with training records than held-out records do, but no longer ones than with "
        f"held-out records (p = {metrics['shared_p']:.2g}): among similar records that happens without copying"
    ]


def memorization_metrics(run: OpenRun, data: EncodedCorpus, found: Evidence) -> dict[str, object]:
    """Return metrics of copies of training records among the samples, with the verdict."""
    from seqgen.evaluation import (
        EVIDENCE,
        copy_metrics,
        copying_metrics,
        memorization_verdict,
        nearest_candidates,
        penalty,
        similarity_metrics,
    )

    if not found.samples:
        return {}
    records, metrics = run.vocabulary.ends, dict[str, float]()
    n_held_out = found.different[1] if records else len(found.held_out)
    if records:
        metrics |= copy_metrics(found.where, found.samples, *found.different)
        metrics |= copying_metrics(run.model, data.encoded, run.vocabulary, penalty(run.vocabulary, run.model))
        if not memorization_verdict(metrics, len(found.looked_for), n_held_out).startswith(EVIDENCE):
            found.notes += _of_few_records(found, metrics)
    fresh = _examined(text for text in found.looked_for if found.where.get(text) != "train")
    held_out = [text for text in _examined(found.held_out) if found.where.get(text) != "train"]
    if not fresh:
        found.notes.append("no sample is other than a copy: the nearest record and shared substrings are left out")
        return {**metrics, "memorisation": memorization_verdict(metrics, len(found.looked_for), n_held_out)}
    near = nearest_candidates([*fresh, *held_out], found.near) if records else None
    sources, blocks = found.groups
    groups = None if records else ([sources[piece] for piece in fresh], [blocks[piece] for piece in held_out])
    try:
        metrics |= similarity_metrics(fresh, held_out, found.train, near, groups)
    except MissingExtra as error:
        found.notes.append(f"left out: {error}")
        metrics |= similarity_metrics(fresh, held_out, found.train, None, groups)
    else:
        if near is not None and len(near) < found.sizes[0]:
            found.notes.append(f"the nearest record is looked for among {len(near):,} of {found.sizes[0]:,}")
    found.notes += _of_similar_records(metrics)
    return {
        **metrics,
        "examined": len(fresh),
        "memorisation": memorization_verdict(metrics, len(found.looked_for), n_held_out),
    }

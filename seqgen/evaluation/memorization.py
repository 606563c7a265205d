"""Memorization of training records, measured against held-out records, which give the chance level.

Records are split by their text, so a held-out record never equals a training record, and a short name may be sampled
again without having been memorized. Two things follow.

- Exact copies: a model that does not favour its training records reproduces held-out records as often, relative to
  their number. So each distinct corpus record among the samples is a training record with the probability that training
  records have in the corpus; a larger share is memorization (binomial test).
- Nearest record and longest shared substring are compared where neither side is a copy: samples that equal no training
  record against held-out records that equal none. Where samples share more than these, the reason may be what is
  typical of samples; so it is also asked whether they share more with training records than with held-out ones.

Dimension letters: N records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from seqgen.batches import EVALUATION_BATCH, Encoded
from seqgen.counting import is_first, record_keys
from seqgen.errors import MissingExtra
from seqgen.evaluation.common_substring import longest_common_substrings
from seqgen.evaluation.intervals import binomial_tail, difference, length_strata, share_interval
from seqgen.evaluation.record_losses import nats_of_rows

if TYPE_CHECKING:
    from seqgen.protocols import Floats


_MAX_RECORDS = 200_000  # among which the nearest one is searched
_MAX_STEPS = 1e10  # of that search, about ten seconds; a step compares 64 characters with one
_MAX_DISTANCES = 1 << 24  # distances held at a time

LEVEL = 0.025
"""The level of the one-sided tests, to match the 95% intervals."""
NO_CHANCE = "unknown (no record is held out, so there is no chance level)"
TOO_FEW = "unknown (too few samples or held-out records to compare)"
_STRATA = 20  # of lengths, at most
_DEALS = 199  # of the labels "training" and "held out"
_MIN_TEXTS = 10  # samples or held-out records below which memorization may go unnoticed, and intervals are too narrow
EVIDENCE = "more copying than by chance"
NO_EVIDENCE = "no evidence of more copying than by chance"


def copy_metrics(where: Mapping[str, str], samples: Sequence[str], n_train: int, n_held_out: int) -> dict[str, float]:
    """Return metrics of exact copies among samples.

    Args:
        where: "train", "valid", "test" or "new" by text of a sample.
        samples: the texts of the samples.
        n_train: number of different training records.
        n_held_out: number of different held-out records that are no training records; see ``count_different``.

    Returns:
        ``copies``, the share of samples that equal a training record, with its 95% interval in ``_low`` and ``_high``;
        and, where something is held out, ``copies_chance``, the share expected if training records were sampled as
        often as held-out ones relative to their number, with its interval, and ``copies_p``, the probability of at
        least so many training records among the distinct corpus records that were sampled.
    """
    n_copies = sum(where[text] == "train" for text in samples)
    low, high = share_interval(n_copies, len(samples))
    metrics = {"copies": n_copies / len(samples), "copies_low": low, "copies_high": high}
    if n_held_out:
        known = [where[text] for text in set(samples) if where[text] != "new"]
        share = n_train / (n_train + n_held_out)
        unseen = sum(where[text] in ("valid", "test") for text in samples)
        chance_levels = (unseen / len(samples), *share_interval(unseen, len(samples)))
        for end, chance in zip(("", "_low", "_high"), chance_levels, strict=True):
            metrics[f"copies_chance{end}"] = min(1.0, chance * n_train / n_held_out)
        metrics["copies_p"] = binomial_tail(known.count("train"), len(known), share)
    return metrics


def count_different(parts: Mapping[str, Encoded]) -> tuple[int, int]:
    """Return how many different texts the training part has, and how many more the held-out ones have.

    Args:
        parts: the encoded records of "train", "valid" and "test".
    """
    hashes = {name: np.unique(record_keys(parts[name])) for name in ("train", "valid", "test")}
    held_out = np.setdiff1d(np.concatenate((hashes["valid"], hashes["test"])), hashes["train"])
    return len(hashes["train"]), len(held_out)


def is_repeated(part: Encoded) -> bool:
    """Return whether the records of a part have fewer than half as many different texts."""
    return 2 * len(np.unique(record_keys(part))) < len(part)


def edit_distance(purpose: str) -> tuple[Any, Any]:
    """Return rapidfuzz's Levenshtein distance (1966), and its function for all pairs of two lists.

    Args:
        purpose: the feature that needs it, for the message.

    Raises:
        MissingExtra: rapidfuzz is not installed.
    """
    try:
        from rapidfuzz.distance import Levenshtein
        from rapidfuzz.process import cdist
    except ImportError:
        raise MissingExtra("evaluate", purpose) from None
    return Levenshtein, cdist


def nearest_distances(texts: Sequence[str], training: Sequence[str]) -> Floats:
    """Return the edit distance of each text (N,) to the nearest training record, relative to the longer text's length.

    Insertions, deletions and substitutions cost 1 each (Levenshtein 1966).

    Raises:
        MissingExtra: rapidfuzz is not installed.
    """
    distance, cdist = edit_distance("the nearest training record")
    batch_size = max(1, _MAX_DISTANCES // max(1, len(training)))
    found = [np.empty(0)]
    for start in range(0, len(texts), batch_size):
        some = texts[start : start + batch_size]
        found.append(cdist(some, training, scorer=distance.normalized_distance, dtype=np.float32).min(1))
    return np.concatenate(found)


def nearest_candidates(texts: Sequence[str], training: Sequence[str]) -> Sequence[str]:
    """Return the training records among which the nearest one is searched: all, or an evenly spaced subset of many."""
    rows = sum(-(-len(text) // 64) for text in texts)
    mean = sum(map(len, training)) / max(1, len(training))
    most = min(_MAX_RECORDS, max(1, int(_MAX_STEPS / max(1.0, rows * mean))))
    return training[:: max(1, -(-len(training) // most))]


def similarity_metrics(
    texts: Sequence[str],
    held_out: Sequence[str],
    training: Sequence[str],
    candidates: Sequence[str] | None,
    groups: tuple[Sequence[int], Sequence[int]] | None = None,
) -> dict[str, float]:
    """Return the similarity of texts to training records, with that of held-out records as the chance level.

    Args:
        texts: samples that are not copies, at least one.
        held_out: held-out records that are not copies; may be empty.
        training: training records, searched for shared substrings.
        candidates: the records among which the nearest one is searched; None: leave that out.
        groups: of a long text, the sample that each text is a piece of, and the part of the held-out text that each
            held-out piece stands in: pieces of one are alike, so that intervals resample these; None: each is alone.

    Returns:
        ``shared_mean_chars`` and ``shared_max_chars``, the longest substring shared with a training record;
        ``nearest_mean`` and ``nearest_median``, the result of ``nearest_distances``; each also for held-out records
        with the suffix ``_chance``; the longest substring of all by chance is that of as many held-out records as
        samples. ``shared_difference_chars`` and ``nearest_difference``, the mean of the samples minus that of held-out
        records of the same lengths, with its 95% interval in ``_low`` and ``_high`` where there are ten of each, or ten
        groups of each. Where that of shared substrings is above 0 and ``groups`` is None, ``shared_p``, the result of
        ``shared_label_p``.

    Raises:
        MissingExtra: ``candidates`` is given and rapidfuzz is not installed.
    """
    both, alone = [*texts, *held_out], groups is None
    measured: dict[str, Floats] = {"shared": longest_common_substrings(both, training).astype(np.float64)}
    if candidates is not None:
        measured["nearest"] = nearest_distances(both, candidates)
    metrics: dict[str, float] = {}
    lengths = np.array(list(map(len, texts))), np.array(list(map(len, held_out)))
    groups = groups or (range(len(texts)), range(len(held_out)))
    groups_N, fewest = (np.array(groups[0]), np.array(groups[1])), min(len(set(groups[0])), len(set(groups[1])))
    for name, values_N in measured.items():
        other, unit = ("max", "_chars") if name == "shared" else ("median", "")
        for part_N, chance in ((values_N[: len(texts)], ""), (values_N[len(texts) :], "_chance")):
            if len(part_N):
                second = _expected_maximum(part_N, len(texts)) if name == "shared" else np.median(part_N)
                metrics[f"{name}_mean{unit}{chance}"] = float(part_N.mean())
                metrics[f"{name}_{other}{unit}{chance}"] = float(second)
        if held_out:
            key, strata = f"{name}_difference{unit}", length_strata(*lengths, max(_MIN_TEXTS, len(held_out) // _STRATA))
            metrics[key], (low, high) = difference(values_N[: len(texts)], values_N[len(texts) :], strata, groups_N)
            if fewest >= _MIN_TEXTS:
                metrics |= {f"{key}_low": low, f"{key}_high": high}
    if alone and metrics.get("shared_difference_chars_low", 0.0) > 0:
        metrics["shared_p"] = shared_label_p(texts, held_out, training)
    return metrics


def shared_label_p(texts: Sequence[str], held_out: Sequence[str], training: Sequence[str], seed: int = 0) -> float:
    """Return the probability of sharing so little with held-out records if samples favour no kind of record.

    Texts of a model that favours none share as long substrings with the held-out records as with as many records of
    both kinds, drawn at random, however near to them all they lie. This is a permutation test of the mean of the
    longest ones. It finds less than a comparison with held-out records does, since these alone stand for chance.

    Args:
        texts: samples that are no training records; those that are held-out records are passed over.
        held_out: at least one.
        training: others than these.
        seed: of the draws.
    """
    own, pool, random = set(held_out), [*held_out, *training], np.random.default_rng(seed)
    new = [text for text in texts if text not in own]
    if not new:
        return 1.0
    shared = longest_common_substrings(new, held_out).mean()
    draws = (random.choice(len(pool), len(held_out), replace=False, shuffle=False) for _ in range(_DEALS))
    less = sum(longest_common_substrings(new, [pool[row] for row in drawn]).mean() <= shared for drawn in draws)
    return float((1 + less) / (1 + _DEALS))


def _expected_maximum(values_N: Floats, n: int) -> float:
    """Return the expected maximum of ``n`` of the values, chosen at random; of fewer, their maximum."""
    ordered_N, missed, total = np.sort(values_N)[::-1], 1.0, 0.0
    for place, value in enumerate(ordered_N.tolist()):  # the largest one that is chosen
        left = len(ordered_N) - place
        if n >= left:
            return float(total + missed * value)
        total += missed * n / left * value
        missed *= 1 - n / left
    return total


def memorization_verdict(metrics: Mapping[str, float], n_samples: int, n_held_out: int) -> str:
    """Return one line that summarizes ``copy_metrics``, ``copying_metrics`` and ``similarity_metrics``.

    Copies count where ``copies_ratio_p``, or else ``copies_p``, is below 0.025, a difference where its interval
    excludes 0.

    Args:
        metrics: the results of all.
        n_samples: number of samples, copies included.
        n_held_out: number of different held-out records.
    """
    by = "exact copies"
    if "copies_ratio_p" in metrics:
        by = f"rate of training records {metrics['copies_ratio']:.2f} times chance"
    signs = {
        by: metrics.get("copies_ratio_p", metrics.get("copies_p", 1.0)) < LEVEL,
        "nearest record": metrics.get("nearest_difference_high", 0.0) < 0,
        "shared substrings": metrics.get("shared_difference_chars_low", 0.0) > 0,
    }
    if not any(name in metrics for name in ("copies_p", "shared_difference_chars")):
        return NO_CHANCE
    found = [name for name, sign in signs.items() if sign]
    no_interval = "shared_difference_chars" in metrics and "shared_difference_chars_low" not in metrics
    if not found and (min(n_samples, n_held_out) < _MIN_TEXTS or no_interval):
        return TOO_FEW
    return f"{EVIDENCE} ({', '.join(found)})" if found else NO_EVIDENCE


def expected_copies(model: nn.Module, encoded: Encoded, penalty_V: Tensor) -> float:
    """Return the probability that a sample without conditions equals the text of one of the records, 0 to 1.

    It is exact: the sum of the probabilities of the distinct texts.

    Args:
        model: evaluated in evaluation mode.
        encoded: the records, a small number.
        penalty_V: the result of ``penalty``, on the model's device.
    """
    rows = np.flatnonzero(is_first(encoded))
    batches = [rows[at : at + EVALUATION_BATCH] for at in range(0, len(rows), EVALUATION_BATCH)]
    nats = nats_of_rows(model, encoded.without_conditions(), batches, penalty_V)
    return sum((float((-nats_B).exp().sum()) for nats_B in nats), 0.0)

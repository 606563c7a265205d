"""Does a model copy what it was trained on? Each figure stands beside what held-out records score: that is chance.

Records are split by their text, so a held-out record never equals a training record, and a short name is drawn again
without being remembered. Two things follow.

- Exact copies: a model that does not favour what it has seen draws held-out records as often, for their number, as
  training records. So of the different records of the corpus among the samples, each is a training record with the
  probability that training records have in the corpus; more than that is memory (binomial test).
- Nearest record and longest shared substring are compared where neither side is a copy: samples that equal no
  training record, beside held-out records that equal none.

Dimension letters: N records, Q places in texts that are looked up, S places in the training text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqgen.errors import MissingExtra
from seqgen.evaluation.bootstrap import binomial_tail, difference_interval, share_interval
from seqgen.evaluation.common_substring import longest_common_substrings

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_MAX_RECORDS = 200_000  # among which the nearest is looked for
_MAX_STEPS = 1e10  # of that search, about ten seconds: 64 characters of one text beside one of the other
_AT_ONCE = 1 << 24  # distances
_SURE = 0.025  # one-sided, as the 95% intervals are

NO_CHANCE = "unknown: no record is held out, so there is no chance level"
TOO_FEW = "unknown: too few samples or held-out records to compare"
_FEW = 10  # samples or held-out records, by which a run that copies may look like one that does not
COPIES = "training records are copied more often than held-out ones"
CLEAN = "no evidence of more copying than held-out records show by chance"


def copies(where: Mapping[str, str], samples: Sequence[str], n_train: int, n_held_out: int) -> dict[str, float]:
    """Exact copies among samples.

    Args:
        where: "train", "valid", "test" or "new" for each sample, by its text.
        samples: their texts.
        n_train: training records.
        n_held_out: held-out records.

    Returns:
        ``copies``, the share of samples that equal a training record, with its 95% interval in ``_low`` and ``_high``;
        and, where something is held out, ``copies_chance``: the share that would if training records were drawn as
        often as held-out ones for their number, with its interval, and ``copies_p``: the probability of so many
        training records by chance among the different records that were drawn.
    """
    hits = sum(where[text] == "train" for text in samples)
    low, high = share_interval(hits, len(samples))
    figures = {"copies": hits / len(samples), "copies_low": low, "copies_high": high}
    if n_held_out:
        known = [where[text] for text in set(samples) if where[text] != "new"]
        share = n_train / (n_train + n_held_out)
        unseen = sum(where[text] in ("valid", "test") for text in samples)
        chances = (unseen / len(samples), *share_interval(unseen, len(samples)))
        for end, chance in zip(("", "_low", "_high"), chances, strict=True):
            figures[f"copies_chance{end}"] = min(1.0, chance * n_train / n_held_out)
        figures["copies_p"] = binomial_tail(known.count("train"), len(known), share)
    return figures


def edit_distance(purpose: str) -> tuple[Any, Any]:
    """Rapidfuzz's Levenshtein distance (1966), and its function for all pairs of two lists.

    Args:
        purpose: what needs it, for the message.

    Raises:
        MissingExtra: rapidfuzz is not installed.
    """
    try:
        from rapidfuzz.distance import Levenshtein
        from rapidfuzz.process import cdist
    except ImportError:
        raise MissingExtra("judge", purpose) from None
    return Levenshtein, cdist


def nearest_distances(texts: Sequence[str], training: Sequence[str]) -> Floats:
    """The edit distance of each text (N,) to the nearest training record, as a share of the longer one's length.

    Levenshtein 1966: insertions, deletions and replacements count one each.

    Raises:
        MissingExtra: rapidfuzz is not installed.
    """
    distance, cdist = edit_distance("the nearest training record")
    together = max(1, _AT_ONCE // max(1, len(training)))
    found = [np.empty(0)]
    for start in range(0, len(texts), together):
        some = texts[start : start + together]
        found.append(cdist(some, training, scorer=distance.normalized_distance, dtype=np.float32).min(1))
    return np.concatenate(found)


def nearest_candidates(texts: Sequence[str], training: Sequence[str]) -> Sequence[str]:
    """The training records, evenly spaced, that the nearest is looked for among: all of them unless they are many."""
    rows = sum(-(-len(text) // 64) for text in texts)
    mean = sum(map(len, training)) / max(1, len(training))
    most = min(_MAX_RECORDS, max(1, int(_MAX_STEPS / max(1.0, rows * mean))))
    return training[:: max(1, -(-len(training) // most))]


def similarity_metrics(
    texts: Sequence[str], held_out: Sequence[str], training: Sequence[str], near: Sequence[str] | None
) -> dict[str, float]:
    """How like training records texts are, beside held-out records.

    Args:
        texts: samples that are no copies, at least one.
        held_out: held-out records that are no copies; may be none.
        training: training records, of which substrings are shared.
        near: those among which the nearest is looked for; None: it is not.

    Returns:
        ``shared_mean_chars`` and ``shared_max_chars``: the longest substring that a text shares with a training record;
        ``nearest_mean`` and ``nearest_median``: what ``nearest_distances`` gives; each also with ``_chance`` after it:
        that of held-out records. ``shared_difference_chars`` and ``nearest_difference``: the difference of the means,
        samples less held-out records, with its 95% interval in ``_low`` and ``_high`` where there are two of each.

    Raises:
        MissingExtra: ``near`` is given and rapidfuzz is not installed.
    """
    both = [*texts, *held_out]
    measured: dict[str, Floats] = {"shared": longest_common_substrings(both, training).astype(np.float64)}
    if near is not None:
        measured["nearest"] = nearest_distances(both, near)
    figures: dict[str, float] = {}
    for name, values_N in measured.items():
        other, unit = ("max", "_chars") if name == "shared" else ("median", "")
        second = np.max if name == "shared" else np.median
        for part_N, chance in ((values_N[: len(texts)], ""), (values_N[len(texts) :], "_chance")):
            if len(part_N):
                figures[f"{name}_mean{unit}{chance}"] = float(part_N.mean())
                figures[f"{name}_{other}{unit}{chance}"] = float(second(part_N))
        if held_out:
            key = f"{name}_difference{unit}"
            figures[key] = figures[f"{name}_mean{unit}"] - figures[f"{name}_mean{unit}_chance"]
            low, high = difference_interval(values_N[: len(texts)], values_N[len(texts) :])
            figures |= {f"{key}_low": low, f"{key}_high": high} if math.isfinite(low) else {}
    return figures


def memorization_verdict(figures: Mapping[str, float], n_samples: int, n_held_out: int) -> str:
    """One line on what ``copies`` and ``similarity_metrics`` found: a difference counts when it is beyond its interval.

    Args:
        figures: theirs.
        n_samples: samples, copies included.
        n_held_out: held-out records.
    """
    signs = {
        "exact copies": figures.get("copies_p", 1.0) < _SURE,
        "nearest record": figures.get("nearest_difference_high", 0.0) < 0,
        "shared substrings": figures.get("shared_difference_chars_low", 0.0) > 0,
    }
    if not any(name in figures for name in ("copies_p", "shared_difference_chars")):
        return NO_CHANCE
    found = [name for name, sign in signs.items() if sign]
    no_interval = "shared_difference_chars" in figures and "shared_difference_chars_low" not in figures
    if not found and (min(n_samples, n_held_out) < _FEW or no_interval):
        return TOO_FEW
    return f"{COPIES} ({', '.join(found)})" if found else CLEAN

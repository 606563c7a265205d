"""Copying of training records, by the probabilities that the model gives to training and to held-out records.

A share of samples is a noisy measure: a few held-out records among the samples make the chance level. The probability
p of a record says what endless samples would show. In as many samples as there are records, M, a record is among them
with the probability f(p) = 1 - (1 - p)^M, and

    ratio = (sum of f(p) over training records / sum of f(q)) / (sum of f(p) over held-out records / sum of f(q))

is how many times as many training records are sampled as by chance. q is the probability of a record under an n-gram
that counts all other records, training and held-out ones alike: it does not depend on which are which, and takes out
most of the chance which part got the short and common records.

The test permutes which records are held out. A model that treats both alike could have been trained with any other
selection, so the ratio is compared with those of 999 random ones. Every model favours its training records a little;
the test asks for more than a quarter, and divides the probabilities of training records by 1.25 first.

Source: probabilities beside those of a reference model that has not seen the record are from Watson et al. 2022, On the
importance of difficulty calibration in membership inference attacks, arXiv:2111.08440.

Dimension letters: N distinct records.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from seqgen.batches import Encoded, evaluation_batches
from seqgen.counting import leave_out_by_order, record_keys, records_of_texts
from seqgen.evaluation.excerpts import decoded_rows
from seqgen.evaluation.record_losses import nats_of_rows
from seqgen.tokenizers import Vocabulary

if TYPE_CHECKING:
    from seqgen.protocols import Flags, Floats


TOLERANCE = 1.25
"""The ratio that the test of copying does not count as memorization."""
_N_PERMUTATIONS = 999
_MAX_RECORDS, _MAX_CHARS = 10_000, 300_000  # of the training part, and of each held-out part
_MIN_RECORDS = 10  # of training and of held-out records
_LEAST_SHARE = 1e-3  # of copies, below which their number is of no interest
_TINY = 1e-300  # keeps sums positive


def copying_metrics(
    model: nn.Module, parts: Mapping[str, Any], vocabulary: Vocabulary, penalty_V: Tensor
) -> dict[str, float]:
    """Return ``copies_ratio`` and its p-value, ``copies_ratio_p``.

    Nothing is returned where fewer than ten training or held-out records are there, or where less than one sample in
    1,000 is expected to be a copy.

    Args:
        model: evaluated in evaluation mode.
        parts: the encoded records of "train", "valid" and "test".
        vocabulary: their symbols.
        penalty_V: the result of ``seqgen.evaluation.penalty``, on the model's device.
    """
    logs: dict[str, float] = {}
    is_train: list[bool] = []
    training = record_keys(parts["train"])
    for name in ("train", "valid", "test"):
        known_N = None if name == "train" else np.isin(record_keys(parts[name]), training)
        for text, log in _log_probs(model, parts[name], vocabulary, penalty_V, known_N).items():
            if text not in logs:
                logs[text] = log
                is_train.append(name == "train")
    is_train_N, log_p_N = np.array(is_train, dtype=bool), np.array(list(logs.values()))
    if min(int(is_train_N.sum()), int((~is_train_N).sum())) < _MIN_RECORDS:
        return {}
    if np.exp(log_p_N[is_train_N]).sum() < _LEAST_SHARE * min(1.0, _n_looked_at(parts["train"]) / len(parts["train"])):
        return {}
    n_samples = sum(len(parts[name]) for name in ("train", "valid", "test"))
    ratio, p = copy_ratio(log_p_N, reference_log_probs(list(logs)), is_train_N, n_samples)
    return {"copies_ratio": ratio, "copies_ratio_p": p}


def copy_ratio(
    log_p_N: Floats, log_q_N: Floats, is_train_N: Flags, n_samples: int, *, tolerance: float = TOLERANCE, seed: int = 0
) -> tuple[float, float]:
    """Return the ratio, and the probability of one so large if the model favours training records by ``tolerance``.

    Args:
        log_p_N: the logarithm of the probability that the model gives to each record.
        log_q_N: that of the reference.
        is_train_N: whether it is a training record; some are, and some are not.
        n_samples: M.
        tolerance: the largest factor by which training records may be more probable.
        seed: of the permutations.
    """
    n_held_out, q_N = int((~is_train_N).sum()), _sampled(log_q_N, n_samples)

    def ratio(p_N: Floats, held_out: Any) -> float:
        p, q = float(p_N[held_out].sum()), float(q_N[held_out].sum())
        rest_p, rest_q = max(float(p_N.sum()) - p, _TINY), max(float(q_N.sum()) - q, _TINY)
        return math.exp(min(math.log(rest_p) - math.log(rest_q) - math.log(p) + math.log(q), 700.0))

    p_N = _sampled(log_p_N - math.log(tolerance) * is_train_N, n_samples)
    observed = ratio(p_N, ~is_train_N) * (1 - 1e-9)  # equal ones count, rounded or not
    random = np.random.default_rng(seed)
    larger = sum(
        ratio(p_N, random.choice(len(p_N), n_held_out, replace=False, shuffle=False)) >= observed
        for _ in range(_N_PERMUTATIONS)
    )
    return ratio(_sampled(log_p_N, n_samples), ~is_train_N), (1 + larger) / (1 + _N_PERMUTATIONS)


def _sampled(log_N: Floats, n_samples: int) -> Floats:
    """Return the probability that each record is among some samples."""
    log_missed_N = n_samples * np.log1p(-np.minimum(np.exp(log_N), 1 - 1e-12))
    found_N: Floats = np.maximum(-np.expm1(log_missed_N), _TINY)
    return found_N


def _log_probs(
    model: nn.Module, encoded: Encoded, vocabulary: Vocabulary, penalty_V: Tensor, left_out_N: Flags | None = None
) -> dict[str, float]:
    """Return the log probabilities of records, by text, without conditions, as samples have none; of many, of some.

    Args:
        model: in evaluation mode.
        encoded: the records.
        vocabulary: their symbols.
        penalty_V: as ``copying_metrics`` has it.
        left_out_N: the records that are passed over.
    """
    if not len(encoded):
        return {}
    batches = list(evaluation_batches(encoded.lengths_N, _n_looked_at(encoded)))
    if left_out_N is not None:
        batches = [kept_B for rows_B in batches if len(kept_B := rows_B[~left_out_N[rows_B]])]
    found: dict[str, float] = {}
    nats = nats_of_rows(model, encoded.without_conditions(), batches, penalty_V)
    for rows_B, nats_B in zip(batches, nats, strict=True):
        found |= zip(decoded_rows(encoded, vocabulary, rows_B), (-nats_B).tolist(), strict=True)
    return found


def _n_looked_at(encoded: Encoded) -> int:
    """Return how many records of a part are looked at, at most; some may have the same text."""
    n_chars = int(encoded.chars_N.sum(dtype=np.int64))
    return max(1, min(_MAX_RECORDS, _MAX_CHARS * len(encoded) // max(1, n_chars)))


def reference_log_probs(texts: list[str]) -> Floats:
    """Return the log probability of each text under the n-gram, of the order that is best, of all other texts."""
    records = records_of_texts(texts, set().union(*texts), ends=True)
    best_N: Floats = np.empty(0)
    for probs_N in leave_out_by_order(records):
        logs_N = np.bincount(records.group_S[records.targets_N], np.log(probs_N), len(texts)).astype(np.float64)
        if len(best_N) and logs_N.sum() <= best_N.sum():
            break
        best_N = logs_N
    return best_N

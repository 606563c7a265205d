"""Judging a model: held-out loss, the score of given texts, and its samples beside the corpus."""

from seqgen.evaluation.baselines import ladder, xz_bits_per_char
from seqgen.evaluation.bootstrap import binomial_tail, difference_interval, ratio_interval, share_interval
from seqgen.evaluation.common_substring import longest_shared
from seqgen.evaluation.costs import Costs, held_out_costs
from seqgen.evaluation.distance import distances, length_distance, symbol_distance
from seqgen.evaluation.excerpts import excerpt, pieces
from seqgen.evaluation.judge import Judgement, canonical_form, judge, membership
from seqgen.evaluation.loss import (
    LEAST_WINDOWS,
    RECORDS_TOGETHER,
    HeldOut,
    bits_per_char,
    carried_nats,
    held_out_loss,
    penalty,
    total_nats,
)
from seqgen.evaluation.memorization import copies, edit_distance, likeness, nearest_distances, searched, verdict
from seqgen.evaluation.paired import Difference, paired_difference, record_nats
from seqgen.evaluation.percentile import Scale
from seqgen.evaluation.repeating import expected_copies
from seqgen.evaluation.score import Score, score
from seqgen.evaluation.t_interval import mean_interval, student_quantile

__all__ = [
    "LEAST_WINDOWS",
    "RECORDS_TOGETHER",
    "Costs",
    "Difference",
    "HeldOut",
    "Judgement",
    "Scale",
    "Score",
    "binomial_tail",
    "bits_per_char",
    "canonical_form",
    "carried_nats",
    "copies",
    "difference_interval",
    "distances",
    "edit_distance",
    "excerpt",
    "expected_copies",
    "held_out_costs",
    "held_out_loss",
    "judge",
    "ladder",
    "length_distance",
    "likeness",
    "longest_shared",
    "mean_interval",
    "membership",
    "nearest_distances",
    "paired_difference",
    "penalty",
    "pieces",
    "ratio_interval",
    "record_nats",
    "score",
    "searched",
    "share_interval",
    "student_quantile",
    "symbol_distance",
    "total_nats",
    "verdict",
    "xz_bits_per_char",
]

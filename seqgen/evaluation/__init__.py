"""Judging a model: held-out loss, and the score of given texts."""

from seqgen.evaluation.judge import Judgement, canonical_form, judge, membership
from seqgen.evaluation.loss import HeldOut, bits_per_char, carried_nats, held_out_loss, penalty, total_nats
from seqgen.evaluation.paired import Difference, paired_difference, record_nats
from seqgen.evaluation.score import Score, score
from seqgen.evaluation.student import mean_interval, student_quantile

__all__ = [
    "Difference",
    "HeldOut",
    "Judgement",
    "Score",
    "bits_per_char",
    "canonical_form",
    "carried_nats",
    "held_out_loss",
    "judge",
    "mean_interval",
    "membership",
    "paired_difference",
    "penalty",
    "record_nats",
    "score",
    "student_quantile",
    "total_nats",
]

"""Judging a model: held-out loss, and the score of given texts."""

from seqgen.evaluation.judge import Judgement, canonical_form, judge, membership
from seqgen.evaluation.loss import HeldOut, bits_per_char, carried_nats, held_out_loss, penalty, total_nats
from seqgen.evaluation.score import Score, score

__all__ = [
    "HeldOut",
    "Judgement",
    "Score",
    "bits_per_char",
    "canonical_form",
    "carried_nats",
    "held_out_loss",
    "judge",
    "membership",
    "penalty",
    "score",
    "total_nats",
]

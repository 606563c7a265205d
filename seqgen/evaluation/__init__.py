"""Evaluation of a model: held-out loss, scores of given texts, and metrics of samples."""

from seqgen.evaluation.baselines import (
    baseline_bits_per_char,
    count_bits_per_char,
    kneser_ney_bits_per_char,
    ppmd_bits_per_char,
)
from seqgen.evaluation.copying import copying_metrics
from seqgen.evaluation.distance import distances
from seqgen.evaluation.domain_metrics import (
    PartTexts,
    domain_metrics,
    labels_of,
    notes_on_foreign,
    notes_on_reference,
)
from seqgen.evaluation.excerpts import excerpt, pieces
from seqgen.evaluation.intervals import mean_interval, ratio_interval, share_interval
from seqgen.evaluation.leakage import (
    leakage_warnings,
    learned_combinations,
    learned_conditions,
    lost_conditions,
    unseen_condition_warnings,
    unseen_conditions,
)
from seqgen.evaluation.loss import (
    MIN_WINDOWS,
    RECORDS_PER_BATCH,
    SYMBOLS_PER_RECORD,
    HeldOut,
    bits_per_char,
    carried_nats,
    held_out_batches,
    held_out_loss,
    loss_of_batches,
    penalty,
    total_nats,
)
from seqgen.evaluation.memorization import (
    EVIDENCE,
    LEVEL,
    copy_metrics,
    count_different,
    edit_distance,
    expected_copies,
    is_repeated,
    memorization_verdict,
    nearest_candidates,
    similarity_metrics,
)
from seqgen.evaluation.novelty import SampleCounts, canonical_form, count_samples, membership, verdicts
from seqgen.evaluation.record_losses import (
    Difference,
    RecordLosses,
    ReferenceScores,
    losses_of_batches,
    paired_difference,
    record_losses,
    record_nats,
)
from seqgen.evaluation.score import Score, score

__all__ = [
    "EVIDENCE", "LEVEL", "MIN_WINDOWS", "RECORDS_PER_BATCH", "SYMBOLS_PER_RECORD", "Difference", "HeldOut", "PartTexts",
    "RecordLosses", "ReferenceScores", "SampleCounts", "Score", "baseline_bits_per_char", "bits_per_char",
    "canonical_form", "carried_nats", "copy_metrics", "copying_metrics", "count_bits_per_char", "count_different",
    "count_samples", "distances", "domain_metrics", "edit_distance", "excerpt", "expected_copies", "held_out_batches",
    "held_out_loss", "is_repeated", "kneser_ney_bits_per_char", "labels_of", "leakage_warnings",
    "learned_combinations", "learned_conditions",
    "loss_of_batches", "losses_of_batches", "lost_conditions", "mean_interval", "membership", "memorization_verdict",
    "nearest_candidates", "notes_on_foreign", "notes_on_reference", "paired_difference", "penalty", "pieces",
    "ppmd_bits_per_char", "ratio_interval", "record_losses", "record_nats", "score", "share_interval",
    "similarity_metrics", "total_nats", "unseen_condition_warnings", "unseen_conditions", "verdicts",
]  # fmt: skip

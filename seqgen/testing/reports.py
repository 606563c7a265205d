"""Checks of reports."""

from __future__ import annotations

from seqgen.metrics import Evaluation
from seqgen.testing.check import Subject
from seqgen.testing.exercise import HOSTILE, must_not_raise, sample_evaluation, written_files


def files(subject: Subject) -> str:
    """Check that it writes at least one file, into the folder of the path, and returns exactly the files written."""
    found = written_files(subject.build(), sample_evaluation())
    assert all(found.values()), f"writes an empty file: {', '.join(name for name, data in found.items() if not data)}"
    return ", ".join(f"{name}: {len(data):,} bytes" for name, data in found.items())


def few_metrics(subject: Subject) -> None:
    """Check that it handles evaluations without held-out records, without samples, and of one long text."""
    report = subject.build()
    few = {"run": "a-run", "step": 0, "trained_s": 0.0, "samples": 0}
    for metrics in ({}, few, {**few, "test_bits_per_char": 1.0, "baseline_uniform_bits_per_char": 2.0}):
        written_files(report, Evaluation(metrics=metrics))
    written_files(report, Evaluation(metrics=few, samples=["abc"], held_out=["abd"], has_records=False))


def hostile_strings(subject: Subject) -> None:
    """Check that it raises on no text of an evaluation."""
    report = subject.build()
    written_files(report, sample_evaluation(HOSTILE))
    must_not_raise(lambda text: written_files(report, sample_evaluation([text])))

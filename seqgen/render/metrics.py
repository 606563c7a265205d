"""What each figure of ``Run.evaluate`` means, its unit, and the group that it is shown in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """A figure that stands in a row of its own; ``NAME_low``, ``NAME_high`` and ``NAME_chance`` stand beside it.

    Attributes:
        group: the heading that it is shown under.
        label: what people call it.
        unit: "bits", "nats", "share", "chars", "p", "count", "s" or "text".
        meaning: what it is.
    """

    group: str
    label: str
    unit: str
    meaning: str


_RUN, _LOSS, _LADDER = "Run", "Held-out loss", "Baselines on the same split, bits per character"
_SAMPLES, _CLOSE, _MEMORY = "Samples", "Samples beside held-out records", "Memorisation"
_NOT_COPIES = "of samples that are no copies, beside held-out records that are none"

METRICS: Mapping[str, Figure] = {
    "run": Figure(_RUN, "run", "text", "name of the run folder"),
    "step": Figure(_RUN, "step", "count", "optimisation steps of the checkpoint"),
    "trained_s": Figure(_RUN, "trained for", "s", "seconds of training and evaluation"),
    "validation_loss_nats": Figure(_LOSS, "validation, nats per symbol", "nats", "mean over symbols, stops counted"),
    "validation_bits_per_char": Figure(
        _LOSS, "validation, bits per character", "bits", "nats / ln 2 / (characters + records)"
    ),
    "validation_records": Figure(_LOSS, "validation, records", "count", "that these two rest on"),
    "test_loss_nats": Figure(_LOSS, "test, nats per symbol", "nats", "mean over symbols, stops counted"),
    "test_bits_per_char": Figure(
        _LOSS, "test, bits per character", "bits",
        "nats / ln 2 / (characters + records); the interval resamples records, of a long text windows of 256 symbols",
    ),
    "test_records": Figure(
        _LOSS, "test, records", "count", "that these two rest on, of a long text windows; one alone has no interval"
    ),
    "baseline_uniform_bits_per_char": Figure(_LADDER, "uniform", "bits", "every character as likely as any other"),
    "baseline_unigram_bits_per_char": Figure(_LADDER, "unigram", "bits", "how often each character occurs"),
    "baseline_bigram_bits_per_char": Figure(_LADDER, "bigram", "bits", "Kneser-Ney, one character of context"),
    "baseline_5gram_bits_per_char": Figure(_LADDER, "5-gram Kneser-Ney", "bits", "four characters of context"),
    "baseline_xz_bits_per_char": Figure(_LADDER, "xz", "bits", "what the test part adds to a compressed training part"),
    "samples": Figure(_SAMPLES, "samples", "count", "how many were drawn"),
    "valid": Figure(_SAMPLES, "valid", "share", "accepted by the domain's validator"),
    "unique": Figure(_SAMPLES, "unique", "share", "different ones among the valid"),
    "novel": Figure(_SAMPLES, "novel", "share", "of the unique ones, those that no training record equals"),
    "symbol_distance": Figure(
        _CLOSE, "characters, total variation", "share", "0: the same shares of characters, 1: none in common"
    ),
    "length_distance_chars": Figure(
        _CLOSE, "lengths, Wasserstein distance", "chars", "characters that lengths must change by, in the mean"
    ),
    "copies": Figure(
        _MEMORY, "copies of training records", "share",
        "equal to one; by chance: if training records were drawn as often as held-out ones for their number",
    ),
    "copies_p": Figure(
        _MEMORY, "probability by chance", "p", "of so many training records; binomial, over different records"
    ),
    "nearest_mean": Figure(
        _MEMORY, "edits to nearest record, mean", "share", f"share of the longer one's length; {_NOT_COPIES}"
    ),
    "nearest_median": Figure(_MEMORY, "edits to nearest record, median", "share", "the same"),
    "nearest_difference": Figure(_MEMORY, "edits, samples less held-out", "share", "below 0: nearer than by chance"),
    "shared_mean_chars": Figure(
        _MEMORY, "shared substring, mean", "chars", f"the longest shared with a training record; {_NOT_COPIES}"
    ),
    "shared_max_chars": Figure(_MEMORY, "shared substring, longest", "chars", "the same"),
    "shared_difference_chars": Figure(
        _MEMORY, "shared, samples less held-out", "chars", "above 0: longer than by chance"
    ),
    "examined": Figure(_MEMORY, "samples examined", "count", "different ones that are no copies, at most 500"),
    "memorisation": Figure(_MEMORY, "verdict", "text", "a difference counts when it is beyond its interval"),
}  # fmt: skip
"""By name. Figures of a domain's metrics, ``metric.figure``, are described by their plugin."""

NOT_SHOWN = ("notes", "published")
DOMAIN = "Metrics of the domain"
_BESIDE = ("_low", "_high", "_chance", "_chance_low", "_chance_high")


class Row(NamedTuple):
    """A figure as it is shown."""

    label: str
    value: str
    interval: str
    chance: str
    meaning: str


def groups(
    figures: Mapping[str, Any], labels: Mapping[str, str] | None = None
) -> Iterator[tuple[str, list[tuple[str, Row]]]]:
    """The figures there are, as (heading, rows by name), in the order of ``METRICS``; the domain's come last.

    Args:
        figures: by name.
        labels: how people call figures of the domain, by name; others are called by their names.
    """
    known: dict[str, list[tuple[str, Row]]] = {}
    for name, figure in METRICS.items():
        if name in figures:
            row = _row(figures, name, figure)
            known.setdefault(figure.group, []).append((name, row))
    beside = {name + ending for name in METRICS for ending in _BESIDE}
    for name, value in figures.items():
        if name not in METRICS and name not in beside and name not in NOT_SHOWN:
            known.setdefault(DOMAIN, []).append((name, Row(called(name, labels), written(value), "", "", "")))
    yield from known.items()


def called(name: str, labels: Mapping[str, str] | None) -> str:
    """How people call a figure of the domain: by its label, else by its name."""
    return (labels or {}).get(name) or name.replace("_", " ")


def by_model(others: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Published figures by model, then by ``metric.figure``."""
    found: dict[str, dict[str, float]] = {}
    for metric, models in others.items():
        for model, values in models.items():
            found.setdefault(model, {}).update({f"{metric}.{name}": value for name, value in values.items()})
    return found


def _row(figures: Mapping[str, Any], name: str, figure: Figure) -> Row:
    chance, value = figures.get(f"{name}_chance"), written(figures[name], figure.unit)
    shown = "" if chance is None else written(chance, figure.unit)
    if sure := _interval(figures, f"{name}_chance", figure.unit):
        shown += f" ({sure})"
    return Row(figure.label, value, _interval(figures, name, figure.unit), shown, figure.meaning)


def _interval(figures: Mapping[str, Any], name: str, unit: str) -> str:
    low, high = figures.get(f"{name}_low"), figures.get(f"{name}_high")
    return "" if low is None or high is None else f"{written(low, unit)} to {written(high, unit)}"


def written(value: Any, unit: str = "") -> str:
    """A value as it is shown in its unit."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    if isinstance(value, str | bool) or unit == "text":
        return str(value)
    if unit == "share":
        return f"{100 * value:.1f}%"
    if unit == "p":
        return f"{value:.2g}" if value >= 0.0001 else "< 0.0001"
    if unit == "s":
        return f"{value:.1f} s"
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}" if unit == "chars" else f"{value:.3f}"

"""Metrics of an evaluation: names, units and groups, and the evaluation as reports receive it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class MetricInfo(NamedTuple):
    """The description of a metric; ``NAME_low``, ``NAME_high`` and ``NAME_chance`` are shown in its row.

    Attributes:
        group: the heading that it is shown under.
        label: its name for people.
        unit: "bits", "nats", "share", "chars", "p", "ratio", "count", "s" or "text".
        meaning: its definition.
    """

    group: str
    label: str
    unit: str
    meaning: str


_RUN, _LOSS, _BASELINES = "Run", "Held-out loss", "Baselines on the same split, bits per character"
_SAMPLES, _DISTANCES, _MEMORIZATION = "Samples", "Samples and held-out records", "Memorization"
_NOT_COPIES = "of samples and held-out records that are not copies"

METRICS: Mapping[str, MetricInfo] = {
    "run": MetricInfo(_RUN, "run", "text", "name of the run folder"),
    "step": MetricInfo(_RUN, "step", "count", "optimizer steps of the checkpoint"),
    "trained_s": MetricInfo(_RUN, "trained for", "s", "seconds of training and evaluation"),
    "validation_loss_nats": MetricInfo(
        _LOSS, "validation, nats per symbol", "nats", "mean over symbols, ends counted"
    ),
    "validation_bits_per_char": MetricInfo(
        _LOSS, "validation, bits per character", "bits", "nats / ln 2 / (characters + records)"
    ),
    "validation_records": MetricInfo(_LOSS, "validation, records", "count", "number of records evaluated"),
    "test_loss_nats": MetricInfo(_LOSS, "test, nats per symbol", "nats", "mean over symbols, ends counted"),
    "test_bits_per_char": MetricInfo(
        _LOSS, "test, bits per character", "bits",
        "nats / ln 2 / (characters + records); "
        "the interval resamples distinct texts, or some 10 to 32 parts of a long text",
    ),
    "test_network_bits_per_char": MetricInfo(
        _LOSS, "test, network alone", "bits", "the same without counts and what records repeat, where it has any"
    ),
    "test_unconditional_bits_per_char": MetricInfo(
        _LOSS, "test, without conditions", "bits",
        "the same without each record's conditions, as baselines and samples are",
    ),
    "test_records": MetricInfo(
        _LOSS, "test, records", "count",
        "number of records evaluated, or of windows of a long text; one alone has no interval",
    ),
    "baseline_uniform_bits_per_char": MetricInfo(_BASELINES, "uniform", "bits", "all characters equally likely"),
    "baseline_unigram_bits_per_char": MetricInfo(_BASELINES, "unigram", "bits", "character frequencies"),
    "baseline_bigram_bits_per_char": MetricInfo(
        _BASELINES, "bigram", "bits", "Kneser-Ney smoothing, one character of context"
    ),
    "baseline_5gram_bits_per_char": MetricInfo(
        _BASELINES, "5-gram Kneser-Ney, one discount", "bits",
        "four characters of context; the modified one has three discounts",
    ),
    "baseline_kneser_ney_bits_per_char": MetricInfo(
        _BASELINES, "modified Kneser-Ney, chosen order", "bits",
        "exact n-gram counts of the order that predicts the training records best, each from those of other texts",
    ),
    "baseline_kneser_ney_order": MetricInfo(
        _BASELINES, "chosen order", "count",
        "1 to 12, chosen by the training records; another may suit the test part better",
    ),
    "baseline_kneser_ney_by_order": MetricInfo(
        _BASELINES, "modified Kneser-Ney, orders 1 to 12", "bits", "modified Kneser-Ney of each order"
    ),
    "baseline_ppmd_bits_per_char": MetricInfo(
        _BASELINES, "PPMd", "bits",
        "bits that the test part adds to the compressed training part; variant H, 64 MB; needs the extra evaluate",
    ),
    "baseline_ppmd_order": MetricInfo(
        _BASELINES, "order of PPMd", "count", "2 to 8, to which a tenth of the training part adds the fewest bits"
    ),
    "baseline_xz_bits_per_char": MetricInfo(
        _BASELINES, "xz", "bits", "bits that the test part adds to the compressed training part"
    ),
    "samples": MetricInfo(_SAMPLES, "samples", "count", "number of samples"),
    "valid": MetricInfo(_SAMPLES, "valid, of samples", "share", "accepted by the domain's validator"),
    "unique": MetricInfo(
        _SAMPLES, "unique, of valid", "share",
        "distinct canonical forms among the valid samples; without a validator all are valid",
    ),
    "novel": MetricInfo(
        _SAMPLES, "novel, of unique", "share", "unique samples whose canonical form no training record has"
    ),
    "symbol_distance": MetricInfo(
        _DISTANCES, "characters, total variation", "share", "0: equal frequencies, 1: no character in common"
    ),
    "length_distance_chars": MetricInfo(
        _DISTANCES, "lengths, Wasserstein distance", "chars", "mean number of characters by which lengths must change"
    ),
    "copies": MetricInfo(
        _MEMORIZATION, "copies of training records", "share",
        "samples with the same text as one; by chance: if training records were as probable as held-out ones",
    ),
    "copies_p": MetricInfo(
        _MEMORIZATION, "copies of training records, p-value", "p",
        "probability of at least so many training records by chance (binomial test)",
    ),
    "copies_ratio": MetricInfo(
        _MEMORIZATION, "rate of training records, times chance", "ratio",
        "different training records in as many samples as there are records, by the model's probabilities",
    ),
    "copies_ratio_p": MetricInfo(
        _MEMORIZATION, "rate of training records, p-value (decides on copies)", "p",
        "probability of so many if training records are 1.25 times as probable (permutation test)",
    ),
    "nearest_mean": MetricInfo(
        _MEMORIZATION, "edits to nearest record, mean", "share", f"relative to the longer text's length; {_NOT_COPIES}"
    ),
    "nearest_median": MetricInfo(
        _MEMORIZATION, "edits to nearest record, median", "share",
        f"relative to the longer text's length; {_NOT_COPIES}",
    ),
    "nearest_difference": MetricInfo(
        _MEMORIZATION, "edits, samples minus held-out", "share",
        "from held-out records of the same lengths; below 0: nearer than by chance",
    ),
    "shared_mean_chars": MetricInfo(
        _MEMORIZATION, "shared substring, mean", "chars",
        f"longest substring shared with a training record; {_NOT_COPIES}",
    ),
    "shared_max_chars": MetricInfo(
        _MEMORIZATION, "shared substring, maximum", "chars",
        f"longest substring shared with a training record; {_NOT_COPIES}",
    ),
    "shared_difference_chars": MetricInfo(
        _MEMORIZATION, "shared substring, samples minus held-out", "chars",
        "from held-out records of the same lengths; above 0: longer than by chance",
    ),
    "shared_p": MetricInfo(
        _MEMORIZATION, "shared substring, p-value", "p",
        "where the difference is above 0: probability of sharing so little with held-out records if samples favour "
        "neither these nor training records (permutation test)",
    ),
    "examined": MetricInfo(
        _MEMORIZATION, "samples examined", "count", "distinct samples that are not copies, at most 500"
    ),
    "memorisation": MetricInfo(
        _MEMORIZATION, "verdict", "text",
        "copies count where the p-value of training records, or without it their own, is below 0.025, a difference "
        "where its interval excludes 0",
    ),
}  # fmt: skip
"""All metrics of core, by name; a plugin describes its own, ``metric.value``."""

FEW_RECORDS = 10
"""Held-out records, or windows of a long text, below which a loss has an interval that says little."""
OF_PLUGINS = "Metrics of plugins"
"""The group of the metrics that the domain of a run has, and of those that a user names."""
_NOT_SHOWN = ("notes", "published")
_SUFFIXES = ("_low", "_high", "_chance", "_chance_low", "_chance_high")


class MetricRow(NamedTuple):
    """A metric as it is shown.

    Attributes:
        name: of the metric.
        label: its name for people.
        value: with its unit.
        interval: its 95% interval, or "".
        chance: its value for held-out records, or "".
        meaning: its definition; "" for metrics of plugins.
    """

    name: str
    label: str
    value: str
    interval: str = ""
    chance: str = ""
    meaning: str = ""


def baselines_of(metrics: Mapping[str, Any]) -> list[str]:
    """Return the names of the baselines that have a value in bits per character among metrics."""
    return [
        name
        for name, value in metrics.items()
        if name.startswith("baseline_") and name.endswith("_bits_per_char") and isinstance(value, int | float)
    ]


def best_baseline(metrics: Mapping[str, Any]) -> str | None:
    """Return the name of the baseline with the fewest bits per character among metrics; None if there is none."""
    return min(baselines_of(metrics), key=metrics.__getitem__, default=None)


def has_few_tested(metrics: Mapping[str, Any]) -> bool:
    """Return whether the test part has fewer than 10 records, so that the interval of its loss says little."""
    return int(metrics.get("test_records", FEW_RECORDS)) < FEW_RECORDS


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """An evaluation of a run, with the texts behind it.

    Attributes:
        metrics: the result of ``Run.evaluate``, by name.
        labels: names for people of metrics of plugins, by name, where they have one.
        settings: the content of run.json.
        history: the lines of metrics.jsonl.
        rows: the first samples, each with ``row``, ``text``, ``cut``, ``bits_per_char`` and ``where``, of which the
            last two may be None, and where the domain has a validator ``valid`` and ``canonical``.
        samples: the texts of all samples.
        held_out: held-out records; of one long text, pieces of it.
        has_records: whether the corpus has records; False for one long text.
    """

    metrics: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    samples: Sequence[str] = ()
    held_out: Sequence[str] = ()
    has_records: bool = True

    def groups(self) -> list[tuple[str, list[MetricRow]]]:
        """Return the metrics to show, as (heading, rows), in the order of ``METRICS``; those of plugins come last."""
        return list(groups(self.metrics, self.labels))

    def best_baseline(self) -> str | None:
        """Return the name of the baseline with the fewest bits per character; None if there is none."""
        return best_baseline(self.metrics)

    def has_few_tested(self) -> bool:
        """Return whether the test part has fewer than 10 records, so that the interval of its loss says little."""
        return has_few_tested(self.metrics)

    def published(self) -> dict[str, dict[str, float]]:
        """Return the published values of metrics of plugins, by the name of a model, then of a metric."""
        return by_model(self.metrics.get("published", {}))


def groups(
    metrics: Mapping[str, Any], labels: Mapping[str, str] | None = None
) -> Iterator[tuple[str, list[MetricRow]]]:
    """Yield the metrics as (heading, rows), in the order of ``METRICS``; those of plugins come last.

    Args:
        metrics: by name.
        labels: names for people of metrics of plugins, by name.
    """
    known: dict[str, list[MetricRow]] = {}
    for name, info in METRICS.items():
        if name in metrics:
            known.setdefault(info.group, []).append(_row(metrics, name, info))
    beside = {name + ending for name in METRICS for ending in _SUFFIXES}
    for name, value in metrics.items():
        if name not in METRICS and name not in beside and name not in _NOT_SHOWN:
            label = (labels or {}).get(name) or name.replace("_", " ")
            row = MetricRow(name, label, format_metric(value))
            known.setdefault(OF_PLUGINS, []).append(row)
    yield from known.items()


def by_model(others: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Return published values by model, then by ``metric.value``."""
    found: dict[str, dict[str, float]] = {}
    for metric, models in others.items():
        for model, values in models.items():
            found.setdefault(model, {}).update({f"{metric}.{name}": value for name, value in values.items()})
    return found


def _row(metrics: Mapping[str, Any], name: str, info: MetricInfo) -> MetricRow:
    chance = metrics.get(f"{name}_chance")
    shown = "" if chance is None else format_metric(chance, info.unit)
    if interval := _interval(metrics, f"{name}_chance", info.unit):
        shown += f" ({interval})"
    value = format_metric(metrics[name], info.unit)
    return MetricRow(name, info.label, value, _interval(metrics, name, info.unit), shown, info.meaning)


def _interval(metrics: Mapping[str, Any], name: str, unit: str) -> str:
    low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
    return "" if low is None or high is None else f"{format_metric(low, unit)} to {format_metric(high, unit)}"


def format_metric(value: Any, unit: str = "") -> str:
    """Return a value as tables show it.

    Args:
        value: a number, a text, a list of numbers or None.
        unit: one of those in ``METRICS``.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    if isinstance(value, list):
        return ", ".join(format_metric(one, unit) for one in value)
    if isinstance(value, str | bool) or unit == "text":
        return str(value)
    if unit == "share":
        return f"{100 * value:.1f}%"
    if unit == "p":
        return f"{value:.2g}" if value >= 0.0001 else "< 0.0001"
    if unit == "ratio":
        return f"{value:.3g}"
    if unit == "s":
        return f"{value:.1f} s"
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}" if unit == "chars" else f"{value:.3f}"

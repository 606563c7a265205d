"""Runs that differ in nothing but their seed: means over the seeds, and how far each group is from the best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from seqgen import measure

SEED = "train.seed"


def seed_groups(
    rows: Iterable[Mapping[str, Any]], settings: Mapping[str, Mapping[str, Any]], column: str
) -> list[dict[str, Any]]:
    """Return a row for each group of runs that differ in nothing but their seed, the lowest mean first.

    Args:
        rows: a row a run whose losses are of the same records, with "run", its name.
        settings: those that are not the same in all runs, by name, then by run.
        column: that of the bits per character; rows without a value are left out.

    Returns:
        For each group: runs, their names; seeds, how many different ones; bits_per_char and interval, the mean over the
        seeds and the half-width of its 95% interval (Student's t); above_best and above_best_interval, the same of how
        much more the group needs than the first one, over the seeds that both have. Two runs with the same seed count
        as one, the first; without two seeds there is no interval. Empty where no group has two seeds.
    """
    groups: dict[str, dict[Any, Mapping[str, Any]]] = {}
    for row in rows:
        if row[column] is not None:
            values = {name: runs[row["run"]] for name, runs in settings.items() if name != SEED}
            seed = settings.get(SEED, {}).get(row["run"])
            groups.setdefault(repr(values), {}).setdefault(seed, row)
    if all(len(by_seed) < 2 for by_seed in groups.values()):
        return []
    bits = [{seed: row[column] for seed, row in by_seed.items()} for by_seed in groups.values()]
    means = [measure.mean_interval(list(by_seed.values())) for by_seed in bits]
    best = bits[min(range(len(bits)), key=lambda group: means[group][0])]
    found = []
    for by_seed, own, (mean, interval) in zip(groups.values(), bits, means, strict=True):
        above = [] if own is best else [own[seed] - best[seed] for seed in own if seed in best]
        difference = measure.mean_interval(above) if len(above) > 1 else (None, None)
        found.append({
            "runs": [row["run"] for row in by_seed.values()],
            "seeds": len(by_seed),
            "bits_per_char": mean,
            "interval": interval,
            "above_best": difference[0],
            "above_best_interval": difference[1],
        })  # fmt: skip
    return sorted(found, key=lambda group: group["bits_per_char"])

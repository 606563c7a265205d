"""Metrics of cards."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import ClassVar

from seqgen_cards.rules import ALWAYS, NEEDED, ORDER, find_problems, split

_HELD_OUT = "the same of held-out cards"


class CardMetric:
    """The rules that samples keep, and how similar they are to held-out cards.

    Attributes:
        omitted: why values were omitted from the last result, by name.
    """

    labels: ClassVar = {
        "good_lines": "share whose lines are all fields of a card",
        **{f"good_{name}": f"share with a legal {name}, of those that have or need one" for name in ORDER},
        "tv_cost": "costs, total variation from held-out cards",
        "tv_type": "types, total variation from held-out cards",
        "text_length": "mean length of the texts, characters",
        "text_length_held_out": _HELD_OUT,
        "copied_text": "share of the texts that stand on a training card",
        "copied_text_held_out": _HELD_OUT,
        "copied_name": "share of the names that stand on a training card",
        "copied_name_held_out": _HELD_OUT,
    }

    def __init__(self) -> None:
        """Begin without a result."""
        self.omitted: dict[str, str] = {}

    def __call__(
        self, samples: Sequence[str], reference: Sequence[str], training: Iterable[str] = ()
    ) -> dict[str, float | None]:
        """Return metrics of samples as cards, and of their similarity to held-out cards.

        Those of a field that no held-out card has, if there are any, and those of no sample are None.

        Args:
            samples: the texts to evaluate.
            reference: held-out cards.
            training: the training cards.

        Returns:
            ``good_FIELD``, the share with a legal value of the field among samples that have or need it;
            ``good_lines``, the share whose lines are all fields of a card; ``tv_cost`` and ``tv_type``, the total
            variation distance between samples and held-out cards, 0 to 1; ``text_length``, the mean length of the field
            text in characters, and ``text_length_held_out``; ``copied_text`` and ``copied_name``, the share of the
            samples' texts and names that occur in a training card, and the same with ``_held_out`` for the held-out
            cards.
        """
        sampled, held_out = [split(text)[0] for text in samples], [split(text)[0] for text in reference]
        problems = [find_problems(text) for text in samples]
        fields = {name for name in ORDER if not held_out or any(name in card for card in held_out)}
        metrics = {"good_lines": _mean("" not in found for found in problems)}
        for name in ORDER:
            pairs = zip(sampled, problems, strict=True)
            good = (name not in found for card, found in pairs if name in fields and _has(card, name))
            metrics[f"good_{name}"] = _mean(good)
        for name in ("cost", "type"):
            metrics[f"tv_{name}"] = _total_variation(_shares(sampled, name), _shares(held_out, name))
        for key, cards in (("text_length", sampled), ("text_length_held_out", held_out)):
            metrics[key] = _mean(len(card.get("text", "")) for card in cards if "text" in fields)
        learned: dict[str, set[str]] = {"text": set(), "name": set()}
        for text in training:
            card = split(text)[0]
            for name, values in learned.items():
                if name in card:
                    values.add(card[name])
        for name, values in learned.items():
            for key, cards in ((f"copied_{name}", sampled), (f"copied_{name}_held_out", held_out)):
                metrics[key] = _mean(card[name] in values for card in cards if name in fields and name in card)
        self.omitted = {key: _reason(key, fields) for key, value in metrics.items() if value is None}
        return metrics


def _reason(key: str, fields: set[str]) -> str:
    """Return why a value is omitted."""
    of_field = key == "good_lines" or any(name in fields for name in key.split("_"))
    beside_held_out = key.startswith("tv_") or key.endswith("_held_out")
    return "no sample has the field" if of_field and not beside_held_out else "no held-out record has the field"


def _has(card: dict[str, str], name: str) -> bool:
    return name in card or name in ALWAYS or name in NEEDED.get(card.get("type", ""), ())


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return sum(listed) / len(listed) if listed else None


def _shares(cards: Sequence[dict[str, str]], name: str) -> dict[str, float]:
    counts = Counter(card[name] for card in cards if name in card)
    return {value: n / counts.total() for value, n in counts.items()}


def _total_variation(one: dict[str, float], other: dict[str, float]) -> float | None:
    """Return half the sum of the absolute differences; 1 if one distribution is empty, None if the other is."""
    if not other:
        return None
    if not one:
        return 1.0
    return math.fsum(abs(one.get(value, 0.0) - other.get(value, 0.0)) for value in {*one, *other}) / 2

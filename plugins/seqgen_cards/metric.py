"""Figures of cards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import seqgen
from seqgen_cards.rules import ALWAYS, NEEDED, ORDER, problems, split


def load() -> seqgen.Metric:
    """The metric; it has no options."""
    return cards


def cards(samples: Sequence[str], reference: Sequence[str], training: Iterable[str] = ()) -> dict[str, float]:
    """How far samples are cards, and how far they are cards like the others.

    Args:
        samples: the texts judged.
        reference: held-out cards.
        training: the cards learned from.

    Returns:
        ``good_FIELD``, of the samples that have or need the field the share where it is as it should be (0 if none
        does); ``good_lines``, the share whose lines are all fields of a card; ``tv_cost`` and ``tv_type``, the total
        variation between what is sampled and what is held out, 0 to 1; ``text_length``, the mean length of the field
        text in characters, and ``text_length_held_out``; ``copied_text`` and ``copied_name``, of the samples that have
        the field the share where it stands in a training card too, and the same of the held-out cards.
    """
    drawn, held_out = [split(text)[0] for text in samples], [split(text)[0] for text in reference]
    wrong = [problems(text) for text in samples]
    figures = {"good_lines": _mean("" not in complaints for complaints in wrong)}
    for name in ORDER:
        pairs = zip(drawn, wrong, strict=True)
        figures[f"good_{name}"] = _mean(name not in complaints for card, complaints in pairs if _has(card, name))
    for name in ("cost", "type"):
        figures[f"tv_{name}"] = _total_variation(_shares(drawn, name), _shares(held_out, name))
    figures["text_length"] = _mean(len(card.get("text", "")) for card in drawn)
    figures["text_length_held_out"] = _mean(len(card.get("text", "")) for card in held_out)
    learned: dict[str, set[str]] = {"text": set(), "name": set()}
    for text in training:
        card = split(text)[0]
        for name, values in learned.items():
            if name in card:
                values.add(card[name])
    for name, values in learned.items():
        for title, of in ((f"copied_{name}", drawn), (f"copied_{name}_held_out", held_out)):
            figures[title] = _mean(card[name] in values for card in of if name in card)
    return figures


def _has(card: dict[str, str], name: str) -> bool:
    return name in card or name in ALWAYS or name in NEEDED.get(card.get("type", ""), ())


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


def _shares(drawn: Sequence[dict[str, str]], name: str) -> dict[str, float]:
    counts = Counter(card[name] for card in drawn if name in card)
    return {value: n / counts.total() for value, n in counts.items()}


def _total_variation(one: dict[str, float], other: dict[str, float]) -> float:
    """Half the sum of the differences; 1 when one of them has nothing."""
    if not one or not other:
        return 1.0
    return sum(abs(one.get(value, 0.0) - other.get(value, 0.0)) for value in {*one, *other}) / 2

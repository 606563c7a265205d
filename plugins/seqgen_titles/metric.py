"""Metrics of titles: length and known words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

_WORD = re.compile(r"[^\W\d_]+")


class TitleMetric:
    """Mean length of titles, and the share of known words in them.

    Metrics:
        mean_length: mean characters of a sample.
        mean_length_held_out: mean characters of a reference title.
        known_words: share of the samples' words that occur in a training or reference title, ignoring case.
        known_words_held_out: share of the reference's words that occur in a training title; real titles contain new
            words too, so samples need not score higher. Absent without training titles.
    """

    labels: ClassVar = {
        "mean_length": "mean length, characters",
        "mean_length_held_out": "mean length of held-out titles, characters",
        "known_words": "share of known words",
        "known_words_held_out": "share of known words in held-out titles",
    }

    def __call__(
        self, samples: Sequence[str], reference: Sequence[str], training: Iterable[str] = ()
    ) -> Mapping[str, float | None]:
        """Return the metrics; None of no titles, or no words."""
        trained = {word for title in training for word in _words(title)}
        known = trained.union(*map(_words, reference))
        metrics = {
            "mean_length": _mean(map(len, samples)),
            "mean_length_held_out": _mean(map(len, reference)),
            "known_words": _mean(word in known for title in samples for word in _words(title)),
        }
        if trained:
            held_out = (word in trained for title in reference for word in _words(title))
            metrics["known_words_held_out"] = _mean(held_out)
        return metrics


def _words(title: str) -> list[str]:
    return _WORD.findall(title.casefold())


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return sum(listed) / len(listed) if listed else None

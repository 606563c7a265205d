"""Figures of titles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

_WORD = re.compile(r"[^\W\d_]+")


def load() -> TitleFigures:
    """The metric; it has no options."""
    return TitleFigures()


class TitleFigures:
    """How long titles are, and how many of their words are words.

    Figures:
        mean_length: characters of a sample, on average.
        mean_length_held_out: the same of the reference.
        known_words: the share of the words of all samples that stand in a training or a reference title, case ignored.
        known_words_held_out: the share of the words of the reference that stand in a training title; real titles have
            new words too, so samples need not come nearer to 1. Absent without training titles.
    """

    labels: ClassVar = {
        "mean_length": "mean length, characters",
        "mean_length_held_out": "mean length of held-out titles, characters",
        "known_words": "known words, share",
        "known_words_held_out": "known words of held-out titles, share",
    }

    def __call__(
        self, samples: Sequence[str], reference: Sequence[str], training: Iterable[str] = ()
    ) -> Mapping[str, float]:
        """The figures; those of an empty list are 0."""
        trained = {word for title in training for word in _words(title)}
        known = trained.union(*map(_words, reference))
        figures = {
            "mean_length": _mean(map(len, samples)),
            "mean_length_held_out": _mean(map(len, reference)),
            "known_words": _mean(word in known for title in samples for word in _words(title)),
        }
        if trained:
            held_out = (word in trained for title in reference for word in _words(title))
            figures["known_words_held_out"] = _mean(held_out)
        return figures


def _words(title: str) -> list[str]:
    return _WORD.findall(title.casefold())


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / max(len(listed), 1)

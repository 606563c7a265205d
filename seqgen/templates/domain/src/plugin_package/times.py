"""Times of day, such as 17:05: the corpus, the validator and the metric."""

import re
from collections.abc import Iterable, Mapping, Sequence

import seqgen

_FORM = re.compile(r"(\d\d?):(\d\d)", re.ASCII)


def load() -> Iterable[seqgen.Record]:
    """Return the records; a list can be iterated repeatedly."""
    return [seqgen.Record(f"{hour}:{minute:02}") for hour in range(24) for minute in range(60)]


def parse(text: str) -> tuple[int, int]:
    """Return the hour and minute.

    Raises:
        ValueError: the text is not a time of day.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("not of the form H:MM")
    hour, minute = map(int, found.groups())
    if hour > 23 or minute > 59:
        raise ValueError("hour or minute out of range")
    return hour, minute


class TimeValidator:
    """A validator that accepts times; 07:30 and 7:30 have the same canonical form."""

    def validate(self, text: str) -> seqgen.Verdict:
        """Return the verdict, with the reason or the canonical form."""
        try:
            hour, minute = parse(text)
        except ValueError as error:
            return seqgen.Verdict(False, str(error))
        return seqgen.Verdict(True, canonical=f"{hour}:{minute:02}")


class TimeMetric:
    """The share of times before noon."""

    def __call__(self, samples: Sequence[str], reference: Sequence[str]) -> Mapping[str, float]:
        """Return named values of the samples, valid or not, and of the held-out records."""
        return {"morning": _morning(samples), "morning_held_out": _morning(reference)}


def _morning(texts: Sequence[str]) -> float:
    validator = TimeValidator()
    hours = [parse(text)[0] for text in texts if validator.validate(text).ok]
    return sum(hour < 12 for hour in hours) / max(1, len(hours))

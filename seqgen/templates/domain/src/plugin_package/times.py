"""Times of day, such as 17:05: the texts, what makes one valid, and a figure."""

import re
from collections.abc import Iterable, Mapping, Sequence

import seqgen

_FORM = re.compile(r"(\d\d?):(\d\d)", re.ASCII)


def load() -> Iterable[seqgen.Record]:
    """The records; a list can be iterated again and again."""
    return [seqgen.Record(f"{hour}:{minute:02}") for hour in range(24) for minute in range(60)]


def parse(text: str) -> tuple[int, int]:
    """Hour and minute.

    Raises:
        ValueError: the text is no time of day.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("not of the form H:MM")
    hour, minute = map(int, found.groups())
    if hour > 23 or minute > 59:
        raise ValueError("no clock shows it")
    return hour, minute


class TimeValidator:
    """Accepts times; 07:30 and 7:30 are the same."""

    def validate(self, text: str) -> seqgen.Verdict:
        """The verdict, with the reason or the canonical form."""
        try:
            hour, minute = parse(text)
        except ValueError as error:
            return seqgen.Verdict(False, str(error))
        return seqgen.Verdict(True, canonical=f"{hour}:{minute:02}")


class TimeMetric:
    """The share of times before noon."""

    def __call__(self, samples: Sequence[str], reference: Sequence[str]) -> Mapping[str, float]:
        """Figures by name, of the valid samples and of held-out records."""
        return {"morning": _morning(samples), "morning_held_out": _morning(reference)}


def _morning(texts: Sequence[str]) -> float:
    validator = TimeValidator()
    hours = [parse(text)[0] for text in texts if validator.validate(text).ok]
    return sum(hour < 12 for hour in hours) / max(1, len(hours))

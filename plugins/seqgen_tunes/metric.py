"""Metrics of tunes: complete bars, endings, pitch statistics and copied phrases."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import Field

from seqgen_tunes.parser import read_tune
from seqgen_tunes.pitch_names import in_scale
from seqgen_tunes.tune import Tune

Metrics = dict[str, float | None]


def intervals(tune: Tune) -> list[int]:
    """Return the semitones from each note to the next, ignoring rests; of a chord, the highest note."""
    tops = [note.pitches[-1] for note in tune.sounding()]
    return [after - before for before, after in itertools.pairwise(tops)]


def patterns(tune: Tune, notes: int) -> Iterator[int]:
    """Yield a hash of the intervals of each run of ``notes`` notes; it is independent of key and rhythm."""
    steps = tuple(interval + 127 for interval in intervals(tune))  # not negative: hash(-1) == hash(-2)
    for start in range(len(steps) - notes + 2):
        yield hash(steps[start : start + notes - 1])


def cosine(one: Mapping[int, int], other: Mapping[int, int]) -> float | None:
    """Return the cosine similarity of two histograms; 0 if only the first is empty, None if the other is."""
    if not other:
        return None
    sizes = math.sqrt(sum(n * n for n in one.values())) * math.sqrt(sum(n * n for n in other.values()))
    return sum(n * other.get(key, 0) for key, n in one.items()) / sizes if sizes else 0.0


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _degrees(tunes: Iterable[Tune]) -> Counter[int]:
    """Count pitch classes relative to the tonic."""
    return Counter(
        (pitch - tune.key.tonic) % 12
        for tune in tunes
        if tune.key and tune.key.tonic is not None
        for note in tune.sounding()
        for pitch in note.pitches
    )


def _steps(tunes: Iterable[Tune]) -> Counter[int]:
    return Counter(step for tune in tunes for step in intervals(tune))


def _ends_on_tonic(tune: Tune) -> bool:
    heard = tune.sounding()
    key = tune.key_at(heard[-1].at + heard[-1].ticks - 1) if heard else None
    return bool(key and key.tonic in {pitch % 12 for pitch in heard[-1].pitches})


def _copied(tunes: Sequence[Tune], known: set[int], notes: int) -> float | None:
    found = [pattern in known for tune in tunes for pattern in patterns(tune, notes)]
    return _share(sum(found), len(found))


class TuneMetric:
    """Bars in time, endings, notes in key and copied phrases.

    "bars in time" is the share of bars that the validator accepts: complete, or short where a bar may be short; none in
    a tune without a metre. "notes in key" is the share of notes that need no accidental in the tune's own key, and
    "ends on tonic" that of tunes whose last note is the tonic, both by the key in force at the note. The
    cosines compare the frequencies of scale degrees and intervals with the reference. "copied" is the share of runs of
    notes whose intervals also occur in the training part. Short runs are common to many tunes, and many tunes are
    printed in several versions, so the same share of the held-out tunes is given for comparison.

    Args:
        pattern: length of a short copied run, in notes.
        phrase: length of a long one.
    """

    def __init__(
        self,
        *,
        pattern: Annotated[int, Field(ge=2, le=64, description="length of a short copied run, notes")] = 8,
        phrase: Annotated[int, Field(ge=2, le=256, description="length of a long copied run, notes")] = 32,
    ) -> None:
        self._runs = pattern, phrase
        self.labels = {
            "bars in time": "share of bars that fill their metre",
            "ends on tonic": "share of tunes that end on the tonic",
            "ends on tonic, held-out": "the same of held-out tunes",
            "notes in key": "share of notes that belong to the key",
            "notes a tune": "mean number of notes",
            "degrees cosine": "scale degrees, cosine similarity to held-out tunes",
            "intervals cosine": "intervals, cosine similarity to held-out tunes",
        }
        for notes in self._runs:
            self.labels[f"copied, {notes} notes"] = f"share of runs of {notes} notes that occur in a training tune"
            self.labels[f"copied, {notes} notes, held-out"] = "the same of held-out tunes"

    def __call__(self, samples: Sequence[str], reference: Sequence[str], training: Iterable[str] = ()) -> Metrics:
        """Return the metrics of the samples, and with "held-out" in the key, of the reference.

        They are shares from 0 to 1, except for the mean number of notes; None where there is nothing to count.
        """
        tunes, others = [read_tune(text) for text in samples], [read_tune(text) for text in reference]
        known: dict[int, set[int]] = {notes: set() for notes in self._runs}
        for text in training:
            tune = read_tune(text)
            for notes, seen in known.items():
                seen.update(patterns(tune, notes))
        bars = sum(len(tune.bars) for tune in tunes)
        heard = [(pitch, tune.key_at(note.at)) for tune in tunes for note in tune.sounding() for pitch in note.pitches]
        found = {
            "bars in time": _share(sum(len(tune.bars) - len(tune.wrong) for tune in tunes if tune.metre), bars),
            "ends on tonic": _share(sum(map(_ends_on_tonic, tunes)), len(tunes)),
            "ends on tonic, held-out": _share(sum(map(_ends_on_tonic, others)), len(others)),
            "notes in key": _share(sum(in_scale(pitch, key) for pitch, key in heard), len(heard)),
            "notes a tune": _share(len(heard), len(tunes)),
            "degrees cosine": cosine(_degrees(tunes), _degrees(others)),
            "intervals cosine": cosine(_steps(tunes), _steps(others)),
        }
        for notes, seen in known.items():
            found[f"copied, {notes} notes"] = _copied(tunes, seen, notes)
            found[f"copied, {notes} notes, held-out"] = _copied(others, seen, notes)
        return found

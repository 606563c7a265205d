"""Held-out records that are training records too, as the same text or in another spelling, or lack conditions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seqgen.corpus import Corpus, Splitter, Survey
from seqgen.counting import record_keys

_MAX_RECORDS, _MAX_CHARS = 10_000, 1_000_000  # of a corpus whose canonical forms are compared: a few seconds
_TITLES = {"valid": "validation", "test": "test"}

Form = Callable[[str], str]


def leakage_warnings(
    corpus: Corpus,
    encoded: Mapping[str, Any],
    survey: Survey,
    splitter: Splitter,
    form: Form | None,
    training_form: Form | None = None,
) -> list[str]:
    """Return a line on held-out records that are training records too, and one on other spellings of these.

    Args:
        corpus: has separate records.
        encoded: its parts "train", "valid" and "test".
        survey: its statistics.
        splitter: assigns each record to a part.
        form: the canonical form of a text; None: texts are compared as they are. Those of more than 10,000 records, or
            a million characters, are not computed.
        training_form: that of a training record, where it is known without computing it; None: ``form``.
    """
    sizes = {part: len(encoded[part]) for part in _TITLES}
    found = [_line(_same_texts(encoded), sizes, "stand in the training part too")]
    if form is not None and survey.n_records <= _MAX_RECORDS and survey.n_chars <= _MAX_CHARS:
        other = _other_spellings(corpus, splitter, form, training_form or form)
        found.append(_line(other, sizes, "are training records in another spelling"))
    return [line for line in found if line]


def _same_texts(encoded: Mapping[str, Any]) -> Mapping[str, int]:
    """Return the number of held-out records whose text a training record has, by part."""
    training = np.unique(record_keys(encoded["train"]))
    return {part: int(np.isin(record_keys(encoded[part]), training).sum()) for part in _TITLES}


def _other_spellings(corpus: Corpus, splitter: Splitter, form: Form, training_form: Form) -> Mapping[str, int]:
    """Return the number of held-out records whose canonical form a training record has, but not their text, by part."""
    train, held_out = dict[str, str](), Counter[tuple[str, str]]()
    for record in corpus:
        if (part := splitter.part(record)) != "train":
            held_out[part, record.text] += 1
        elif record.text not in train:
            train[record.text] = training_form(record.text)
    known, counts = set(train.values()), Counter[str]()
    for (part, text), n in held_out.items():
        if text not in train and form(text) in known:
            counts[part] += n
    return counts


def _line(counts: Mapping[str, int], sizes: Mapping[str, int], what: str) -> str:
    """Return the line on numbers of held-out records by part; "" where all are 0."""
    shown = [f"{n:,} of {sizes[part]:,} {title} records" for part, title in _TITLES.items() if (n := counts[part])]
    return f"{' and '.join(shown)} {what}; losses on them say little" if shown else ""


def lost_conditions(encoded: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Return a line for each condition that no record of a held-out part has, though training records have it.

    Args:
        encoded: the parts "train", "valid" and "test" of a corpus.
        names: of the conditions, in the order in which records have them.
    """
    lines, train_NC = [], getattr(encoded["train"], "conditions_NC", None)
    for part, title in _TITLES.items():
        held_out_NC = getattr(encoded[part], "conditions_NC", None)
        if train_NC is None or held_out_NC is None or not len(held_out_NC):
            continue
        for number, name in enumerate(names):
            if train_NC[:, number].any() and not held_out_NC[:, number].any():
                lines.append(f"no {title} record has the condition {name!r}: is its column named so, and filled?")
    return lines

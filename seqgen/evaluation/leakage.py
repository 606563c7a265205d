"""Held-out records that are records of another part too, maybe in another spelling, or lack conditions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from seqgen.corpus import PARTS, Corpus, Splitter, Survey
from seqgen.counting import record_keys
from seqgen.errors import short_repr
from seqgen.tokenizers import EOS, PAD

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.tokenizers import Vocabulary

_MAX_RECORDS, _MAX_CHARS = 10_000, 1_000_000  # of a corpus whose canonical forms are compared: a few seconds
_MAX_COMBINATIONS = 256  # of conditions, kept in run.json
_CHUNK = 1 << 16  # records
_TITLES = {"valid": "validation", "test": "test"}
_CHOOSING = "stand in the validation part too, which training looks at"
_SPELLED = "are training records in another spelling"

Form = Callable[[str], str]


def leakage_warnings(
    corpus: Corpus,
    encoded: Mapping[str, Any],
    survey: Survey,
    splitter: Splitter,
    form: Form | None,
    training_form: Form | None = None,
) -> list[str]:
    """Return lines on held-out records that are training records too, on test records that are validation records too.

    Another line is on held-out records that are training records in another spelling.

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
    in_training, in_validation = _same_texts(encoded)
    found = [
        _line(in_training, sizes, "stand in the training part too; losses on them say little"),
        _line({"valid": 0, "test": in_validation}, sizes, f"{_CHOOSING}; losses on them say less"),
    ]
    if form is not None and survey.n_records <= _MAX_RECORDS and survey.n_chars <= _MAX_CHARS:
        other = _other_spellings(corpus, splitter, form, training_form or form)
        found.append(_line(other, sizes, f"{_SPELLED}; losses on them say little"))
    return [line for line in found if line]


def _same_texts(encoded: Mapping[str, Any]) -> tuple[Mapping[str, int], int]:
    """Return the numbers of held-out records whose text a training record has, and of the other test records in valid.

    Returns:
        The first by part, and the number of test records whose text a validation record has and no training record.
    """
    training, valid, test = (record_keys(encoded[part]) for part in PARTS)
    in_training = {part: np.isin(keys, training) for part, keys in (("valid", valid), ("test", test))}
    in_validation = np.isin(test, valid) & ~in_training["test"]
    return {part: int(known.sum()) for part, known in in_training.items()}, int(in_validation.sum())


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
    shown = [f"{counts[part]:,} of {sizes[part]:,} {title} records" for part, title in _TITLES.items() if counts[part]]
    return f"{' and '.join(shown)} {what}" if shown else ""


def lost_conditions(encoded: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Return a line for each condition that no record of a held-out part has, though training records have it.

    Args:
        encoded: the parts "train", "valid" and "test" of a corpus.
        names: of the conditions, in the order in which records have them.
    """
    train_NC, lines = _conditions(encoded["train"]), list[str]()
    for part, title in _TITLES.items():
        held_out_NC = _conditions(encoded[part])
        if not len(held_out_NC):
            continue
        for number, name in enumerate(names):
            if train_NC[:, number].any() and not held_out_NC[:, number].any():
                lines.append(f"no {title} record has the condition {name!r}: is its column named so, and filled?")
    return lines


def unseen_conditions(
    encoded: Mapping[str, Any],
    vocabulary: Vocabulary,
    known: Collection[str] = (),
    before: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> dict[str, list[str]]:
    """Return the values of conditions, as "name=value", that were never learned, by held-out part.

    Args:
        encoded: the parts.
        vocabulary: of their ids.
        known: the conditions of a run whose weights are the first ones.
        before: those that this run has never learned; without those that are learned now they are that of "start".
    """
    found = {part: _named(held_out_NC[unseen_NC], vocabulary) for part, held_out_NC, unseen_NC in _unseen(encoded)}
    never = set[str]().union(*before.values())
    found = {part: [one for one in values if one in never or one not in known] for part, values in found.items()}
    found |= {"start": sorted(never - learned_conditions(encoded, vocabulary))}
    return {part: values for part, values in found.items() if values}


def learned_conditions(encoded: Mapping[str, Any], vocabulary: Vocabulary) -> set[str]:
    """Return the values of conditions that training records have, as "name=value"."""
    return set(_named(_conditions(encoded["train"]), vocabulary))


def learned_combinations(encoded: Mapping[str, Any], vocabulary: Vocabulary) -> list[list[str]] | None:
    """Return the conditions that training records have together, as "name=value"; None if they are too many.

    None also of fewer than two conditions.
    """
    if len(vocabulary.slots) < 2:
        return None
    train_NC, found = _conditions(encoded["train"]), set[tuple[int, ...]]()
    for first in range(0, len(train_NC), _CHUNK):
        found.update(map(tuple, np.unique(train_NC[first : first + _CHUNK], axis=0).tolist()))
        if len(found) > _MAX_COMBINATIONS:
            return None
    return [[vocabulary.conditions[one - EOS - 1] for one in row if one != PAD] for row in sorted(found)]


def unseen_condition_warnings(encoded: Mapping[str, Any], vocabulary: Vocabulary) -> list[str]:
    """Return a line for each condition of which held-out records have values that no training record has."""
    lines = list[str]()
    for part, held_out_NC, unseen_NC in _unseen(encoded):
        for number, name in enumerate(vocabulary.slots):
            rows_K = np.flatnonzero(unseen_NC[:, number])
            if not len(rows_K):
                continue
            ids = _conditions(encoded["train"])[:, number], held_out_NC[rows_K[:1], number]
            *others, value = (one.partition("=")[2] for part_ids in ids for one in _named(part_ids, vocabulary))
            meant = next((other for other in others if other.strip().casefold() == value.strip().casefold()), None)
            lines.append(
                f"condition {name!r}: {len(rows_K):,} of {len(held_out_NC):,} {_TITLES[part]} records "
                f"{'has a value' if len(rows_K) == 1 else 'have values'} that no training record has, such as "
                f"{short_repr(value)}" + ("" if meant is None else f"; training records have {short_repr(meant)}")
            )
    return lines


def _unseen(encoded: Mapping[str, Any]) -> Iterator[tuple[str, npt.NDArray[Any], npt.NDArray[np.bool_]]]:
    """Yield the held-out parts with conditions that no training record has: name, ids (N, C), mask of these (N, C)."""
    known = np.append(np.unique(_conditions(encoded["train"])), PAD)
    for part in _TITLES:
        held_out_NC = _conditions(encoded[part])
        unseen_NC = ~np.isin(held_out_NC, known)
        if unseen_NC.any():
            yield part, held_out_NC, unseen_NC


def _named(ids: npt.NDArray[Any], vocabulary: Vocabulary) -> list[str]:
    """Return the conditions among ids as "name=value", each once, in their order."""
    return [vocabulary.conditions[one - EOS - 1] for one in np.unique(ids) if one != PAD]


def _conditions(part: Any) -> npt.NDArray[Any]:
    """Return the condition ids of the records of a part, (N, C); (0, 0) without conditions."""
    found = getattr(part, "conditions_NC", None)
    return np.zeros((0, 0), dtype=np.int32) if found is None else np.asarray(found)

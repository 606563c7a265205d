"""Records encoded once into flat arrays, and batches made from them by indexing.

Dimension letters: B batch, T steps; N records.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from seqgen.corpus import PARTS, Record, Splitter
from seqgen.errors import UnknownSymbol, UsageError
from seqgen.tokenizers import Vocabulary

if TYPE_CHECKING:
    import numpy.typing as npt

    from seqgen.protocols import Ids, Lengths

    Order = npt.NDArray[np.int64]

_ENCODED_AT_ONCE = 8192
_BLOCK = 65_536  # records shuffled together
_MOST_TOGETHER = 1 << 18  # ids of batches that are made in one go
_FULL = 0.9  # share of targets below which it pays to leave the padding out
_WINDOW = 50  # batches sorted by length together


@dataclass(frozen=True)
class Encoded:
    """The framed ids of records.

    Attributes:
        flat: ``BOS symbols EOS`` of every record, one after another.
        starts_N: where each record begins in ``flat``.
        lengths_N: ids of each record, its frame counted.
        chars_N: characters of each record.
    """

    flat: Ids
    starts_N: Lengths
    lengths_N: Lengths
    chars_N: Lengths

    def __len__(self) -> int:
        """How many records."""
        return len(self.lengths_N)

    def take(self, rows_B: Order, pad: Callable[[int], int] | None = None) -> Batch:
        """Some records as a batch.

        Args:
            rows_B: which records.
            pad: gives how many steps there should be for as many as the longest record has; None: these.
        """
        return self.take_many([rows_B], pad)[0]

    def take_many(self, batches: Sequence[Order], pad: Callable[[int], int] | None = None) -> list[Batch]:
        """What ``take`` gives for each of some batches; several short ones are made in one go, at half the price."""
        rows_N = np.concatenate(batches)
        sizes = [len(rows_B) for rows_B in batches]
        ends = list(itertools.accumulate(sizes))
        starts = [end - size for end, size in zip(ends, sizes, strict=True)]
        lengths_N = self.lengths_N[rows_N]
        longest = np.maximum.reduceat(lengths_N, starts).tolist()
        if len(batches) > 1 and max(longest) * len(rows_N) > _MOST_TOGETHER:
            return [self.take(rows_B, pad) for rows_B in batches]
        n_steps = longest if pad is None else [pad(steps - 1) + 1 for steps in longest]
        steps_T1 = np.arange(max(n_steps))[:, None]
        inside_TN = steps_T1 < lengths_N
        # What lies beyond a record's end, another record's, is multiplied by zero, which is PAD.
        found_TN = self.flat.take(self.starts_N[rows_N] + steps_T1, mode="clip")
        # Time first in memory, as the layers compute.
        ids_TN = torch.from_numpy(np.multiply(found_TN, inside_TN, dtype=np.int64))
        n_ids = np.add.reduceat(lengths_N, starts).tolist()
        n_chars = np.add.reduceat(self.chars_N[rows_N], starts).tolist()
        made = []
        for ids_TB, steps, start, end, ids_here, chars in zip(
            torch.split(ids_TN, sizes, 1), n_steps, starts, ends, n_ids, n_chars, strict=True
        ):
            n_rows, at_N = end - start, None
            if ids_here - n_rows < _FULL * (steps - 1) * n_rows:
                at_N = torch.from_numpy(np.flatnonzero(inside_TN[1:steps, start:end]))
            ids_BT = ids_TB.t()
            made.append(Batch(ids_BT[:, : steps - 1], ids_BT[:, 1:steps], at_N, ids_here - n_rows, chars, n_rows))
        return made


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Attributes:
        ids_BT: inputs, from ``BOS`` on.
        targets_BT: the id that follows each input; ``PAD`` where there is none.
        at_N: where the targets stand, each place t * B + b in ascending order; None if so few are missing that
            leaving them out does not pay.
        n_targets: how many targets there are.
        n_chars: characters over all records.
        n_records: B.
    """

    ids_BT: Tensor
    targets_BT: Tensor
    at_N: Tensor | None
    n_targets: int
    n_chars: int
    n_records: int

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        if self.ids_BT.device == device:
            return self
        at_N = None if self.at_N is None else self.at_N.to(device)
        return replace(self, ids_BT=self.ids_BT.to(device), targets_BT=self.targets_BT.to(device), at_N=at_N)


def encode(records: Iterable[Record], vocabulary: Vocabulary, splitter: Splitter) -> dict[str, Encoded]:
    """Encode a corpus, part by part.

    Args:
        records: the corpus; consumed a few thousand records at a time.
        vocabulary: the symbols.
        splitter: tells the part of each record.

    Returns:
        "train", "valid" and "test"; any of them may be empty.

    Raises:
        UsageError: a record holds a symbol that the tokenizer does not know.
    """
    flats: dict[str, list[Ids]] = {part: [] for part in PARTS}
    lengths: dict[str, list[Lengths]] = {part: [] for part in PARTS}
    chars: dict[str, list[Lengths]] = {part: [] for part in PARTS}
    iterator = iter(records)
    while chunk := list(itertools.islice(iterator, _ENCODED_AT_ONCE)):
        texts: dict[str, list[str]] = {part: [] for part in PARTS}
        for record in chunk:
            texts[splitter.part(record)].append(record.text)
        for part in PARTS:
            try:
                framed, framed_lengths = vocabulary.frame_many(texts[part])
            except UnknownSymbol as error:
                raise UsageError(f"the tokenizer cannot encode a record of the {part} part: {error}") from None
            flats[part].append(framed)
            lengths[part].append(framed_lengths)
            chars[part].append(np.fromiter(map(len, texts[part]), np.int64, len(texts[part])))
    return {part: _joined(flats[part], lengths[part], chars[part]) for part in PARTS}


def _joined(flats: list[Ids], lengths: list[Lengths], chars: list[Lengths]) -> Encoded:
    lengths_N = np.concatenate([np.empty(0, np.int64), *lengths])
    chars_N = np.concatenate([np.empty(0, np.int64), *chars])
    flat = np.concatenate([np.empty(0, np.int32), *flats])
    return Encoded(flat, np.cumsum(lengths_N) - lengths_N, lengths_N, chars_N)


def epoch_batches(lengths_N: Lengths, batch_size: int, seed: int, epoch: int) -> list[Order]:
    """The batches of an epoch as record indices: a pure function of its arguments.

    Blocks of 65,536 records come in random order and are shuffled within; in windows of 50 batches records of like
    length are put together, and the batches of a window come in random order.

    Args:
        lengths_N: the length of each record.
        batch_size: records a batch; the last one of a window may have fewer.
        seed: the run's seed.
        epoch: 0, 1, ...
    """
    random = np.random.Generator(np.random.Philox(key=derive_seed("order", seed, epoch)))
    batches: list[Order] = []
    n_blocks = -(-len(lengths_N) // _BLOCK)
    order = np.concatenate(
        [
            random.permutation(np.arange(block * _BLOCK, min((block + 1) * _BLOCK, len(lengths_N))))
            for block in random.permutation(n_blocks)
        ]
    )
    for start in range(0, len(order), _WINDOW * batch_size):
        window = order[start : start + _WINDOW * batch_size]
        window = window[np.argsort(lengths_N[window], kind="stable")]
        cuts = [window[at : at + batch_size] for at in range(0, len(window), batch_size)]
        batches.extend(cuts[index] for index in random.permutation(len(cuts)))
    return batches


def count_batches(n_records: int, batch_size: int) -> int:
    """How many batches an epoch has."""
    return -(-n_records // batch_size)


def evaluation_batches(lengths_N: Lengths, batch_size: int, most: int) -> Iterator[Order]:
    """At most ``most`` records, evenly spaced over the corpus, in batches of like length."""
    every = max(1, -(-len(lengths_N) // most))
    rows = np.arange(0, len(lengths_N), every)
    rows = rows[np.argsort(lengths_N[rows], kind="stable")]
    for start in range(0, len(rows), batch_size):
        yield rows[start : start + batch_size]


def derive_seed(purpose: str, *numbers: int) -> int:
    """A 63-bit seed that differs for every purpose and number."""
    text = " ".join([purpose, *map(str, numbers)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1

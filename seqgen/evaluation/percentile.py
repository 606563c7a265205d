"""Percentiles of scores among held-out records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seqgen.evaluation.record_losses import RecordLosses

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class ReferenceScores:
    """The scores of held-out records, in ascending order.

    Attributes:
        part: "test", or "validation" where there is no test part.
        bits_N: bits per character of each record.
    """

    part: str
    bits_N: npt.NDArray[np.float64]

    @classmethod
    def of(cls, costs: RecordLosses, part: str) -> ReferenceScores:
        """Return the scores of records with given losses."""
        return cls(part, np.sort(costs.nats_N / np.log(2) / costs.chars_N))

    def percentile(self, bits_per_char: float) -> float:
        """Return the percentage of records that are less probable per character: 100 means above all of them."""
        return 100 * float((self.bits_N > bits_per_char).mean())

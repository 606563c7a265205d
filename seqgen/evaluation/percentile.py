"""Where a score stands among those of held-out records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seqgen.evaluation.record_losses import RecordLosses

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class ReferenceScores:
    """What held-out records score, in ascending order.

    Attributes:
        part: "test", or "validation" where nothing is kept for the test.
        bits_N: bits per character of each record.
    """

    part: str
    bits_N: npt.NDArray[np.float64]

    @classmethod
    def of(cls, costs: RecordLosses, part: str) -> ReferenceScores:
        """The scale of records that cost so much."""
        return cls(part, np.sort(costs.nats_N / np.log(2) / costs.chars_N))

    def percentile(self, bits_per_char: float) -> float:
        """The percentage of the records that are less likely per character: 100 is likelier than all of them."""
        return 100 * float((self.bits_N > bits_per_char).mean())

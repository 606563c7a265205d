"""The width of a model that has so many parameters."""

from __future__ import annotations

from collections.abc import Callable

from seqgen.errors import BadOption

_MAX = 65_536
_TRIES = 64  # widths in a row that a model may refuse, as heads that must share them do


def solve_width(count: Callable[[int], int], budget: int) -> int:
    """The largest width whose model has at most so many parameters.

    Args:
        count: gives the trainable parameters at a width; may refuse one with BadOption.
        budget: the parameters.

    Raises:
        BadOption: even the smallest model has more.
    """

    def smallest(width: int) -> tuple[int, int]:
        """The first width from here on that the model does not refuse, and its parameters."""
        for candidate in range(width, width + _TRIES):
            try:
                return candidate, count(candidate)
            except BadOption as error:
                problem = error
        raise problem

    best, least = smallest(1)
    if least > budget:
        raise BadOption(f"a budget of {budget:,} parameters is too small: the model has {least:,} at width {best}")
    too_wide = best
    while too_wide < _MAX:
        too_wide *= 2
        width, n_parameters = smallest(too_wide)
        if n_parameters > budget:
            break
        best = too_wide = width
    while too_wide - best > 1:
        middle = (best + too_wide) // 2
        width, n_parameters = smallest(middle)
        if n_parameters <= budget:
            best = width
        else:
            too_wide = middle
    return best

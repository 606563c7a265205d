"""The lines that say how a training run ended: its best step, its loss there, and what the network is mixed with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from seqgen import training
from seqgen.checkpoint import RunSettings
from seqgen.config import LEAST_HELD_OUT
from seqgen.counting import blend_of
from seqgen.render.text import counted

_ABSURD_NATS = 20.0  # what guessing among half a billion symbols would cost


def result_lines(
    settings: RunSettings, state: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]], model: Any = None
) -> list[str]:
    """Return the lines on the best step of a run.

    Args:
        settings: of the run.
        state: of its best checkpoint.
        metrics: the lines of metrics.jsonl.
        model: that of the checkpoint, by which the order of its n-gram is known; or None.
    """
    lines = [row for row in metrics if row.get("step") == state["best_step"]]
    best, name, found = state.get("best_loss_nats"), "best", list[str]()
    if lines and "expected_copies" in lines[-1]:
        share, most = lines[-1]["expected_copies"], training.MAX_COPIES
        line = f"best      step {state['best_step']:,}, at which {share:.0%} of samples are copies"
        found.append(line + (f" (at no step {most:.0%} or fewer)" if share > most else ""))
        name = ""
    if best is not None:
        bits = f"{lines[-1]['valid_bits_per_char']:.3f} bits/char, " if lines else ""
        found.append(f"{name:9} {best:.3f} nats/symbol, {bits}at step {state['best_step']:,}")
        found += [f"          {line}" for line in _blend_lines(settings, state, lines, model)]
        if best > _ABSURD_NATS:
            found.append("          worse than guessing: the model explodes; try a lower --lr, or check the cell")
        if state["best_step"] == 0:
            found.append("          no later step was better; the last one: --checkpoint latest")
        elif line := _few_line(settings, state, metrics, by_copies=not name):
            found.append(f"          {line}")
    elif mixed := _mixed_with(state, model):
        exponents = "equal" if settings.train.exponents in (None, "fitted") else "sharp"
        how = (
            f"with {exponents} exponents: nothing is held out"
            if settings.refit is None
            else f"by the {'gate' if len(mixed) == 1 else 'gates'} of the first run"
        )
        found.append(f"blended   with {' and '.join(mixed)}, {how}")
    return found


def _few_line(
    settings: RunSettings, state: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]], *, by_copies: bool
) -> str:
    """Return the line on a best step before the last that very few held-out records decide, or no more than copies."""
    n_held_out, last = settings.corpus.parts["valid"], metrics[-1].get("step", 0) if metrics else 0
    if not 0 < n_held_out < LEAST_HELD_OUT or settings.corpus.layout != "lines" or last <= state["best_step"]:
        return ""
    why = "later steps copy more" if by_copies else f"chosen by only {counted(n_held_out, 'held-out record')}"
    return f"{why}; the last step, {last:,}: --checkpoint latest"


def _blend_lines(
    settings: RunSettings, state: Mapping[str, Any], best: Sequence[Mapping[str, Any]], model: Any
) -> list[str]:
    """Return lines on what the network is mixed with, and why; none if that was not asked."""
    lines = list[str]()
    if settings.conditions and settings.train.blend == "none" and settings.n_parameters:
        lines += ["not blended with counts, which know no conditions; --blend ngram blends them all the same"]
    if not best or "valid_network_bits_per_char" not in best[-1]:
        return lines
    alone, whole = (best[-1][key] for key in ("valid_network_bits_per_char", "valid_bits_per_char"))
    mixed, train = _mixed_with(state, model), settings.train
    if not mixed:
        asked = ["counts"] if train.blend not in (None, "none") else []
        asked += ["what a record repeats"] if "valid_without_repeats_bits_per_char" in best[-1] else []
        they = "they do" if len(asked) > 1 or asked == ["counts"] else "that does"
        return [*lines, f"not blended with {' or '.join(asked)}: at this step {they} not lower the held-out loss"]
    if len(mixed) == 1:
        line = f"blended with {mixed[0]}: {alone:.3f} bits/char without it, {whole:.3f} with it"
    else:
        counts = best[-1]["valid_without_repeats_bits_per_char"]
        line = f"blended with {' and '.join(mixed)}: {alone:.3f} bits/char alone, {counts:.3f} with the counts, "
        line += f"{whole:.3f} with both"
    of_counts = best[-1].get("valid_counts_bits_per_char", math.inf)
    if state.get("gate") is None or of_counts >= whole or train.exponents in (None, "fitted"):
        return [*lines, line]
    return [
        *lines,
        line,
        f"the counts alone have {of_counts:.3f}, less than both: train longer, or set -o exponents=fitted, with which "
        "fewer samples keep the syntax",
    ]


def _mixed_with(state: Mapping[str, Any], model: Any) -> list[str]:
    """Return what the network of a run is mixed with."""
    found = [] if state.get("gate") is None else [_gram(model)]
    return found + ([] if state.get("repeats") is None else ["what a record repeats"])


def _gram(model: Any) -> str:
    if (blend := blend_of(model)) is None:
        return "an n-gram"
    order = blend.graph.order
    return f"{'an' if order in (8, 11) else 'a'} {order}-gram"

"""The lengths of the samples of a run."""

from collections import Counter
from typing import Annotated

import seqgen
import typer
from seqgen import commands


@commands.results_on_stdout
def show_lengths(
    run: commands.RunName = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Number of samples.")] = 100,
    as_json: commands.Json = False,
) -> None:
    """Count the samples of a run by their length in characters."""
    samples = seqgen.load(run, warn=commands.warn).sample(n)
    counts = sorted(Counter(len(sample.text) for sample in samples).items())
    rows = [{"length": length, "samples": count} for length, count in counts]
    if as_json:
        commands.show_json(rows)
    else:
        commands.show(commands.table(rows, ("length", "samples")))

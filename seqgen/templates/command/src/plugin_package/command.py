"""A command that counts the lengths of a run's samples."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import seqgen
import typer


def show_lengths(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    n: Annotated[int, typer.Option("-n", min=1, help="Number of samples.")] = 100,
) -> None:
    """Count the samples of a run by their length in characters."""
    lengths = Counter(len(sample.text) for sample in seqgen.load(run).sample(n))
    for length, count in sorted(lengths.items()):
        typer.echo(f"{length:4} {count:6}")

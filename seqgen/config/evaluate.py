"""The settings of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field

from seqgen.config.options import Flag, UserConfig


class EvaluateConfig(UserConfig):
    """All settings of ``seqgen evaluate`` and ``Run.evaluate``."""

    title: ClassVar[str] = "evaluate"

    n: Annotated[int, Flag(names=("-n", "--num"))] = Field(500, ge=0, description="number of samples to evaluate")
    seed: Annotated[int, Flag()] = Field(0, ge=0, lt=2**63, description="seed of the samples")
    reference: Annotated[str | Path | None, Flag(metavar="NAME|FILE", completes="corpus")] = Field(
        None, description="corpus that metrics compare the samples with; default: the held-out records"
    )
    metrics: Annotated[
        tuple[str, ...],
        Flag(names=("--metric",), metavar="NAME", completes="metric", repeated=True, accepts="str | Sequence[str]"),
    ] = Field(
        (), description="also compute this metric, beside those of the domain (seqgen list metrics); may be repeated"
    )
    options: Annotated[Mapping[str, Any], Flag(names=("-o", "--option"), metavar="PART.NAME=VALUE", repeated=True)] = (
        Field({}, description="option of the reference corpus, a metric or a report; may be repeated")
    )
    workers: Annotated[int, Flag(metavar="N")] = Field(
        1, ge=1, description="processes that share the held-out losses and the samples"
    )
    on: Annotated[str, Flag(metavar="NAME", completes="executor")] = Field(
        "local", description="executor of the workers, with options as -o executor.NAME=VALUE"
    )
    html: Annotated[Path | None, Flag(metavar="FILE", accepts="str | Path")] = Field(
        None, description="also write a self-contained HTML page with plots; FILE is overwritten (extra: plot)"
    )
    reports: Annotated[
        Mapping[str, Path],
        Flag(names=("--report",), metavar="NAME=FILE", repeated=True, accepts="Mapping[str, str | Path]"),
    ] = Field({}, description="also write another report; FILE is overwritten (seqgen list reports); may be repeated")

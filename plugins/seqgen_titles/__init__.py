"""Titles of machine-learning papers: corpus, validator, renderer and metric.

Source: bibliographies in Python packages; see seqgen_corpora/titles/DATASHEET.md.
"""

from __future__ import annotations

from collections.abc import Callable

import seqgen


@seqgen.hookimpl
def register_corpora(register: Callable[[seqgen.CorpusSpec], None]) -> None:
    """Register ``titles``."""
    register(
        seqgen.CorpusSpec(
            name="titles",
            summary="2,418 titles of machine-learning papers",
            source="bibliographies in Python packages, listed in the datasheet",
            licence="facts, gathered from packages under Apache-2.0, MIT and BSD licences",
            load="seqgen_titles.corpus:load",
            domain="title",
            recommended={
                "model": {"hidden": 512, "embedding": 64, "dropout": 0.4},
                "train": {"steps": 1500, "batch_size": 16},
            },
        )
    )


@seqgen.hookimpl
def register_domains(register: Callable[[seqgen.DomainSpec], None]) -> None:
    """Register ``title``."""
    register(
        seqgen.DomainSpec(
            name="title", summary="titles of papers", validator="title", renderer="title", metrics=("titles",)
        )
    )


@seqgen.hookimpl
def register_validators(register: Callable[[seqgen.ValidatorSpec], None]) -> None:
    """Register ``title``."""
    register(
        seqgen.ValidatorSpec(
            name="title",
            summary="brackets and straight double quotes balanced, no extra whitespace; compared without case",
            source="seqgen",
            load="seqgen_titles.validator:TitleValidator",
        )
    )


@seqgen.hookimpl
def register_renderers(register: Callable[[seqgen.RendererSpec], None]) -> None:
    """Register ``title``."""
    register(
        seqgen.RendererSpec(
            name="title",
            summary="the part before the colon in bold",
            source="seqgen",
            load="seqgen_titles.renderer:load",
        )
    )


@seqgen.hookimpl
def register_metrics(register: Callable[[seqgen.MetricSpec], None]) -> None:
    """Register ``titles``."""
    register(
        seqgen.MetricSpec(
            name="titles",
            summary="mean length, and the share of words that occur in real titles",
            source="seqgen",
            load="seqgen_titles.metric:TitleMetric",
        )
    )

"""Python source code: functions and classes of the running interpreter's standard library.

The code is neither shipped nor executed; see DATASHEET-python.md.
"""

from __future__ import annotations

from collections.abc import Callable

import seqgen

_GRAMMAR = "Python's own grammar, with the module ast"


@seqgen.hookimpl
def register_corpora(register: Callable[[seqgen.CorpusSpec], None]) -> None:
    """Register ``python``."""
    register(
        seqgen.CorpusSpec(
            name="python",
            summary="functions of the running Python's standard library, without docstrings",
            source="the .py files of this interpreter's standard library",
            licence="PSF-2.0",
            load="seqgen_python.corpus:load",
            multiline=True,
            domain="python",
            recommended={"model": {"hidden": 256, "dropout": 0.1}, "train": {"batch_size": 16, "steps": 2000}},
        )
    )


@seqgen.hookimpl
def register_domains(register: Callable[[seqgen.DomainSpec], None]) -> None:
    """Register ``python``."""
    register(
        seqgen.DomainSpec(
            name="python",
            summary="Python source code",
            source=_GRAMMAR,
            tokenizer="char",
            validator="python",
            renderer="python",
            metrics=("python",),
            syntax="words",
            automaton="seqgen_python.grammar:PythonGrammar",
        )
    )


@seqgen.hookimpl
def register_validators(register: Callable[[seqgen.ValidatorSpec], None]) -> None:
    """Register ``python``."""
    register(
        seqgen.ValidatorSpec(
            name="python",
            summary="the running Python parses it; texts with equal syntax trees are the same",
            source=_GRAMMAR,
            load="seqgen_python.validator:PythonValidator",
        )
    )


@seqgen.hookimpl
def register_renderers(register: Callable[[seqgen.RendererSpec], None]) -> None:
    """Register ``python``."""
    register(
        seqgen.RendererSpec(
            name="python",
            summary="syntax highlighting; pictures of several texts as .svg",
            source="Pygments, through rich",
            load="seqgen_python.renderer:PythonRenderer",
        )
    )


@seqgen.hookimpl
def register_metrics(register: Callable[[seqgen.MetricSpec], None]) -> None:
    """Register ``python``."""
    register(
        seqgen.MetricSpec(
            name="python",
            summary="share that parses and defines something; size, depth, known names and copied lines",
            source="seqgen",
            load="seqgen_python.metric:load",
        )
    )

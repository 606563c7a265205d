"""Python source code, a function or class a record: the standard library of the interpreter that runs.

Nothing is shipped and nothing is executed; see DATASHEET-python.md.
"""

from __future__ import annotations

from collections.abc import Callable

import seqgen

_GRAMMAR = "Python's own grammar, by the module ast"


@seqgen.hookimpl
def register_corpora(register: Callable[[seqgen.CorpusSpec], None]) -> None:
    """Hand in ``python``."""
    register(
        seqgen.CorpusSpec(
            name="python",
            summary="functions of the standard library of the running Python, without docstrings",
            source="the .py files of Python's standard library, where this interpreter has them",
            licence="PSF-2.0",
            load="seqgen_python.corpus:load",
            multiline=True,
            domain="python",
            recommended={"model": {"hidden": 256, "dropout": 0.1}, "train": {"batch_size": 16, "steps": 2000}},
        )
    )


@seqgen.hookimpl
def register_domains(register: Callable[[seqgen.DomainSpec], None]) -> None:
    """Hand in ``python``."""
    register(
        seqgen.DomainSpec(
            name="python",
            summary="Python source code",
            source=_GRAMMAR,
            tokenizer="char",
            validator="python",
            renderer="python",
            metrics=("python",),
        )
    )


@seqgen.hookimpl
def register_validators(register: Callable[[seqgen.ValidatorSpec], None]) -> None:
    """Hand in ``python``."""
    register(
        seqgen.ValidatorSpec(
            name="python",
            summary="what this Python parses; two texts are the same if their syntax trees are",
            source=_GRAMMAR,
            load="seqgen_python.validator:PythonValidator",
        )
    )


@seqgen.hookimpl
def register_renderers(register: Callable[[seqgen.RendererSpec], None]) -> None:
    """Hand in ``python``."""
    register(
        seqgen.RendererSpec(
            name="python",
            summary="code with its colours; pictures of many as .svg",
            source="Pygments, by rich",
            load="seqgen_python.renderer:PythonRenderer",
        )
    )


@seqgen.hookimpl
def register_metrics(register: Callable[[seqgen.MetricSpec], None]) -> None:
    """Hand in ``python``."""
    register(
        seqgen.MetricSpec(
            name="python",
            summary="what parses and defines something, size and depth beside held-out code, names and lines known",
            source="our own",
            load="seqgen_python.metric:load",
        )
    )

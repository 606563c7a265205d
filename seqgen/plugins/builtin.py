"""The parts that core registers, through the same hooks as any plugin."""

from __future__ import annotations

from collections.abc import Callable

from seqgen.hookspecs import hookimpl
from seqgen.specs import CorpusSpec, DomainSpec, ExecutorSpec, ModelSpec, TokenizerSpec


@hookimpl
def register_corpora(register: Callable[[CorpusSpec], None]) -> None:
    """Register the corpus ``file``."""
    register(
        CorpusSpec(
            name="file",
            summary="any text file, one record per line: --corpus FILE",
            source="the user's own",
            licence="the user's own",
            load="seqgen.corpus:load_file",
        )
    )


@hookimpl
def register_tokenizers(register: Callable[[TokenizerSpec], None]) -> None:
    """Register the character and byte tokenizers."""
    register(
        TokenizerSpec(
            name="char",
            summary="one symbol per character of the corpus",
            source="Unicode code points",
            load="seqgen.tokenizers:CharTokenizer",
        )
    )
    register(
        TokenizerSpec(
            name="byte",
            summary="one symbol per byte of UTF-8; encodes any text",
            source="RFC 3629",
            load="seqgen.tokenizers:ByteTokenizer",
        )
    )


@hookimpl
def register_domains(register: Callable[[DomainSpec], None]) -> None:
    """Register plain text."""
    register(DomainSpec(name="text", summary="plain text, without validation"))


@hookimpl
def register_models(register: Callable[[ModelSpec], None]) -> None:
    """Register the default model."""
    register(
        ModelSpec(
            name="recurrent",
            summary="embedding, a stack of cells, a linear head",
            source="Elman 1990, Finding structure in time",
            load="seqgen.model:RecurrentModel",
            uses_cell=True,
            tf={"MultiRNNCell": {"layers": 2}},
        )
    )


@hookimpl
def register_executors(register: Callable[[ExecutorSpec], None]) -> None:
    """Register the processes of this machine."""
    register(
        ExecutorSpec(
            name="local",
            summary="processes on this machine; one worker is the process itself",
            source="PEP 3148",
            load="seqgen.executors.local:LocalExecutor",
        )
    )

"""What core itself hands in, through the same hooks as anybody."""

from __future__ import annotations

from collections.abc import Callable

from seqgen.hookspecs import hookimpl
from seqgen.specs import CorpusSpec, DomainSpec, ModelSpec, TokenizerSpec


class Builtin:
    """Core's own tokenizers, domain and model, and the corpus that is a file."""

    @staticmethod
    @hookimpl
    def register_corpora(register: Callable[[CorpusSpec], None]) -> None:
        """Any text file."""
        register(
            CorpusSpec(
                name="file",
                summary="any text file, a record a line: --corpus FILE",
                source="the user's own",
                licence="the user's own",
                load="seqgen.corpus:load_file",
            )
        )

    @staticmethod
    @hookimpl
    def register_tokenizers(register: Callable[[TokenizerSpec], None]) -> None:
        """Characters and bytes."""
        register(
            TokenizerSpec(
                name="char",
                summary="a symbol is a character; the alphabet is that of the corpus",
                source="Unicode code points",
                load="seqgen.tokenizers:CharTokenizer",
            )
        )
        register(
            TokenizerSpec(
                name="byte",
                summary="a symbol is a byte of UTF-8; no text is unknown",
                source="RFC 3629",
                load="seqgen.tokenizers:ByteTokenizer",
            )
        )

    @staticmethod
    @hookimpl
    def register_domains(register: Callable[[DomainSpec], None]) -> None:
        """Plain text."""
        register(DomainSpec(name="text", summary="plain text: characters, nothing to validate"))

    @staticmethod
    @hookimpl
    def register_models(register: Callable[[ModelSpec], None]) -> None:
        """The default model."""
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

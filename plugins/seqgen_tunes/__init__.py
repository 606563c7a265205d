"""Folk tunes in ABC notation: corpus, tokenizer, validator, pictures and MIDI, and figures.

Source: three printed collections as music21 carries them; see DATASHEET-tunes.md. The notation is that of the ABC music
standard 2.1 (December 2011).
"""

from __future__ import annotations

from collections.abc import Callable

import seqgen

_STANDARD = "the ABC music standard 2.1"


@seqgen.hookimpl
def register_corpora(register: Callable[[seqgen.CorpusSpec], None]) -> None:
    """Hand in ``tunes``."""
    register(
        seqgen.CorpusSpec(
            name="tunes",
            summary="3,669 Irish, Scottish and American dance tunes and airs in ABC notation",
            source="O'Neill's Music of Ireland, Aird's Airs, Ryan's Mammoth Collection, as music21 carries them",
            licence="tunes in the public domain; encodings without a notice, in music21's wheel (BSD-3-Clause)",
            load="seqgen_tunes.corpus:load",
            multiline=True,
            domain="abc",
            recommended={"model": {"hidden": 192, "dropout": 0.2}, "train": {"batch_size": 16, "steps": 2500}},
        )
    )


@seqgen.hookimpl
def register_tokenizers(register: Callable[[seqgen.TokenizerSpec], None]) -> None:
    """Hand in ``abc``."""
    register(
        seqgen.TokenizerSpec(
            name="abc",
            summary="a symbol is a note, a bar line, a line of the header, ... of ABC notation",
            source=_STANDARD,
            load="seqgen_tunes.tokenizer:AbcTokenizer",
        )
    )


@seqgen.hookimpl
def register_validators(register: Callable[[seqgen.ValidatorSpec], None]) -> None:
    """Hand in ``abc``."""
    register(
        seqgen.ValidatorSpec(
            name="abc",
            summary="a legal header, a body that parses, bars that fill their metre",
            source=_STANDARD,
            load="seqgen_tunes.validator:AbcValidator",
        )
    )


@seqgen.hookimpl
def register_renderers(register: Callable[[seqgen.RendererSpec], None]) -> None:
    """Hand in ``abc``."""
    register(
        seqgen.RendererSpec(
            name="abc",
            summary="the text over a piano roll; draws .png and writes .mid",
            source=_STANDARD,
            load="seqgen_tunes.renderer:AbcRenderer",
        )
    )


@seqgen.hookimpl
def register_metrics(register: Callable[[seqgen.MetricSpec], None]) -> None:
    """Hand in ``tunes``."""
    register(
        seqgen.MetricSpec(
            name="tunes",
            summary="bars that are full, tunes that end on the tonic, pitches, and what is copied",
            source="our own",
            load="seqgen_tunes.metric:load",
        )
    )


@seqgen.hookimpl
def register_domains(register: Callable[[seqgen.DomainSpec], None]) -> None:
    """Hand in ``abc``."""
    register(
        seqgen.DomainSpec(
            name="abc",
            summary="tunes in ABC notation",
            source=_STANDARD,
            tokenizer="abc",
            validator="abc",
            renderer="abc",
            metrics=("tunes",),
        )
    )

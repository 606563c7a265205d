"""Folk tunes in ABC notation: corpus, tokenizer, validator, pictures, MIDI and metrics.

Source: three printed collections distributed with music21; see DATASHEET-tunes.md. The notation is the ABC music
standard 2.1 (December 2011).
"""

from __future__ import annotations

from collections.abc import Callable

import seqgen

_STANDARD = "the ABC music standard 2.1"


@seqgen.hookimpl
def register_corpora(register: Callable[[seqgen.CorpusSpec], None]) -> None:
    """Register ``tunes``."""
    register(
        seqgen.CorpusSpec(
            name="tunes",
            summary="3,669 Irish, Scottish and American dance tunes and airs in ABC notation",
            source="O'Neill's Music of Ireland, Aird's Airs, Ryan's Mammoth Collection, from music21",
            licence="tunes in the public domain; encodings without a notice, in music21's wheel (BSD-3-Clause)",
            load="seqgen_tunes.corpus:load",
            multiline=True,
            domain="abc",
            recommended={"model": {"hidden": 192, "dropout": 0.2}, "train": {"batch_size": 16, "steps": 2500}},
        )
    )


@seqgen.hookimpl
def register_tokenizers(register: Callable[[seqgen.TokenizerSpec], None]) -> None:
    """Register ``abc``."""
    register(
        seqgen.TokenizerSpec(
            name="abc",
            summary="symbols are ABC tokens: notes, bar lines, header fields, ...",
            source=_STANDARD,
            load="seqgen_tunes.tokenizer:AbcTokenizer",
        )
    )


@seqgen.hookimpl
def register_validators(register: Callable[[seqgen.ValidatorSpec], None]) -> None:
    """Register ``abc``."""
    register(
        seqgen.ValidatorSpec(
            name="abc",
            summary="a legal header, a body that parses, and complete bars",
            source=_STANDARD,
            load="seqgen_tunes.validator:AbcValidator",
        )
    )


@seqgen.hookimpl
def register_renderers(register: Callable[[seqgen.RendererSpec], None]) -> None:
    """Register ``abc``."""
    register(
        seqgen.RendererSpec(
            name="abc",
            summary="text and piano roll; pictures as .png, MIDI as .mid",
            source=_STANDARD,
            load="seqgen_tunes.renderer:AbcRenderer",
        )
    )


@seqgen.hookimpl
def register_metrics(register: Callable[[seqgen.MetricSpec], None]) -> None:
    """Register ``tunes``."""
    register(
        seqgen.MetricSpec(
            name="tunes",
            summary="complete bars, endings on the tonic, pitch statistics, copied phrases",
            source="seqgen",
            load="seqgen_tunes.metric:TuneMetric",
        )
    )


@seqgen.hookimpl
def register_readers(register: Callable[[seqgen.ReaderSpec], None]) -> None:
    """Register ``abc`` and ``midi``."""
    register(
        seqgen.ReaderSpec(
            name="midi",
            summary="melodies of a MIDI file in ABC, one a track and channel (extra: midi)",
            source="Standard MIDI Files 1.0, with mido (MIT)",
            load="seqgen_tunes.midi_reader:MidiReader",
            endings=(".mid", ".midi"),
            matches="seqgen_tunes.midi_reader:is_midi",
            text=False,
            example="seqgen_tunes.midi_reader:example",
        )
    )
    register(
        seqgen.ReaderSpec(
            name="abc",
            summary="tunes of a tune book in ABC, written as those of the corpus tunes; title, rhythm, ... are fields",
            source=_STANDARD,
            load="seqgen_tunes.tune_book:TuneBookReader",
            endings=(".abc",),
            matches="seqgen_tunes.tune_book:is_tune_book",
            example=b"%abc-2.1\n\nX:1\nT:First\nR:reel\nM:C\nL:1/8\nK:G\nGABc dedB|dedB dedB|\n\n"
            b"X:2\nT:Second\nM:6/8\nK:D\nDED F2A|\n",
        )
    )


@seqgen.hookimpl
def register_domains(register: Callable[[seqgen.DomainSpec], None]) -> None:
    """Register ``abc``."""
    register(
        seqgen.DomainSpec(
            name="abc",
            summary="tunes in ABC notation",
            source=_STANDARD,
            tokenizer="abc",
            validator="abc",
            renderer="abc",
            metrics=("tunes",),
            endings=(".abc", ".mid", ".midi"),
            syntax=True,
            automaton="seqgen_tunes.grammar:AbcGrammar",
        )
    )

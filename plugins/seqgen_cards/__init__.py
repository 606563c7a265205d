"""Cards of the game Hearthstone: records of named fields, one ``name=value`` line each.

The cards are read from the installed package hearthstone-data and never shipped; see DATASHEET-cards.md. The tokenizer
``fields`` and the augmentation ``shuffle-fields`` work with any text of ``name=value`` lines.
"""

from __future__ import annotations

from collections.abc import Callable

import seqgen

_FORM = "seqgen: lines of name=value"


@seqgen.hookimpl
def register_corpora(register: Callable[[seqgen.CorpusSpec], None]) -> None:
    """Register ``cards``."""
    register(
        seqgen.CorpusSpec(
            name="cards",
            summary="about 6,100 English Hearthstone cards, one field per line, labelled by type",
            source="the game's CardDefs.xml, from the package hearthstone-data",
            licence="unclear: the texts are Blizzard Entertainment's; read in place, never shipped",
            load="seqgen_cards.corpus:load",
            multiline=True,
            domain="card",
            labels=("minion", "spell", "weapon", "hero", "location"),
            canonical=True,
            recommended={"model": {"hidden": 256, "dropout": 0.1}, "train": {"batch_size": 32, "steps": 2400}},
        )
    )


@seqgen.hookimpl
def register_tokenizers(register: Callable[[seqgen.TokenizerSpec], None]) -> None:
    """Register ``fields``."""
    register(
        seqgen.TokenizerSpec(
            name="fields",
            summary="characters, and one symbol per field name (name= at the start of a line)",
            source=_FORM,
            load="seqgen_cards.tokenizer:FieldsTokenizer",
        )
    )


@seqgen.hookimpl
def register_domains(register: Callable[[seqgen.DomainSpec], None]) -> None:
    """Register ``card``."""
    register(
        seqgen.DomainSpec(
            name="card",
            summary="Hearthstone cards as lines of name=value",
            source="the game",
            tokenizer="fields",
            validator="card",
            renderer="card",
            metrics=("cards",),
            syntax=True,
            automaton="seqgen_cards.grammar:CardGrammar",
        )
    )


@seqgen.hookimpl
def register_validators(register: Callable[[seqgen.ValidatorSpec], None]) -> None:
    """Register ``card``."""
    register(
        seqgen.ValidatorSpec(
            name="card",
            summary="all fields of the card's type, each once and with a legal value, in any order",
            source="the game",
            load="seqgen_cards.rules:CardValidator",
        )
    )


@seqgen.hookimpl
def register_renderers(register: Callable[[seqgen.RendererSpec], None]) -> None:
    """Register ``card``."""
    register(
        seqgen.RendererSpec(
            name="card",
            summary="a panel that looks like a card; pictures of several cards as .svg",
            source="seqgen",
            load="seqgen_cards.panel:CardRenderer",
        )
    )


@seqgen.hookimpl
def register_metrics(register: Callable[[seqgen.MetricSpec], None]) -> None:
    """Register ``cards``."""
    register(
        seqgen.MetricSpec(
            name="cards",
            summary="share of legal fields, distribution of costs and types, share of copied texts",
            source="seqgen",
            load="seqgen_cards.metric:CardMetric",
        )
    )


@seqgen.hookimpl
def register_augmentations(register: Callable[[seqgen.AugmentationSpec], None]) -> None:
    """Register ``shuffle-fields``."""
    register(
        seqgen.AugmentationSpec(
            name="shuffle-fields",
            summary="the record's name=value lines in random order",
            source=_FORM,
            load="seqgen_cards.shuffle:load",
        )
    )

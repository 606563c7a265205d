"""Cards of a game: records made of named fields, one a line, and what goes with any such record.

The cards are those of Hearthstone, read where the package hearthstone-data has them and never shipped; see
DATASHEET-cards.md. The tokenizer ``fields`` and the augmentation ``shuffle-fields`` suit every text of that form.
"""

from __future__ import annotations

from collections.abc import Callable

import seqgen

_FORM = "our own: lines of name=value"


@seqgen.hookimpl
def register_corpora(register: Callable[[seqgen.CorpusSpec], None]) -> None:
    """Hand in ``cards``."""
    register(
        seqgen.CorpusSpec(
            name="cards",
            summary="about 6,100 cards of Hearthstone in English, a field a line, labelled by type",
            source="CardDefs.xml of the game, as the package hearthstone-data carries it",
            licence="unclear: the texts are Blizzard Entertainment's; read in place, never shipped",
            load="seqgen_cards.corpus:load",
            multiline=True,
            domain="card",
            labels=("minion", "spell", "weapon", "hero", "location"),
            canonical=True,
            recommended={"model": {"hidden": 256, "dropout": 0.2}, "train": {"batch_size": 32, "steps": 2400}},
        )
    )


@seqgen.hookimpl
def register_tokenizers(register: Callable[[seqgen.TokenizerSpec], None]) -> None:
    """Hand in ``fields``."""
    register(
        seqgen.TokenizerSpec(
            name="fields",
            summary="characters, and one symbol for each name= that begins a line",
            source=_FORM,
            load="seqgen_cards.tokenizer:FieldsTokenizer",
        )
    )


@seqgen.hookimpl
def register_domains(register: Callable[[seqgen.DomainSpec], None]) -> None:
    """Hand in ``card``."""
    register(
        seqgen.DomainSpec(
            name="card",
            summary="a card of Hearthstone as lines of name=value",
            source="the game",
            tokenizer="fields",
            validator="card",
            renderer="card",
            metrics=("cards",),
        )
    )


@seqgen.hookimpl
def register_validators(register: Callable[[seqgen.ValidatorSpec], None]) -> None:
    """Hand in ``card``."""
    register(
        seqgen.ValidatorSpec(
            name="card",
            summary="every field that the type of card has, each once and of its kind, in any order",
            source="the game",
            load="seqgen_cards.rules:CardValidator",
        )
    )


@seqgen.hookimpl
def register_renderers(register: Callable[[seqgen.RendererSpec], None]) -> None:
    """Hand in ``card``."""
    register(
        seqgen.RendererSpec(
            name="card",
            summary="a drawn card; pictures of many as .svg",
            source="our own",
            load="seqgen_cards.panel:CardRenderer",
        )
    )


@seqgen.hookimpl
def register_metrics(register: Callable[[seqgen.MetricSpec], None]) -> None:
    """Hand in ``cards``."""
    register(
        seqgen.MetricSpec(
            name="cards",
            summary="fields that are as they should be, costs and types beside held-out cards, texts copied",
            source="our own",
            load="seqgen_cards.metric:load",
        )
    )


@seqgen.hookimpl
def register_augmentations(register: Callable[[seqgen.AugmentationSpec], None]) -> None:
    """Hand in ``shuffle-fields``."""
    register(
        seqgen.AugmentationSpec(
            name="shuffle-fields",
            summary="the lines name=value of a record in random order",
            source=_FORM,
            load="seqgen_cards.shuffle:load",
        )
    )

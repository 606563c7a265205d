"""The grammar of cards accepts what their rules do."""

import pytest

from seqgen.sampling.text_automata import accepts
from seqgen_cards.grammar import CardGrammar
from seqgen_cards.rules import CardValidator

CARD = "name=A B\ncost=3\ntype=minion\nclass=mage/rogue\nrarity=rare\nattack=0\nhealth=10\ntext=Draw (a) card."


@pytest.mark.parametrize("text", [CARD, "name=A\ncost=1\ntype=spell", "name=A\ncost=1\ntype=location\ndurability=2"])
def test_the_grammar_of_cards_accepts(text):
    assert CardValidator().validate(text).ok and accepts(CardGrammar(), text)


@pytest.mark.parametrize(
    "text",
    [
        CARD.replace("\nhealth=10", ""), CARD.replace("(a)", "(a"), CARD.replace("cost=3", "cost=03"),
        CARD + "\ncost=3", CARD.replace("rare", "odd"), CARD.replace("A B", "A "), CARD.replace("minion", "weapon"),
        CARD + "\n", "",
    ],
)  # fmt: skip
def test_the_grammar_of_cards_refuses(text):
    assert not CardValidator().validate(text).ok and not accepts(CardGrammar(), text)

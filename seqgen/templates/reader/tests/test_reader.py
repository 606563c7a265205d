"""What the reader yields."""

import pytest
import seqgen

from plugin_package import EXAMPLE
from plugin_package.reader import CardReader


def test_cards_become_records():
    """With their fields, one of which may be the label."""
    records = list(CardReader(label="kind").read(EXAMPLE.decode().splitlines()))
    assert [(record.text, record.label) for record in records] == [("Ada", "person"), ("Vega", "star")]


def test_a_line_of_no_card_is_refused():
    """By name."""
    with pytest.raises(seqgen.CorpusError, match="'oops' is neither"):
        list(CardReader().read(["== Ada", "oops"]))

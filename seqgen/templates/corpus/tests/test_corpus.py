"""Tests of the corpus."""

from plugin_package.corpus import load


def test_records():
    """Check that every line is there once."""
    texts = [record.text for record in load()]
    assert "Vega" in texts and len(set(texts)) == len(texts) > 100

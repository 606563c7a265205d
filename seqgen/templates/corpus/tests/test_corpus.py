"""The data are there."""

from plugin_package.corpus import load


def test_records():
    """Every line once."""
    texts = [record.text for record in load()]
    assert "Vega" in texts and len(set(texts)) == len(texts) > 100

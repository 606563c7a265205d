"""Tests of the metric."""

from plugin_package.metric import LengthMetric


def test_lengths():
    """Check the mean lengths in characters."""
    assert LengthMetric()(["ab", "abcd"], ["a"]) == {"length": 3.0, "length_held_out": 1.0}

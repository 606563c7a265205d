"""Tests of the domain."""

import pytest

from plugin_package.shown import TimeRenderer
from plugin_package.times import TimeValidator, load


@pytest.mark.parametrize("text", ["24:00", "7:60", "7.30", "", "noon"])
def test_what_is_no_time(text):
    """Check that it is refused with a reason."""
    verdict = TimeValidator().validate(text)
    assert not verdict.ok and verdict.reason


def test_times():
    """Check canonical forms, the corpus and the renderer."""
    assert TimeValidator().validate("07:30").canonical == "7:30"
    assert all(TimeValidator().validate(record.text).ok for record in load())
    assert TimeRenderer()("17:05").plain == "5:05 pm"

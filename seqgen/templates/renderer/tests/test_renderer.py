"""Tests of the renderer."""

from plugin_package.renderer import VowelRenderer


def test_vowels_have_a_colour():
    """Check that only vowels are coloured and no character is lost."""
    shown = VowelRenderer(colour="red")("Adam")
    assert shown.plain == "Adam" and [(span.start, span.end, span.style) for span in shown.spans] == [
        (0, 1, "red"),
        (2, 3, "red"),
    ]

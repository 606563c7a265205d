"""Checks of renderers."""

from __future__ import annotations

from rich.protocol import is_renderable

from seqgen.errors import SeqgenError, short_repr
from seqgen.testing.check import Subject
from seqgen.testing.exercise import HOSTILE, must_not_raise, printed


def renderable(subject: Subject) -> None:
    """Check that rich can print the result at any width."""
    render = subject.build()
    for text in subject.texts:
        shown = render(text)
        assert is_renderable(shown), f"{text!r} becomes {short_repr(shown)}, which rich cannot print"
        for width in (1, 80):
            printed(shown, width=width)


def hostile_strings(subject: Subject) -> None:
    """Check that it raises on no string, and lets no control characters through."""
    render = subject.build()

    def check_text(text: str) -> None:
        control = {c for c in printed(render(text)) if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0}
        assert not control, (
            f"for {short_repr(text)} it lets the control characters {sorted(control)} through: use seqgen.visible"
        )

    must_not_raise(check_text)


def draws(subject: Subject) -> str:
    """Check that ``draw``, if there is one, returns the bytes of a file for each suffix."""
    render = subject.build()
    suffixes = getattr(render, "suffixes", ())  # which were checked when it was built
    texts = [text for text in subject.texts if text]
    for suffix in suffixes:
        for given in (texts, list(HOSTILE[:-3])):
            try:
                data = render.draw(given, suffix)
            except SeqgenError as error:  # shown to the user as one line
                assert str(error), f"draw refuses {suffix} without a reason"
            else:
                assert isinstance(data, bytes) and data, (
                    f"draw returns {short_repr(data)} for {suffix}, not the bytes of a file"
                )
    return ", ".join(suffixes)

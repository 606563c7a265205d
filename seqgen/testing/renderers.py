"""What renderers promise."""

from __future__ import annotations

from rich.protocol import is_renderable

from seqgen.errors import SeqgenError
from seqgen.testing.check import Subject
from seqgen.testing.exercise import HOSTILE, must_not_raise, printed


def renderable(subject: Subject) -> None:
    """It gives something that rich can print, however narrow the terminal is."""
    render = subject.build()
    for text in subject.texts:
        shown = render(text)
        assert is_renderable(shown), f"{text!r} becomes something rich cannot print: {shown!r:.60}"
        for width in (1, 80):
            printed(shown, width=width)


def hostile_strings(subject: Subject) -> None:
    """It never raises, and nothing that steers a terminal gets through."""
    render = subject.build()

    def look(text: str) -> None:
        steering = {c for c in printed(render(text)) if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0}
        assert not steering, (
            f"of {text!r:.60} the control characters {sorted(steering)} get through: use seqgen.visible"
        )

    must_not_raise(look)


def draws(subject: Subject) -> str:
    """One that can draw gives the bytes of a file for each of its suffixes."""
    render = subject.build()
    suffixes = getattr(render, "suffixes", ())
    assert isinstance(suffixes, tuple | list), f"suffixes is {suffixes!r:.60}, not a tuple"
    texts = [text for text in subject.texts if text]
    for suffix in suffixes:
        assert isinstance(suffix, str) and suffix.startswith("."), f"the suffix {suffix!r} does not begin with a dot"
        for given in (texts, list(HOSTILE[:-3])):
            try:
                data = render.draw(given, suffix)
            except SeqgenError as error:  # told to the user in one line
                assert str(error), f"draw refuses {suffix} and does not say why"
            else:
                assert isinstance(data, bytes) and data, (
                    f"draw gives {data!r:.60} for {suffix}, not the bytes of a file"
                )
    return ", ".join(suffixes)

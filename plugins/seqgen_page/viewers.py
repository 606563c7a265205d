"""Viewers: the scripts by which pages draw the texts of a domain."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import seqgen

_MOLECULE = ("smiles_reader", "molecule_rings", "ring_layout", "molecule_layout", "molecule_key", "molecule")
_TUNE = ("tune_reader", "staff", "tune_notes", "tune_player", "tune_key", "tune")
_VIEWERS = {
    "seqgen_smiles:smiles": ("molecule", [f"viewers/{name}.js" for name in _MOLECULE]),
    "seqgen_tunes:abc": ("tune", ["abc_lexer.js", *(f"viewers/{name}.js" for name in _TUNE)]),
    "seqgen_cards:card": ("card", ["viewers/card.js"]),
}
_NOTES = {
    "molecule": " Molecules that differ only in configuration (@, / and \\ in SMILES) count as the same.",
}


@dataclass(frozen=True)
class Viewer:
    """The viewer of a page.

    Attributes:
        name: of what it draws, such as "molecule"; "": there is none.
        script: an expression of JavaScript: null, or an object {name, draw, sound, key, captioned}.
            ``draw(text, width)`` returns an element, at most so many pixels wide, or throws an error with the reason
            why there is none. ``sound(text, context)``, if it is there, schedules sounds on an ``AudioContext`` and
            returns their seconds. ``key(text)``, if it is there, returns what is the same for all spellings of a text,
            by which rows are compared with training records. ``captioned``: whether the text stands below the picture.
        style: rules of CSS.
        note: for people, about texts that differ and have the same key; with a space before it.
    """

    name: str = ""
    script: str = "null"
    style: str = ""
    note: str = ""

    @property
    def n_bytes(self) -> int:
        """Return its size in a page; 0 if there is none."""
        return len((self.script + self.style).encode()) if self.name else 0


def viewer_of(domain: str | None, asked: str) -> Viewer:
    """Return the viewer of a page.

    Args:
        domain: the qualified name of the domain of the run.
        asked: "auto": that of the domain; "none"; or the path of a script that defines ``const viewer``.

    Raises:
        BadOption: the script cannot be read, or defines no viewer.
    """
    if asked == "auto":
        name, scripts = _VIEWERS.get(domain or "", ("", []))
        if not name:
            return Viewer()
        folder = files("seqgen_page")
        style = (folder / "viewers" / f"{name}.css").read_text(encoding="utf-8")
        script = "\n".join((folder / path).read_text(encoding="utf-8") for path in scripts)
        return Viewer(name, _enclosed(script), style, _NOTES.get(name, ""))
    if asked == "none":
        return Viewer()
    try:
        script = Path(asked).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise seqgen.BadOption(f'cannot read the viewer {asked!r}: {error}; name a script, "auto" or "none"') from None
    if "const viewer" not in script or "</script" in script.lower() or "<!--" in script:
        raise seqgen.BadOption(
            f'cannot use the viewer {asked!r}: it has no "const viewer = {{name, draw}}", or "</script" or "<!--"'
        )
    return Viewer(Path(asked).stem, _enclosed(script))


def _enclosed(script: str) -> str:
    """Return a script that defines ``viewer`` as an expression, with names of its own."""
    body = script.replace('"use strict";\n', "")
    return f"(() => {{\n{body}\nreturn viewer;\n}})()"

"""``seqgen play``."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from seqgen.cli.common import RunName, everywhere, pair, say, session, show, warn
from seqgen.errors import BadOption, Diverged, UsageError

if TYPE_CHECKING:
    from seqgen.api.play import Player


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(everywhere(play))


def play(
    *,
    run: RunName = None,
    label: Annotated[
        str | None, typer.Option(help="Rows of this label, of a run trained with --condition label.")
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=VALUE", help="A condition, or a field that rows begin with; may be repeated."),
    ] = None,
    temperature: Annotated[float, typer.Option("-t", "--temperature", help="Of the completions.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the first completions; each line takes the next.")] = 0,
    checkpoint: Annotated[str, typer.Option(metavar="best|latest|STEP", help="Which checkpoint.")] = "best",
) -> None:
    """Type a prefix: see the likeliest next symbols, completions, and its score so far; line by line, to the end."""
    import seqgen
    from seqgen.api.play import Player

    loaded = seqgen.load(run, checkpoint=checkpoint, plugins=session.plugins, warn=warn)
    player = Player(loaded, dict(map(pair, given or ())), label, temperature, seed)
    labels = "  :label X" if "label" in loaded.vocabulary.slots else ""
    say(f"{loaded.folder.name}: type a prefix; an empty line draws whole new ones")
    say(f":t 0.8  :seed 3{labels}  :q (leave)   a prefix that begins with a colon is written ::")
    for line in _lines():
        try:
            if line.startswith(":") and not line.startswith("::"):
                if not _obey(player, line):
                    return
            else:
                _look(player, line.removeprefix(":") if line.startswith("::") else line)
        except (UsageError, Diverged) as error:
            warn(str(error))
        session.stdout.flush()


def _lines() -> Iterator[str]:
    """The lines of stdin without their ends; on a terminal with a prompt, and with what was typed before at hand."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    if not (sys.stdin.isatty() and session.stdout.isatty()):
        for line in sys.stdin:
            yield line.rstrip("\r\n")
        return
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # gives input() its line editing
    while True:
        try:
            with contextlib.redirect_stdout(session.stdout):
                yield input("> ")
        except EOFError:
            session.stdout.write("\n")
            return


def _obey(player: Player, line: str) -> bool:
    """Do what a line that begins with a colon says; False for leaving."""
    name, _, value = line[1:].strip().partition(" ")
    value = value.strip()
    if name == "q":
        return False
    if name == "t":
        player.change(temperature=value)
    elif name == "seed":
        player.change(seed=value)
    elif name == "label":
        player.change(label=value or None)
    else:
        raise BadOption(f"no command {':' + name!r}; there are :t 0.8, :seed 3, :label X and :q")
    return True


def _look(player: Player, prefix: str) -> None:
    from seqgen.render import play_view

    seen = player.look(prefix)
    completions = [(one.text, one.cut, one.bits_per_char) for one in seen.completions]
    show(play_view(seen.prefix, seen.bits_per_symbol, seen.symbols, completions, seen.seed))

"""The command ``seqgen play``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

import seqgen
from seqgen import commands

if TYPE_CHECKING:
    from seqgen_play.player import Player

_MEANT = ("?", "help", "quit", "exit")
"""Lines that are commands elsewhere."""


@commands.results_on_stdout
def play(
    *,
    run: commands.RunName = None,
    label: Annotated[
        str | None, typer.Option(help="Rows of this label, of a run trained with --condition label.")
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=VALUE", help="A condition, or a field that rows begin with; may be repeated."),
    ] = None,
    temperature: Annotated[
        float,
        typer.Option("-t", "--temperature", help="Temperature of the completions: below 1 is safer, above 1 bolder."),
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the first completions; each line uses the next one.")] = 0,
    checkpoint: Annotated[str, typer.Option(metavar="best|latest|STEP", help="Checkpoint to load.")] = "best",
) -> None:
    """Type a prefix: see the likeliest next symbols, completions, and its score so far; line by line, to the end.

    Lines that begin with a colon are commands: `:t 0.8` sets the temperature, `:seed 3`, `:label X`,
    `:given FIELD=VALUE`, and `:q` quits.
    """
    from seqgen_play.player import Player

    loaded = seqgen.load(run, checkpoint=checkpoint, warn=commands.warn)
    player = Player(loaded, commands.parse_fields(given or ()), label, temperature, seed)
    commands.log(f"{loaded.path.name}: type a prefix; an empty line samples new rows")
    commands.log(f"{'  '.join(_commands(player))} (quit)   write :: for a prefix that begins with a colon")
    for line in commands.input_lines("> "):
        try:
            if line.startswith(":") and not line.startswith("::"):
                if not _set(player, line):
                    return
            else:
                _show_look(player, line.removeprefix(":") if line.startswith("::") else line)
        except (seqgen.UsageError, seqgen.Diverged) as error:
            commands.warn(str(error))
        if line.strip().casefold() in _MEANT:
            commands.log(f"{line.strip()!r} was taken for a prefix; commands begin with a colon, and :q quits")


def _commands(player: Player) -> list[str]:
    """Return the commands of a run: those for labels and conditions only where it has them."""
    slots = player.run.vocabulary.slots
    field = next((slot for slot in slots if slot != "label"), "FIELD")
    labels = [":label X"] if "label" in slots else []
    fields = [f":given {field}=VALUE"] if field != "FIELD" or player.run.settings.corpus.multiline else []
    return [":t 0.8", ":seed 3", *labels, *fields, ":q"]


def _set(player: Player, line: str) -> bool:
    """Carry out a line that begins with a colon; return False to quit."""
    name, _, value = line[1:].strip().partition(" ")
    value = value.strip()
    if name == "q":
        return False
    if name == "t":
        player.change(temperature=value)
        commands.log(
            f"completions at temperature {player.temperature:g}; the shares of next symbols stay the model's own"
        )
    elif name == "seed":
        player.change(seed=value)
    elif name == "label":
        player.change(label=value or None)
    elif name == "given":
        player.change(given=commands.parse_fields([value]) if value else {})
    else:
        *others, last = _commands(player)
        raise seqgen.BadOption(f"no command {':' + name!r}; there are {', '.join(others)} and {last}")
    return True


def _show_look(player: Player, prefix: str) -> None:
    from seqgen_play.render import play_view

    commands.show(play_view(player.look(prefix)))

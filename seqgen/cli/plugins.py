"""``seqgen plugins``: which there are, and whether one keeps its contracts."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from seqgen.cli.common import Json, completing, everywhere, parse_options, say, session, show, show_json, stderr, write
from seqgen.cli.mounting import usable_commands
from seqgen.errors import BadOption, MissingExtra, PluginError
from seqgen.render import Listing

if TYPE_CHECKING:
    from seqgen.plugins import Plugin
    from seqgen.testing.check import Check, Foundations, Package


_KINDS = (
    "cell, corpus, tokenizer, model, metric, domain, validator, renderer, processor, augmentation, report, exporter, "
    "executor, reader, command or events."
)


def add_commands(app: typer.Typer) -> None:
    """Add this module's group; by itself it lists."""
    group = typer.Typer()
    group.callback(invoke_without_command=True)(everywhere(list_plugins))
    group.command("check")(everywhere(check_plugin))
    group.command("new")(everywhere(write_plugin))
    app.add_typer(group, name="plugins")


def list_plugins(*, ctx: typer.Context, as_json: Json = False) -> None:
    """List plugins: where each comes from, its hooks, how long it took to load, what is wrong with it."""
    if ctx.invoked_subcommand is not None:
        return

    found = session.plugins
    rows = [
        {
            "package": plugin.provenance.package,
            "distribution": plugin.provenance.distribution,
            "version": plugin.provenance.version,
            "api": plugin.provenance.api,
            "hooks": ", ".join(plugin.hooks),
            "load_ms": round(plugin.load_s * 1000, 1),
            "state": _state(plugin),
        }
        for plugin in (*found.plugins.values(), *found.duplicates)
    ]
    if as_json:
        show_json(rows)
    else:
        columns = ("package", "distribution", "version", "load_ms", "hooks", "state")
        shown = [{**row, "hooks": str(row["hooks"]).replace("register_", "")} for row in rows]
        show(Listing(shown, columns))


def _state(plugin: Plugin) -> str:
    notes = [*plugin.notes, *(["imports torch when it is loaded"] if plugin.heavy else [])]
    return plugin.problem or (f"ok, but {'; '.join(notes)}" if notes else "ok")


def write_plugin(
    *,
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(help="Name of the package, and of the part that it offers.", show_default=False)
    ],
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help=_KINDS)] = "cell",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The folder to make; left out: NAME.")
    ] = None,
) -> None:
    """Write a new plugin: a small package that works, with its tests."""
    from seqgen.cli.scaffold import TITLES, new_plugin

    if kind == "command" and name in getattr(ctx.find_root().command, "commands", ()):
        raise BadOption(f"cannot name a command {name!r}: seqgen has a command of that name; choose another")
    folder = new_plugin(name, kind, out, session.plugins)
    where = shlex.quote(str(folder))
    works = "work" if kind == "events" else "works"
    say(f"wrote {folder}: {TITLES[kind]} that {works}, to be made yours; next:")
    tested, package = shlex.quote(f"{folder}[test]"), name.replace("-", "_")
    write(f"pip install -e {tested} && python -m pytest {where} && seqgen plugins check {package}\n")


def check_plugin(
    *,
    ctx: typer.Context,
    named: Annotated[
        str,
        typer.Argument(
            metavar="PACKAGE|FILE",
            help="An import package, or a plugin in one file.",
            autocompletion=completing(lambda: session.plugins.plugins),
        ),
    ],
    option: Annotated[
        list[str] | None,
        typer.Option("-o", "--option", metavar="PART.NAME=VALUE", help="Check with an option other than its default."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that a plugin keeps its contracts; exit 5 if it does not."""
    from seqgen.testing import checks_of_plugin
    from seqgen.testing.check import Check, Foundations
    from seqgen.testing.plugin import package_of

    package = package_of(named)
    checks = checks_of_plugin(package, parse_options(option or ()))
    foundations, rows = Foundations(), list[dict[str, Any]]()
    with _progress() as show_check:
        for number, check in enumerate(checks, 1):
            show_check(f"{number} of {len(checks)}: {check.id}")
            rows.append(_row(check, foundations))
    problems = {"command-names": _unused_commands(package, ctx), "entry-point": _why_not_found(package)}
    rows += [_as_row(Check(package, name, str), "FAILED", problem) for name, problem in problems.items() if problem]
    waiting = [row for row in rows if row["result"] == "skipped" and row["what"] in foundations.failed]
    if as_json:
        show_json(rows)
    else:
        shown = [row for row in rows if session.verbose or row not in waiting]
        show(Listing(_notes_once(shown), ("what", "check", "result", "note"), folded=("note",)))
    failed = [row["id"] for row in rows if row["result"] == "FAILED"]
    if failed:
        listed = ", ".join(failed[:3]) + (", ..." if len(failed) > 3 else "")
        more = f"; {len(waiting)} wait for that (-v lists them)" if waiting else ""
        raise PluginError(f"{named}: {len(failed)} of {len(rows)} checks failed: {listed}{more}")


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Return a function that shows a line until the next one: on a terminal only, or each as a message with -v."""
    console = stderr()
    if session.verbose or session.quiet or not console.is_terminal:
        yield say if session.verbose else lambda line: None
        return
    from rich.live import Live

    with Live(
        console=console, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    ) as live:
        yield lambda line: live.update(Text(line, overflow="ellipsis", no_wrap=True), refresh=True)


def _unused_commands(package: Package, ctx: typer.Context) -> str:
    """Return why commands of a plugin would not be used, such as names that are taken; "" if all would be."""
    loaded = session.plugins.plugins.get(package.name)
    if loaded is not None:
        return "; ".join(loaded.notes)
    if package.commands is None:
        return ""
    try:
        own = package.commands()
    except PluginError:  # commands that cannot be made fail a check of their own
        return ""
    return "; ".join(usable_commands(own, getattr(ctx.find_root().command, "commands", ()))[1])


def _why_not_found(package: Package) -> str:
    """Return why a package is not found as a plugin, or ""."""
    if package.file is not None or package.name in session.plugins.installed:
        return ""
    return "no installed distribution has it as an entry point of the group seqgen, by which it would be found"


def _notes_once(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows, each failure in full where it occurs first."""
    first: dict[str, str] = {}
    shown = []
    for row in rows:
        check = first.setdefault(row["note"], row["check"]) if row["result"] == "FAILED" else row["check"]
        shown.append(row if check == row["check"] else row | {"note": f"as {check}"})
    return shown


def _row(check: Check, foundations: Foundations) -> dict[str, Any]:
    """Run a check, unless one that it rests on has failed for the same spec."""
    from seqgen.testing.check import Waits

    try:
        return _as_row(check, "ok", foundations.run(check, check))
    except (MissingExtra, Waits) as error:
        return _as_row(check, "skipped", str(error))
    except AssertionError as error:
        return _as_row(check, "FAILED", str(error).removeprefix(f"{check.what}: "))


def _as_row(check: Check, result: str, note: str) -> dict[str, Any]:
    return {"what": check.what, "check": check.name, "id": check.id, "result": result, "note": note}

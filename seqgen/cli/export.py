"""``seqgen export``."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from seqgen.cli.common import (
    Json,
    complete_names,
    complete_runs,
    everywhere,
    parse_options,
    say,
    session,
    show_json,
    warn,
)
from seqgen.errors import BadOption, SeqgenError, UsageError
from seqgen.render import counted


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    further = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(context_settings=further)(everywhere(export))


def export(
    *,
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(help="Exporter (seqgen list exporters).", autocompletion=complete_names("exporter")),
    ],
    run: Annotated[str, typer.Argument(help="A run folder, or a name under runs/.", autocompletion=complete_runs)],
    out: Annotated[Path, typer.Argument(help="File or folder to write.")],
    checkpoint: Annotated[str, typer.Option(metavar="best|latest|STEP", help="Checkpoint to export.")] = "best",
    option: Annotated[
        list[str] | None,
        typer.Option("-o", "--option", metavar="NAME=VALUE", help="Option of the exporter; --NAME VALUE is the same."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: Json = False,
) -> None:
    """Write a run in another form, such as a page or a model for another library, and compare that with the run.

    `seqgen show exporter NAME` has the options of a form.
    """
    import seqgen
    from seqgen.config import assigned_to, parse_assignments

    for argument, value in (("NAME", name), ("RUN", run), ("OUT", str(out))):
        if value.startswith("--"):
            raise BadOption(
                f"the argument {argument} is missing before {value}; for a file of that name write ./{value}"
            )
    if line := reordered([name, run, str(out)]):
        raise UsageError(line)
    if not force and out.is_file():
        raise UsageError(f"cannot export to {str(out)!r}: it exists; name another file, or pass --force to replace it")
    options = assigned_to("exporter", parse_assignments(option or ()), [name]) | _named_options(ctx.args)
    loaded = seqgen.load(run, checkpoint=checkpoint, plugins=session.plugins, warn=warn)
    found = loaded.export(name, out, **options)
    if as_json:
        measured = {name: getattr(found, name) for name in ("compared", "difference", "tolerance", "notes")}
        show_json({"files": list(map(str, found.files)), **measured})
        return
    for note in found.notes:
        say(note)
    say(f"compared with the run: the {found.compared} differ by at most {found.difference:.2g}")
    for file in found.files:
        n_files = sum(one.is_file() for one in file.rglob("*")) if file.is_dir() else 0
        say(f"wrote {file}" + (f" ({counted(n_files, 'file')})" if n_files else ""))


def reordered(words: list[str]) -> str:
    """Return the message on arguments that lack the run, or begin with it in place of an exporter; "" on others.

    Args:
        words: the arguments NAME, RUN and OUT, as far as they are given.
    """
    from seqgen.checkpoint import find_run

    registry, name = session.plugins.registry, words[0]
    if registry.has("exporter", name):
        return _without_run(words)
    try:
        find_run(name)
    except SeqgenError:
        return ""
    exporter = next((word for word in words[1:] if registry.has("exporter", word)), "")
    others = shlex.join([word for word in words if word != exporter]) + (
        " OUT" if words[1:] in ([], [exporter]) else ""
    )
    line = f"no exporter named {name!r} (it is a run): seqgen export {exporter or 'NAME'} {others}"
    return line if exporter else f"{line}, where NAME is one of {', '.join(registry.names('exporter'))}"


def _without_run(words: list[str]) -> str:
    """Return the message on an exporter and a run without a file, or a file without a run between them, or ""."""
    from seqgen.checkpoint import find_run, name_for_commands

    if len(words) != 2:
        return ""
    try:
        find_run(words[1])
        return f"missing argument OUT; the file or folder to write comes last: seqgen export {shlex.join(words)} OUT"
    except SeqgenError:
        with contextlib.suppress(SeqgenError):
            whole = shlex.join([words[0], name_for_commands(find_run(None)), words[1]])
            return f"missing argument RUN before {words[1]!r}: seqgen export {whole}"
        return ""


def _named_options(arguments: list[str]) -> dict[str, Any]:
    """Return the values of ``--NAME VALUE``, ``--NAME=VALUE`` and ``--NAME``, which is true.

    Raises:
        BadOption: an argument is none of these.
    """
    found: dict[str, Any] = {}
    remaining = list(arguments)
    while remaining:
        argument = remaining.pop(0)
        name, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not name:
            raise BadOption(f"cannot use {argument!r}: it is one argument too many; write seqgen export NAME RUN OUT")
        if not equals:
            value = "true" if not remaining or remaining[0].startswith("--") else remaining.pop(0)
        found |= parse_options([f"{name.replace('-', '_')}={value}"])
    return found

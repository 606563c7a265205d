"""The session, the options of every command, flags derived from configurations, ``-o``, and output."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import sys
import typing
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
from rich.console import Console, RenderableType

from seqgen import __version__
from seqgen.errors import Interrupted, PluginError, SeqgenError
from seqgen.files import finite, json_text
from seqgen.plugins import option_names
from seqgen.render.text import EscapingHook, visible_json, visible_line, visible_lines
from seqgen.signals import Signalled

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from seqgen.config import Flag
    from seqgen.plugins import Plugins


@dataclass
class Session:
    """One call of the program.

    Attributes:
        stdout: where results go; within core's commands ``sys.stdout`` is stderr, so that nothing a plugin prints
            can get between them.
        debug: show tracebacks.
        quiet: only results and errors.
        verbose: say more.
        command: the command that is parsed; "": any.
        plugins: what is registered; set before any command runs.
    """

    stdout: TextIO = sys.stdout
    debug: bool = False
    quiet: bool = False
    verbose: bool = False
    command: str = ""
    plugins: Plugins = field(init=False, repr=False, compare=False)

    def parses(self, command: str) -> bool:
        """Return whether a command may be the one that is parsed, so that it needs its flags."""
        return self.command in ("", command)

    def describe_failure(self, error: BaseException) -> str:
        """Return the message about an exception that a plugin's code raised; "" if no plugin did."""
        return self.plugins.describe_failure(error) if hasattr(self, "plugins") else ""


session = Session()
_PIPE_WIDTH = 100_000  # so that a row of a table is a line


class ReaderGone(Exception):
    """The reader of stdout has closed it (`| head`)."""


class _Stdout(Console):
    def on_broken_pipe(self) -> None:
        """Raise, so that ``main`` handles the closed pipe."""
        raise ReaderGone


def stdout() -> Console:
    """Return the console of results."""
    return _plain_console(_Stdout, session.stdout, file=session.stdout)


def stderr() -> Console:
    """Return the console of progress and messages."""
    return _plain_console(Console, sys.stderr, stderr=True)


def _plain_console(kind: type[Console], stream: TextIO, **place: Any) -> Console:
    """Return a console without markup, highlighting and emoji; in a pipe no line is cut into two."""
    width = None if stream.isatty() else _PIPE_WIDTH
    console = kind(markup=False, highlight=False, emoji=False, width=width, **place)
    console.push_render_hook(EscapingHook())
    return console


def say(line: str, *, always: bool = False) -> None:
    """Write a message, one line on stderr, unless quiet."""
    if always or not session.quiet:
        sys.stderr.write(visible_line(line) + "\n")
        sys.stderr.flush()


def warn(line: str) -> None:
    """Write a warning or an error, even when quiet."""
    say(f"seqgen: {line}", always=True)


def print_view(console: Console, view: RenderableType) -> None:
    """Write something to a console; in a pipe lines are not filled up to the longest one."""
    if console.file.isatty():
        console.print(view, crop=False)
        return
    with console.capture() as captured:
        console.print(view, crop=False)
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def show(view: RenderableType) -> None:
    """Write a result for people to stdout; a table wider than the terminal is not cut."""
    print_view(stdout(), view)


def show_json(value: Any) -> None:
    """Write a result for programs to stdout, as JSON; a number that is not finite becomes null."""
    write_json(finite(value), indent=2)


def write_json(value: Any, *, indent: int | None = None) -> None:
    """Write JSON to stdout; characters that its encoding may lack are escaped as JSON escapes them."""
    is_utf8 = (session.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json_text(value, indent=indent, default=str) if is_utf8 else json.dumps(value, indent=indent, default=str)
    write(text + "\n", as_json=True)


def write(text: str, *, as_json: bool = False) -> None:
    """Write a result as it is; on a terminal, with every character escaped that would steer it.

    Args:
        text: the result; line ends are never escaped.
        as_json: whether it is JSON, which stays the same value.
    """
    if session.stdout.isatty():
        text = visible_json(text) if as_json else visible_lines(text)
    session.stdout.write(text)


_PANEL = "Everywhere"
_EVERYWHERE: dict[str, Any] = {
    "plugin": Annotated[
        list[Path] | None,
        typer.Option("--plugin", metavar="FILE.py", help="Load a plugin from a file.", rich_help_panel=_PANEL),
    ],
    "no_plugins": Annotated[
        bool, typer.Option("--no-plugins", help="Load no plugin, not even seqgen's own.", rich_help_panel=_PANEL)
    ],
    "debug": Annotated[bool, typer.Option("--debug", help="Show tracebacks.", rich_help_panel=_PANEL)],
    "quiet": Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only results and errors.", rich_help_panel=_PANEL)
    ],
    "verbose": Annotated[bool, typer.Option("--verbose", "-v", help="Print more.", rich_help_panel=_PANEL)],
}


def as_flag(name: str, annotation: Any) -> inspect.Parameter:
    """Return the parameter of a command that an annotated option is; not given, a switch is off and others are None."""
    default = False if typing.get_args(annotation)[0] is bool else None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


@dataclass(frozen=True)
class Flags:
    """Flags of a command that are derived from a configuration.

    Attributes:
        parameters: the parameters of the command, one a flag.
        take: takes their values out of all values, and returns them as the command's keyword ``settings``.
    """

    parameters: Sequence[inspect.Parameter]
    take: Callable[[dict[str, Any]], dict[str, Any]]


def everywhere(function: Callable[..., Any], *, prints: bool = False, flags: Flags | None = None) -> Callable[..., Any]:
    """Give a command the options that work everywhere; plugins are loaded before any command is parsed.

    Args:
        function: the command; what it returns is dropped, since the parser would take it for an exit code.
        prints: whether it writes to ``sys.stdout`` itself, as commands of plugins do.
        flags: further flags, whose values it receives as the keyword ``settings``.
    """
    signature = inspect.signature(function, eval_str=True)
    added = [as_flag(name, option) for name, option in _EVERYWHERE.items() if name not in signature.parameters]

    @functools.wraps(function)
    def run(**values: Any) -> None:
        given = {parameter.name: values.pop(parameter.name) for parameter in added}
        session.debug |= given.get("debug", False)
        session.quiet |= given.get("quiet", False)
        session.verbose |= given.get("verbose", False)
        try:
            if flags is not None:
                values["settings"] = flags.take(values)
            with contextlib.nullcontext() if prints else contextlib.redirect_stdout(sys.stderr):
                function(**values)
        except SystemExit as error:  # a plugin's command may end so; elsewhere it is an error, and no end
            if not prints:
                raise
            if isinstance(error.__context__, BrokenPipeError):  # rich's end of a command whose reader is gone
                raise ReaderGone from None
            raise typer.Exit(error.code if isinstance(error.code, int) else int(error.code is not None)) from None
        except BrokenPipeError as error:  # the parser would turn it into an exit code of its own
            if not prints and (line := session.describe_failure(error)):
                raise PluginError(line) from error
            raise ReaderGone from None
        except Signalled as error:  # after which the parser would put an empty line
            raise Interrupted(error.number, str(error)) from None

    own = [parameter for name, parameter in signature.parameters.items() if flags is None or name != "settings"]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    parameters += flags.parameters if flags is not None else []
    run.__signature__ = signature.replace(parameters=[*parameters, *added])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*parameters, *added]}
    return run


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"seqgen {__version__}")
        raise typer.Exit


def program(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Learn from any list of sequences and generate more of them."""


STDOUT_FOR_RESULTS = "seqgen_stdout_for_results"
"""The attribute of a plugin's command that leaves stdout to the functions here; see ``seqgen.commands``."""
TRAIN_SETTINGS = "seqgen_train_settings"
"""The attribute of a plugin's command that has the flags of ``train``: the names of settings without a flag."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def completing(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Return a shell completion of some names."""
    return lambda incomplete: [name for name in names() if name.startswith(incomplete)]


def complete_names(kind: str) -> Callable[[str], list[str]]:
    """Return a shell completion of registered names, which reads specs only."""
    return completing(lambda: session.plugins.registry.names(kind))


def complete_runs(incomplete: str) -> list[str]:
    """Complete the name of a run in a shell."""
    from seqgen.checkpoint import RUNS, list_runs

    return [run.name for run in list_runs(RUNS, beside=True) if run.name.startswith(incomplete)]


def complete_options(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a setting of training, or "PART.NAME" of a part that is chosen before, for ``-o``."""
    part, dot, _ = incomplete.partition(".")
    name = context.params.get(part) or {"model": "seqgen:recurrent"}.get(part, "")
    try:
        of_train = not dot or part == "train"
        names = option_names("train") if of_train else option_names(part, str(name)) if name else []
    except SeqgenError:  # no such part
        return []
    known = [f"{part}.{one}=" if dot else f"{one}=" for one in names]
    return [one for one in known if one.startswith(incomplete)]


def run_argument(default: str) -> Any:
    """Return the argument that names a run."""
    return typer.Argument(
        help=f"A run folder, or a name under runs/; default: {default}.",
        autocompletion=complete_runs,
        show_default=False,
    )


RunName = Annotated[str | None, run_argument("the newest run with a checkpoint")]


# -- flags of a configuration

_AS_THEY_ARE = (bool, int, float, Path)


def configured(command: str, config: str, *, without: Container[str] = ()) -> Flags:
    """Return the flags of a configuration for a command; none unless the command is the one that is parsed.

    Configurations are pydantic models, which take a while to import.

    Args:
        command: name of the command.
        config: name of a class of ``seqgen.config``.
        without: names of settings that the command has no flag for, or declares itself.
    """
    added = _parameters(config, without) if session.parses(command) else []

    def take(values: dict[str, Any]) -> dict[str, Any]:
        found = {keyword: values.pop(parameter.name) for keyword, parameter in added}
        # A switch that is left out says nothing, so that -o and TOML can.
        return {keyword: None if value is False or value == [] else value for keyword, value in found.items()}

    return Flags([parameter for _, parameter in added], take)


def _parameters(config: str, without: Container[str]) -> list[tuple[str, inspect.Parameter]]:
    """Return the keyword and the parameter of each flag of a configuration."""
    from seqgen.config import flags_of, keywords_of

    model = getattr(import_module("seqgen.config"), config)
    flags, keywords = flags_of(model), {name: keyword for keyword, name in keywords_of(model).items()}
    inherited = model.__base__.model_fields
    names = sorted(flags, key=lambda name: (model.panels.index(flags[name].panel), name in inherited))
    return [
        (keywords[name], _parameter(name, flags[name], model.model_fields[name]))
        for name in names
        if name not in without and keywords[name] not in without
    ]


def _parameter(name: str, flag: Flag, field: FieldInfo) -> inspect.Parameter:
    from seqgen.config import without_none

    annotation = without_none(field.annotation) or str
    kind = annotation if annotation in _AS_THEY_ARE and not ("str" in flag.accepts and annotation is not Path) else str
    names = flag.names or (f"--{name.replace('_', '-')}",)
    metavar = flag.metavar
    if metavar is None and typing.get_origin(annotation) is typing.Literal:
        metavar = "|".join(typing.get_args(annotation))
    known: dict[str, Callable[..., list[str]]] = {"run": complete_runs, "option": complete_options}
    complete = known.get(flag.completes, complete_names(flag.completes)) if flag.completes else None
    option = typer.Option(
        *names,
        metavar=metavar,
        help=_help(flag, field),
        autocompletion=complete,
        rich_help_panel=flag.panel or None,
        show_default=False,
    )
    wanted: Any = list[str] | None if flag.repeated else kind if kind is bool else kind | None
    return as_flag(name, Annotated[wanted, option])


def _help(flag: Flag, field: FieldInfo) -> str:
    """Return the help text of a flag, with the default that it stands for."""
    from seqgen.config import sentence

    text = sentence(field.description or "")
    default = flag.default or ("" if field.default in (None, "", False, ()) or flag.repeated else str(field.default))
    return f"{text}.  [default: {default}]" if default else f"{text}."


# -- the values of -o


def parse_options(assignments: Iterable[str]) -> dict[str, Any]:
    """Return the values of ``-o PART.NAME=VALUE`` options by ``"part.name"``, or ``"name"`` where no part is given.

    Raises:
        BadOption: one is not of that form.
    """
    from seqgen.config import parse_assignments

    return {f"{part}.{name}" if part else name: value for part, name, value in parse_assignments(assignments)}


def split_executor(assignments: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the options of ``-o executor.NAME=VALUE`` by name, and the other assignments.

    Raises:
        BadOption: one of them is not of that form.
    """
    from seqgen.config import parse_assignments

    given = list(assignments)
    apart = [one for one in given if one.startswith("executor.")]
    return {name: value for _, name, value in parse_assignments(apart)}, [one for one in given if one not in apart]

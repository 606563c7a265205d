"""``seqgen list`` and ``seqgen show``, which need no torch."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.text import Text

from seqgen.cli.common import Json, complete_runs, completing, everywhere, session, show, show_json, warn
from seqgen.cli.runs import show_run
from seqgen.errors import MissingExtra, PluginError, SeqgenError, UnknownName, UsageError
from seqgen.registry import Entry
from seqgen.render import Listing, corpus_view, options_table, spec_view, visible
from seqgen.specs import KINDS, LoadableSpec

_HOW = {
    "augmentation": "train --augment {0} -o augmentation.NAME=VALUE",
    "processor": "sample --processor {0} -o {0}.NAME=VALUE",
    "reader": "train --corpus FILE -o corpus.reader={0} -o reader.NAME=VALUE",
    "report": "evaluate --report {0}=FILE -o {0}.NAME=VALUE",
    "exporter": "export {0} RUN OUT --NAME VALUE",
    "executor": "bench --on {0} --workers N -o executor.NAME=VALUE",
    "metric": "evaluate -o {0}.NAME=VALUE",
    "validator": "a domain has it as it is",
    "renderer": "a domain has it as it is",
}
"""Hint how to give options of parts that not every run has."""
_KIND_OF = {name: kind for kind, plural in KINDS.items() for name in (kind, plural)}


def add_commands(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("list")(everywhere(list_names))
    app.command("show")(everywhere(show_one))


def _complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    text = str(ctx.params.get("kind"))
    if text == "run":
        return complete_runs(incomplete)
    names = session.plugins.registry.names(_KIND_OF[text]) if text in _KIND_OF else []
    return [name for name in names if name.startswith(incomplete)]


def _kind(text: str) -> str:
    """Return the kind of a singular or plural.

    Raises:
        UnknownName: neither.
    """
    if text in _KIND_OF:
        return _KIND_OF[text]
    kinds = f"kinds are: {', '.join(sorted(KINDS.values()))}"
    known, own = list(KINDS.values()), "runs are listed by: seqgen runs" if text in ("run", "runs") else kinds
    from seqgen.checkpoint import find_run, name_for_commands

    if Path(text).suffix and Path(text).is_file():
        known, own = [], f"it is a file: seqgen show corpus {shlex.quote(text)}"
    with contextlib.suppress(SeqgenError):
        known, own = [], f"it is a run: seqgen show run {shlex.quote(name_for_commands(find_run(text)))}"
    raise UnknownName("kind", text, known, own)


def list_names(
    *,
    kind: Annotated[
        str | None,
        typer.Argument(help="corpora, cells, ...; left out: everything.", autocompletion=completing(KINDS.values)),
    ] = None,
    tf: Annotated[
        bool, typer.Option("--tf", help="With cells: list the classes of TensorFlow 1 and their counterparts.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List what is registered."""
    if tf:
        _list_tf(kind, as_json)
        return
    kinds = [_kind(kind)] if kind else list(KINDS)
    rows = {
        plural: [
            {
                "name": entry.spec.name,
                "summary": entry.spec.summary,
                "source": entry.spec.source,
                "package": entry.package,
            }
            for entry in session.plugins.registry.entries(single)
        ]
        for single, plural in KINDS.items()
        if single in kinds
    }
    if as_json:
        show_json(rows[KINDS[kinds[0]]] if kind else rows)
        return
    tables = [
        Listing(listed, ("name", "summary", "package"), plural) for plural, listed in rows.items() if listed or kind
    ]
    show(Group(*tables))


def _list_tf(kind: str | None, as_json: bool) -> None:
    from seqgen.cli.tf import tf_answers

    if kind is None or _kind(kind) != "cell":
        raise UsageError(f"--tf is of cells, not of {kind or 'everything'}: seqgen list cells --tf")
    rows = [
        {**vars(answer), "options": dict(answer.options), "use": answer.use}
        for answer in tf_answers(session.plugins.registry)
    ]
    if as_json:
        show_json(rows)
        return
    # What answers stands in one column with what it is: three are wider than a terminal of 80.
    answers = [Text.assemble(visible(row["use"]), "\n", (visible(row["summary"]), "dim")) for row in rows]
    shown = [{"tf": row["tf"], "use": answer} for row, answer in zip(rows, answers, strict=True)]
    show(Listing(shown, ("tf", "use"), "cells of TensorFlow 1", folded=("use",)))


def show_one(
    *,
    kind: Annotated[
        str,
        typer.Argument(
            help="corpus, cell, ...; or train, or run.",
            autocompletion=completing(lambda: (*KINDS.values(), "train", "run")),
        ),
    ],
    name: Annotated[
        str | None,
        typer.Argument(
            help="Its name; a corpus may be a file, and the newest run needs none.", autocompletion=_complete_name
        ),
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("-o", "--option", metavar="NAME=VALUE", help="An option of the corpus shown.")
    ] = None,
    text_field: Annotated[
        str | None, typer.Option(metavar="F", help="Of a corpus: the field of a table that is the text.")
    ] = None,
    label_field: Annotated[
        str | None, typer.Option(metavar="F", help="Of a corpus: the field that is the label.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show one thing, its options, and of a corpus what is in it; `show train` has the options of training.

    `show run` has the settings of a run.
    """
    from seqgen.api.corpora import FILE, fold_reader_options, read_file_as, sort_out_corpus
    from seqgen.config import assigned_to, parse_assignments

    fields = {"text_field": text_field, "label_field": label_field}
    named = {key: value for key, value in fields.items() if value is not None}
    if (named or option) and (kind in ("train", "run") or _kind(kind) != "corpus"):
        flags = "--text-field and --label-field are" if named else "-o is"
        raise UsageError(f"{flags} of a corpus, not of {kind}: leave it out")
    if kind == "train":
        if name is not None:
            raise UsageError(f"cannot show {name!r} of train: it has no names; leave it out")
        _show_train(as_json)
        return
    if kind == "run":
        show_run(name, as_json)
        return
    single, plugins, implied, domain = _kind(kind), session.plugins, dict[str, Any](), None
    if name is None:
        raise UsageError(f"say which: seqgen show {kind} NAME (seqgen list {kind} has the names)")
    if single == "cell" and "," in name:
        raise UsageError(
            f"cannot show the stack {name!r}: show a cell at a time, seqgen show cell {name.split(',')[0]}"
        )
    if single == "corpus":
        found, implied = sort_out_corpus(name, plugins, warn)
        assigned = fold_reader_options(parse_assignments(option or ()))
        implied |= assigned_to("corpus", assigned) | named
        if found.qualified == FILE and "path" in implied:
            domain, known = read_file_as(implied, plugins)
            implied = known | implied
    else:
        found = plugins.registry.get(single, name, plugins.failed_hint)
    facts, options = _facts(found) | implied, _options(found)
    how = _HOW.get(single, "").format(found.spec.name)
    table = options_table(options, single, how) if options is not None and single != "domain" else None
    if single == "corpus" and implied and found.qualified == FILE and not as_json:  # a file, and not how files are read
        facts = {"corpus": name} | {key: value for key, value in implied.items() if key != "path"}
        table = Text("seqgen show corpus file has the options with which files are read")
    try:
        profile = _profile(found, implied, domain) if single == "corpus" and not _lacking(options, implied) else None
    except MissingExtra:
        if as_json:
            show_json(facts | {"options": options})
        else:
            show(spec_view(facts, table))
        raise
    if as_json:
        show_json(facts | {"options": options} | (profile or {}))
    else:
        show(spec_view(facts, table) if profile is None else corpus_view(profile, facts, table))


def _lacking(options: list[dict[str, Any]] | None, given: dict[str, Any]) -> bool:
    """Return whether an option without a default is missing, so that there is nothing to show yet."""
    return not given and any(option["default"] == "required" for option in options or ())


def _show_train(as_json: bool) -> None:
    from seqgen.config import TrainSettings, describe_options

    options = describe_options(TrainSettings)
    if as_json:
        show_json(options)
    else:
        show(options_table(options, "train"))


def _facts(entry: Entry) -> dict[str, Any]:
    facts: dict[str, Any] = {entry.spec.kind: entry.spec.name}
    for name, value in vars(entry.spec).items():
        if name == "recommended":
            facts[name] = ", ".join(
                f"{part}.{key}={item}" for part, options in value.items() for key, item in options.items()
            )
        elif name == "tf":
            facts[name] = ", ".join(value)
        elif hasattr(value, "__qualname__"):  # what is loaded, handed in as it is
            facts[name] = f"{value.__module__}:{value.__qualname__}"
        elif isinstance(value, tuple):
            facts[name] = ", ".join(map(str, value))
        elif name not in ("name", "options") and value is not None:
            facts[name] = value if isinstance(value, bool | str) else str(value)
    plugin = session.plugins.plugins[entry.package].provenance
    return facts | {"package": str(plugin)}


def _options(entry: Entry) -> list[dict[str, Any]] | None:
    from seqgen.config import describe_options

    if not isinstance(entry.spec, LoadableSpec):
        return None
    try:
        return describe_options(entry.options_model)
    except PluginError as error:
        if isinstance(error.__cause__, ImportError):  # derived options of a cell need what the cell needs
            return None
        raise


def _profile(found: Entry, implied: dict[str, Any], domain: Entry | None) -> dict[str, Any]:
    """Return what a corpus holds, and the warnings with which a run on it begins; a file has a domain."""
    from seqgen.api.corpora import open_corpus
    from seqgen.api.preflight import file_warnings
    from seqgen.corpus import Table, TextFile, count_skipped, profile

    corpus = open_corpus(found, found.options(implied), new=True, plugins=session.plugins)
    shown = profile(corpus, str(implied.get("path", found.spec.name)), of_lines=isinstance(corpus.source, TextFile))
    shown["skipped_or_changed"] |= count_skipped(corpus.source)
    if domain is not None and implied.get("layout", "lines") == "lines":
        shown["warnings"] += file_warnings(domain, corpus, session.plugins)
    return shown | ({"text_field": corpus.source.text_field()} if isinstance(corpus.source, Table) else {})

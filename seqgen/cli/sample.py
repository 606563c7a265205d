"""``seqgen sample``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqgen.cli.common import Json, RunName, complete_names, everywhere, session, show, warn

if TYPE_CHECKING:
    from seqgen import Sample
    from seqgen.api import Run

_MOST_JUDGED = 200  # rows of a table that are scored and looked up in the corpus


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(everywhere(sample))


def sample(
    *,
    run: RunName = None,
    n: Annotated[int, typer.Option("-n", "--num", help="Rows.", min=0)] = 10,
    prefix: Annotated[str, typer.Option(help="Text that every row starts with.")] = "",
    temperature: Annotated[
        float, typer.Option("-t", "--temperature", help="Below 1 is safer, above is bolder; 0 is greedy.")
    ] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Draw among the k likeliest symbols.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Draw among the likeliest that reach this share.")] = None,
    min_p: Annotated[float | None, typer.Option(help="Least share of the likeliest symbol's probability.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows, whatever -n is.")] = 0,
    max_length: Annotated[
        int | None,
        typer.Option(help="Symbols at which a row is cut.  [default: twice the longest training record]"),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows computed together; changes no row.")] = None,
    unique: Annotated[bool, typer.Option("--unique", help="No row twice.")] = False,
    novel: Annotated[bool, typer.Option("--novel", help="No row that was trained on.")] = False,
    valid: Annotated[bool, typer.Option("--valid", help="Only rows that the domain's validator accepts.")] = False,
    label: Annotated[
        str | None, typer.Option(help="Rows of this label, of a run trained with --condition label.")
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=VALUE", help="A condition, or a field that rows begin with; may be repeated."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the rows too: .svg, .png, ... as the domain can.")
    ] = None,
    processor: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A decoding step of a plugin; may be repeated.",
            autocompletion=complete_names("processor"),
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("-o", "--option", metavar="PROCESSOR.NAME=VALUE", help="An option of a processor."),
    ] = None,
    checkpoint: Annotated[str, typer.Option(metavar="best|latest|STEP", help="Which checkpoint.")] = "best",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write there, not to stdout.")] = None,
    as_json: Json = False,
    nul: Annotated[bool, typer.Option("-0", "--null", help="End rows with NUL, not a line end.")] = False,
) -> None:
    """Draw new sequences from a run: one a line, or a table on a terminal."""
    import seqgen.api

    loaded = seqgen.api.load(
        run,
        checkpoint=checkpoint,
        plugins=session.plugins,
        warn=warn,
    )
    values = dict(_pair(assignment) for assignment in given or ())
    rows = loaded.iter_samples(
        n,
        prefix=prefix,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        seed=seed,
        max_length=max_length,
        batch_size=batch_size,
        unique=unique,
        novel=novel,
        valid=valid,
        label=label,
        given=values,
        processors=_processors(processor or [], option or []),
    )
    if picture is not None:
        rows = _draw(loaded, rows, picture)
    if out is None and not as_json and not nul and session.stdout.isatty():
        conditions = values if label is None else {**values, "label": label}
        slots = loaded.vocabulary.slots
        _show_table(loaded, rows, {name: value for name, value in conditions.items() if name in slots})
        return
    chunks = _encoded(rows, as_json, nul, loaded.settings.corpus.multiline)
    if out is None:
        for chunk in chunks:
            session.stdout.buffer.write(chunk)
        session.stdout.buffer.flush()
    else:
        _write(out, chunks)


def _pair(assignment: str) -> tuple[str, str]:
    from seqgen.errors import BadOption

    name, equals, value = assignment.partition("=")
    if not equals or not name:
        raise BadOption(f"--given {assignment!r} is not of the form FIELD=VALUE, like cost=3")
    return name, value


def _draw(run: Run, rows: Iterable[Sample], picture: Path) -> Iterator[Sample]:
    """Pass the rows on, then write their picture."""
    from seqgen.errors import BadOption
    from seqgen.files import publish_file
    from seqgen.render import draw

    suffixes = [*getattr(run.renderer, "suffixes", ()), ".svg"]
    if picture.suffix.lower() not in suffixes:
        raise BadOption(f"--picture {str(picture)!r}: this domain draws {', '.join(dict.fromkeys(suffixes))}")
    texts = []
    for row in rows:
        texts.append(row.text)
        yield row
    publish_file(picture, draw(texts, picture.suffix.lower(), run.renderer))


def _processors(names: list[str], assignments: list[str]) -> dict[str, dict[str, Any]]:
    from seqgen.config import assign, parse_assignments

    registry = session.plugins.registry
    fields = {name: list(registry.get("processor", name).options_model().model_fields) for name in names}
    return {name: {} for name in names} | assign(parse_assignments(assignments), fields)


def _encoded(rows: Iterable[Sample], as_json: bool, nul: bool, multiline: bool) -> Iterator[bytes]:
    """Rows as bytes: exact text, no markup, nothing escaped but in JSON."""
    between = "\n\n" if multiline else "\n"
    for row in rows:
        if as_json:
            line = json.dumps({"row": row.number, "text": row.text, "cut": row.cut}, ensure_ascii=False) + "\n"
        else:
            line = row.text + ("\0" if nul else between)
        yield line.encode("utf-8", "surrogatepass")


def _write(out: Path, chunks: Iterator[bytes]) -> None:
    """Write what was found, even when a filter found fewer rows than asked."""
    from seqgen.errors import TooFewRows
    from seqgen.files import publish_file

    data, problem = bytearray(), None
    try:
        for chunk in chunks:
            data += chunk
    except TooFewRows as error:
        problem = error
    publish_file(out, bytes(data))
    if problem is not None:
        raise problem


def _show_table(run: Run, rows: Iterable[Sample], given: dict[str, str]) -> None:
    from seqgen.cli.display import sample_rows
    from seqgen.errors import TooFewRows
    from seqgen.render import samples_table

    drawn: list[Sample] = []
    problem = None
    try:
        drawn.extend(rows)
    except TooFewRows as error:
        problem = error
    judged = sample_rows(run, drawn[:_MOST_JUDGED], given)
    judged += [{"row": row.number, "text": row.text, "cut": row.cut} for row in drawn[_MOST_JUDGED:]]
    show(samples_table(judged, run.renderer))
    if problem is not None:
        raise problem

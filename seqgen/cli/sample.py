"""``seqgen sample``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqgen.cli.common import Json, RunName, everywhere, say, session, show, stdout, warn, write
from seqgen.cli.decoding import with_decoding

if TYPE_CHECKING:
    from seqgen import Sample
    from seqgen.api import Run

_FILTERS = "Filters"
_MOST_JUDGED = 200  # rows of a table that are scored and looked up in the corpus


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(everywhere(with_decoding(sample)))


class Decoding(StrEnum):
    """How rows come about."""

    draw = "draw"
    beam = "beam"
    gumbel = "gumbel"


def sample(
    *,
    run: RunName = None,
    n: Annotated[int, typer.Option("-n", "--num", help="Rows.", min=0)] = 10,
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows, whatever -n is.")] = 0,
    decode: Annotated[
        Decoding,
        typer.Option(help="draw; beam: the likeliest that a beam of -n finds; gumbel: draw without replacement."),
    ] = Decoding.draw,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Keep the model's distribution: leave out rows that break a constraint."),
    ] = False,
    batch_size: Annotated[int | None, typer.Option(help="Rows computed together; changes no row.")] = None,
    unique: Annotated[bool, typer.Option("--unique", help="No row twice.", rich_help_panel=_FILTERS)] = False,
    novel: Annotated[
        bool, typer.Option("--novel", help="No row that was trained on.", rich_help_panel=_FILTERS)
    ] = False,
    valid: Annotated[
        bool, typer.Option("--valid", help="Only rows that the domain's validator accepts.", rich_help_panel=_FILTERS)
    ] = False,
    min_edit: Annotated[
        int, typer.Option(help="Least edit distance from every training record.", min=0, rich_help_panel=_FILTERS)
    ] = 0,
    effort: Annotated[
        int | None,
        typer.Option(
            help="Rows looked at, at most.  [default: 200 for each one asked, at least 20,000]",
            min=1,
            rich_help_panel=_FILTERS,
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the rows too: .svg, .png, ... as the domain can.")
    ] = None,
    checkpoint: Annotated[str, typer.Option(metavar="best|latest|STEP", help="Which checkpoint.")] = "best",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write there, not to stdout.")] = None,
    as_json: Json = False,
    nul: Annotated[bool, typer.Option("-0", "--null", help="End rows with NUL, not a line end.")] = False,
    decoding: dict[str, Any],
) -> None:
    """Draw new sequences from a run: one a line, or a table on a terminal."""
    import seqgen.api

    loaded = seqgen.api.load(run, checkpoint=checkpoint, plugins=session.plugins, warn=warn)
    filters: dict[str, Any] = {"unique": unique, "novel": novel, "valid": valid, "min_edit": min_edit, "effort": effort}
    rows = loaded.iter_samples(
        n, decode=decode.value, exact=exact, seed=seed, batch_size=batch_size, warn=say, **filters, **decoding
    )
    if exact or unique or novel or valid or min_edit:
        rows = _tell_share(rows)
    if picture is not None:
        rows = _draw(loaded, rows, picture)
    if out is None and not as_json and not nul and session.stdout.isatty():
        label = decoding["label"]
        conditions = decoding["given"] if label is None else {**decoding["given"], "label": label}
        slots = loaded.vocabulary.slots
        _show_table(loaded, rows, {name: value for name, value in conditions.items() if name in slots})
        return
    chunks = _encoded(rows, as_json, nul, loaded.settings.corpus.multiline)
    if out is None and session.stdout.isatty():
        for chunk in chunks:
            write(chunk.decode("utf-8", "surrogatepass"), as_json=as_json)
    elif out is None:
        for chunk in chunks:
            session.stdout.buffer.write(chunk)
        session.stdout.buffer.flush()
    else:
        _write(out, chunks)


def _tell_share(rows: Iterable[Sample]) -> Iterator[Sample]:
    """Pass the rows on, then say how many of those looked at they were."""
    n_kept = n_seen = 0
    for row in rows:
        n_kept, n_seen = n_kept + 1, row.number + 1
        yield row
    if n_seen:
        say(f"kept {n_kept:,} of {n_seen:,} rows drawn ({n_kept / n_seen:.1%})")


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
    from seqgen.cli.display import sample_rows, samples_view
    from seqgen.errors import TooFewRows

    drawn: list[Sample] = []
    problem = None
    try:
        drawn.extend(rows)
    except TooFewRows as error:
        problem = error
    judged = sample_rows(run, drawn[:_MOST_JUDGED], given)
    judged += [{"row": row.number, "text": row.text, "cut": row.cut} for row in drawn[_MOST_JUDGED:]]
    show(samples_view(judged, run, stdout()))
    if problem is not None:
        raise problem

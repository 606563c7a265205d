"""``seqgen sample``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqgen.cli.common import Json, RunName, everywhere, say, session, show, stdout, warn, write
from seqgen.cli.decoding import with_decoding
from seqgen.cli.sample_files import TABLES, described, json_lines, refuse_to_overwrite, write_out

if TYPE_CHECKING:
    from seqgen import Sample
    from seqgen.api.run import Run

_FILTERS = "Filters"
_MAX_JUDGED = 200  # rows of a table that are scored and looked up in the corpus


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
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write there, not to stdout; with columns if it ends in .csv, .jsonl or .json."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file of --out.")] = False,
    as_json: Json = False,
    nul: Annotated[bool, typer.Option("-0", "--null", help="End rows with NUL, not a line end.")] = False,
    decoding: dict[str, Any],
) -> None:
    """Draw new sequences from a run: one a line, or a table on a terminal."""
    import seqgen

    if out is not None:
        refuse_to_overwrite(out, force=force)
    loaded = seqgen.load(run, checkpoint=checkpoint, plugins=session.plugins, warn=warn)
    filters: dict[str, Any] = {"unique": unique, "novel": novel, "valid": valid, "min_edit": min_edit, "effort": effort}
    rows = loaded.iter_samples(
        n, decode=decode.value, exact=exact, seed=seed, batch_size=batch_size, warn=say, **filters, **decoding
    )
    if exact or unique or novel or valid or min_edit:
        rows = _tell_share(rows)
    if picture is not None:
        rows = _draw(loaded, rows, picture)
    asked = decoding["given"] if decoding["label"] is None else {**decoding["given"], "label": decoding["label"]}
    if out is None and not as_json and not nul and session.stdout.isatty():
        _show_table(loaded, rows, {name: value for name, value in asked.items() if name in loaded.vocabulary.slots})
        return
    table = TABLES.get(out.suffix.lower()) if out is not None and not as_json and not nul else None
    if table is not None:
        chunks = table(described(loaded, rows, asked))
    elif as_json:
        chunks = json_lines(described(loaded, rows, asked))
    else:
        between = "\0" if nul else "\n\n" if loaded.settings.corpus.multiline else "\n"
        chunks = ((row.text + between).encode("utf-8", "surrogatepass") for row in rows)
    if out is not None:
        write_out(out, chunks)
    elif session.stdout.isatty():
        for chunk in chunks:
            write(chunk.decode("utf-8", "surrogatepass"), as_json=as_json)
    else:
        for chunk in chunks:
            session.stdout.buffer.write(chunk)
        session.stdout.buffer.flush()


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
    from seqgen.files import write_atomic
    from seqgen.render import draw

    suffixes = [*getattr(run.renderer, "suffixes", ()), ".svg"]
    if picture.suffix.lower() not in suffixes:
        raise BadOption(f"--picture {str(picture)!r}: this domain draws {', '.join(dict.fromkeys(suffixes))}")
    texts = []
    for row in rows:
        texts.append(row.text)
        yield row
    write_atomic(picture, draw(texts, picture.suffix.lower(), run.renderer))


def _show_table(run: Run, rows: Iterable[Sample], given: dict[str, str]) -> None:
    from seqgen.cli.display import samples_view
    from seqgen.errors import TooFewRows

    drawn: list[Sample] = []
    problem = None
    try:
        drawn.extend(rows)
    except TooFewRows as error:
        problem = error
    judged = run.describe(drawn[:_MAX_JUDGED], given=given)
    judged += [{"row": row.number, "text": row.text, "cut": row.cut} for row in drawn[_MAX_JUDGED:]]
    show(samples_view(judged, run, stdout()))
    if problem is not None:
        raise problem

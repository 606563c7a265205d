"""``seqgen sample``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqgen.cli.common import Json, RunName, complete_names, everywhere, say, session, show, stdout, write
from seqgen.cli.decoding import decoding
from seqgen.cli.runs import load_run
from seqgen.cli.sample_files import (
    TABLES,
    FoundRows,
    check_new,
    check_not_drawn,
    check_written,
    described,
    json_lines,
    not_written,
    row_end,
    say_kept,
    write_out,
)
from seqgen.errors import BadOption, UsageError
from seqgen.files import check_file, is_special, write_atomic
from seqgen.render import draw, duration

if TYPE_CHECKING:
    from seqgen import Sample
    from seqgen.api.run import Run

_DEFAULT = 10  # rows
_SHOWN_EVERY_S = 1.0  # how often the line of progress is rewritten
_MAX_SCORED = 200  # rows of a table that are scored and looked up in the corpus


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(everywhere(sample, flags=decoding("sample", "SampleConfig")))


def _number(text: Any) -> int:
    """Return a number of rows, like 10, 50k or 1e6."""
    from seqgen.config import parse_range

    try:
        return parse_range(f"{text}:0")[0]
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a number of rows greater than or equal to 0, like 10, 50k or 1e6"
        ) from None


def sample(
    *,
    run: RunName = None,
    n: Annotated[
        int | None,
        typer.Option(
            "-n", "--num", metavar="N", help="Number of rows: 10, 50k, 1e6.", parser=_number, show_default="10"
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also draw the rows to an image: .svg, .png, ... as the domain can."),
    ] = None,
    checkpoint: Annotated[str, typer.Option(metavar="best|latest|STEP", help="Checkpoint to load.")] = "best",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write to a file instead of stdout; with columns if it ends in .csv, .tsv, .jsonl, .json or .parquet.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the files of --out and --picture if they exist.")
    ] = False,
    as_json: Json = False,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Sample to --out in N processes, or tasks of --on.", min=1)
    ] = None,
    on: Annotated[
        str,
        typer.Option(metavar="NAME", help="Executor of the workers.", autocompletion=complete_names("executor")),
    ] = "local",
    nul: Annotated[bool, typer.Option("-0", "--null", help="End each row with NUL instead of a line end.")] = False,
    settings: dict[str, Any],
) -> None:
    """Sample new sequences from a run: one a line, or a table on a terminal."""
    with not_written(out):
        from seqgen.api.conditioning import as_conditions
        from seqgen.cli.sample_shards import MANY, write_shards  # imports torch, which takes a while
        from seqgen.cli.shard_job import job_of
        from seqgen.config import SampleConfig

    _check_form(out, nul=nul, as_json=as_json)
    for flag, written in (("--out", out), ("--picture", picture)):
        if written is not None:
            check_new(written, flag, force=force)
            check_file(written)
    if n is not None and settings["rows"] is not None:
        raise UsageError("--rows says which rows are tried, and -n how many are kept: drop one of them")
    n = _DEFAULT if n is None else n
    executor = settings.pop("executor")
    divided = workers is not None or on != "local" or executor
    file = out if picture is None and not as_json else None
    file = None if file is not None and is_special(file) else file  # nobody goes on with a pipe
    if divided and file is None:
        raise UsageError("--workers, --on and -o executor.NAME need --out FILE, without --picture and --json")
    loaded = _opened(run, checkpoint, out)
    is_many = divided or n >= MANY or settings["rows"] is not None
    if file is not None and (divided or (is_many and settings["decode"] in (None, "sample"))):
        job = job_of(loaded, settings, n, file, nul=nul)
        write_shards(job, workers=workers or 1, on=on, options=executor, force=force, plugins=session.plugins)
        return
    rows: Iterable[Sample] = _SampleLine().showing(loaded, n, settings)
    if any(settings[name] for name in ("exact", "unique", "novel", "valid", "min_edit")):
        rows = _with_rate(rows, SampleConfig.validated(settings).rows)
    found = FoundRows(rows)
    rows = found if picture is None else _draw(loaded, found, picture)
    given = as_conditions(settings["given"], settings["label"])
    if out is None and not as_json and not nul and session.stdout.isatty():
        _show_table(loaded, rows, {name: value for name, value in given.items() if name in loaded.vocabulary.slots})
        found.check()
        return
    table = json_lines if as_json else None if out is None or nul else TABLES.get(out.suffix.lower())
    if table is not None:
        chunks = table(described(loaded, rows, given))
    else:
        end = row_end(loaded, nul=nul)
        chunks = ((row.text + end).encode("utf-8", "surrogatepass") for row in rows)
    if out is not None:
        write_out(out, chunks, found)
    elif session.stdout.isatty():
        for chunk in chunks:
            write(chunk.decode("utf-8", "surrogatepass"), as_json=as_json)
    else:
        for chunk in chunks:
            session.stdout.buffer.write(chunk)
        session.stdout.buffer.flush()
    found.check()


def _opened(run: str | None, checkpoint: str, out: Path | None) -> Run:
    """Open a run; refuse a form of its rows that is not written."""
    with not_written(out):
        loaded = load_run(run, checkpoint)
        if out is not None:
            check_not_drawn(out, loaded)
        return loaded


def _check_form(out: Path | None, *, nul: bool, as_json: bool) -> None:
    """Refuse a form that is not written, and flags that ask for another than the ending of a file, or for two."""
    ending = "" if out is None else out.suffix.lower()
    for flag, asked, others in (("--null", nul, TABLES.keys()), ("--json", as_json, TABLES.keys() - {".jsonl"})):
        if asked and ending in others:
            raise UsageError(f"{flag} and --out {str(out)!r} ask for two forms of the rows: drop one")
    if nul and as_json:
        raise UsageError("--null and --json ask for two forms of the rows: drop one")
    if out is not None:
        check_written(out)


class _SampleLine:
    """A line on a terminal that tells once a second how many rows were tried and kept, or that none is there yet."""

    def __init__(self) -> None:
        from seqgen.render.progress import ProgressLine  # imports torch, which takes a while

        self._line = ProgressLine()
        self._started = self._shown = time.monotonic()
        self._n_tried = self._n_kept = 0

    def showing(self, run: Run, n: int, settings: dict[str, Any]) -> Iterator[Sample]:
        """Yield the rows of a run, and show the line meanwhile."""
        from seqgen.api.sample import iter_rows
        from seqgen.config import SampleConfig

        config = SampleConfig.validated(settings)
        try:
            for row in iter_rows(run, n, config, self._say, self._on_tried, self._show):
                self._n_kept += 1
                yield row
        finally:
            self._line.clear()

    def _say(self, message: str) -> None:
        self._line.clear()
        say(message)

    def _on_tried(self, n_tried: int) -> None:
        self._n_tried = n_tried
        self._show()

    def _show(self) -> None:
        """Write the line if it is time; this is called before each symbol, those of trial rows included."""
        if (now := time.monotonic()) - self._shown < _SHOWN_EVERY_S or session.quiet:
            return
        self._shown, seconds = now, now - self._started
        if self._n_tried:
            rate = f"{self._n_tried / seconds:,.0f} rows/s"
            self._line.rewrite(f"{self._n_tried:,} rows tried, {self._n_kept:,} kept  {rate}")
        else:
            self._line.rewrite(f"no row yet after {duration(seconds)}")


def _with_rate(rows: Iterable[Sample], span: tuple[int, int] | None) -> Iterator[Sample]:
    """Pass the rows on, then report the share of sampled rows that were kept, if any was rejected.

    Args:
        rows: the rows.
        span: the range of candidates, all of which are tried; None: as many as it takes.
    """
    n_kept = n_seen = 0
    for row in rows:
        n_kept, n_seen = n_kept + 1, row.number + 1
        yield row
    say_kept(n_kept, n_seen if span is None else span[1] - span[0])


def _draw(run: Run, rows: Iterable[Sample], picture: Path) -> Iterator[Sample]:
    """Pass the rows on, then write their picture."""
    suffixes = [*getattr(run.renderer, "suffixes", ()), ".svg"]
    if picture.suffix.lower() not in suffixes:
        raise BadOption(f"--picture {str(picture)!r}: this domain draws {', '.join(dict.fromkeys(suffixes))}")
    texts = []
    for row in rows:
        texts.append(row.text)
        yield row
    write_atomic(picture, draw(texts, picture.suffix.lower(), run.renderer))
    say(f"wrote {picture}")


def _show_table(run: Run, rows: Iterable[Sample], given: dict[str, str]) -> None:
    from seqgen.cli.display import samples_view

    sampled = list(rows)
    scored = run.describe(sampled[:_MAX_SCORED], given=given)
    scored += [{"row": row.number, "text": row.text, "cut": row.cut} for row in sampled[_MAX_SCORED:]]
    show(samples_view(scored, run, stdout()))

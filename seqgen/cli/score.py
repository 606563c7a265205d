"""``seqgen score``."""

from __future__ import annotations

import codecs
import contextlib
import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqgen.cli.common import complete_runs, everywhere, say, session, show, warn, write, write_json
from seqgen.cli.decoding import parse_fields
from seqgen.cli.runs import load_run
from seqgen.errors import CorpusError, SeqgenError, UnknownSymbol, UsageError
from seqgen.render import HEAT_LEGEND, STOP, counted, heat_map, score_line

if TYPE_CHECKING:
    from seqgen import Score
    from seqgen.api.run import Run
    from seqgen.evaluation import ReferenceScores

_FEW = 20  # held-out records, below which a percentile goes in steps of more than five


def add_commands(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(everywhere(score))


def score(
    *,
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT...", help="Texts; none, or -: one a line from stdin.", show_default=False),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            help="A run folder, or a name under runs/.  [default: the newest run with a checkpoint]",
            autocompletion=complete_runs,
            show_default=False,
        ),
    ] = None,
    label: Annotated[str | None, typer.Option(help="Score as texts of this label.")] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=VALUE", help="A condition that the run was trained with; may be repeated."),
    ] = None,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Leave out texts with symbols that the run does not know.")
    ] = False,
    checkpoint: Annotated[str, typer.Option(metavar="best|latest|STEP", help="Checkpoint to load.")] = "best",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, an object a line.")] = False,
    nul: Annotated[bool, typer.Option("-0", "--null", help="Texts on stdin end with NUL, not a line end.")] = False,
) -> None:
    """Score texts: bits per character, nats, percentile among held-out records, and what each symbol costs.

    On a terminal a heat map; else a line a text, with tabs between bits per character, nats, percentile, symbols with
    their nats, and the text. No line names these columns; --json has names.
    """
    from seqgen.api.score import conditions, iter_scores, symbols

    piped = not texts or texts == ["-"]
    if not texts and sys.stdin.isatty():
        raise UsageError("nothing to score: give texts, or pipe one a line into this command")
    if texts and run is None and _is_run(texts[0]):
        raise UsageError(f"{texts[0]!r} is a run: write seqgen score --run {shlex.quote(texts[0])} TEXT")
    if texts and len(texts) == 1 and _is_file(texts[0]):
        raise UsageError(f"{texts[0]!r} is a file: seqgen score < {shlex.quote(texts[0])} scores its lines")
    loaded = load_run(run, checkpoint)
    scored_under = conditions(loaded, label, parse_fields(given or ()))
    references = _references(loaded, scored_under)
    source = _read(b"\0" if nul else b"\n") if piped else iter(texts or ())
    n_shown, n_left_out, first = 0, 0, ""

    def leave_out(problem: UsageError) -> None:
        nonlocal n_left_out, first
        n_left_out, first = n_left_out + 1, first or str(problem)

    scores = iter_scores(loaded, source, scored_under, "line" if piped else "text", leave_out if skip_unknown else None)
    for scored in _naming_skip_unknown(scores) if piped or len(texts or ()) > 1 else scores:
        percentile = None if references is None else references.percentile(scored.bits_per_char)
        parts, costs = symbols(loaded, scored.text), scored.nats_per_symbol
        if as_json:
            write_json(_as_object(scored, percentile, parts))
        elif session.stdout.isatty():
            among = 0 if references is None else len(references.bits_N)
            show(heat_map(parts, costs, scored.nats, scored.bits_per_char, percentile, among))
            n_shown += 1
        else:
            write(score_line(scored.text, parts, costs, scored.nats, scored.bits_per_char, percentile) + "\n")
    session.stdout.flush()
    if n_shown:
        say(f"{HEAT_LEGEND}; {STOP} is the end of the text" if loaded.vocabulary.ends else HEAT_LEGEND)
    if n_left_out:
        warn(f"left out {counted(n_left_out, 'text')}, the first: {first}")


def _naming_skip_unknown(scores: Iterable[Score]) -> Iterator[Score]:
    """Pass scores on; the error of a text with an unknown symbol says how to go on without it."""
    try:
        yield from scores
    except UnknownSymbol as error:
        raise UsageError(f"{error}; --skip-unknown leaves such texts out") from None


def _is_run(text: str) -> bool:
    """Return whether a text is the name or folder of a run, which other commands take first."""
    from seqgen.checkpoint import find_run

    try:
        return bool(find_run(text))
    except SeqgenError:
        return False


def _is_file(text: str) -> bool:
    """Return whether a text is the name of an existing file with a suffix."""
    with contextlib.suppress(OSError):  # too long for a name
        return bool(Path(text).suffix) and Path(text).is_file()
    return False


def _as_object(scored: Any, percentile: float | None, parts: list[str]) -> dict[str, Any]:
    """Return a score as a JSON object; the symbol of the stop is null."""
    named: list[str | None] = [*parts, *[None] * (len(scored.nats_per_symbol) - len(parts))]
    return {
        "text": scored.text,
        "nats": scored.nats,
        "bits_per_char": scored.bits_per_char,
        "percentile": percentile,
        "symbols": [
            {"symbol": symbol, "nats": nats} for symbol, nats in zip(named, scored.nats_per_symbol, strict=True)
        ],
    }


def _references(run: Run, scored_under: dict[str, str]) -> ReferenceScores | None:
    """Return the scores that percentiles refer to, with one message; None if there are none."""
    try:
        references = run.reference_scores(given=scored_under)
    except (CorpusError, UsageError) as error:  # the corpus is not what it was: texts can be scored all the same
        warn(f"no percentiles: {error}")
        return None
    if references is None:
        say("no percentiles: this run holds out no records to compare with")
    else:
        few = f"; fewer than {_FEW} say little" if len(references.bits_N) < _FEW else ""
        records = counted(len(references.bits_N), f"{references.part} record")
        if run.vocabulary.slots:
            own = ", ".join(name for name in run.vocabulary.slots if name in scored_under)
            records += f", each under its own {own}" if own else ", without conditions"
        say(f"percentiles among {records}; percentile 100: likelier than all of them{few}")
    return references


def _read(end: bytes) -> Iterator[str]:
    """Yield texts from stdin as they come; lines may end with CR LF."""
    rest, number = b"", 0
    stdin: Any = sys.stdin.buffer
    while block := stdin.read1(1 << 16):
        *whole, rest = (rest + block).split(end)
        for line in whole:
            number += 1
            yield _decoded(line, number, end)
    if rest.removeprefix(codecs.BOM_UTF8):
        yield _decoded(rest, number + 1, end)


def _decoded(line: bytes, number: int, end: bytes) -> str:
    if number == 1 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UsageError("stdin is UTF-16, not UTF-8: convert it, as with iconv -f UTF-16 -t UTF-8")
    line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
    try:
        return (line.removesuffix(b"\r") if end == b"\n" else line).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"line {number} of stdin: byte {error.start + 1} is no UTF-8") from None

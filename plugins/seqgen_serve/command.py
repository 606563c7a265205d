"""The command ``seqgen serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqgen import commands

_ACCESS, _LIMITS = "Access", "Limits"


@commands.results_on_stdout
def serve(
    *,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN...]",
            help="Run folders, or names under runs/; left out: the newest run with a checkpoint.",
            autocompletion=commands.complete_runs,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than this machine's need a key.", rich_help_panel=_ACCESS)
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen at; 0: any that is free.", min=0, max=65535, rich_help_panel=_ACCESS)
    ] = 8000,
    keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keys, one a line; SEQGEN_API_KEY may hold one too.", rich_help_panel=_ACCESS
        ),
    ] = None,
    no_key: Annotated[
        bool, typer.Option("--no-key", help="Listen at other addresses without a key.", rich_help_panel=_ACCESS)
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Also accept this Host header, such as a proxy's public name; may be repeated.",
            rich_help_panel=_ACCESS,
        ),
    ] = None,
    no_corpus: Annotated[
        bool,
        typer.Option(
            "--no-corpus", help="Never open the corpora of the runs; novel is then refused.", rich_help_panel=_ACCESS
        ),
    ] = False,
    checkpoint: Annotated[str, typer.Option(metavar="best|latest|STEP", help="Checkpoint to load.")] = "best",
    device: Annotated[str, typer.Option(metavar="cpu|cuda|cuda:N|mps", help="Device that computes.")] = "cpu",
    max_rows: Annotated[
        int, typer.Option(help="Rows of a request at most.", min=1, max=100_000, rich_help_panel=_LIMITS)
    ] = 1000,
    max_tokens: Annotated[
        int, typer.Option(help="Symbols of a row or prompt at most.", min=1, max=1_000_000, rich_help_panel=_LIMITS)
    ] = 4096,
    queue: Annotated[
        int, typer.Option(help="Requests that may wait.", min=1, max=100_000, rich_help_panel=_LIMITS)
    ] = 256,
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="Time for a request, like 30s or 5m.", rich_help_panel=_LIMITS)
    ] = "60s",
) -> None:
    """Serve runs over HTTP: OpenAI's completions with exact log-probabilities, and a web page."""
    from seqgen_serve.limits import Limits
    from seqgen_serve.server import run_server

    limits = Limits(
        rows=max_rows, tokens=max_tokens, symbols=max(Limits.symbols, 2 * max_tokens), queue=queue,
        timeout_s=commands.parse_duration(timeout),
    )  # fmt: skip
    run_server(
        runs or (), host=host, port=port, keys=keys, no_key=no_key, hosts=allow_host or (), reads_corpora=not no_corpus,
        checkpoint=checkpoint, device=device, limits=limits,
    )  # fmt: skip

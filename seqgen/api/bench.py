"""Comparing cells fairly: each trained at as many parameters, for as long, with its own recommended settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from seqgen.api.contest import OnRun, check_part, hold
from seqgen.api.encoded_corpus import Progress, ignore, no_progress
from seqgen.api.entrants import choose, enter
from seqgen.api.scores import BenchResult
from seqgen.config import parse_count, parse_duration_s
from seqgen.errors import BadOption
from seqgen.plugins import PluginsArgument, choose_plugins
from seqgen.render import counted, duration

_PARAMETERS, _TIME_S = 50_000, 60.0  # unless said otherwise
_PLAIN = {
    "train.samples": 0,
    "train.patience": 0,
}  # nothing is drawn meanwhile, and nobody stops early, unless asked for


def _nobody(result: BenchResult, cell: str, seed: int, score: object) -> None:
    """Hears of runs and does nothing."""


def bench(
    corpus: str | Path,
    cells: str | Sequence[str] = "all",
    *,
    params: int | str | None = None,
    hidden: int | None = None,
    seeds: int = 3,
    time: str | float | None = None,
    steps: int | None = None,
    epochs: float | None = None,
    part: Literal["valid", "test"] = "valid",
    layers: int | None = None,
    embedding: int | None = None,
    dropout: float | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    tokenizer: str | None = None,
    domain: str | None = None,
    text_field: str | None = None,
    split: str | None = None,
    valid: str | Path | None = None,
    test: str | Path | None = None,
    layout: str | None = None,
    options: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    plugins: PluginsArgument = None,
    on_run: OnRun = _nobody,
    warn: Callable[[str], None] = ignore,
    progress: Progress = no_progress,
    tell: Callable[[str], None] = ignore,
) -> BenchResult:
    """Train several cells on a corpus and compare what they learn of its held-out part, and how fast.

    Seed 0 of all comes first, then seed 1 of all, and so on, so that a machine that slows down slows all alike. A cell
    that fails is out with its reason; the others go on. What is asked is what ``seqgen.train`` takes.

    Args:
        corpus: a registered name, or a text file with a record a line.
        cells: names of cells, "all" for every registered one, and of models that are not made of cells.
        params: the most parameters each may have, 50,000 unless said otherwise; the width follows.
        hidden: units of a layer, instead.
        seeds: how many runs of each; their seeds are 0, 1, ...
        time: of each run, seconds or like "60s"; 60 s if no end is given.
        steps: optimizer steps of each run.
        epochs: passes over the training part.
        part: which held-out part is judged, "valid" or "test".
        layers: how many layers.
        embedding: features of a symbol.
        dropout: share of features dropped.
        lr: peak learning rate of all; left out: what each cell recommends.
        batch_size: records a step.
        tokenizer: how text becomes symbols.
        domain: what the records are.
        text_field: the field of a JSON or CSV file that is the text.
        split: shares of training, validation and test.
        valid: a file of validation records.
        test: a file of test records.
        layout: "lines", or "stream" for one long text.
        options: any option by ``"part.name"``; one that only some cells have is given to these.
        out: the folder; left out: the next ``runs/bench-<corpus>-001``. In one that exists, what is finished with the
            same settings is not trained again.
        plugins: left out: all that are installed; a list of files: these too.
        on_run: is told of each run that ended.
        warn: is told, in one line, of what may not be meant.
        progress: is told how far reading is.
        tell: is told, in one line, what is to be done.

    Raises:
        UsageError: something was asked that can be had with none of the cells, or the folder holds other runs.
        CorpusError: the corpus is unreadable or empty, or its held-out part is.
        Interrupted: a signal came; what was measured is in the folder.
        DiskError: the disk refused.
    """
    if not isinstance(seeds, int) or seeds < 1:
        raise BadOption(f"--seeds must be a whole number, at least 1, not {seeds!r}")
    if part not in ("valid", "test"):
        raise BadOption(f"--part is valid or test, not {part!r}")
    if params is not None and hidden is not None:
        raise BadOption("give --params or --hidden, not both")
    ends = {"steps": steps, "epochs": epochs, "time_s": None if time is None else parse_duration_s(time)}
    if all(end is None for end in ends.values()):
        ends["time_s"] = _TIME_S
    budget = None if hidden is not None else parse_count(_PARAMETERS if params is None else params)
    wanted: dict[str, Any] = {
        "steps": steps, "epochs": epochs, "time": ends["time_s"], "lr": lr, "batch_size": batch_size, "split": split,
        "text_field": text_field, "hidden": hidden, "layers": layers, "embedding": embedding, "dropout": dropout,
        "tokenizer": tokenizer, "domain": domain, "valid": valid, "test": test, "layout": layout, "params": budget,
    }  # fmt: skip
    settings = {name: value for name, value in wanted.items() if value is not None}
    settings |= {"options": {**_PLAIN, **(options or {})}, "params": budget}
    plugins = choose_plugins(plugins)
    chosen = choose(cells, plugins)
    n_runs, time_s = len(chosen) * seeds, ends["time_s"]
    how_long = "" if time_s is None else f" of {duration(time_s)}: about {duration(n_runs * time_s)}"
    kept = "; those done in its folder are kept" if out is not None and Path(out).exists() else ""
    tell(f"{counted(n_runs, 'run')}{how_long}{kept}")
    planned = enter(
        chosen,
        corpus,
        settings,
        plugins,
        warn=warn,
        progress=progress,
        check=partial(check_part, part=part),
        must_follow=params is not None,
    )
    named = {"steps": steps, "epochs": epochs, "time_s": ends["time_s"], "lr": lr, "batch_size": batch_size}
    asked = {"parameters": budget, "seeds": seeds, "samples": 0, "patience": 0, **named, "split": split}
    asked |= {"hidden": hidden, "layers": layers, "embedding": embedding, "dropout": dropout}
    given = {name: value for name, value in asked.items() if value is not None or name == "parameters"}
    return hold(planned, plugins, given, part, seeds, out, warn, on_run)

"""The comparison of a page with its run."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import seqgen
from seqgen import exporting

_VERSION, _OLDEST = re.compile(r"v(\d+)\."), 18
_ERROR = re.compile(r"\w*Error: ")
_FIRST = 3  # steps after which a growing state has sizes that torch's module takes
_SECONDS = 300  # that node may take
_N_CHECKED = 12  # symbols of the row that the page itself is checked on


@dataclass(frozen=True)
class Expected:
    """The results that a page is to give.

    Attributes:
        rows: ids of rows, without the mark before them.
        logits: the logits after the mark and after each id of these rows.
        texts: texts to read.
        ids: their ids.
        sampled: the ids of these texts with conditions before them.
        symbols: of the run.
    """

    rows: Sequence[Sequence[int]]
    logits: Sequence[Sequence[Sequence[float]]]
    texts: Sequence[str]
    ids: Sequence[Sequence[int]]
    sampled: Sequence[Sequence[int]]
    symbols: exporting.Symbols

    def check(self) -> dict[str, Any]:
        """Return a short row and the cost of each of its symbols in nats, on which the page checks itself."""
        ids, logits = self.rows[-1][: _N_CHECKED + len(self.symbols.slots)], self.logits[-1]
        places = range(len(self.symbols.slots), len(ids))
        nats = [round(-log_softmax(logits[place], self.symbols)[ids[place]], 6) for place in places]
        return {"ids": list(ids), "nats": nats}


def log_softmax(logits: Sequence[float], symbols: exporting.Symbols) -> list[float]:
    """Return log probabilities, nats, among the ids that can be predicted; of others, minus infinity."""
    predicted = [place >= symbols.offset or (place == 2 and symbols.ends) for place in range(len(logits))]
    most = max(value for value, is_one in zip(logits, predicted, strict=True) if is_one)
    total = sum(math.exp(value - most) for value, is_one in zip(logits, predicted, strict=True) if is_one)
    return [
        value - most - math.log(total) if is_one else -math.inf
        for value, is_one in zip(logits, predicted, strict=True)
    ]  # fmt: skip


def find_node() -> str | None:
    """Return the path of node; None where it is missing or too old for what the page uses."""
    path = shutil.which("node")
    if path is None:
        return None
    said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
    version = _VERSION.match(said.stdout)
    return path if version is not None and int(version[1]) >= _OLDEST else None


def page_results(path: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Return what a page gives, by its own script run by node.

    Args:
        path: the page.
        asked: "rows" of ids to replay, "texts" to read, and under "sample" the settings of rows to sample, or None.

    Raises:
        ExportRefused: the script fails.
    """
    node = find_node()
    assert node is not None
    with tempfile.TemporaryDirectory() as folder, as_file(files("seqgen_page") / "check.js") as script:
        request = Path(folder) / "asked.json"
        request.write_text(json.dumps(asked))
        done = subprocess.run(  # noqa: S603
            [node, "--max-old-space-size=4096", str(script), str(path), str(request)],
            capture_output=True, timeout=_SECONDS, check=False, text=True, encoding="utf-8",
        )  # fmt: skip
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if _ERROR.match(line)]
        reason = lines[0] if lines else done.stderr.strip()[-200:]
        raise seqgen.ExportRefused(f"cannot export this run as a page: its script fails in node: {reason}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def compared(path: Path, program: Any, step: exporting.OneStep, expected: Expected) -> tuple[float, str]:
    """Return the largest difference between logits of a page and of its run, and a line on how it was found.

    Without node the traced program is run by torch; that tests all but its translation, which the page itself tests
    when it is opened.
    """
    if find_node() is None:
        note = f"node ({_OLDEST} or newer) is not installed: the page compares itself when it is opened"
        return _of_program(program, step), note
    found = page_results(path, {"rows": expected.rows, "texts": expected.texts, "sample": None})
    if found["ids"] and found["ids"][0] is not None:
        for text, mine, theirs in zip(expected.texts, found["ids"], expected.ids, strict=True):
            if mine != list(theirs):
                raise seqgen.ExportRefused(
                    f"cannot export this run as a page: the page reads {seqgen.short_repr(text)} as other "
                    "symbols than the run does"
                )
    pairs = [
        (one, other)
        for mine, theirs in zip(found["logits"], expected.logits, strict=True)
        for row, other_row in zip(mine, theirs, strict=True)
        for one, other in zip(row, other_row, strict=True)
    ]
    # JSON has no NaN and no infinity: they arrive as None.
    bad = any(one is None for one, _ in pairs)
    return (
        math.nan if bad else max(abs(one - other) for one, other in pairs)
    ), "compared with the page's script, run by node"


def _of_program(program: Any, step: exporting.OneStep) -> float:
    import torch

    module, worst = program.module(), torch.zeros(())
    mine = step.initial_leaves(2)
    with torch.no_grad():
        for _ in range(_FIRST if step.growing else 0):
            _, *mine = step(torch.ones(2, dtype=torch.int64), *mine)
        theirs = mine
        for index in (1, 2, 0):
            ids_B = torch.full((2,), index)
            logits_BV, *mine = step(ids_B, *mine)
            their_BV, *theirs = module(ids_B, *theirs)
            worst = torch.maximum(worst, (logits_BV - their_BV).abs().max())  # NaN where one is
    return float(worst)


def lost_bits(model: Any, rounded: Any, symbols: exporting.Symbols, rows: Sequence[Sequence[int]]) -> float:
    """Return what rounding the weights costs, in bits a symbol: the mean divergence of predictions on sampled rows."""
    import torch

    ids = [index for index in range(symbols.n_ids) if index >= symbols.offset or (index == 2 and symbols.ends)]
    total, n_symbols = 0.0, 0
    for before_TV, after_TV in zip(exporting.replayed(model, rows), exporting.replayed(rounded, rows), strict=True):
        p_TV, q_TV = (torch.log_softmax(found_TV[:, ids].double(), -1) for found_TV in (before_TV, after_TV))
        total += float((p_TV.exp() * (p_TV - q_TV)).sum())
        n_symbols += len(p_TV)
    return total / max(n_symbols, 1) / math.log(2)

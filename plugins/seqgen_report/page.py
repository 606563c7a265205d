"""The HTML report of an evaluation: one file without scripts that loads nothing from the network, light and dark."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import seqgen
from seqgen_report import plots

_STYLE = """
:root { color-scheme: light dark; --back: #fff; --ink: #1d2126; --dim: #5b6470; --grid: #c9ced6; --own: #0b62a8;
  --other: #c77b1e; --card: #f4f6f8; }
@media (prefers-color-scheme: dark) { :root { --back: #15181c; --ink: #e6e9ed; --dim: #a2abb6; --grid: #434b55;
  --own: #6cb6ff; --other: #e0a458; --card: #1e2328; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 60rem; background: var(--back); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; } h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; }
.dim, caption, figcaption { color: var(--dim); }
.lead { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0; }
.lead div { background: var(--card); border-radius: .5rem; padding: .6rem 1rem; min-width: 9rem; }
.m { min-width: 15rem; } @media (min-width: 45rem) { .f { min-width: 16rem; } } .lead small { color: var(--dim); }
.lead b { display: block; font-size: 1.35rem; } .verdict { border-left: .3rem solid var(--own); padding: .4rem .8rem;
  background: var(--card); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; } caption { text-align: left; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--grid); vertical-align: top; }
th { font-weight: 600; } .n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.text { font-family: ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
figure { margin: 1rem 0; } figure svg { width: 100%; height: auto; max-width: 46rem; } figcaption { font-size: .95rem; }
details { margin-top: .5rem; } summary { cursor: pointer; }
"""
_SHARES = {
    "copies": "exact copies",
    "nearest_mean": "edits to nearest, mean",
    "nearest_median": "edits to nearest, median",
}
_BASELINE = "the best baseline"
_LEAD = (
    "test_bits_per_char", "test_unconditional_bits_per_char", "validation_bits_per_char", _BASELINE, "valid", "unique",
    "novel",
)  # fmt: skip
_CLASSES = {"metric": "f", "definition": "m"}
_CAPTIONS = {
    "shares": "Samples and the level of held-out records, with the intervals of the table as lines. More copies or "
    "fewer edits than chance explains suggest memorization; the verdict is at the top of the page.",
    "shared": "Samples and the level of held-out records, with the intervals of the table as lines. Longer shared "
    "substrings than chance explains suggest memorization; the verdict is at the top of the page.",
}
_SHARED = {"shared_mean_chars": "shared substring, mean", "shared_max_chars": "shared substring, longest"}


class HtmlReport:
    """A page of tables and plots.

    Raises:
        seqgen.MissingExtra: matplotlib is not installed.
    """

    suffixes = (".html", ".htm")

    def __init__(self) -> None:
        if importlib.util.find_spec("matplotlib") is None:
            raise seqgen.MissingExtra("plot", "a page with plots")

    def write(self, evaluation: seqgen.Evaluation, path: Path) -> list[Path]:
        """Write the page.

        Raises:
            seqgen.DiskError: the disk refused.
        """
        seqgen.write_atomic(path, page(evaluation).encode("utf-8", "backslashreplace"))
        return [path]


def page(evaluation: seqgen.Evaluation) -> str:
    """Return the page, a whole HTML document."""
    title = escape(str(evaluation.metrics.get("run", "a run")))
    body = "\n".join(
        [*_head(evaluation), *_sections(evaluation), *_samples(evaluation), *_settings(evaluation.settings)]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        # Readers can see that the page loads nothing, and the browser enforces it.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}: evaluation by seqgen</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _head(evaluation: seqgen.Evaluation) -> Iterator[str]:
    metrics, settings = evaluation.metrics, evaluation.settings
    parts = settings.get("cell") or settings.get("model") or {}
    names = [str(part.get("name", "")).rpartition(":")[2] for part in (parts if isinstance(parts, list) else [parts])]
    yield f"<header><h1>{escape(str(metrics.get('run')))}</h1>"
    about = [
        f"corpus {settings.get('corpus', {}).get('title')}", ",".join(names),
        f"{settings.get('n_parameters', 0):,} parameters", f"step {metrics.get('step', 0):,}",
        f"trained for {seqgen.format_metric(metrics.get('trained_s'), 's')}",
    ]  # fmt: skip
    yield f'<p class="dim">{escape(" · ".join(about))}</p><div class="lead">'
    for name in (evaluation.best_baseline() if name == _BASELINE else name for name in _LEAD):
        if name is not None and name in metrics:
            info = seqgen.METRICS[name]
            is_baseline = name.startswith("baseline")
            label = f"best baseline: {info.label}, bits per character" if is_baseline else info.label
            ends = [metrics.get(name + end) for end in ("_low", "_high")]
            interval = " to ".join(seqgen.format_metric(end, info.unit) for end in ends) if None not in ends else ""
            if name.startswith("test") and evaluation.has_few_tested():
                n, unit = metrics["test_records"], "record" if evaluation.has_records else "window"
                interval = f"{n} test {unit}{'s' * (n != 1)}"
            small = f"<small>{f'<br>{interval}' if interval else ''}</small>"
            yield f"<div><b>{seqgen.format_metric(metrics[name], info.unit)}</b>{escape(label)}{small}</div>"
    yield "</div>"
    if "memorisation" in metrics:
        yield f'<p class="verdict">Memorization: {escape(str(metrics["memorisation"]))}.</p>'
    if metrics.get("notes"):
        yield "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in metrics["notes"]) + "</ul>"
    yield "</header>"


def _sections(evaluation: seqgen.Evaluation) -> Iterator[str]:
    """Yield a section for each group of metrics, with its plots."""
    yield from _figure(
        "curve", "Training", "Loss during training; lower is better.",
        plots.curve(evaluation.history) if any("train_loss_nats" in row for row in evaluation.history) else None,
    )  # fmt: skip
    for heading, rows in evaluation.groups():
        names = {row.name for row in rows}
        if "run" in names:  # stands at the top of the page
            continue
        of_domain = not names & seqgen.METRICS.keys()
        yield f"<section><h2>{escape(heading)}</h2>"
        yield _table(rows, evaluation.published() if of_domain else {}, keep_texts=of_domain)
        yield from _plots_of(names, evaluation)
        yield "</section>"


def _plots_of(names: set[str], evaluation: seqgen.Evaluation) -> Iterator[str]:
    """Yield the plots of a group of metrics."""
    metrics, info = evaluation.metrics, seqgen.METRICS
    if baselines := [
        name for name in info if name.startswith("baseline") and name.endswith("_bits_per_char") and name in names
    ]:
        own = "test_bits_per_char" if "test_bits_per_char" in metrics else "validation_bits_per_char"
        values = {info[name].label: metrics[name] for name in baselines}
        free = metrics.get("test_unconditional_bits_per_char")  # baselines know no conditions
        values |= {"this run": metrics[own] if free is None else free}
        caption = "Bits per character of held-out text; shorter is better."
        yield from _figure("baselines", "", caption, plots.bars(values, ["this run"], "bits per character"))
    elif "symbol_distance" in names and evaluation.samples:
        if evaluation.has_records:
            draw = plots.lengths(evaluation.samples, evaluation.held_out)
            yield from _figure("lengths", "", "Lengths of samples and held-out records.", draw)
        caption = "The most frequent characters in samples and in held-out text."
        yield from _figure("symbols", "", caption, plots.symbols(evaluation.samples, evaluation.held_out))
    elif "memorisation" in names:
        for name, labels, unit in (("shares", _SHARES, "share"), ("shared", _SHARED, "characters")):
            there = {key: label for key, label in labels.items() if f"{key}_chance" in metrics}
            if there:
                draw, height = plots.beside_chance(metrics, there, unit), 1.5 + 0.6 * len(there)
                yield from _figure(name, "", _CAPTIONS[name], draw, (7.2, height))


def _figure(
    name: str, heading: str, caption: str, draw: plots.Draw | None, size: tuple[float, float] = (7.2, 3.4)
) -> Iterator[str]:
    if draw is not None:
        if heading:
            yield f"<h2>{escape(heading)}</h2>"
        yield f"<figure>{plots.svg(name, caption, draw, size)}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(rows: Sequence[seqgen.MetricRow], published: Mapping[str, Mapping[str, float]], *, keep_texts: bool) -> str:
    """Return the table of a group; texts that are long, such as a verdict, are left out unless they are kept."""
    columns = {"metric": [row.label for row in rows], "value": [row.value for row in rows]}
    columns["95% interval"] = [row.interval for row in rows]
    columns["by chance"] = [row.chance for row in rows]
    for model, values in published.items():
        columns[model] = [seqgen.format_metric(values[row.name]) if row.name in values else "" for row in rows]
    columns["definition"] = [row.meaning for row in rows]
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    classes = {name: f' class="{_CLASSES.get(name, "n")}"' for name in shown}
    head = "".join(f'<th scope="col"{classes[name]}>{escape(name)}</th>' for name in shown)
    lines = []
    for at, row in enumerate(rows):
        if len(row.value) > 20 and not keep_texts:  # the verdict stands at the top of the page
            continue
        cells = [f"<td{classes[name]}>{escape(cells[at])}</td>" for name, cells in shown.items()]
        lines.append("<tr>" + "".join(cells) + "</tr>")
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _samples(evaluation: seqgen.Evaluation) -> Iterator[str]:
    if not evaluation.rows:
        return
    yield "<section><h2>Sampled texts</h2>"
    yield '<div class="wide"><table><thead><tr><th scope="col">text</th><th scope="col" class="n">bits/char</th>'
    yield '<th scope="col">where</th></tr></thead><tbody>'
    for row in evaluation.rows:
        text = escape(seqgen.visible_lines(row["text"])) + ("…" if row["cut"] else "")
        bits, where = seqgen.format_metric(row["bits_per_char"]), seqgen.place_of(row) or "-"
        yield f'<tr><td class="text">{text}</td><td class="n">{bits}</td><td>{where}</td></tr>'
    yield "</tbody></table></div></section>"


def _settings(settings: Mapping[str, Any]) -> Iterator[str]:
    yield "<section><h2>Settings</h2><details><summary>All settings of the run</summary>"
    yield '<div class="wide"><table><tbody>'
    for name, value in _flat(settings):
        yield f'<tr><th scope="row">{escape(name)}</th><td class="text">{escape(seqgen.visible_lines(value))}</td></tr>'
    yield "</tbody></table></div></details></section>"


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            yield from _flat(item, f"{name}.{index}")
    elif value not in (None, ""):
        yield name, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

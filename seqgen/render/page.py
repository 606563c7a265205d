"""A page about a run: one HTML file that asks nothing of a network, readable in light and dark, without scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from seqgen.render import plots
from seqgen.render.metrics import DOMAIN, METRICS, Row, by_model, groups, written
from seqgen.render.text import visible_lines

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
_PLACES = {"train": "in training", "valid": "held out", "test": "held out", "new": "new"}
_SHARES = {
    "copies": "exact copies",
    "nearest_mean": "edits to nearest, mean",
    "nearest_median": "edits to nearest, median",
}
_LEAD = ("test_bits_per_char", "validation_bits_per_char", "baseline_5gram_bits_per_char", "valid", "unique", "novel")
_CLASSES = {"figure": "f", "what it is": "m"}
_MEANS = {
    "shares": "Samples beside what held-out records score by chance: more copies or fewer edits would be memory.",
    "shared": "Samples beside what held-out records score by chance: longer shared substrings would be memory.",
}
_LENGTHS = {"shared_mean_chars": "shared substring, mean", "shared_max_chars": "shared substring, longest"}


@dataclass(frozen=True)
class PageContent:
    """What a page shows.

    Attributes:
        figures: what ``Run.evaluate`` gives.
        settings: the run's, nested, as JSON values.
        metrics: the lines of metrics.jsonl.
        rows: samples to show, with text, cut, bits_per_char and where.
        samples: all samples.
        held_out: held-out records, or pieces of a long text.
        records: whether texts are records, whose lengths mean something.
        labels: how people call figures of the domain's metrics, by name.
    """

    figures: Mapping[str, Any]
    settings: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]
    rows: Sequence[Mapping[str, Any]]
    samples: Sequence[str]
    held_out: Sequence[str]
    records: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)


def page(content: PageContent) -> str:
    """The page, a whole HTML document.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    plots.check_plots()
    title = escape(str(content.figures.get("run", "a run")))
    body = "\n".join([*_head(content), *_sections(content), *_samples(content), *_settings(content.settings)])
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        # Whoever reads this can see that it asks nothing of a network, and the browser sees to it.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}: judged by seqgen</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _head(content: PageContent) -> Iterator[str]:
    figures, corpus = content.figures, content.settings.get("corpus", {})
    part = content.settings.get("cell") or content.settings.get("model") or {}
    yield f"<header><h1>{escape(str(figures.get('run')))}</h1>"
    about = [
        f"corpus {corpus.get('title')}", str(part.get("name", "")).rpartition(":")[2],
        f"{content.settings.get('n_parameters', 0):,} parameters", f"step {figures.get('step', 0):,}",
        f"trained for {written(figures.get('trained_s'), 's')}",
    ]  # fmt: skip
    yield f'<p class="dim">{escape(" · ".join(about))}</p><div class="lead">'
    for name in _LEAD:
        if name in figures:
            figure = METRICS[name]
            label = figure.label + (", bits per character" if name.startswith("baseline") else "")
            ends = [figures.get(name + end) for end in ("_low", "_high")]
            sure = f"<br>{' to '.join(written(end, figure.unit) for end in ends)}" if None not in ends else ""
            yield f"<div><b>{written(figures[name], figure.unit)}</b>{escape(label)}<small>{sure}</small></div>"
    yield "</div>"
    if "memorisation" in figures:
        yield f'<p class="verdict">This model {escape(str(figures["memorisation"]))}.</p>'
    if figures.get("notes"):
        yield "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in figures["notes"]) + "</ul>"
    yield "</header>"


def _sections(content: PageContent) -> Iterator[str]:
    """Groups of figures, each with its plots."""
    yield from _drawn(
        "curve", "Loss while training", "The loss over the steps; lower is better.",
        plots.curve(content.metrics) if any("train_loss_nats" in row for row in content.metrics) else None,
    )  # fmt: skip
    for heading, rows in groups(content.figures, content.labels):
        if heading == "Run":
            continue
        yield f"<section><h2>{escape(heading)}</h2>"
        others = content.figures.get("published", {}) if heading == DOMAIN else {}
        yield _table(heading, rows, by_model(others))
        yield from _plots_of(heading, content)
        yield "</section>"


def _plots_of(heading: str, content: PageContent) -> Iterator[str]:
    figures = content.figures
    if heading.startswith("Baselines"):
        own = "test_bits_per_char" if "test_bits_per_char" in figures else "validation_bits_per_char"
        names = [name for name in METRICS if name.startswith("baseline") and name in figures]
        values = {METRICS[name].label: figures[name] for name in names} | {"this run": figures[own]}
        caption = "Bits per character of held-out text; shorter is better."
        yield from _drawn("ladder", "", caption, plots.bars(values, ["this run"], "bits per character"))
    elif heading.startswith("Samples beside") and content.samples:
        if content.records:
            draw = plots.lengths(content.samples, content.held_out)
            yield from _drawn("lengths", "", "Lengths of samples and of held-out records.", draw)
        caption = "The commonest characters, in samples and in held-out text."
        yield from _drawn("symbols", "", caption, plots.symbols(content.samples, content.held_out))
    elif heading == "Memorisation":
        for name, rows, unit in (("shares", _SHARES, "share"), ("shared", _LENGTHS, "characters")):
            there = {key: label for key, label in rows.items() if f"{key}_chance" in figures}
            if there:
                caption = _MEANS[name]
                height = 1.5 + 0.6 * len(there)
                yield from _drawn(name, "", caption, plots.beside_chance(figures, there, unit), (7.2, height))


def _drawn(
    name: str, heading: str, caption: str, draw: plots.Draw | None, size: tuple[float, float] = (7.2, 3.4)
) -> Iterator[str]:
    if draw is not None:
        if heading:
            yield f"<h2>{escape(heading)}</h2>"
        yield f"<figure>{plots.svg(name, caption, draw, size)}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(heading: str, named: Sequence[tuple[str, Row]], published: Mapping[str, Mapping[str, float]]) -> str:
    rows = [row for _, row in named]
    columns = {"figure": [row.label for row in rows], "value": [row.value for row in rows]}
    columns["95% interval"] = [row.interval for row in rows]
    columns["by chance"] = [row.chance for row in rows]
    for model, values in published.items():
        columns[model] = [written(values[name]) if name in values else "" for name, _ in named]
    columns["what it is"] = [row.meaning for row in rows]
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    words = heading != DOMAIN and any(len(row.value) > 20 for row in rows)
    classes = {name: f' class="{_CLASSES.get(name, "n")}"' for name in shown}
    head = "".join(f'<th scope="col"{classes[name]}>{escape(name)}</th>' for name in shown)
    lines = []
    for at, row in enumerate(rows):
        if words and len(row.value) > 20:  # the verdict stands at the top of the page
            continue
        cells = [f"<td{classes[name]}>{escape(cells[at])}</td>" for name, cells in shown.items()]
        lines.append("<tr>" + "".join(cells) + "</tr>")
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _samples(content: PageContent) -> Iterator[str]:
    if not content.rows:
        return
    yield "<section><h2>Some samples</h2>"
    yield '<div class="wide"><table><thead><tr><th scope="col">text</th><th scope="col" class="n">bits/char</th>'
    yield '<th scope="col">where</th></tr></thead><tbody>'
    for row in content.rows:
        text = escape(visible_lines(row["text"])) + ("…" if row["cut"] else "")
        bits, where = written(row["bits_per_char"]), _PLACES.get(str(row["where"]), "-")
        yield f'<tr><td class="text">{text}</td><td class="n">{bits}</td><td>{where}</td></tr>'
    yield "</tbody></table></div></section>"


def _settings(settings: Mapping[str, Any]) -> Iterator[str]:
    yield "<section><h2>Settings</h2><details><summary>Everything that the run was set to</summary>"
    yield '<div class="wide"><table><tbody>'
    for name, value in _flat(settings):
        yield f'<tr><th scope="row">{escape(name)}</th><td class="text">{escape(visible_lines(value))}</td></tr>'
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

"""Tables, fitted to the terminal, or plain columns in a pipe.

Texts of a corpus or a model are passed as ``Text``, never as markup: ``[nH]`` is chemistry, not style.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from seqgen.errors import shortened
from seqgen.render.text import counted, visible, visible_line, visible_lines

_FOLDABLE = ("text", "summary", "description", "problem", "state", "hooks", "type", "default", "range")
_MAX_WIDTHS = {"type": 14, "default": 10, "range": 10}  # limits that leave space for the other columns
_MIN_WIDTH = 20  # least width of a folding column with a word that long
_ANY_WIDTH = 100_000  # rich never measures more than the width it is given
_HEADINGS = {"bits_per_char": "bits/char", "load_ms": "load ms"}


class Listing:
    """A table that adapts to the terminal: numbers right-aligned, missing values as a dash, long texts folded, not cut.

    On a terminal that is too narrow for all columns, the spare ones are dropped first; if that is not enough, each row
    becomes a block of lines. A pipe gets plain columns without rules.

    Args:
        rows: the rows, each by column.
        columns: the columns to show, in order.
        title: the title above the table.
        folded: further columns whose texts may be long.
        spare: columns to drop on a narrow terminal, the first one first.
    """

    def __init__(
        self,
        rows: Iterable[Mapping[str, Any]],
        columns: Sequence[str],
        title: str = "",
        folded: Collection[str] = (),
        spare: Sequence[str] = (),
    ) -> None:
        self._rows, self._columns, self._title = list(rows), list(columns), title
        self._folded, self._spare = folded, spare

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the title and the widest form that fits."""
        if self._title:  # not as that of the table, which rich folds at the width of the table, also within a word
            yield Text(self._title, style="italic")
        if not console.is_terminal:
            yield self._table(self._columns, plain=True)
            return
        for n_left_out in range(len(self._spare) + 1):
            columns = [column for column in self._columns if column not in self._spare[:n_left_out]]
            table = self._table(columns)
            least = Measurement.get(console, options.update_width(_ANY_WIDTH), table).minimum
            if least <= options.max_width:
                yield table
                return
        yield from self._blocks()

    def table(self) -> Table:
        """Return it with its title and all columns, without rules."""
        table = self._table(self._columns, plain=True)
        table.title = self._title or None
        return table

    def _table(self, columns: Sequence[str], *, plain: bool = False) -> Table:
        style: dict[str, Any] = {"box": None, "padding": (0, 2, 0, 0)} if plain else {"box": box.SIMPLE_HEAD}
        table = Table(pad_edge=False, **style)
        for column in columns:
            values = [row.get(column) for row in self._rows]
            heading, numbers = _HEADINGS.get(column, column), any(isinstance(value, int | float) for value in values)
            folds = column in _FOLDABLE or column in self._folded
            shown = [str(cell(value)) for value in values if not isinstance(value, ConsoleRenderable)]
            # Other columns are never cut, however narrow the terminal is; folded ones break between words.
            least = max(map(cell_len, [heading, *shown]))
            if folds:
                words = [heading, *(word for text in shown for word in text.split())]
                least = min(_MIN_WIDTH, max(map(cell_len, words)))
            table.add_column(
                Text(heading),
                justify="right" if numbers else "left",
                overflow="fold",
                no_wrap=not folds,
                min_width=least,
                max_width=None if plain else _MAX_WIDTHS.get(column),
            )
        for row in self._rows:
            cells = (cell(row.get(column)) for column in columns)
            table.add_row(*(_AsWide(one) if plain and not hasattr(one, "__rich_measure__") else one for one in cells))
        return table

    def _blocks(self) -> Iterable[RenderableType]:
        """Yield the rows as blocks: the first column, and below it a line for each other column."""
        first, *others = self._columns
        for row in self._rows:
            yield Text("")
            yield cell(row.get(first))
            block = Table.grid(padding=(0, 2, 0, 0))
            for column in others:
                if row.get(column) not in (None, ""):
                    block.add_row("", Text(_HEADINGS.get(column, column), style="bold"), cell(row[column]))
            yield block


class _AsWide:
    """A renderable that does not say how wide it is, and which rich would take for as wide as there is space.

    Args:
        inner: the renderable.
    """

    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._inner

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        lines = console.render_lines(self._inner, options, pad=False)
        width = max((cell_len("".join(part.text for part in line).rstrip()) for line in lines), default=0)
        return Measurement(width, width)


def cell(value: Any) -> RenderableType:
    """Return a value as a table shows it."""
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, float):
        return Text(f"{value:.3f}")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, int):
        return Text(f"{value:,}")
    return Text(visible(value)) if isinstance(value, str) else value


# -- of samples, options and corpora


class _Empty:
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._mark(console)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._mark(console))

    @staticmethod
    def _mark(console: Console) -> Text:
        return Text("(empty)" if console.is_terminal else "", style="dim")


EMPTY_ROW: RenderableType = _Empty()
"""The text of an empty row: a mark on a terminal, nothing elsewhere."""


_LABELS = 50  # shown of a corpus; JSON has all
_VALUE_CHARS = 40  # of the value of a field
_BAR, _BAR_WIDTH, _MAX_BINS = "█", 40, 20


def place_of(row: Mapping[str, Any]) -> str:
    """Return the place of a sampled text: "new", "in training", "held out", "not valid", or "" if nothing is known.

    Args:
        row: with the keys where and valid, as far as they are known. A record that is not valid has both in its place.
    """
    refused, where = row.get("valid") is False, row.get("where")
    places = {"train": "in training", "valid": "held out", "test": "held out", "new": "" if refused else "new"}
    return ", ".join(filter(None, (places.get(str(where)), "not valid" if refused else "")))


def samples_table(
    rows: Iterable[Mapping[str, Any]],
    renderer: Callable[[str], RenderableType] | None = None,
) -> Listing:
    """Return a table of samples: row, text, bits per character, and whether it is new, a record, or not valid.

    A sample that was cut ends with an ellipsis.

    Args:
        rows: with the keys row, text, cut, and, where known, valid, bits_per_char and where.
        renderer: shows a text of this domain.
    """
    styles = {"new": "green", "in training": "dim", "held out": "yellow"}  # red: not valid
    shown = []
    for row in rows:
        text: RenderableType = EMPTY_ROW
        if row["text"]:
            text = Text(visible_lines(row["text"])) if renderer is None else renderer(row["text"])
        if row["cut"] and isinstance(text, Text):
            n = len(visible_lines(row["text"])) if text.plain.startswith(visible_lines(row["text"])) else len(text)
            text = text[:n] + Text("…", style="dim") + text[n:]  # before anything that a renderer adds to it
        place = place_of(row)
        shown.append({**row, "text": text, "where": Text(place, styles.get(place, "red")) if place else None})
    columns = [
        name for name in ("row", "text", "bits_per_char", "where") if any(row.get(name) is not None for row in shown)
    ]
    return Listing(shown, columns)


def options_table(options: Sequence[Mapping[str, Any]], part: str, how: str = "") -> RenderableType:
    """Return a table of the options of a part; ``how`` says how they are set, by default with ``-o``."""
    if not options:
        return Text(f"{part} has no options")
    return Listing(
        [{**option, "default": _as_text(option["default"])} for option in options],
        ("name", "type", "default", "range", "description"),
        f"options ({how or f'-o {part}.NAME=VALUE'})",
    )


def _as_text(value: object) -> str:
    """Return a value as it is written: nothing for None, and several with commas between."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def spec_view(facts: Mapping[str, Any], options: RenderableType | None = None) -> Group:
    """Return facts about a registered part, with its options."""
    table = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if value not in ("", None, (), {}):
            table.add_row(Text(name, style="bold"), cell(value if isinstance(value, int | float) else _as_text(value)))
    return Group(table, *([Text(""), options] if options is not None else []))


def corpus_view(profile: Mapping[str, Any], facts: Mapping[str, Any], options: RenderableType | None = None) -> Group:
    """Return facts about a corpus with the result of ``seqgen.corpus.profile``: counts, lengths, every n-th record."""
    counts = {name: profile[name] for name in ("records", "characters", "longest", "duplicates")}
    labels = _labels(profile["labels"])
    counts |= {"control characters": profile["control_characters"] or None, **profile["skipped_or_changed"]}
    fields = {f"field {visible(name)}": _values(found) for name, found in profile.get("fields", {}).items()}
    facts = {**facts, "text_field": facts.get("text_field", profile.get("text_field"))}
    facts_view = spec_view(
        {**facts, **counts, "labels": labels, **fields, "symbols": f"{len(profile['symbols'])} distinct"}
    )
    parts: list[RenderableType] = [facts_view, *(Text(f"\n{line}") for line in profile["warnings"]), Text("")]
    parts += [Text(" ".join(map(_symbol, profile["symbols"]))), Text(""), _histogram(profile["lengths"])]
    every, shown = profile["every"], profile["shown"]
    parts += [Text(f"\nevery {_ordinal(every)} record:" if every > 1 else "\nthe records:", style="bold")]
    between = "\n" if any("\n" in text for text in shown) else ""  # which line begins a record?
    parts += [Text("  " + visible_lines(text).replace("\n", "\n  ") + between, overflow="fold") for text in shown]
    return Group(*parts, *([Text(""), options] if options is not None else []))


def _labels(found: Mapping[str, int]) -> str:
    """Return labels, each with its number of records; of many the most frequent ones, in the order of the alphabet."""
    most = sorted(sorted(found, key=found.__getitem__, reverse=True)[:_LABELS])
    more = [f"and {counted(len(found) - _LABELS, 'rarer one')}"] if len(found) > _LABELS else []
    return ", ".join([*(f"{visible(label)} {found[label]:,}" for label in most), *more])


def _values(found: Mapping[str, int] | int) -> str:
    """Return the values of a field, each with its number of records; or how many records have the field."""
    if isinstance(found, int):
        return f"in {counted(found, 'record')}"
    return ", ".join(f"{shortened(visible_line(value), _VALUE_CHARS)} {n:,}" for value, n in found.items())


def _symbol(character: str) -> str:
    """Return a character of an alphabet; one that cannot be seen by itself, such as a joiner, as its code point."""
    if character == " ":
        return "␠"
    unseen = unicodedata.category(character) in ("Mn", "Me", "Cf", "Zs")
    return f"U+{ord(character):04X}" if unseen else visible(character)


def _ordinal(n: int) -> str:
    ending = "th" if n // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n:,}{ending}"


def _histogram(lengths: Mapping[int, int]) -> RenderableType:
    low, high = min(lengths), max(lengths)
    step = -(-(high - low + 1) // _MAX_BINS)
    bins: dict[int, int] = dict.fromkeys(range(low, high + 1, step), 0)
    for length, n in lengths.items():
        bins[low + (length - low) // step * step] += n
    most = max(bins.values())
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right")
    table.add_column()
    table.add_column(justify="right")
    table.add_row(Text("length", style="bold"), "", Text("records", style="bold"))
    for start, n in bins.items():
        name = str(start) if step == 1 else f"{start}-{start + step - 1}"
        table.add_row(Text(name), Text(_BAR * round(_BAR_WIDTH * n / most)), Text(f"{n:,}"))
    return table

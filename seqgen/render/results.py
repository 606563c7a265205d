"""Results as notebooks show them: samples, scores and evaluations with tables, pictures and data frames."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from rich.console import Group, RenderableType

from seqgen.errors import SeqgenError
from seqgen.evaluation import Score
from seqgen.metrics import METRICS, baselines_of, groups
from seqgen.render.curve import bars, heat_lines
from seqgen.render.evaluation import evaluation_view
from seqgen.render.heat import STOP, heat_map, shade_of, shown
from seqgen.render.html import export_html, heat_html
from seqgen.render.picture import draw
from seqgen.render.tables import samples_table
from seqgen.render.tabular import Picture, Tabular
from seqgen.render.text import counted
from seqgen.sampling import Sample

_TEST = "test_bits_per_char"
Item = TypeVar("Item")
_MAX_SHOWN, _MAX_DRAWN = 200, 24  # rows of a table, texts of a picture


class _Listed(list[Item], Tabular):
    """Results of a run as a list, which reach another process as a plain list, without the run."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how they are rebuilt."""
        return list, (list(self),)


class Samples(_Listed[Sample]):
    """Samples of a run, as a list.

    Args:
        rows: the samples.
        describe: returns a row for each of some samples, as ``Run.describe`` does.
        renderer: returns the renderer of the run's domain, or None.
    """

    def __init__(
        self,
        rows: Iterable[Sample],
        describe: Callable[[Sequence[Sample]], list[dict[str, Any]]],
        renderer: Callable[[], Any],
    ) -> None:
        super().__init__(rows)
        self._describe, self._renderer = describe, renderer

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of the samples."""
        return tuple(row.text for row in self)

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each sample: row, text, cut, valid, canonical, conditions, bits_per_char, where."""
        return self._describe(self)

    def view(self) -> RenderableType:
        """Return the table of at most 200 samples that a terminal shows."""
        table = samples_table(self._describe(self[:_MAX_SHOWN]))
        left = len(self) - _MAX_SHOWN
        return table if left <= 0 else Group(table, f"and {counted(left, 'more row')}")

    def _repr_html_(self) -> str:
        drawn = ""
        with contextlib.suppress(SeqgenError):  # the extra that draws is not installed, or nothing can be drawn
            if _suffix(self._renderer()) is not None:
                drawn = self.plot()._repr_html_()
        return export_html(self.view()) + drawn

    def plot(self) -> Picture:
        """Return a picture of at most 24 samples, drawn as their domain does.

        Raises:
            MissingExtra: the domain needs a package that is not installed.
        """
        renderer, texts = self._renderer(), [row.text for row in self[:_MAX_DRAWN]]
        suffix = _suffix(renderer) or ".svg"
        return Picture(draw(texts, suffix, renderer), suffix)


def _suffix(renderer: Any) -> str | None:
    """Return the suffix of the pictures that a renderer draws, or None."""
    return next((suffix for suffix in (".svg", ".png") if suffix in getattr(renderer, "suffixes", ())), None)


class Scores(_Listed[Score]):
    """Scores of texts, as a list.

    Args:
        scores: the scores.
        symbols: returns the symbols of a text.
    """

    def __init__(self, scores: Iterable[Score], symbols: Callable[[str], list[str]]) -> None:
        super().__init__(scores)
        self._symbols = symbols

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each text: text, bits_per_char and nats."""
        return [{"text": one.text, "bits_per_char": one.bits_per_char, "nats": one.nats} for one in self]

    def view(self) -> RenderableType:
        """Return a heat map of each text, of at most 200."""
        return Group(
            *(
                heat_map(self._symbols(one.text), one.nats_per_symbol, one.nats, one.bits_per_char, None, 0)
                for one in self[:_MAX_SHOWN]
            )
        )

    def _repr_html_(self) -> str:
        return "".join(
            heat_html(self._symbols(one.text), one.nats_per_symbol, f"{one.bits_per_char:.3f} bits/char")
            for one in self[:_MAX_SHOWN]
        )

    def plot(self) -> Picture:
        """Return a picture of the heat maps, of at most 24 texts."""
        lines = []
        for one in self[:_MAX_DRAWN]:
            symbols = zip([*map(shown, self._symbols(one.text)), STOP], one.nats_per_symbol, strict=False)
            shades = [(symbol, shade_of(cost)) for symbol, cost in symbols]
            lines.append((f"{one.bits_per_char:.3f} bits/char", shades))
        return Picture(heat_lines(lines).encode())


class EvaluationResult(dict[str, Any], Tabular):
    """The metrics of an evaluation by name, as a dictionary.

    Args:
        metrics: by name.
        labels: labels of metrics of plugins, by name.
    """

    def __init__(self, metrics: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> None:
        super().__init__(metrics)
        self._labels = labels

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each metric: metric, label, value, low, high, chance and meaning."""
        rows = [row for _, of_group in groups(self, self._labels) for row in of_group]
        return [
            {
                "metric": row.name,
                "label": row.label,
                "value": self[row.name],
                "low": self.get(f"{row.name}_low"),
                "high": self.get(f"{row.name}_high"),
                "chance": self.get(f"{row.name}_chance"),
                "meaning": row.meaning,
            }
            for row in rows
            if isinstance(self[row.name], int | float)
        ]

    def view(self) -> RenderableType:
        """Return the tables that a terminal shows."""
        return evaluation_view(self, labels=self._labels)

    def plot(self) -> Picture:
        """Return bars: the bits per character of the test part, and those that counting and compressors need."""
        known = [*([_TEST] if self.get(_TEST) is not None else []), *baselines_of(self)]
        values = {METRICS[name].label: float(self[name]) for name in sorted(known, key=lambda name: self[name])}
        return Picture(bars(values, "bits per character of the test part", METRICS[_TEST].label).encode())

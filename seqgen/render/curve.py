"""Plots as SVG that need no package: the curve of a training run, and bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_WIDTH, _HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 30, 40
_BAR_LEFT, _BAR_STEP = 230, 24
_LINES = {"train_loss_nats": ("training", "#d97706"), "valid_loss_nats": ("held out", "#2563eb")}
_RULE = 'stroke="currentColor" stroke-opacity="0.2"'
_SYMBOL, _MONO = 16, 'font-family="monospace" font-size="14"'
_MAX_TICKS = 6
_POINTS = 400  # of a line; more cannot be told apart


def is_blended(metrics: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether held-out losses are those of a blend, and training losses those of its network alone.

    Args:
        metrics: lines of metrics.jsonl.
    """
    key = "valid_network_bits_per_char"
    return any(isinstance(row.get(key), float) and row[key] != row.get("valid_bits_per_char") for row in metrics)


def loss_curve(metrics: Sequence[Mapping[str, Any]], title: str = "") -> str:
    """Return the losses of a run over its steps as an SVG picture, in the colour of the text around it.

    Args:
        metrics: lines of metrics.jsonl.
        title: its description, for those who cannot see it.
    """
    lines = {name: _points(metrics, name) for name in _LINES}
    shown = [point for points in lines.values() for point in points]
    head = _head(_HEIGHT, title or "loss of a training run")
    if not shown:
        return f'{head}<text x="{_LEFT}" y="{_TOP}">no evaluation yet</text></svg>'
    right = max(step for step, _ in shown)
    low, high = min(loss for _, loss in shown), max(loss for _, loss in shown)
    margin = (high - low) * 0.05 or 0.1
    axes = _Axes(right or 1, low - margin, high + margin)
    body = [*axes.grid()]
    x = _LEFT
    for name, points in ((name, points) for name, points in lines.items() if points):
        label, colour = _LINES[name]
        if name == "train_loss_nats" and is_blended(metrics):
            label = "training (network alone)"
        path = " ".join(f"{axes.x(step):.1f},{axes.y(loss):.1f}" for step, loss in points)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        step, loss = points[-1]
        body.append(f'<circle cx="{axes.x(step):.1f}" cy="{axes.y(loss):.1f}" r="3" fill="{colour}"/>')
        body.append(f'<rect x="{x}" y="10" width="14" height="4" fill="{colour}"/>')
        body.append(f'<text x="{x + 20}" y="16">{label} {loss:.3f}</text>')
        x += max(160, 50 + 6 * len(f"{label} {loss:.3f}"))
    return "".join((head, *body, "</svg>"))


def bars(values: Mapping[str, float], unit: str, own: str = "") -> str:
    """Return horizontal bars as an SVG picture, in the colour of the text around it.

    Args:
        values: at least 0, by label.
        unit: of the values.
        own: the label of the bar that stands out.
    """
    most = max(values.values(), default=0.0) or 1.0
    parts = [_head(_BAR_STEP * len(values) + 24, f"{unit}: {', '.join(values)}")]
    for number, (label, value) in enumerate(values.items()):
        y, width = _BAR_STEP * number, value / most * (_WIDTH - _BAR_LEFT - 60)
        colour = "#2563eb" if label == own else "#9ca3af"
        parts.append(f'<text x="{_BAR_LEFT - 8}" y="{y + 16}" text-anchor="end">{escape(label)}</text>')
        parts.append(f'<rect x="{_BAR_LEFT}" y="{y + 4}" width="{width:.1f}" height="16" fill="{colour}"/>')
        parts.append(f'<text x="{_BAR_LEFT + width + 6:.1f}" y="{y + 16}">{value:.3f}</text>')
    parts.append(f'<text x="{_BAR_LEFT}" y="{_BAR_STEP * len(values) + 18}">{escape(unit)}</text></svg>')
    return "".join(parts)


def heat_lines(texts: Sequence[tuple[str, Sequence[tuple[str, float]]]]) -> str:
    """Return texts as heat maps, one below the other, as an SVG picture: the darker a symbol, the more it costs.

    Args:
        texts: a line above each text, and its symbols with their shades, 0 to 1.
    """
    per_line = _WIDTH // _SYMBOL
    parts, y = list[str](), 0
    for summary, symbols in texts:
        y += 18
        parts.append(f'<text x="0" y="{y}">{escape(summary)}</text>')
        y += 6
        for number, (symbol, shade) in enumerate(symbols):
            if number and number % per_line == 0:
                y += 24
            x = number % per_line * _SYMBOL
            parts.append(
                f'<rect x="{x}" y="{y}" width="{_SYMBOL}" height="22" fill="#dc2626" fill-opacity="{shade:.2f}"/>'
            )
            parts.append(
                f'<text x="{x + _SYMBOL / 2}" y="{y + 16}" text-anchor="middle" {_MONO}>{escape(symbol)}</text>'
            )
        y += 30
    return "".join((_head(y, "bits of each symbol"), *parts, "</svg>"))


def _head(height: int, described: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img" '
        f'aria-label="{escape(described)}" font-family="sans-serif" font-size="12" fill="currentColor" '
        f'style="max-width: 100%">'
    )


class _Axes:
    """The frame of a curve.

    Args:
        right: the last step.
        low: the loss at the bottom.
        high: the loss at the top.
    """

    def __init__(self, right: float, low: float, high: float) -> None:
        self._right, self._low, self._high = right, low, high

    def x(self, step: float) -> float:
        """Return the place of a step."""
        return _LEFT + step / self._right * (_WIDTH - _LEFT - _RIGHT)

    def y(self, loss: float) -> float:
        """Return the place of a loss."""
        share = (loss - self._low) / (self._high - self._low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def grid(self) -> list[str]:
        """Return rules, numbers and names of the axes."""
        found = []
        for loss in _ticks(self._low, self._high):
            y = self.y(loss)
            found.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" {_RULE}/>')
            found.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{loss:g}</text>')
        for step in _ticks(0, self._right):
            if step == int(step):
                x = self.x(step)
                found.append(
                    f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{int(step):,}</text>'
                )
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        found.append(f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">step</text>')
        found.append(f'<text x="{_WIDTH - _RIGHT}" y="16" text-anchor="end">nats per symbol</text>')
        return found


def _points(metrics: Sequence[Mapping[str, Any]], name: str) -> list[tuple[int, float]]:
    """Return the points of a line: at most 400, the last one among them."""
    found = [
        (line["step"], line[name])
        for line in metrics
        if isinstance(line.get(name), int | float) and math.isfinite(line[name])
    ]
    every = -(-len(found) // _POINTS) or 1
    return found[::-1][::every][::-1]


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers between two numbers, at most six."""
    unit = 10.0 ** math.floor(math.log10((high - low) / _MAX_TICKS))
    step = next(unit * factor for factor in (1, 2, 5, 10, 20) if (high - low) / (unit * factor) < _MAX_TICKS)
    return [round(number * step, 10) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]

"""A series drawn with what was expected of it, and where it would have alarmed: `allclear watch plot`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from activities.watch.replay import Row
from model.text import clean

WIDE: Final = 1200.0
HIGH: Final = 420.0
LEFT, RIGHT, TOP, BOTTOM = 90.0, 48.0, 54.0, 360.0
MOST_POINTS: Final = 1200
"""Points drawn of one line: more than a pixel each. Of several in one, the lowest and the highest are drawn."""
LINES: Final = 5
COLOURS: Final = {1: "#b3261e", 2: "#dd9a3a"}


@dataclass(frozen=True)
class Mark:
    """Something at a place of an axis."""

    at: float
    label: str
    colour: str = ""


def draw(rows: Sequence[Row], title: str, words: str) -> str:
    """Return an SVG of a replay.

    Args:
        rows: What was judged, oldest first; two at least.
        title: What the series is.
        words: What it came to, in a line.
    """
    first, last = rows[0].sample.at, max(row.sample.at for row in rows)
    seen = [row.sample.value for row in rows if row.sample.value is not None]
    told = [row.verdict.expected for row in rows if row.verdict and row.verdict.expected is not None]
    highest = max([*seen, *told, 0.0])
    lowest = min([*seen, *told, 0.0])
    span = (highest - lowest) or 1.0

    def x(at: datetime) -> float:
        return round(LEFT + (WIDE - LEFT - RIGHT) * ((at - first) / (last - first)), 1)

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (value - lowest) / span, 1)

    def line(points: Iterable[tuple[datetime, float | None]]) -> list[str]:
        return [" ".join(f"{x(at)},{y(value)}" for at, value in part) for part in _parts(_thinned(list(points)))]

    template = _TEMPLATES.get_template("plot.svg.j2")
    return template.render(
        w=WIDE,
        h=HIGH,
        left=LEFT,
        right=RIGHT,
        top=TOP,
        bottom=BOTTOM,
        title=clean(title),
        words=clean(words),
        values=[Mark(y(value), f"{value:.4g}") for value in _steps(lowest, highest)],
        moments=[Mark(x(at), f"{at:%d %b %H:%M}") for at in _moments(first, last)],
        came=line((row.sample.at, row.sample.value) for row in rows),
        expected=line((row.sample.at, row.verdict.expected if row.verdict else None) for row in rows),
        alarms=[
            Mark(x(row.sample.at), row.verdict.why if row.verdict else "", COLOURS[row.alarm])
            for row in rows
            if row.alarm
        ],
    )


def _thinned(points: list[tuple[datetime, float | None]]) -> list[tuple[datetime, float | None]]:
    size = -(-len(points) // (MOST_POINTS // 2))
    if size <= 1:
        return points
    found: list[tuple[datetime, float | None]] = []
    for start in range(0, len(points), size):
        block = points[start : start + size]
        values = [(value, at) for at, value in block if value is not None]
        if not values:
            found.append(block[0])
            continue
        ends = {min(values), max(values)}
        found += [(at, value) for value, at in sorted(ends, key=lambda end: end[1])]
    return found


def _parts(points: Iterable[tuple[datetime, float | None]]) -> list[list[tuple[datetime, float]]]:
    """Return the pieces of a line between gaps: what did not come is not drawn over."""
    parts: list[list[tuple[datetime, float]]] = [[]]
    for at, value in points:
        if value is None:
            parts.append([])
        else:
            parts[-1].append((at, value))
    return [part for part in parts if part]


def _steps(lowest: float, highest: float) -> list[float]:
    return [lowest + (highest - lowest) * number / LINES for number in range(LINES + 1)]


def _moments(first: datetime, last: datetime) -> list[datetime]:
    step: timedelta = (last - first) / 8
    return [first + step * number for number in range(9)]


_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True, undefined=StrictUndefined
)

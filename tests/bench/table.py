"""What a figure is, and how it is shown."""

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

PLAIN_WIDTH = 160
"""Columns where nobody looks: a pipe has no width, and a wrapped table cannot be searched."""


@dataclass(frozen=True)
class Row:
    """One line: a number beside the least it could be.

    Attributes:
        floor: The same thing done barely, measured in the same run; in the same unit.
        target: What the design wants, in words.
        met: Whether it is so; None where nothing is promised.
    """

    what: str
    measured: float
    unit: str
    floor: float | None = None
    target: str = ""
    met: bool | None = None

    @property
    def ratio(self) -> float | None:
        return self.measured / self.floor if self.floor else None


@dataclass(frozen=True)
class Figure:
    """The lines of one measurement; `notes` say how it was taken, `detail` is for `--json`."""

    rows: Sequence[Row]
    notes: Sequence[str] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        rows = [{**asdict(row), "ratio": row.ratio} for row in self.rows]
        return {"rows": rows, "notes": list(self.notes), "detail": dict(self.detail)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Figure":
        rows = [Row(**{name: value for name, value in row.items() if name != "ratio"}) for row in told["rows"]]
        return cls(rows, told["notes"], told["detail"])


def at_most(limit: float, value: float, words: str) -> tuple[str, bool]:
    """Return a target and whether it is met."""
    return words, value <= limit


def p50(values: Sequence[float]) -> float:
    return statistics.median(values)


def p99(values: Sequence[float]) -> float:
    """Return the value that 99 of 100 do not exceed (the worst one, for fewer than 100)."""
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * 99 // 100) - 1, 0)]


def show(figures: Mapping[str, Figure], heading: str) -> None:
    """Print an aligned table, without colours or lines where nobody looks at a terminal."""
    console = Console(width=None if Console().is_terminal else PLAIN_WIDTH, highlight=False, emoji=False)
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for title in ("figure", "what"):
        table.add_column(title, overflow="fold")
    for title in ("measured", "floor", "ratio"):
        table.add_column(title, justify="right", no_wrap=True)
    for title in ("target", "met?"):
        table.add_column(title, no_wrap=True)
    for name, figure in figures.items():
        for row in figure.rows:
            floor = "–" if row.floor is None else said(row.floor, row.unit)
            ratio = "–" if row.ratio is None else f"{row.ratio:.2f} ×"
            met = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[row.met]
            table.add_row(name, row.what, said(row.measured, row.unit), floor, ratio, row.target, met)
    console.print(heading, markup=False)
    console.print(table)
    for name, figure in figures.items():
        for note in figure.notes:
            console.print(f"{name}: {note}", markup=False, soft_wrap=True)


def said(value: float, unit: str) -> str:
    """Return a number with as many digits as mean something."""
    digits = 0 if value >= 100 or unit in ("events", "bytes") else 1 if value >= 10 or unit == "ms" else 2
    return f"{value:,.{digits}f} {unit}"


def as_json(figures: Mapping[str, Figure], errors: Mapping[str, str], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything as one JSON object."""
    return {
        **about,
        "figures": {name: figure.as_json() for name, figure in figures.items()},
        "errors": dict(errors),
    }


def machine() -> dict[str, Any]:
    """Say what the numbers were taken on, and how busy it was."""
    return {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}

"""What the command line writes: aligned where it is piped, coloured on a terminal, one sentence where it failed."""

import json
import re
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

OK, FAILED, UNUSABLE = 0, 1, 2
"""Exit statuses: done; not done, or something was found; the command or a file cannot be used as it is."""

NO_WORKER = "no worker answers; `allclear up` or `allclear worker` runs one"

_CODE = re.compile(r"`([^`]+)`")
_THEME = Theme(
    {"code": "bold cyan", "head": "bold", "note": "dim", "bad": "bold red", "good": "green", "warn": "yellow"}
)


class Stop(Exception):
    """Ends a command with a sentence for whoever typed it."""

    def __init__(self, text: str, code: int = FAILED) -> None:
        """Say `text` and end with `code`."""
        super().__init__(text)
        self.code = code


def console(stream: TextIO | None = None) -> Console:
    """Return where a command writes: standard output, or `stream`.

    Text from outside is never read as markup: an alarm's summary may hold brackets.
    """
    return _Console(file=stream or sys.stdout, theme=_THEME, markup=False, highlight=False, emoji=False)


class _Console(Console):
    """A console whose reader may go away, as in `allclear … | head`: it is for the caller to end in order."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def line(out: Console, text: str | Text = "", style: str = "") -> None:
    """Write a line; what stands in `backticks` is shown as something to type."""
    said = text if isinstance(text, Text) else with_code(text, style)
    out.print(said, soft_wrap=not out.is_terminal)


def with_code(text: str, style: str = "") -> Text:
    """Return a sentence with its `commands` coloured."""
    parts = _CODE.split(text)
    said = Text(style=style)
    for number, part in enumerate(parts):
        said.append(part if number % 2 == 0 else f"`{part}`", "code" if number % 2 else "")
    return said


def failed(text: str) -> None:
    """Say on standard error why a command ends."""
    err = console(sys.stderr)
    said = Text("allclear: ", style="bad")
    said.append_text(with_code(text))
    line(err, said)


def as_json(value: Any) -> None:
    """Write one JSON value; `value` may be JSON text already."""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    sys.stdout.write(text + "\n")


Cell = str | Text


def table(out: Console, heads: Sequence[str], rows: Sequence[Sequence[Cell]], indent: int = 0) -> None:
    """Write rows below their heads: wrapped to a terminal's width, one line per row elsewhere."""
    if out.is_terminal:
        _wrapped(out, heads, rows, indent)
        return
    lines = [[*heads], *([_plain(cell) for cell in row] for row in rows)]
    if not any(heads):
        del lines[0]
    widths = [max(len(row[n]) for row in lines) for n in range(len(heads))] if lines else []
    for row in lines:
        padded = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        line(out, Text(" " * indent + padded.rstrip()))


def _wrapped(out: Console, heads: Sequence[str], rows: Sequence[Sequence[Cell]], indent: int) -> None:
    grid = Table(box=None, show_header=any(heads), padding=(0, 2, 0, 0), pad_edge=False)
    # Names and times stay whole; the last column, which holds words, is what wraps.
    for number, head in enumerate(heads):
        grid.add_column(Text(head, style="note"), overflow="fold", no_wrap=number < len(heads) - 1)
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    out.print(Padding(grid, (0, 0, 0, indent), expand=False))


def count(number: int, noun: str) -> str:
    """Return a number of things: '1 incident', '2 incidents'."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _plain(cell: Cell) -> str:
    return " ".join((cell.plain if isinstance(cell, Text) else cell).split())

"""How a drill looks while it plays: a line per entry, in the order in which things happened."""

import asyncio
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.say import line
from model.drill import DrillResult
from model.incident import Incident
from model.matter import SYSTEM, Entry

_GOOD, _BAD, _LOUD, _CALM = "bold green", "bold red", "bold white on red", "dim"
STYLES: Final[dict[str, str]] = {
    "opened": _BAD, "alarm": "red", "joined_by_alarm": "red", "reported": "red", "reopened": _BAD,
    "verification_failed": _BAD, "tenet_broken": _BAD, "severity": "magenta", "exhausted": _LOUD,
    "nobody_on_call": _LOUD, "fallback": "magenta", "unreadable": "magenta", "unmapped": "magenta",
    "refused": "magenta", "promoted": "bold magenta", "absorbed": "magenta", "made_big": "bold magenta",
    "engaged": "cyan", "called_back": "cyan", "paged": "yellow", "paging_stopped": _CALM, "told": _CALM,
    "acknowledged": "green", "joined": "green", "released": "green", "stood_down": "green", "lead": "bold",
    "proposed": "bold yellow", "decided": "bold", "executed": "bold cyan", "stopped": "magenta", "expired": _CALM,
    "recovery": "green", "statement_missing": "magenta", "draft_waiting": "bold yellow", "held": "magenta",
    "notified": "cyan", "overdue": _BAD, "checked": "green", "verified": _GOOD,
    "closed": _GOOD, "all_clear": _GOOD, "phase": "bold blue",
}  # fmt: skip
"""How each kind of entry looks on a terminal; others look plain."""

WIDE: Final = 110
"""Columns from which on a terminal has room for whole names."""
_PLAIN_WIDTHS: Final = (15, 10, 19, 8)


def short_id(incident: str) -> str:
    """Return an incident's id without its day: `INC-…-7F3A`."""
    return f"INC-…-{incident.rsplit('-', 1)[-1]}"


class Timeline:
    """Writes a drill's entries while it plays."""

    def __init__(self, out: Console) -> None:
        """Write to `out`."""
        self._out = out
        self._heard: list[tuple[datetime, int, str, Entry]] = []
        self._order: list[str] = []
        self._month = ""
        self._seen = 0
        self._is_read = True

    def hear(self, incident: Incident, entries: list[Entry]) -> None:
        """Take what is new in one incident.

        The player tells one incident after the other; what happened between two steps is written in its own order,
        as soon as all were told.
        """
        self._stop_without_reader()
        if not self._heard:
            asyncio.get_running_loop().call_soon(self.write)
        if incident.id not in self._order:
            self._order.append(incident.id)
        rank = self._order.index(incident.id)
        self._heard += [(entry.at, rank, incident.id, entry) for entry in entries]
        self._seen += len(entries)

    def write(self) -> None:
        """Write what was heard."""
        heard, self._heard = sorted(self._heard, key=lambda it: (it[0], it[1], it[3].seq)), []
        try:
            for at, _, incident, entry in heard:
                self._begin_month(at)
                self._line(at, incident, entry)
        except BrokenPipeError:
            self._is_read = False  # raised to the player when it tells more: here, it would tear the loop

    def _stop_without_reader(self) -> None:
        if not self._is_read:
            raise BrokenPipeError

    def end(self, result: DrillResult) -> None:
        """Write the rest, and say what was not shown: an incident carries only its last lines from step to step."""
        self.write()
        self._stop_without_reader()
        missed = sum(len(row.timeline) for row in result.incidents) - self._seen
        if missed > 0:
            line(self._out, f"{missed} more lines, between steps far apart, are in the tickets and in --json", "note")

    def _begin_month(self, at: datetime) -> None:
        """Name the month when it changes: the lines have only the day."""
        month = f"{at:%B %Y}"
        if self._month and month != self._month:
            line(self._out, f"{month}", "head")
        self._month = month

    def _line(self, at: datetime, incident: str, entry: Entry) -> None:
        words = f"{entry.text}  {entry.link}" if entry.link else entry.text
        cells = [f"{at:%a %d %H:%M:%S}", short_id(incident), entry.what, entry.by, " ".join(words.split())]
        if not self._out.is_terminal:
            padded = [cell.ljust(width) for cell, width in zip(cells, _PLAIN_WIDTHS, strict=False)]
            line(self._out, Text(" | ".join([*padded, cells[-1]])))
            return
        self._out.print(_grid(cells, entry, wide=self._out.width >= WIDE))


def _grid(cells: list[str], entry: Entry, *, wide: bool) -> Table:
    """Return a line whose words wrap below themselves."""
    when, incident, what, who, words = cells
    style = STYLES.get(entry.what, "")
    grid = Table.grid(padding=(0, 1))
    shown = [
        (when, 15, "dim"),
        (incident if wide else incident[-4:], 10 if wide else 4, "dim"),
        (what, 19 if wide else 15, style),
        (who, 8, _CALM if who == SYSTEM else "bold"),
    ]
    row: list[Text] = []
    for text, width, look in shown:
        grid.add_column(width=width, overflow="fold")
        row.append(Text(text, style=look))
        if wide:
            grid.add_column(width=1)
            row.append(Text("|", style="dim"))
    grid.add_column(overflow="fold")
    row.append(Text(words, style=style if style in (_LOUD, _CALM) else ""))
    grid.add_row(*row)
    return grid

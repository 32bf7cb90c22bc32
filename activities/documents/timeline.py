"""An incident's course as a picture: how long each part took, and the milestones from top to bottom."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from activities.documents.svg import TEMPLATES, legal, wrap
from model.matter import Entry, What
from model.text import one_line
from model.times import ago

WIDE: Final = 480.0
"""Pixels: so narrow that a phone shows all of it and the text can still be read."""
AXIS: Final = 94.0
TEXT: Final = 110.0
LINE: Final = 17.0
MOST_ROWS: Final = 60
MOST_TEXT: Final = 4
"""Lines of a row; the record has the rest."""
TOGETHER: Final = timedelta(minutes=10)
"""Entries of a kind that follow each other this close are one row."""
TOLD_GAP: Final = timedelta(minutes=5)
"""A pause at least this long is written between its rows."""

_KINDS: Final[dict[str, tuple[str, tuple[What, ...]]]] = {
    "seen": ("#b3261e", ("opened", "reported", "joined_by_alarm", "promoted", "severity", "tenet_broken", "reopened")),
    "people": ("#2b5fa8", ("paged", "acknowledged", "joined", "exhausted", "nobody_on_call", "made_big", "lead")),
    "said": ("#6d4aa8", ("statement", "notified", "inquiry", "recovery", "sentiment")),
    "done": ("#b26a00", ("proposed", "decided", "executed", "stopped", "verification_failed", "refused")),
    "over": ("#2e7d4f", ("verified", "absorbed", "closed", "all_clear")),
}
_COLOURS: Final[dict[str, str]] = {what: colour for colour, whats in _KINDS.values() for what in whats}
_PARTS: Final[tuple[tuple[What, str, str], ...]] = (
    ("opened", "detected", "#d9534a"),
    ("acknowledged", "acknowledged", "#4f83c9"),
    ("executed", "first mitigation", "#dd9a3a"),
    ("verified", "verified", "#55a677"),
)
"""What begins a part of the bar: the entry, its name, and the colour of the part that leads up to it."""


@dataclass
class Row:
    """A moment, or several of a kind close together."""

    at: datetime
    what: str
    colour: str
    lines: list[str]
    texts: list[str]
    y: float = 0.0
    day: str = ""
    gap: str = ""
    gap_y: float = 0.0

    @property
    def h(self) -> float:
        """Its height."""
        return LINE * (1 + len(self.lines))


@dataclass
class Part:
    """A stretch of the bar."""

    label: str
    colour: str
    x: float
    w: float


def timeline_svg(entries: Sequence[Entry]) -> str:
    """Return an incident's timeline as SVG; pages, chatter and bookkeeping are left to the record."""
    ordered = sorted(entries, key=lambda entry: (entry.at, entry.seq))
    parts = _parts(ordered)
    top = 62.0 + LINE * len(parts) if parts else 20.0
    rows = _rows(ordered)
    bottom = _place(rows, top)
    return TEMPLATES.get_template("timeline.svg.j2").render(
        rows=rows,
        parts=parts,
        w=WIDE,
        h=round(bottom + 8),
        top=top,
        axis=AXIS,
        text=TEXT,
        line=LINE,
        last=rows[-1].y if rows else top,
    )


def _parts(entries: list[Entry]) -> list[Part]:
    """Return the parts of the bar: from detection to acknowledgement, to mitigation, to verification."""
    first: dict[str, datetime] = {}
    for entry in entries:
        first.setdefault(entry.what, entry.at)
    if verified := [entry.at for entry in entries if entry.what == "verified"]:
        first["verified"] = verified[-1]
    known = sorted(
        ((first[what], name, colour) for what, name, colour in _PARTS if what in first), key=lambda it: it[0]
    )
    whole = known[-1][0] - known[0][0] if known else timedelta()
    if not whole:
        return []
    parts, room = [], WIDE - 24
    for (start, before, _), (end, name, colour) in pairwise(known):
        x = 12 + room * ((start - known[0][0]) / whole)
        label = f"{before} to {name}: {ago(end - start)}"
        parts.append(Part(label, colour, x, max(2.0, room * ((end - start) / whole))))
    return parts


def _rows(entries: list[Entry]) -> list[Row]:
    rows: list[Row] = []
    for entry in entries:
        if entry.what not in _COLOURS:
            continue
        last = rows[-1] if rows else None
        text = one_line(legal(entry.text))
        by = "" if entry.by in ("allclear", "") or entry.by in text else f"{legal(entry.by)}: "
        if last and last.what == entry.what and entry.at - last.at < TOGETHER:
            last.texts.append(by + text)
        else:
            rows.append(Row(entry.at, entry.what, _COLOURS[entry.what], [], [by + text]))
    more = len(rows) - MOST_ROWS
    rows = rows[:MOST_ROWS]
    for row in rows:
        row.lines = _told(row.texts)
    if more > 0:
        rows[-1].lines.append(f"… and {more} more moments in the record")
    return rows


def _told(texts: list[str]) -> list[str]:
    shown = [text for text in dict.fromkeys(texts) if text][:4]
    more = len(texts) - len(shown)
    said = "; ".join(shown) + (f"; and {more} more" if more > 0 and shown else "")
    return wrap(said, WIDE - TEXT - 12, MOST_TEXT) if said else []


def _place(rows: list[Row], top: float) -> float:
    """Give each row its place: a longer pause is a longer way, but not in proportion. Returns the bottom."""
    y, before = top, None
    for row in rows:
        at = row.at.astimezone(UTC)
        if before is not None:
            pause = at - before
            space = 8 + 7 * math.log2(1 + max(0.0, pause.total_seconds()) / 60)
            if pause >= TOLD_GAP:
                space = max(space, 26.0)
                row.gap, row.gap_y = f"{ago(pause)} later", y + space / 2 + 4
            y += min(space, 70.0)
            row.gap_y = min(row.gap_y, y - 6)
        if before is None or before.date() != at.date():
            row.day = f"{at:%Y-%m-%d}"
            y += LINE
        row.y = y
        y += row.h
        before = at
    return y

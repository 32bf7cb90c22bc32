"""The tree of whys as a picture: branches side by side, each read from its question down to what we can change.

The layout is ours: no well-kept library places boxes of different heights tidily (docs/decisions/coe-documents.md).
"""

from dataclasses import dataclass, field
from typing import Final

from activities.documents.svg import FONT_SIZE, TEMPLATES, legal, plain, width, wrap
from model.coe.file import CoeFile, Why

LINE: Final = 18.0
PAD: Final = 10.0
SIDE: Final = 16.0
"""Pixels between boxes side by side."""
BELOW: Final = 28.0
"""Pixels between a box and those below it."""
MARGIN: Final = 12.0
MOST_TEXT: Final = 14
"""Lines in a box; the list beside the picture has the rest."""
_WIDTHS: Final = ((3, 250.0), (5, 212.0), (7, 188.0))
"""Up to how many leaves a box is how wide; more leaves get the narrowest."""
_NARROWEST: Final = 172.0
LEGEND: Final = 44.0
NARROW: Final = 320.0
"""Pixels of the narrowest picture: a phone."""


@dataclass
class Box:
    """A question or a finding as it is drawn; `x` is its left edge."""

    kind: str
    lines: list[str]
    notes: list[str]
    w: float
    full: str = ""
    x: float = 0.0
    y: float = 0.0
    below: list["Box"] = field(default_factory=list)

    @property
    def h(self) -> float:
        """Its height."""
        return 2 * PAD + LINE * (len(self.lines) + len(self.notes))

    @property
    def middle(self) -> float:
        """Where lines begin and end."""
        return self.x + self.w / 2

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.h

    def all(self) -> list["Box"]:
        """Return it and every box below it."""
        return [self, *(box for child in self.below for box in child.all())]

    def move(self, dx: float) -> None:
        """Move it with everything below it."""
        for box in self.all():
            box.x += dx


def tree_svg(file: CoeFile) -> str:
    """Return the tree of whys as SVG; several first questions stand below the COE's subject."""
    root = laid_out(file)
    boxes = root.all()
    wide = max(NARROW, *(box.x + box.w + MARGIN for box in boxes))
    high = max(box.bottom for box in boxes) + MARGIN
    kinds = {box.kind for box in boxes}
    shown = [(kind, label) for kind, label in _LABELS.items() if kind in kinds]
    legend = _legend(shown, wide)
    return TEMPLATES.get_template("tree.svg.j2").render(
        title=plain(f"Whys: {file.subject or file.incident or 'untitled'}"),
        boxes=boxes,
        lines=[line for box in boxes for line in connectors(box)],
        legend=[(kind, label, x, high + 14 + row * LINE) for kind, label, x, row in legend],
        colours=_COLOURS,
        w=round(wide),
        h=round(high + LEGEND + LINE * legend[-1][3]),
        size=FONT_SIZE,
        line=LINE,
        pad=PAD,
    )


_COLOURS: Final = {
    "subject": ("#1f2937", "#1f2937", "#ffffff"),
    "question": ("#ffffff", "#2b5fa8", "#17335c"),
    "finding": ("#f5f2ea", "#9a917d", "#2b2820"),
    "lesson": ("#e6f4ea", "#2e7d4f", "#12341f"),
    "reason": ("#f1f1f3", "#8b8b93", "#3a3a40"),
    "open": ("#fdecea", "#c0392b", "#5c1a13"),
}
"""Fill, border and text of each kind of box."""
_LABELS: Final = {
    "question": "question",
    "finding": "finding",
    "lesson": "ends in a lesson",
    "reason": "stops, with a reason",
    "open": "open end",
}


def _legend(shown: list[tuple[str, str]], wide: float) -> list[tuple[str, str, float, int]]:
    """Return the legend's entries, each with its place and row."""
    placed, x, row = [], MARGIN, 0
    for kind, label in shown:
        need = 26 + width(label, 12) + 14
        if x + need > wide and x > MARGIN:
            x, row = MARGIN, row + 1
        placed.append((kind, label, x, row))
        x += need
    return placed or [("question", "question", MARGIN, 0)]


def laid_out(file: CoeFile) -> Box:
    """Return the boxes with their places; none overlaps another, and no line crosses one."""
    leaves = sum(1 for why in file.all_whys() if why.leaf)
    across = next((pixels for most, pixels in _WIDTHS if leaves <= most), _NARROWEST)
    if len(file.whys) == 1:
        root = _box(file.whys[0], across)
    else:
        text = plain(file.subject or file.incident or "untitled")
        root = Box("subject", wrap(text, across - 2 * PAD, MOST_TEXT, bold=True), [], across, text)
        root.below = [_box(why, across) for why in file.whys]
    _place(root, MARGIN)
    root.move(MARGIN - min(box.x for box in root.all()))
    return root


def _box(why: Why, across: float) -> Box:
    room, text = across - 2 * PAD, plain(why.text) or "…"
    lessons = legal(", ".join(why.lessons))
    notes = wrap(f"→ {lessons}", room, 2, bold=True) if lessons else []
    if why.reason:
        notes += wrap(f"= {plain(why.reason)}", room, MOST_TEXT // 2)
    lines = wrap(text, room, MOST_TEXT, bold=why.kind == "question")
    box = Box(_kind(why), lines, notes, across, " ".join([text, lessons, plain(why.reason)]).strip())
    box.below = [_box(child, across) for child in why.children]
    return box


def _kind(why: Why) -> str:
    if why.lessons and why.leaf:
        return "lesson"
    if why.reason and why.leaf:
        return "reason"
    if why.leaf:
        return "open"
    return why.kind


def _place(box: Box, top: float) -> None:
    """Place a box and those below it: as close as their shapes allow, the box over the middle of its children."""
    box.y = top
    placed: list[Box] = []
    for child in box.below:
        _place(child, box.bottom + BELOW)
        own = child.all()
        child.move(max((_push(left, right) for left in placed for right in own), default=0.0))
        placed += child.all()
    if box.below:
        box.x = (box.below[0].middle + box.below[-1].middle) / 2 - box.w / 2


def _push(left: Box, right: Box) -> float:
    """Return how far right a box must move not to touch one that is at the same height."""
    apart = left.bottom + BELOW <= right.y or right.bottom + BELOW <= left.y
    return float("-inf") if apart else left.x + left.w + SIDE - right.x


def connectors(box: Box) -> list[tuple[float, float, float, float]]:
    """Return the lines from a box to those below it."""
    if not box.below:
        return []
    bus = box.bottom + BELOW / 2
    ends = [child.middle for child in box.below]
    lines = [(box.middle, box.bottom, box.middle, bus)]
    if len(ends) > 1:
        lines.append((min(ends), bus, max(ends), bus))
    return lines + [(child.middle, bus, child.middle, child.y) for child in box.below]

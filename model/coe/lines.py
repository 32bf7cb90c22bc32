"""A COE's text as lines, sections and list items: the part of Markdown that its format is made of (design §3)."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final, Literal

from model.coe.file import MOST_FINDINGS, SECTIONS, Finding, Section
from model.text import TEXT_LIMIT, clean, cut

NEWLINE: Final = re.compile(r"\r\n|\r|\n")
_HEADING: Final = re.compile(r"(#{1,6})(?!#)([ \t]*)(.*)")
_UNDERLINE: Final = re.compile(r"={3,}|-{3,}")
_FENCE: Final = re.compile(r"(`{3,}|~{3,})")
_BULLET: Final = re.compile(r"(?:[-*+•]|[0-9]{1,3}[.)])(?:[ \t]+|$)")
_COMMENT: Final = re.compile(r"<!--|-->")
_TAB: Final = 4

_WORDS: Final[dict[Section, str]] = {
    "impact": "impact|impact summary|summary",
    "whys": "whys|why|five whys|the five whys|root causes|root cause",
    "detection": "detection|detection self-critique|detection critique",
    "dependencies": "dependencies|dependency",
    "lessons": "lessons|lessons learned|lessons learnt|lesson|learnings",
    "actions": "actions|action items|action|action plan",
}
_NAMES: Final[dict[str, Section]] = {word: name for name, words in _WORDS.items() for word in words.split("|")}


@dataclass
class Line:
    """One line of the file.

    Attributes:
        indent: Columns before its first character, a tab counting to the next multiple of four.
        text: Without its indentation, comments and invisible characters.
        raw: With its indentation.
        fenced: Whether it is in a block of code, where nothing means anything.
    """

    number: int
    indent: int
    text: str
    raw: str
    fenced: bool = False


@dataclass
class Item:
    """One list item with the lines that continue it.

    Attributes:
        bullet: Whether it was written with one.
    """

    line: int
    indent: int
    parts: list[str]
    bullet: bool = True
    text: str = ""


@dataclass
class Notes:
    """What there is to say about a file, as it is found."""

    found: list[Finding] = field(default_factory=list)
    more: int = 0

    def error(self, code: str, line: int, text: str) -> None:
        """Say what sends the file back."""
        self._add("error", code, line, text)

    def advise(self, code: str, line: int, text: str) -> None:
        """Say what the review should see."""
        self._add("advice", code, line, text)

    def once(self, code: str, line: int, text: str) -> None:
        """Advise, unless the same code was told before."""
        if not any(finding.code == code for finding in self.found):
            self.advise(code, line, text)

    def _add(self, level: Literal["error", "advice"], code: str, line: int, text: str) -> None:
        if len(self.found) < MOST_FINDINGS:
            self.found.append(Finding(level=level, line=line, code=code, text=cut(text, 600)))
        else:
            self.more += 1

    def all(self) -> list[Finding]:
        """Return everything in the order of the file, and how much was not told."""
        found = sorted(self.found, key=lambda finding: finding.line)
        if self.more:
            text = f"{self.more} more like these; repair these first"
            found.append(Finding(level="advice", line=found[-1].line, code="more", text=text))
        return found


def read_lines(raws: list[str], notes: Notes) -> list[Line]:
    """Return the lines of a text without comments, and mark what is in blocks of code."""
    lines: list[Line] = []
    fence, fenced_at, opened = "", 1, 0
    for number, raw in enumerate(raws, 1):
        if fence:
            line = _line(number, raw, fenced=True)
            fence = "" if _closes(line.text, fence) else fence
        else:
            raw, still_open = _uncommented(raw, bool(opened))
            opened = opened or number if still_open else 0
            line = _line(number, raw)
            found = _FENCE.match(line.text)
            if found and (found[1][0] == "~" or "`" not in line.text[found.end() :]):
                fence, line.fenced, fenced_at = found[1], True, number
        lines.append(line)
    if fence:
        notes.error("fence-open", fenced_at, f"a block of code begins here and never ends; close it with {fence[:3]}")
    if opened:
        notes.error("comment-open", opened, "a comment begins here and never ends; close it with -->")
    return lines


def _line(number: int, raw: str, fenced: bool = False) -> Line:
    text = raw.strip()
    if not (text.isascii() and text.isprintable()):
        text = clean(text)
    width = 0
    for character in raw[: len(raw) - len(raw.lstrip())]:
        width += _TAB - width % _TAB if character == "\t" else 1
    return Line(number, width, text, " " * width + text if text else "", fenced)


def _closes(text: str, fence: str) -> bool:
    return len(text) >= len(fence) and set(text) == {fence[0]}


def _uncommented(raw: str, opened: bool) -> tuple[str, bool]:
    """Return a line without comments, and whether one is open at its end."""
    if not opened and "<!--" not in raw:
        return raw, False
    kept, position = [], 0
    for found in _COMMENT.finditer(raw):
        if opened == (found[0] == "-->"):
            if not opened:
                kept.append(raw[position : found.start()])
            opened, position = not opened, found.end()
    return "".join(kept) + ("" if opened else raw[position:]), opened


def heading(line: Line) -> tuple[int, str] | None:
    """Return a heading's level and words, if the line is one; `##Impact` and `**Impact**` are meant as one."""
    if line.fenced or line.indent >= _TAB:
        return None
    found = _HEADING.match(line.text)
    if found:
        words = found[3].rstrip("#").strip()
        return (len(found[1]), words) if found[2] or not words or named(words) else None
    bold = line.text.startswith("**") and line.text.rstrip(": ").endswith("**") and named(line.text)
    return (2, line.text) if bold else None


def named(words: str) -> Section | None:
    """Return which section a heading begins: "3. **Lessons learned:**" is lessons."""
    return _NAMES.get(" ".join(words.casefold().strip("*_:. 0123456789)").split())) if len(words) < 80 else None


@dataclass
class Sections:
    """The file by its headings.

    Attributes:
        at: The line of each section's heading.
    """

    lines: dict[Section, list[Line]] = field(default_factory=dict)
    at: dict[Section, int] = field(default_factory=dict)


def split_sections(lines: list[Line], notes: Notes) -> Sections:
    """Return the lines of each section; what stands elsewhere is said, so that nobody thinks it was read."""
    sections = Sections()
    current: Section | None = None
    first = own = 2
    for line in _plain_headings(lines):
        found = heading(line)
        name = named(found[1]) if found else None
        if found and name and (found[0] <= first or not sections.at):
            first = first if sections.at else max(2, found[0])
            current, own = name, found[0]
            _begin(sections, name, line, notes)
        elif found and current and found[0] <= own:
            current = None
            _unknown(line, found[1], notes)
        elif current:
            sections.lines[current].append(line)
        elif line.text and not found and not sections.at and not _UNDERLINE.fullmatch(line.text):
            notes.once("loose-text", line.number, "text before the first heading is not read; move it to Impact")
    _order(sections, notes)
    return sections


def _plain_headings(lines: list[Line]) -> Iterator[Line]:
    """Yield the lines, with a heading that is underlined as one that begins with ##."""
    skipped = False
    for line, following in zip_longest(lines, lines[1:]):
        if skipped:
            skipped = False
            continue
        if following and not following.fenced and _UNDERLINE.fullmatch(following.text) and named(line.text):
            skipped = True
            line = Line(line.number, 0, f"## {line.text}", f"## {line.text}", line.fenced)
        yield line


def _begin(sections: Sections, name: Section, line: Line, notes: Notes) -> None:
    if name in sections.at:
        notes.advise(
            "heading-twice", line.number, f"{name.title()} began at line {sections.at[name]}; both are read as one"
        )
    sections.at.setdefault(name, line.number)
    sections.lines.setdefault(name, [])


def _unknown(line: Line, words: str, notes: Notes) -> None:
    known = ", ".join(section.title() for section in SECTIONS)
    notes.advise(
        "unknown-heading", line.number, f"'{cut(words, 80)}' is none of {known}; what stands below it is not read"
    )


def _order(sections: Sections, notes: Notes) -> None:
    there = list(sections.at)
    wanted = [section for section in SECTIONS if section in sections.at]
    for section, expected in zip(there, wanted, strict=True):
        if section != expected:
            names = ", ".join(name.title() for name in SECTIONS)
            notes.advise("order", sections.at[section], f"readers expect the order {names}")
            return


def read_items(lines: list[Line], begins: Callable[[str], bool], notes: Notes) -> list[Item]:
    """Return a section's list items.

    Args:
        lines: The section.
        begins: Whether a line begins an item even without a bullet.
        notes: Where to say what is no item.
    """
    items: list[Item] = []
    gap, told = False, False
    for line in lines:
        found = _BULLET.match(line.text) if not line.fenced else None
        titled = heading(line)
        text = titled[1] if titled else line.text[found.end() :] if found else line.text
        if not line.text:
            gap = True
        elif (found and not titled) or (not line.fenced and begins(text)):
            items.append(Item(line.number, line.indent, [text], bool(found)))
            gap = False
        elif items and not line.fenced and not titled and (not gap or line.indent > items[-1].indent):
            items[-1].parts.append(line.text)
        elif not told:
            told = True
            said = "this is no list item and is not read; begin it with '- ', or move it to Impact"
            notes.advise("loose-text", line.number, said)
    for item in items:
        item.text = _bounded(item, notes)
    return items


def _bounded(item: Item, notes: Notes) -> str:
    whole = " ".join(" ".join(item.parts).split())
    short = cut(whole)
    if short != whole:
        text = f"this item is cut after {TEXT_LIMIT} bytes; tell the story under Impact"
        notes.advise("long-text", item.line, text)
    return short


def tree_depths(items: list[Item]) -> Iterator[tuple[int, Item]]:
    """Yield each item with its depth: two columns more than another are below it."""
    open_at: list[int] = []
    for item in items:
        while open_at and item.indent < open_at[-1] + 2:
            open_at.pop()
        yield len(open_at), item
        open_at.append(item.indent)

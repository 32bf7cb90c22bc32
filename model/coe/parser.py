"""Reads a COE file: total on any text, and every problem says its line and what would be accepted (design §3).

Codes told here (what is there cannot be read): `oversize comment-open fence-open front-matter-form front-matter-key
unknown-heading heading-twice order loose-text long-text too-many too-deep no-marker empty-why link-form
detection-form detection-twice unknown-question kept-form mode-form lesson-form action-form action-fact action-date
same-id`. What is missing is told by `model.coe.check`.
"""

import re
from typing import Final

from model.coe import actions as coe_actions
from model.coe import rows as coe_rows
from model.coe.file import DEEPEST, MOST_LINES, MOST_WHYS, SIZE_LIMIT, CoeFile, Finding, Why
from model.coe.lines import (
    NEWLINE,
    Item,
    Line,
    Notes,
    heading,
    named,
    read_items,
    read_lines,
    split_sections,
    tree_depths,
)
from model.coe.rows import lesson_names, only_lessons
from model.text import cut

_KEYS: Final = ("incident", "team", "subject", "author", "customers_hit")
_KEY: Final = re.compile(r"[-*+ ]*([A-Za-z][A-Za-z _-]{0,40}?)[*_]{0,2} ?: ?(.*)")
_ARROW: Final = re.compile(r"→|⇒|[-=–—]>")
_MARK: Final = re.compile(r"[*_`]{0,3}([?!=？！＝])(?![\[=])[*_`]{0,3}[ :]*")
_REASON: Final = re.compile(r" = (?=[^\W\d]\w*\W+\w)")


def parse(text: str) -> tuple[CoeFile, list[Finding]]:
    """Read a COE file. It never raises: what cannot be read is a finding, and the rest is read.

    Args:
        text: Markdown, at most `SIZE_LIMIT` bytes; what is larger is one finding, `oversize`.

    Returns:
        The file, and what could not be read in it.
    """
    notes = Notes()
    size = len(text.encode(errors="replace"))
    if size > SIZE_LIMIT:
        notes.error("oversize", 1, f"the file has {size} bytes; at most {SIZE_LIMIT} are read: link the rest")
        return CoeFile(), notes.all()
    raw = NEWLINE.split(text.removeprefix("\ufeff"))
    if len(raw) > MOST_LINES:
        notes.error("oversize", 1, f"the file has {len(raw)} lines; at most {MOST_LINES} are read: link the rest")
        return CoeFile(), notes.all()
    lines = read_lines(raw, notes)
    file = CoeFile()
    rest = _front(lines, file, notes)
    sections = split_sections(rest, notes)
    file.lines.update(sections.at)
    parts = sections.lines
    file.impact = _story(parts.get("impact", []), file)
    file.whys = _whys(read_items(parts.get("whys", []), _begins_why, notes), notes)
    file.detection = coe_rows.detection(parts.get("detection", []), notes)
    file.dependencies, file.no_dependencies = coe_rows.dependencies(parts.get("dependencies", []), notes)
    file.lessons = coe_rows.lessons(parts.get("lessons", []), notes)
    file.actions = coe_actions.actions(parts.get("actions", []), notes)
    return file, notes.all()


def _story(lines: list[Line], file: CoeFile) -> str:
    """Return the impact summary as it is written, and note where it begins."""
    told = [n for n, line in enumerate(lines) if line.text]
    if not told:
        return ""
    file.lines["story"] = lines[told[0]].number
    return "\n".join(line.raw for line in lines[told[0] : told[-1] + 1])


def _front(lines: list[Line], file: CoeFile, notes: Notes) -> list[Line]:
    """Read the front matter into the file and return the lines after it."""
    start = next((n for n, line in enumerate(lines) if line.text), len(lines))
    if start == len(lines):
        return []
    if _is_rule(lines[start]):
        end = next((n for n, line in enumerate(lines[start + 1 :], start + 1) if _ends_front(line)), len(lines))
        closed = end < len(lines) and _is_rule(lines[end])
        if not closed:
            notes.advise("front-matter-form", lines[start].number, "close the front matter with a line ---")
        facts, rest = lines[start + 1 : end], lines[end + closed :]
    else:
        end = next((n for n, line in enumerate(lines) if _begins_section(line)), len(lines))
        facts = [line for line in lines[start:end] if _fact(line)]
        rest = [line for line in lines[start:end] if not _fact(line)] + lines[end:]
        if facts:
            text = "put the front matter first, between two lines ---"
            notes.advise("front-matter-form", facts[0].number, text)
    file.lines["front"] = lines[start].number
    for line in facts:
        _read_fact(line, file, notes)
    return rest


def _is_rule(line: Line) -> bool:
    return not line.fenced and line.text in ("---", "----", "-----", "...")


def _ends_front(line: Line) -> bool:
    return _is_rule(line) or (heading(line) is not None and not line.text.startswith("# "))


def _begins_section(line: Line) -> bool:
    found = heading(line)
    return found is not None and named(found[1]) is not None


def _key(words: str) -> str:
    return "_".join(words.casefold().replace("-", " ").replace("_", " ").split())


def _fact(line: Line) -> bool:
    found = _KEY.fullmatch(line.text) if not line.fenced else None
    return found is not None and _key(found[1]) in _KEYS


def _read_fact(line: Line, file: CoeFile, notes: Notes) -> None:
    if not line.text or line.text.startswith("#"):
        return
    found = _KEY.fullmatch(line.text)
    key = _key(found[1]) if found else ""
    if not found or key not in _KEYS:
        text = f"the front matter has the lines {', '.join(_KEYS)}, each with its value after a colon"
        notes.once("front-matter-key", line.number, text)
        return
    value = " ".join(found[2].split())
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1].strip()
    if not getattr(file, key):
        setattr(file, key, cut(value))


def _begins_why(text: str) -> bool:
    return bool(_ARROW.match(text) or _MARK.match(text))


def _whys(items: list[Item], notes: Notes) -> list[Why]:
    """Build the tree: a question, what was found, what that makes us ask."""
    roots: list[Why] = []
    path: list[tuple[int, Why]] = []
    count = 0
    for depth, item in tree_depths(items):
        if depth >= DEEPEST:
            notes.once("too-deep", item.line, f"a tree has at most {DEEPEST} levels; this is read as the level above")
            depth = DEEPEST - 1
        if _ends_branch(item, depth, path, notes):
            continue
        count += 1
        if count > MOST_WHYS:
            text = f"at most {MOST_WHYS} questions and findings are read; what is more is another COE"
            notes.error("too-many", item.line, text)
            break
        while path and path[-1][0] >= depth:
            path.pop()
        why = _why(item, notes)
        (path[-1][1].children if path else roots).append(why)
        path.append((depth, why))
    return roots


def _ends_branch(item: Item, depth: int, path: list[tuple[int, Why]], notes: Notes) -> bool:
    """Read an item that says where a branch ends: below a finding, or right after it at its level."""
    arrow = _ARROW.match(item.text)
    mark = None if arrow else _MARK.match(item.text)
    if not arrow and not (mark and mark[1] in "=＝"):
        return False
    beside = next((why for at, why in path if at == depth), None)
    above = next((why for at, why in reversed(path) if at < depth), None)
    end = beside if beside and beside.leaf else above
    if end is None:
        notes.error("link-form", item.line, "put this below the finding at which its branch ends")
    elif mark:
        end.reason = cut(" ".join(part for part in (end.reason, item.text[mark.end() :].strip()) if part))
    else:
        found = lesson_names(item.text)
        end.lessons += [name for name in found if name not in end.lessons]
        if not found:
            notes.error("link-form", item.line, "name the lesson it leads to: → L1")
    return True


def _why(item: Item, notes: Notes) -> Why:
    mark = _MARK.match(item.text)
    text = item.text[mark.end() :] if mark else item.text
    asked = mark[1] in "?？" if mark else text.rstrip("*_ ").endswith("?")
    if not mark:
        notes.once("no-marker", item.line, "begin a question with '?' and a finding with '!'")
    text, lessons = _links(text)
    reason = ""
    if not asked and not lessons and (found := _REASON.search(text)):
        text, reason = text[: found.start()], text[found.end() :]
    text = text.strip()
    if not text:
        notes.error("empty-why", item.line, "write the question or the finding itself, with its data")
    return Why(line=item.line, kind="question" if asked else "finding", text=text, lessons=lessons, reason=reason)


def _links(text: str) -> tuple[str, list[str]]:
    """Return a text without the links at its end, and the lessons they name."""
    arrows = list(_ARROW.finditer(text))
    if not arrows:
        return text, []
    tail = text[arrows[-1].end() :].strip()
    names = lesson_names(tail)
    if not names or not re.match(r"L ?[0-9]", tail, re.IGNORECASE):
        return text, []
    return (text[: arrows[-1].start()] if only_lessons(tail) else text), names

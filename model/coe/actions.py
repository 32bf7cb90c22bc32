"""Reads the actions of a COE file: `A1 (L1, mid, owner, 2026-04-01, promised): title — goal — validation` (R8, R9)."""

import re
from datetime import date
from typing import Final, Literal, cast

from model.coe.file import Action, Horizon, end_of
from model.coe.lines import Item, Line, Notes
from model.coe.rows import grouped, only_lessons
from model.times import parse_moment

EXAMPLE: Final = "A1 (L1, mid, ana, 2026-04-01, promised): title — goal — validation"

_NAME: Final = re.compile(r"[*_`]{0,3}A ?0*([1-9][0-9]{0,3})(?!\w)[*_`]{0,3} ?", re.IGNORECASE)
_HORIZON: Final = re.compile(r"(short|mid|medium|long)(?:[- ]?term)?(?: ?/ ?(incremental|replacement))?", re.IGNORECASE)
_REPLACES: Final = re.compile(r"replaces ?:? ?(?:#|item |action )?(A ?)?0*([1-9][0-9]{0,5})", re.IGNORECASE)
_PATCH: Final = re.compile(r"(?:replaces ?:? ?)?(?:patch|mitigation) ?#?0*([1-9][0-9]{0,5})", re.IGNORECASE)
_DUE: Final = re.compile(r"(?:(?:due|by)[ :]+)?([0-9]{4}-[0-9]{2}-[0-9]{2})((?:T| [0-9]).*)?", re.IGNORECASE)
_DATE_LIKE: Final = re.compile(
    r"(?:(?:due|by)[ :]+)?[0-9]{1,4}[./-][0-9]{1,2}(?:[./-][0-9]{0,4})?|.*\b20[0-9]{2}", re.IGNORECASE
)
_LABEL: Final = re.compile(r"(title|goal|validation)[*_`]{0,3} ?: ?", re.IGNORECASE)
_BREAKS: Final = tuple(re.compile(rf"\s{mark}(?=\s|$)") for mark in ("—", "–", "--", "-", r"\|"))
_ANY_BREAK: Final = re.compile(r"\s(?:—|–|--|-|\|)(?=\s|$)")


def actions(lines: list[Line], notes: Notes) -> list[Action]:
    """Read the actions."""
    rows: list[Action] = []
    for item in grouped(lines, lambda text: _NAME.match(text) is not None, " — ", notes):
        found = _NAME.match(item.text)
        if not found:
            notes.error("action-form", item.line, f"this is no action; write {EXAMPLE}")
            continue
        row = Action(line=item.line, id=f"A{found[1]}")
        if any(other.id == row.id for other in rows):
            notes.error("same-id", item.line, f"there are two actions {row.id}; give each a number of its own")
        _read(row, item, item.text[found.end() :], notes)
        rows.append(row)
    return rows


def _read(row: Action, item: Item, text: str, notes: Notes) -> None:
    end = _closing(text)
    if not end:
        form = f"{row.id} needs its facts in parentheses after its name; write {EXAMPLE}"
        notes.error("action-form", item.line, form)
    for fact in re.split(r"[,;]", text[1:end]) if end else []:
        if fact := " ".join(fact.strip(" *_`").split()):
            _fact(row, item, fact, notes)
    row.title, row.goal, row.validation = _said(text[end + 1 if end else 0 :].lstrip(" :*_`–—-"))


def _closing(text: str) -> int:
    """Return where the parenthesis at the beginning ends; 0 when there is none."""
    depth = 0
    for place, character in enumerate(text) if text.startswith("(") else ():
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return place
    return 0


def _fact(row: Action, item: Item, fact: str, notes: Notes) -> None:
    """Read one of the facts in parentheses; they are told apart by what they look like, not by their place."""
    lowered = fact.casefold()
    if names := only_lessons(fact):
        row.lessons += [name for name in names if name not in row.lessons]
    elif found := _HORIZON.fullmatch(fact):
        word = found[1].casefold()
        row.horizon = cast(Horizon, "mid" if word == "medium" else word)
        row.kind = row.kind or _kind(found[2] or "")
    elif lowered in ("incremental", "replacement"):
        row.kind = _kind(fact)
    elif lowered in ("promised", "not promised", "internal"):
        row.promised = lowered == "promised"
    elif found := _REPLACES.fullmatch(fact):
        row.replaces = None if found[1] else int(found[2])
        row.replaces_id = f"A{found[2]}" if found[1] else ""
    elif found := _PATCH.fullmatch(fact):
        row.patch = int(found[1])
    elif _DUE.match(fact) or (_DATE_LIKE.match(fact) and not row.due):
        _due(row, item, fact, notes)
    elif not row.owner:
        row.owner = re.sub(r"^owner ?: ?", "", fact, flags=re.IGNORECASE)
    else:
        text = f"'{fact[:60]}' is not read: {row.id} is {row.owner}'s already; write {EXAMPLE}"
        notes.error("action-fact", item.line, text)


def _kind(word: str) -> Literal["incremental", "replacement"] | None:
    lowered = word.casefold()
    return "incremental" if lowered == "incremental" else "replacement" if lowered == "replacement" else None


def _due(row: Action, item: Item, fact: str, notes: Notes) -> None:
    found = _DUE.fullmatch(fact)
    try:
        if found and found[2]:
            row.due = parse_moment(fact[found.start(1) :]).replace(microsecond=0)
        elif found:
            row.due = end_of(date.fromisoformat(found[1]))
    except ValueError:
        found = None
    if not found:
        text = f"'{fact[:60]}' is no date; write 2026-04-01, or 2026-04-01T18:00Z for an hour"
        notes.error("action-date", item.line, text)


def _said(text: str) -> tuple[str, str, str]:
    """Return title, goal and validation; they are parted by dashes, and may be named."""
    parts = [part.strip(" *_`") for part in _parted(text)]
    said: dict[str, str] = {}
    free = []
    for part in parts:
        found = _LABEL.match(part)
        if found and found[1].casefold() not in said:
            said[found[1].casefold()] = part[found.end() :].strip(" *_`")
        else:
            free.append(part)
    names = [name for name in ("title", "goal", "validation") if name not in said]
    if names and len(free) > len(names):
        free[len(names) - 1 :] = [" — ".join(free[len(names) - 1 :])]
    said.update(zip(names, free, strict=False))
    return said.get("title", ""), said.get("goal", ""), said.get("validation", "")


def _parted(text: str) -> list[str]:
    """Return a text parted by the strongest dash that makes three of it, else by every dash, else by any."""
    several = [parts for mark in (*_BREAKS, _ANY_BREAK) if len(parts := mark.split(text)) > 1]
    return next((parts for parts in several if len(parts) > 2), several[0] if several else [text])

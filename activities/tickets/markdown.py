"""Tickets as Markdown files, rendered from the record: one per incident, for anybody with a text editor."""

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from activities import Failed
from activities.tickets import Ticketing
from activities.tickets.telling import web_link
from model.engage.engagement import pages_by_team
from model.incident import Incident, Paged
from model.matter import Entry
from model.text import clean, escape
from model.times import ago
from store import Store, StoreError, is_incident

NOTHING: Final = "–"
"""What a cell shows when there is nothing to show: an empty one looks like a mistake."""


class MarkdownTickets(Ticketing):
    """Keeps a file `{incident}.md` in a folder, as new as the record."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        # Without it, the slower of two refreshes could put its older text over the newer one.
        self._one_at_a_time = asyncio.Lock()

    async def refresh(self, incident: str) -> None:
        """Write an incident's ticket anew; what follows from incidents has none of its own.

        Raises:
            Failed: The record has no such incident, the store did not answer, or the disk did not take it.
        """
        if not is_incident(incident):
            return
        async with self._one_at_a_time:
            try:
                facts = await self._store.incident(incident)
                entries = await self._store.timeline(incident)
            except StoreError as error:
                raise Failed(str(error)) from error
            if facts is None:
                raise Failed(f"the record does not have {incident} yet")
            try:
                await asyncio.to_thread(_write, self._folder, f"{facts.id}.md", facts, entries)
            except OSError as error:
                raise Failed(f"the ticket {facts.id}.md cannot be written: {error.strerror}") from error


def _write(folder: Path, name: str, incident: Incident, entries: Sequence[Entry]) -> None:
    """Put a new file in the place of the old one in one step: a reader sees either, never half of one."""
    if Path(name).name != name:
        raise Failed(f"'{name}' is no file name", again=False)
    text = render(incident, entries)
    folder.mkdir(parents=True, exist_ok=True)
    # Beside its place, because only within one file system is a replacement a single step.
    draft = folder / f".{name}.{uuid4().hex}"
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, folder / name)
    finally:
        draft.unlink(missing_ok=True)


def render(incident: Incident, entries: Sequence[Entry]) -> str:
    """Return an incident's ticket as Markdown."""
    return _TEMPLATES.get_template("incident.md.j2").render(
        incident=incident,
        entries=entries,
        first_pages=_first_pages(incident),
        as_of=entries[-1].at if entries else incident.opened_at,
        in_full=[entry for entry in entries if _is_long(entry)],
        days=_day_changes(entries),
    )


class Md(str):
    """Markdown of our own making. Every other text that a template shows is escaped."""

    __slots__ = ()


def _shown(value: object) -> Md:
    """Return what a template shows for a value: our Markdown as it is, anything else as literal text."""
    if isinstance(value, Md):
        return value
    # An ampersand could begin an entity: "&lt;" would be shown as "<".
    return Md(escape(clean(str(value))).replace("&", r"\&"))


def _or_nothing(value: object) -> Md:
    return _shown(value) if value else Md(NOTHING)


def _words(value: str) -> str:
    """Return one of our own constants as people write it."""
    return value.replace("_", " ")


def _listed(values: Sequence[str]) -> Md:
    return Md(", ".join(_shown(value) for value in values) or NOTHING)


def _moment(at: datetime | None) -> Md:
    return Md(f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else NOTHING)


def _clock(at: datetime | None, day: date) -> Md:
    """Return the time of day, with its date where that is not the given day."""
    return Md(f"{at.astimezone(UTC):%H:%M:%S}") if at and _day(at) == day else _moment(at)


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _after(at: datetime, start: datetime) -> Md:
    return Md(f"{_moment(at)} ({ago(at - start)} after it opened)")


def _first_pages(incident: Incident) -> dict[str, Md]:
    """Return who of each team was paged first, when and how; people of several teams count under the first."""
    return {team: _first_page(pages, incident) for team, pages in pages_by_team(incident).items()}


def _first_page(pages: Sequence[tuple[str, Paged]], incident: Incident) -> Md:
    person, page = min(pages, key=_reached_first)
    failed = " (not reached)" if page.failed_at else ""
    return Md(f"{_clock(page.at, _day(incident.opened_at))} {_shown(person)}, {_shown(page.channel)}{failed}")


def _reached_first(item: tuple[str, Paged]) -> tuple[bool, datetime, str]:
    person, page = item
    return page.failed_at is not None, page.at, person


def _who(entry: Entry) -> Md:
    return Md(f"{_shown(entry.by)} (claimed)" if entry.claimed else _shown(entry.by))


def _is_long(entry: Entry) -> bool:
    """Whether an entry's text has lines of its own, as a pasted log has: a table's cell has only one."""
    return "\n" in clean(entry.text)


def _said(entry: Entry) -> Md:
    if not _is_long(entry):
        return _shown(entry.text)
    first = clean(entry.text).split("\n", 1)[0]
    return Md(f"{_shown(first)} … (no. {entry.seq} below)")


def _verbatim(text: str) -> Md:
    """Return text as an indented block: no content ends it, as a line of backticks would end a fenced one."""
    return Md("\n".join(f"    {line}".rstrip() for line in clean(text).split("\n")))


def _link(address: str) -> Md:
    """Return a link that shows where it leads; what is not a web address is shown, and cannot be clicked."""
    target = web_link(address)
    if not target:
        return _shown(address)
    # What could end the destination or the cell is encoded; an ampersand could begin an entity.
    host = urlsplit(clean(address)).hostname
    return Md(f"[{_shown(host)}](<{target.replace('&', '&amp;')}>)")


def _day_changes(entries: Sequence[Entry]) -> set[int]:
    """Return the numbers of the entries that are the first of their day."""
    days = [_day(entry.at) for entry in entries]
    return {entry.seq for entry, day, before in zip(entries, days, [None, *days], strict=False) if day != before}


def _templates() -> Environment:
    filters: dict[str, Any] = {
        "after": _after,
        "clock": _clock,
        "day": _day,
        "link": _link,
        "listed": _listed,
        "moment": _moment,
        "or_nothing": _or_nothing,
        "said": _said,
        "verbatim": _verbatim,
        "who": _who,
        "words": _words,
    }
    # No autoescape: that is for HTML. `finalize` sees every value shown, so that none is forgotten.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=False,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(filters)
    return environment


_TEMPLATES: Final = _templates()

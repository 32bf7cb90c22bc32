"""On-call calendars in iCalendar (RFC 5545), from a file or an address; the last good copy is kept on disk.

Occurrences are counted on the wall clock of the entry's own zone, as the RFC has it: a weekly turn from nine keeps its
nine o'clock when the clocks change.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final, TypeAlias
from uuid import uuid4

import httpx2
import icalendar
from dateutil.rrule import rrulestr

from activities import Failed
from activities.oncall import Calendars, Read
from model.catalogue.calendars import calendars_of, key_of, with_bookings
from model.catalogue.catalog import Catalog
from model.catalogue.rotation import Booking, Calendar
from model.text import cut, one_line
from model.times import find_zone, iso, shown

WITHIN: Final = timedelta(seconds=10)
LARGEST: Final = 8 * 1024 * 1024
"""Bytes of a calendar: years of hourly shifts take less than one megabyte."""
BEHIND: Final = timedelta(days=1)
AHEAD: Final = timedelta(days=92)
"""How far around now a catalogue knows its calendars: further than gaps are looked for, and than a stale copy helps."""
_TIMES: Final = ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID")
_TOO_OFTEN: Final = ("SECONDLY", "MINUTELY")
_WEB: Final = ("http://", "https://", "webcal://")

Event: TypeAlias = icalendar.Event


class IcalCalendars(Calendars):
    """Reads files beside the catalogue, and addresses."""

    def __init__(
        self,
        beside: Path,
        copies: Path,
        *,
        within: timedelta = WITHIN,
        headers: Mapping[str, str] | None = None,
        keep: bool = True,
    ) -> None:
        """Read calendars.

        Args:
            beside: The folder in which files are looked for.
            copies: The folder in which the last good copy of each is kept; made when it is needed.
            within: How long one answer may take.
            headers: Sent along to addresses, for example an `Authorization`.
            keep: Whether what is read is kept as the next copy.
        """
        self._beside = beside
        self._copies = copies
        self._within = within
        self._headers = dict(headers or {})
        self._keeps = keep

    async def read(self, calendar: Calendar, since: datetime, until: datetime) -> Read:
        """Return the bookings that touch a time; what cannot be reached or read is read from the last good copy."""
        try:
            text = await self._text(calendar.ical)
            read = await asyncio.to_thread(bookings, text, calendar, since, until)
        except Failed as failed:
            return await self._from_copy(calendar, since, until, str(failed))
        if not self._keeps:
            return read
        try:
            await asyncio.to_thread(self._keep, calendar.ical, text)
        except OSError as error:
            read.said.append(f"no copy of the calendar {calendar.name} could be kept: {error}")
        return read

    async def _text(self, name: str) -> bytes:
        if name.startswith(_WEB):
            return await self._fetched(name.replace("webcal://", "https://", 1))
        try:
            return await asyncio.to_thread((self._beside / name).read_bytes)
        except OSError as error:
            raise Failed(error.strerror or str(error)) from None

    async def _fetched(self, address: str) -> bytes:
        text = b""
        try:
            async with (
                asyncio.timeout(self._within.total_seconds()),
                httpx2.AsyncClient(headers=self._headers, follow_redirects=True) as client,
                client.stream("GET", address) as answer,
            ):
                if answer.status_code != httpx2.codes.OK:
                    raise Failed(f"it answered {answer.status_code}")
                async for part in answer.aiter_bytes():
                    text += part
                    if len(text) > LARGEST:
                        raise Failed(f"it is larger than {LARGEST} bytes")
        except (TimeoutError, httpx2.TimeoutException):
            raise Failed(f"no answer within {self._within.total_seconds():g} s") from None
        except httpx2.InvalidURL:  # its words would hold the address
            raise Failed("the address cannot be read") from None
        except httpx2.HTTPError as error:
            raise Failed(str(error) or type(error).__name__) from None
        return text

    async def _from_copy(self, calendar: Calendar, since: datetime, until: datetime, reason: str) -> Read:
        name, path = calendar.name, self._copy(calendar.ical)
        try:
            text, changed = await asyncio.to_thread(lambda: (path.read_bytes(), path.stat().st_mtime))
            read = await asyncio.to_thread(bookings, text, calendar, since, until)
        except (OSError, Failed):
            return Read(said=[f"the calendar {name} cannot be read ({reason}), and there is no copy: it wakes nobody"])
        kept = iso(datetime.fromtimestamp(changed, UTC))
        said = f"the calendar {name} cannot be read ({reason}); its copy of {kept} is used"
        return read.model_copy(update={"said": [said, *read.said]})

    def _keep(self, name: str, text: bytes) -> None:
        path = self._copy(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.{uuid4().hex}")  # of its own: another worker may keep the same one now
        try:
            new.write_bytes(text)
            new.replace(path)  # at once, so that a crash leaves the old one or the new one
        finally:
            new.unlink(missing_ok=True)

    def _copy(self, name: str) -> Path:
        return self._copies / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.ics"


async def with_calendars(catalog: Catalog, calendars: Calendars, now: datetime) -> tuple[Catalog, list[str]]:
    """Return the catalogue with its calendars read, and what somebody should know about them.

    Args:
        catalog: The catalogue in use: a calendar that can be read nowhere keeps what was read of it before.
        calendars: What reads them, all at once.
        now: The moment around which they are read, from `BEHIND` to `AHEAD`.
    """
    levels = calendars_of(catalog)
    found = await asyncio.gather(*(calendars.read(level, now - BEHIND, now + AHEAD) for level in levels))
    read = {key_of(level): it.bookings for level, it in zip(levels, found, strict=True) if it.bookings is not None}
    filled, unknown = with_bookings(catalog, read)
    return filled, [text for it in found for text in it.said] + unknown


def bookings(text: bytes, calendar: Calendar, since: datetime, until: datetime) -> Read:
    """Return the bookings of an iCalendar text that touch a time, in order; entries that cannot be read are said.

    Raises:
        Failed: It is no iCalendar.
    """
    try:
        whole = icalendar.Calendar.from_ical(text)
        events: list[Event] = [it for it in whole.walk("VEVENT") if isinstance(it, icalendar.Event)]
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise Failed(f"it is no iCalendar: {cut(one_line(str(error)), 160)}") from None
    if whole.name != "VCALENDAR":
        raise Failed("it is no iCalendar: there is no VCALENDAR in it")
    home = find_zone(str(whole.get("X-WR-TIMEZONE", ""))) if calendar.zone == "UTC" else None
    zone = home or find_zone(calendar.zone) or UTC
    moved = _moved(events, zone)
    found: list[Booking] = []
    said: list[str] = []
    for event in events:
        try:
            if str(event.get("STATUS", "")).upper() == "CANCELLED":
                continue
            people = _people(event, calendar)
            times = _times(event, zone, since, until, moved)
            found += [
                Booking(since=begin, until=end, people=people) for begin, end in times if begin < until and end > since
            ]
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            what, why = shown(str(event.get("SUMMARY", event.get("UID", "")))), cut(one_line(str(error)), 160)
            said.append(f"the calendar {calendar.name} has an entry that cannot be read, {what}: {why}")
    return Read(bookings=sorted(found, key=lambda it: (it.since, it.until)), said=said)


def _people(event: Event, calendar: Calendar) -> list[str]:
    if calendar.names == "summary":
        named = str(event.get("SUMMARY", "")).strip()
        if not named:
            raise ValueError("it has no summary that says who is on call")
        return [named]
    given = event.get("ATTENDEE", [])
    people = [str(it) for it in (given if isinstance(given, list) else [given])]
    if not people:
        raise ValueError("it has no attendee who is on call")
    return [it[len("mailto:") :] if it.lower().startswith("mailto:") else it for it in people]


def _moved(events: Sequence[Event], zone: tzinfo) -> set[tuple[str, datetime]]:
    """List the occurrences that an entry of their own replaces."""
    found = set()
    for event in events:
        instead = event.get("RECURRENCE-ID")
        # One that cannot be read is said with its own entry.
        with contextlib.suppress(ValueError, TypeError, AttributeError, OverflowError):
            if instead is not None:
                found.add((str(event.get("UID", "")), _local(instead.dt, zone).astimezone(UTC)))
    return found


def _times(
    event: Event, zone: tzinfo, since: datetime, until: datetime, moved: set[tuple[str, datetime]]
) -> Iterator[tuple[datetime, datetime]]:
    """List when an entry takes place, each in UTC."""
    broken = [f"{name}: {why}" for name, why in event.errors if name in _TIMES]
    if broken:
        raise ValueError("; ".join(broken))
    first, last = _local(event.start, zone), _local(event.end, zone)
    if last <= first:
        raise ValueError("it does not end after it begins")
    if "RANGE" in getattr(event.get("RECURRENCE-ID"), "params", {}):
        raise ValueError("a change of all later occurrences (THISANDFUTURE) is not understood; end the series instead")
    if "RRULE" not in event and "RDATE" not in event:
        yield first.astimezone(UTC), last.astimezone(UTC)
        return
    place, last_place = first.tzinfo, last.tzinfo
    lasts = last.replace(tzinfo=None) - first.replace(tzinfo=None)
    # A day on either side, because the window is in UTC and the wall clock is not.
    low = since.astimezone(place).replace(tzinfo=None) - lasts - timedelta(days=1)
    high = until.astimezone(place).replace(tzinfo=None) + timedelta(days=1)
    skipped = {_local(it, zone).astimezone(UTC) for it in event.exdates}
    uid = str(event.get("UID", ""))
    for wall in sorted({*_ruled(event, first, low, high), *_dated(event, zone, first)}):
        begin = wall.replace(tzinfo=place).astimezone(UTC)
        if begin not in skipped and (uid, begin) not in moved:
            end = (wall + lasts).replace(tzinfo=last_place).astimezone(UTC)
            if begin < end:  # else it lies in an hour that is jumped over
                yield begin, end


def _ruled(event: Event, first: datetime, low: datetime, high: datetime) -> set[datetime]:
    """Count an entry's rules on the wall clock."""
    found = {first.replace(tzinfo=None)}
    for rule in event.rrules:
        if str(rule.get("FREQ", [""])[0]).upper() in _TOO_OFTEN:
            raise ValueError("nobody is on call by the minute")
        told: Any = icalendar.vRecur(rule)
        if "UNTIL" in told:  # in UTC, in the RFC's words; the wall clock's here
            ends = _local(told["UNTIL"][0], first.tzinfo or UTC)
            is_day = not isinstance(told["UNTIL"][0], datetime)
            local = ends.astimezone(first.tzinfo).replace(tzinfo=None)
            told["UNTIL"] = [local + timedelta(days=1, seconds=-1) if is_day else local]
        counted = rrulestr(told.to_ical().decode(), dtstart=first.replace(tzinfo=None))
        found |= set(counted.between(low, high, inc=True))
    return found


def _dated(event: Event, zone: tzinfo, first: datetime) -> set[datetime]:
    dated = [_local(begin, zone) for begin, _ in event.rdates]
    return {it.astimezone(first.tzinfo).replace(tzinfo=None) for it in dated}


def _local(when: date | datetime, zone: tzinfo) -> datetime:
    """Return when that is where it is meant: whole days and times without a zone are the calendar's."""
    if not isinstance(when, datetime):
        return datetime(when.year, when.month, when.day, tzinfo=zone)
    return when if when.tzinfo else when.replace(tzinfo=zone)

"""What a level of an on-call list can be besides a list of people, and who that is at a moment.

A rotation, shifts that follow the sun, a calendar: each answers `people_at` and says when that may `changes`.
Hand-overs are wall-clock times in a zone: a change to or from summer time moves the moment, never the local hour.
`model.catalogue.oncall` puts levels and overrides together.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from model.policy import did_you_mean
from model.times import Duration, Moment, find_zone, shown

_CLOCK: Final = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])")
_DAY: Final = timedelta(days=1)
_ROTATION: Final = '{rotation: [ana, ben], every: 1w, from: 2026-03-02, handover: "09:00", zone: Europe/Paris}'
_SHIFTS: Final = '{shifts: [{people: [ana], from: "08:00", to: "16:00", zone: Asia/Tokyo}, ...]}'
_CALENDAR: Final = "{ical: on-call.ics, names: summary}"

Weekday: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEK: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
M = TypeVar("M", bound=BaseModel)


def _refuse(text: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{text}", {"text": text})


class _Written(BaseModel):
    """As people write it: misspelt keys are refused, and nobody changes it later."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @field_validator("handover", "begins", "ends", mode="before", check_fields=False)
    @classmethod
    def _clock(cls, value: Any) -> Any:
        if isinstance(value, int):  # YAML reads 16:00 without quotes as 960
            raise _refuse(f'{value} is read as a number; write the time in quotes, for example "16:00"')
        found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
        if found is None or (found[1] == "24" and found[2] != "00"):
            raise _refuse(f'{shown(value)} is not a time of day; write for example "09:00"')
        return f"{int(found[1]):02}:{found[2]}"

    @field_validator("zone", check_fields=False)
    @classmethod
    def _real_zone(cls, name: str) -> str:
        if find_zone(name) is None:
            raise _refuse(f"{shown(name)} is not a time zone; write for example Europe/Paris or UTC")
        return name


class Rotation(_Written):
    """People who take turns.

    Attributes:
        rotation: Person ids, in the order of their turns; at any moment exactly one of them is on call.
        every: How long a turn lasts: whole days.
        since: A day on which the first of them takes over. It anchors the rotation, which goes on backwards too.
        handover: The local time at which one hands over to the next.
        zone: An IANA zone.
    """

    rotation: list[str] = Field(min_length=1)
    every: Duration = timedelta(weeks=1)
    since: date = Field(alias="from")
    handover: str = "09:00"
    zone: str = "UTC"

    @field_validator("every")
    @classmethod
    def _whole_days(cls, every: timedelta) -> timedelta:
        if every < _DAY or every % _DAY:
            raise _refuse("turns last whole days, for example 1d or 1w; parts of a day are `shifts:`")
        return every

    @field_validator("since", mode="before")
    @classmethod
    def _a_day(cls, value: Any) -> Any:
        if isinstance(value, str):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        if not isinstance(value, date) or isinstance(value, datetime):
            raise _refuse(f"{shown(value)} is not a day; write for example 2026-03-02, and the time as handover:")
        return value

    def people_at(self, at: datetime) -> list[str]:
        """Return whose turn it is."""
        return [self.rotation[self._turn(at) % len(self.rotation)]]

    def changes(self, since: datetime, until: datetime) -> list[datetime]:
        """List the hand-overs after `since` and before `until`."""
        found: list[datetime] = []
        number = self._turn(since) + 1
        while (moment := self._begins(number)) < until:
            # The hand-over of a day that was left out may be that of the next.
            if moment not in found[-1:]:
                found.append(moment)
            number += 1
        return found

    def everybody(self) -> list[str]:
        """List who is ever on call."""
        return list(self.rotation)

    def _turn(self, at: datetime) -> int:
        number = (at.astimezone(_zone(self.zone)).date() - self.since) // self.every
        while at < self._begins(number):
            number -= 1
        while at >= self._begins(number + 1):
            number += 1
        return number

    def _begins(self, number: int) -> datetime:
        return wall(self.since + number * self.every, self.handover, self.zone)


class Shift(_Written):
    """A part of the day.

    Attributes:
        people: Person ids, called together; or a rotation of them.
        begins: The local time.
        ends: The local time; on the next day where it is not after `begins`.
        zone: An IANA zone.
        days: On which it begins; empty: on all.
    """

    people: list[str] | Rotation
    begins: str = Field(alias="from")
    ends: str = Field(alias="to")
    zone: str = "UTC"
    days: list[Weekday] = []

    @field_validator("people", mode="before")
    @classmethod
    def _people(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return _read(Rotation, value, _ROTATION)
        if not value:
            raise _refuse("a shift needs people, for example people: [ana]")
        return _list_of_people(value)

    def people_at(self, at: datetime) -> list[str]:
        """Return who is on call in this shift; nobody outside its hours."""
        today = at.astimezone(_zone(self.zone)).date()
        # Tomorrow's too: where the clocks go back over midnight, it is yesterday again when it has begun.
        if not any(begins <= at < ends for begins, ends in self._windows(today - _DAY, today + _DAY)):
            return []
        return _people_at(self.people, at)

    def changes(self, since: datetime, until: datetime) -> list[datetime]:
        """List when it begins and ends, and its hand-overs, after `since` and before `until`."""
        zone = _zone(self.zone)
        windows = self._windows(since.astimezone(zone).date() - _DAY, until.astimezone(zone).date() + _DAY)
        inner = self.people.changes(since, until) if isinstance(self.people, Rotation) else []
        return _between((*(moment for window in windows for moment in window), *inner), since, until)

    def everybody(self) -> list[str]:
        """List who is ever on call."""
        return everybody(self.people)

    def _windows(self, first: date, last: date) -> list[tuple[datetime, datetime]]:
        """List the windows that begin on these local days."""
        found = []
        for number in range((last - first).days + 1):
            day = first + number * _DAY
            if not self.days or _WEEK[day.weekday()] in self.days:
                over = day if self.ends > self.begins else day + _DAY
                found.append((wall(day, self.begins, self.zone), wall(over, self.ends, self.zone)))
        return found


class Sun(_Written):
    """Shifts that follow the sun; where they overlap, all of them are on call."""

    shifts: list[Shift] = Field(min_length=1)

    @field_validator("shifts", mode="before")
    @classmethod
    def _shifts(cls, value: Any) -> Any:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise _refuse(f"{shown(value)} is not a list of shifts; write for example {_SHIFTS}")
        return [_read(Shift, item, _SHIFTS) for item in value]

    def people_at(self, at: datetime) -> list[str]:
        """Return everybody whose shift it is."""
        return _once(person for shift in self.shifts for person in shift.people_at(at))

    def changes(self, since: datetime, until: datetime) -> list[datetime]:
        """List when any shift begins or ends, after `since` and before `until`."""
        return _between((moment for shift in self.shifts for moment in shift.changes(since, until)), since, until)

    def everybody(self) -> list[str]:
        """List who is ever on call."""
        return _once(person for shift in self.shifts for person in shift.everybody())


class Booking(BaseModel):
    """One entry of a calendar; `people` are as the calendar names them, or ids once they have been found."""

    model_config = ConfigDict(frozen=True)

    since: Moment
    until: Moment
    people: list[str]


class Calendar(_Written):
    """A level kept in a calendar.

    Attributes:
        ical: A file, beside the catalogue, or an address that answers with iCalendar (RFC 5545).
        names: Which part of an entry says who is on call.
        zone: Where entries without a zone (whole days, for example) are meant.
        booked: What was read of it; nothing until it has been (`model.catalogue.calendars`).
    """

    ical: str = Field(min_length=1)
    names: Literal["summary", "attendee"] = "summary"
    zone: str = "UTC"
    booked: list[Booking] | None = None

    @field_validator("ical")
    @classmethod
    def _readable(cls, value: str) -> str:
        try:
            urlsplit(value)
        except ValueError:
            raise _refuse(
                "is neither a file nor an address; write for example https://calendar.example/on-call.ics"
            ) from None
        return value

    @property
    def name(self) -> str:
        """What it is called in sentences: of an address the host only, for the rest is often a secret."""
        address = urlsplit(self.ical)
        return f"at {address.hostname}" if address.hostname else self.ical

    def people_at(self, at: datetime) -> list[str]:
        """Return who is booked."""
        return _once(person for it in self.booked or () if it.since <= at < it.until for person in it.people)

    def changes(self, since: datetime, until: datetime) -> list[datetime]:
        """List when any booking begins or ends, after `since` and before `until`."""
        return _between((moment for it in self.booked or () for moment in (it.since, it.until)), since, until)

    def everybody(self) -> list[str]:
        """List who is booked at any time read."""
        return _once(person for it in self.booked or () for person in it.people)


class Override(_Written):
    """Somebody stands in for a while; a swap is two of them.

    Attributes:
        since: When it begins.
        until: When it ends.
        person: Who stands in.
        instead_of: For whom, wherever they are on call; without it, for everybody of the level.
        level: Counted from 1. Without it: every level with `instead_of`, else the first.
    """

    since: Moment = Field(alias="from")
    until: Moment
    person: str
    instead_of: str = ""
    level: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "Override":
        if self.until <= self.since:
            raise _refuse("ends before it begins; until: must be after from:")
        return self


Level: TypeAlias = list[str] | Rotation | Sun | Calendar
"""One escalation level. `model.catalogue.oncall` is the only place that turns it into people."""


def people_at(level: Level, at: datetime) -> list[str]:
    """Return who is on call at a moment, before overrides: each once, in the order they are woken."""
    return _people_at(level, at)


def changes(level: Level, since: datetime, until: datetime) -> list[datetime]:
    """List the moments after `since` and before `until` at which that may change."""
    return [] if isinstance(level, list) else level.changes(since, until)


def everybody(level: Level) -> list[str]:
    """List everybody who is ever on call on a level: each once."""
    return list(level) if isinstance(level, list) else _once(level.everybody())


@lru_cache(maxsize=4096)
def wall(day: date, clock: str, zone: str) -> datetime:
    """Return the moment at which a clock in a zone shows a time.

    Args:
        day: The local day.
        clock: `HH:MM`; `24:00` is the end of the day.
        zone: An IANA zone.

    Returns:
        The moment in UTC. A time that comes twice, when summer time ends, is the first of the two; one that is
        jumped over is the moment of the jump. So a later wall-clock time is never an earlier moment.
    """
    if clock == "24:00":
        day, clock = day + _DAY, "00:00"
    place = _zone(zone)
    local = datetime.combine(day, time.fromisoformat(clock), place)
    moment = local.astimezone(UTC)
    if moment.astimezone(place).replace(tzinfo=None) == local.replace(tzinfo=None):
        return moment
    # In a jump, fold=0 counts with the offset before it and lands behind it; fold=1 the other way round.
    before, after = local.replace(fold=1).astimezone(UTC), moment
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(place).replace(tzinfo=None) > local.replace(tzinfo=None):
            after = middle
        else:
            before = middle
    return after


def read_levels(data: Any) -> list[Level]:
    """Read the levels of a team as people write them.

    Raises:
        PydanticCustomError: With a sentence that names the level and says what would be accepted.
    """
    if not isinstance(data, Sequence) or isinstance(data, str):
        raise _refuse(f"{shown(data)} is not a list of levels; write for example [[ana], [ben, cho]]")
    return [_numbered("level", number, level, _read_level) for number, level in enumerate(data, 1)]


def read_overrides(data: Any) -> list[Override]:
    """Read the overrides of a team as people write them.

    Raises:
        PydanticCustomError: With a sentence that names the override and says what would be accepted.
    """
    example = "{from: 2026-03-10T08:00:00Z, until: 2026-03-11T08:00:00Z, person: ben, instead_of: ana}"
    if not isinstance(data, Sequence) or isinstance(data, str):
        raise _refuse(f"{shown(data)} is not a list; write for example - {example}")
    return [_numbered("override", n, item, lambda it: _read(Override, it, example)) for n, item in enumerate(data, 1)]


def _read_level(data: Any) -> Level:
    if isinstance(data, Rotation | Sun | Calendar):
        return data
    if isinstance(data, Mapping):
        if "booked" in data:
            raise _refuse("booked: is what is read of the calendar; it cannot be written here")
        if "rotation" in data:
            return _read(Rotation, data, _ROTATION)
        if "shifts" in data:
            return _read(Sun, data, _SHIFTS)
        if "ical" in data:
            return _read(Calendar, data, _CALENDAR)
        raise _refuse(f"{shown(dict(data))} is none of [ana, ben], {_ROTATION}, {_SHIFTS} or {_CALENDAR}")
    if data is not None and (not isinstance(data, Sequence) or isinstance(data, str)):
        raise _refuse(f"{shown(data)} is not a list of people; each level is a list, for example [[ana], [ben, cho]]")
    return _list_of_people(data or [])


def _list_of_people(data: Any) -> list[str]:
    if not isinstance(data, Sequence) or isinstance(data, str):
        raise _refuse(f"{shown(data)} is not a list of people; write for example [ana, ben]")
    for item in data:
        if not isinstance(item, str):
            raise _refuse(f"{shown(item)} is not read as text; write it in quotes")
    return list(data)


def _read(model: type[M], data: Any, example: str) -> M:
    """Read one entry, and say in one sentence what is wrong with it."""
    if isinstance(data, model):
        return data
    if not isinstance(data, Mapping):
        raise _refuse(f"{shown(data)} is not an entry with keys and values; write for example {example}")
    try:
        return model.model_validate(data)
    except ValidationError as refusal:
        item = refusal.errors(include_url=False)[0]
    where = ".".join(str(part) for part in item["loc"])
    written = [field.alias or name for name, field in model.model_fields.items() if name != "booked"]
    if item["type"] == "extra_forbidden":
        raise _refuse(f"unknown key {where}{did_you_mean(item['loc'][-1], written)}")
    if item["type"] == "missing":
        raise _refuse(f"{where}: is missing; write for example {example}")
    text = item["msg"] if item["type"] == "refused" else f"{shown(item['input'])}: {item['msg'].lower()}"
    raise _refuse(f"{where}: {text}" if where else text)


def _numbered(what: str, number: int, data: Any, read: Any) -> Any:
    try:
        return read(data)
    except PydanticCustomError as refusal:
        raise _refuse(f"{what} {number}: {refusal.message()}") from None


def _people_at(level: list[str] | Rotation | Sun | Calendar, at: datetime) -> list[str]:
    return _once(level) if isinstance(level, list) else level.people_at(at)


def _zone(name: str) -> tzinfo:
    return find_zone(name) or UTC  # checked when it was read; zone files can be missing where it is used


def _once(people: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(people))


def _between(moments: Iterable[datetime], since: datetime, until: datetime) -> list[datetime]:
    return sorted({moment for moment in moments if since < moment < until})

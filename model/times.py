"""Moments and durations: how people and machines write them, and how we write them back.

Everything inside AllClear is a timezone-aware UTC `datetime` or a `timedelta`. This module is the only place
that reads them from text, so that every refusal says the same helpful thing.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Annotated, Any, Final, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

T = TypeVar("T")

LONGEST: Final = timedelta(days=36_500)
"""The longest duration accepted: a century. Anything longer is a typing mistake, and would overflow dates."""

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2200

_DURATION_HINT: Final = "write for example 90s, 10m, 2h, 3d or 1h30m"
_MOMENT_HINT: Final = "write for example 2026-03-02T09:00:00Z or 2026-03-02T10:00:00+01:00"

_UNITS: Final[dict[str, timedelta]] = {
    name: unit
    for unit, names in (
        (timedelta(milliseconds=1), "ms"),
        (timedelta(seconds=1), "s sec secs second seconds"),
        (timedelta(minutes=1), "m min mins minute minutes"),
        (timedelta(hours=1), "h hr hrs hour hours"),
        (timedelta(days=1), "d day days"),
        (timedelta(weeks=1), "w week weeks"),
    )
    for name in names.split()
}
_PART: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)\s*")
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_ISO_DURATION: Final = re.compile(
    r"P(?:(?P<w>[0-9.]+)W)?(?:(?P<d>[0-9.]+)D)?"
    r"(?:T(?:(?P<h>[0-9.]+)H)?(?:(?P<m>[0-9.]+)M)?(?:(?P<s>[0-9.]+)S)?)?"
)
# fromisoformat takes any character between date and time; people and machines only ever mean these.
_MOMENT: Final = re.compile(
    r"(?P<date>[0-9]{4}-?[0-9]{2}-?[0-9]{2})[Tt ](?P<time>[0-9:]+(?:[.,][0-9]+)?)"
    r"\s?(?P<zone>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def shown(value: object) -> str:
    """Show a value inside a sentence: quoted as its sender wrote it, and cut to a readable length."""
    if value is None:
        return "nothing"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def parse_duration(value: object) -> timedelta:
    """Read a duration.

    Args:
        value: Text like ``10m``, ``90s``, ``2h``, ``3d``, ``1h30m``, ``1.5 hours`` or ISO 8601 ``PT10M``;
            a number of seconds; or a `timedelta`.

    Returns:
        The duration, never negative and at most a century.

    Raises:
        ValueError: With a sentence that says what would be accepted.
    """
    found: timedelta | None = None
    try:
        if isinstance(value, timedelta):
            found = value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = timedelta(seconds=value)
        elif isinstance(value, str):
            found = _duration_from_text(value.strip())
    except OverflowError:
        raise ValueError(f"{shown(value)} is too long a duration; a century is the most") from None
    except ValueError:  # NaN, or an ISO number with two points
        found = None
    if found is None:
        raise ValueError(f"{shown(value)} is not a duration; {_DURATION_HINT}")
    if found < timedelta(0):
        raise ValueError(f"{shown(value)} is negative; {_DURATION_HINT}")
    if found > LONGEST:
        raise ValueError(f"{shown(value)} is too long a duration; a century is the most")
    return found


def _duration_from_text(text: str) -> timedelta | None:
    if _NUMBER.fullmatch(text):
        return timedelta(seconds=float(text))
    lowered = text.lower()
    total, position = timedelta(0), 0
    while part := _PART.match(lowered, position):
        unit = _UNITS.get(part[2])
        if unit is None:
            return None
        total += float(part[1]) * unit
        position = part.end()
    if position and position == len(lowered):
        return total
    iso_form = _ISO_DURATION.fullmatch(text.upper())
    parts = {name: text for name, text in iso_form.groupdict().items() if text} if iso_form else {}
    if not parts:
        return None
    return sum((float(number) * _UNITS[name] for name, number in parts.items()), timedelta(0))


def parse_moment(value: object) -> datetime:
    """Read a moment written in ISO 8601 with its zone, as UTC.

    Args:
        value: Text or an aware `datetime`. Nanoseconds are cut to microseconds.

    Returns:
        The moment in UTC, between the years 2000 and 2200.

    Raises:
        ValueError: With a sentence that says what would be accepted. A moment without a zone is refused
            and not guessed: a guess would be wrong by hours, at night, on a page.
    """
    moment: datetime | None = None
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value.strip())):
        raise ValueError(f"{shown(value)} is a day without a time; {_MOMENT_HINT}")
    elif isinstance(value, str) and (match := _MOMENT.fullmatch(value.strip())):
        text = f"{match['date']}T{match['time'].replace(',', '.')}{(match['zone'] or '').upper()}"
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
    if moment is None:
        raise ValueError(f"{shown(value)} is not a moment; {_MOMENT_HINT}")
    if moment.utcoffset() is None:
        raise ValueError(f"{shown(value)} has no time zone; add Z for UTC, or an offset like +01:00")
    try:
        moment = moment.astimezone(UTC)
        sensible = FIRST_YEAR <= moment.year <= LAST_YEAR
    except OverflowError:  # year 1 or 9999 with an offset
        sensible = False
    if not sensible:
        raise ValueError(f"{shown(value)} is outside the years {FIRST_YEAR} to {LAST_YEAR}; {_MOMENT_HINT}")
    return moment


def refusing(parse: Callable[[object], T]) -> Callable[[object], T]:
    """Wrap a parser for pydantic, so that its sentence arrives without pydantic's "Value error, "."""

    def validate(value: object) -> T:
        try:
            return parse(value)
        except ValueError as refusal:
            raise PydanticCustomError("refused", "{text}", {"text": str(refusal)}) from None

    return validate


def _to_seconds(value: Any) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


Duration = Annotated[
    timedelta,
    BeforeValidator(refusing(parse_duration)),
    # Seconds, because every language reads a number; a double holds microseconds exactly for a century.
    PlainSerializer(_to_seconds, return_type=float, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}],
            "description": "A duration: seconds as a number, or text like 90s, 10m, 2h, 3d, 1h30m.",
            "examples": ["10m", 90],
        }
    ),
]
"""A pydantic field type: a duration as people write it (`parse_duration`), seconds in JSON."""

Moment = Annotated[
    datetime,
    BeforeValidator(refusing(parse_moment)),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-02T09:00:00Z"]}),
]
"""A pydantic field type: an aware moment (`parse_moment`), always UTC."""


def iso(moment: datetime) -> str:
    """Write an aware moment as UTC, cut to whole seconds: ``2026-03-02T09:00:00Z``."""
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat() + "Z"


def short(duration: timedelta) -> str:
    """Write a duration as people type it: ``10m``, ``1h30m``, ``3d``; `parse_duration` reads it back."""
    seconds, rest = divmod(max(duration, timedelta(0)), timedelta(seconds=1))
    text = ""
    for letter, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        count, seconds = divmod(seconds, size)
        text += f"{count}{letter}" if count else ""
    fraction = f".{rest.microseconds:06}".rstrip("0") if rest else ""
    return text if text and not seconds and not rest else f"{text}{seconds}{fraction}s"


def utc(moment: datetime | None) -> str:
    """Write a moment for a sentence, to the minute; one that nobody knows is a question mark."""
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "?"


def ago(duration: timedelta) -> str:
    """Write how long something has lasted, for reading: ``45 s``, ``3 min``, ``2 h 10 min``, ``3 d 4 h``.

    Two units at most, cut and not rounded: "waits for 5 min" is never said before five minutes have passed.
    """
    seconds = max(0, duration // timedelta(seconds=1))
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def find_zone(name: str) -> tzinfo | None:
    """Look a time zone up by its IANA name; None when there is none of that name."""
    if name == "UTC":
        return UTC  # must work where no zone files are installed
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; a path or garbage; a directory such as "Europe"
        return None


def next_working_morning(now: datetime, tzname: str, hour: int = 9) -> datetime:
    """Find the next Monday-to-Friday morning strictly after `now`, where that person lives.

    Args:
        now: An aware moment.
        tzname: An IANA zone. One that is not installed counts as UTC: the catalogue check names it, and
            work that begins some hours off is better than an incident that stops.
        hour: The local hour at which work begins.

    Returns:
        The moment in UTC. Where the clocks jump over that hour, the first moment after the jump counts.
    """
    zone = find_zone(tzname) or UTC
    today = now.astimezone(zone).date()
    for days in range(10):  # a weekend, a day that a zone skipped, and one in hand
        day = today + timedelta(days=days)
        morning = datetime(day.year, day.month, day.day, hour, tzinfo=zone).astimezone(UTC)
        # A whole day can be missing from a zone (Apia, 30 December 2011): its "morning" is the day after's.
        if day.weekday() < 5 and morning > now and morning.astimezone(zone).date() == day:
            return morning
    raise AssertionError("no zone skips a whole week")


def add_working_days(start: datetime, days: int, tzname: str = "UTC") -> datetime:
    """Count working days (Monday to Friday) forward from `start`, keeping the local time of day.

    Started on a weekend, the first working day after it is day one.
    """
    zone = find_zone(tzname) or UTC
    local = start.astimezone(zone).replace(tzinfo=None)
    left = days
    while left > 0:
        local += timedelta(days=1)
        left -= local.weekday() < 5
    return local.replace(tzinfo=zone).astimezone(UTC)

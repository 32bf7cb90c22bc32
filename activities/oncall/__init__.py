"""On-call calendars: levels that are kept outside the catalogue, read into plain bookings."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel

from model.catalogue.rotation import Booking, Calendar


class Read(BaseModel):
    """What a calendar says.

    Attributes:
        bookings: Who is on call and when, as the calendar names them; None where nothing could be read, not even a
            copy.
        said: What somebody should know: an older copy is used, entries that could not be read.
    """

    bookings: Sequence[Booking] | None = None
    said: list[str] = []


class Calendars(Protocol):
    """Something that reads on-call calendars."""

    async def read(self, calendar: Calendar, since: datetime, until: datetime) -> Read:
        """Return the bookings that touch a time; never fails, but says what is wrong."""
        ...

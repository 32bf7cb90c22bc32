"""Tickets: what happened, readable by people, paired with the call (C4)."""

from typing import Protocol


class Ticketing(Protocol):
    """Something that shows an incident's record as a ticket."""

    async def refresh(self, incident: str) -> None:
        """Bring the ticket of an incident up to its record.

        Raises:
            Failed: It could not be written.
        """
        ...

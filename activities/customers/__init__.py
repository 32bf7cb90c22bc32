"""Customers: who they are beyond the catalogue's (C8), and what leaves the house for each of them (R7)."""

from typing import Protocol

from model.catalogue.entries import Contact
from model.effects import Deliver

DELIVER = "deliver"
"""Activity: `Errand[Deliver]` → `Outcome`."""


class Carrier(Protocol):
    """Something that brings a customer a text."""

    async def deliver(self, order: Deliver, contact: Contact, key: str) -> None:
        """Bring one text over one contact; the same key again must not bring it twice.

        Raises:
            Failed: It was not taken.
        """
        ...


class Table(Protocol):
    """Somewhere a table of customers is kept, as `model.catalogue.customers` reads it.

    Attributes:
        name: As people know it.
    """

    name: str

    def stamp(self) -> tuple[int, ...]:
        """Return what changes when the table does, where that can be seen without reading it; else nothing."""
        ...

    async def read(self) -> str:
        """Return the table as it is now.

        Raises:
            Failed: It cannot be read.
        """
        ...

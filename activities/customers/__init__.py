"""Customers: what leaves the house for each of them (R7)."""

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

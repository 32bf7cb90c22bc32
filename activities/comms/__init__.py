"""Quiet messages inside the house."""

from typing import Protocol

from model.effects import Recipient, Tell

TELL = "tell"
"""Activity: `Errand[Tell]` → `Outcome`."""


class Messenger(Protocol):
    """Something that brings a message without waking anybody."""

    async def tell(self, order: Tell, recipient: Recipient, key: str) -> None:
        """Bring one message to one recipient.

        Raises:
            Failed: It was not taken.
        """
        ...

"""Words and who brings them: quiet messages inside the house, messages to customers, and the templates of both."""

from typing import Protocol

from model.effects import Recipient, Tell

TELL = "tell"
"""Activity: `Errand[Tell]` → `Outcome`."""
COMPOSE = "compose"
"""Activity: `Errand[Compose]` → `Outcome` with a text."""
NOTICE = "notice"
"""Activity: `Errand[Notice]` → `Outcome` with whom it did not reach."""


class Messenger(Protocol):
    """Something that brings a message without waking anybody."""

    async def tell(self, order: Tell, recipient: Recipient, key: str) -> None:
        """Bring one message to one recipient.

        Raises:
            Failed: It was not taken.
        """
        ...

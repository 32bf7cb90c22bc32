"""What is sent to a Matrix room: its form, where it stands, and the state event that makes a room an incident's."""

from typing import Any, Final
from urllib.parse import quote

CHANNEL: Final = "matrix"
"""How contacts name it; their address is a user id (`@ana:example.org`)."""
MARK: Final = "app.allclear.incident"
"""The state event that says whose room it is, which message is the notice, and who was invited."""


def permalink(room: str, event: str) -> str:
    """Return where a message of a room is shown; without a message, what all such links of the room begin with."""
    return f"https://matrix.to/#/{quote(room)}/{quote(event)}"


def text_message(text: str) -> dict[str, Any]:
    """Return a message that is text only: no mark-up, and nobody is mentioned, whatever it says."""
    return {"msgtype": "m.notice", "body": text, "m.mentions": {}}

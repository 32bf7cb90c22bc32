"""Reads what a room in Matrix holds, as the homeserver says it."""

from typing import Any, Final

from activities.comms.matrix.account import Matrix
from activities.mirror import Held, Place, Readable

PAGE: Final = 500
"""Events asked for at a time."""
PAGES: Final = 20
"""Pages at most: more than the lines of any incident."""


class MatrixReader(Readable):
    """Reads rooms by an account that is in them."""

    def __init__(self, matrix: Matrix) -> None:
        """Read by `matrix`."""
        self._matrix = matrix

    async def held(self, place: Place) -> Held:
        """Count our messages in a room; an edit is none of its own.

        Raises:
            Failed: The homeserver did not answer, or does not show us the room.
        """
        us = await self._matrix.user()
        async with self._matrix.talking() as it:
            state = await self._matrix.ask("the room", it.room_get_state(place.id))
            aliases = [e["content"].get("alias") for e in state.events if e.get("type") == "m.room.canonical_alias"]
            lines, start = 0, ""
            for _ in range(PAGES):
                asked = it.room_messages(place.id, start, limit=PAGE)
                page = await self._matrix.ask("its messages", asked)
                lines += sum(_said(event.source, us) for event in page.chunk)
                if not page.chunk or not page.end:
                    break
                start = page.end
        return Held(name=str(next(filter(None, aliases), place.id)), lines=lines)


def _said(event: dict[str, Any], us: str) -> bool:
    content = event.get("content", {})
    edit = (content.get("m.relates_to") or {}).get("rel_type") == "m.replace"
    return event.get("type") == "m.room.message" and event.get("sender") == us and "body" in content and not edit

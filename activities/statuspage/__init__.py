"""The public status page. Nothing is put there but what a person asked for (design §5)."""

from typing import Protocol

from model.effects import Publication

PUBLISH = "publish"
"""Activity: `Errand[Publication]` → `Outcome`."""


class StatusPage(Protocol):
    """A page that everybody can read."""

    async def publish(self, order: Publication, key: str) -> None:
        """Put an entry on the page; the same key again changes nothing.

        Raises:
            Failed: It was not taken.
        """
        ...

"""Paging: one page to one person over one channel."""

from typing import Protocol

from model.effects import Page

PAGE = "page"
"""Activity: `Errand[Page]` → `Outcome`."""


class Pager(Protocol):
    """Something that reaches a person over some channels."""

    async def page(self, order: Page, text: str, key: str) -> None:
        """Hand over one page.

        Args:
            order: Whom, and over which contact.
            text: At most 160 characters.
            key: The same key again must not reach the person twice where the provider can tell.

        Raises:
            Failed: It was not taken.
        """
        ...

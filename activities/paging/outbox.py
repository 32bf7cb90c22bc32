"""Pages that stay in the house: what a fresh installation uses until a provider is configured."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from activities import Failed
from activities.paging import Pager
from model.effects import Page
from model.text import clean, one_line
from store import OutboxItem, Store, StoreError

Announce: TypeAlias = Callable[[str], None]
"""Gets one line per new item, so that `allclear up` can show it."""


class OutboxPager(Pager):
    """Keeps pages in the store's outbox, whatever their channel."""

    def __init__(self, store: Store, announce: Announce | None = None) -> None:
        self._store = store
        self._announce = announce

    async def page(self, order: Page, text: str, key: str) -> None:
        """Keep one page; the same key again changes nothing.

        Raises:
            Failed: The store did not take it.
        """
        item = OutboxItem(
            key=key,
            incident_id=order.incident,
            lane="page",
            at=order.at,
            person=order.person,
            channel=order.contact.channel,
            address=order.contact.address,
            to=[order.team],
            text=text,
            test=order.test,
        )
        await keep(self._store, item, self._announce)


async def keep(store: Store, item: OutboxItem, announce: Announce | None) -> None:
    """Put an item into the outbox, and announce it when it is new.

    Raises:
        Failed: The store did not take it.
    """
    try:
        new = await store.put_outbox(item)
    except StoreError as error:
        raise Failed(str(error)) from error
    if new and announce:
        # A terminal that has gone away must not turn what is kept into a failure.
        with suppress(OSError, ValueError):
            announce(_line(item))


def _line(item: OutboxItem) -> str:
    """Return an item as one line, without anything that a terminal would obey."""
    what = f"test {item.lane}" if item.test else item.lane
    return one_line(clean(f"{what} to {item.person} by {item.channel} {item.address}: {item.text}"))

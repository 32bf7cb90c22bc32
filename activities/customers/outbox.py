"""What would leave for customers stays in the house: what a fresh installation uses until a provider is configured."""

from activities.customers import Carrier
from activities.paging.outbox import Announce, keep
from model.catalogue.entries import Contact
from model.effects import Deliver
from store import OutboxItem, Store


class OutboxCarrier(Carrier):
    """Keeps what is for customers in the store's outbox, one per contact."""

    def __init__(self, store: Store, announce: Announce | None = None) -> None:
        self._store = store
        self._announce = announce

    async def deliver(self, order: Deliver, contact: Contact, key: str) -> None:
        """Keep one text for one contact; the same key again changes nothing.

        Raises:
            Failed: The store did not take it.
        """
        item = OutboxItem(
            key=key,
            incident_id=order.incident,
            lane="message",
            at=order.at,
            person=order.customer,
            channel=contact.channel,
            address=contact.address,
            audience="external",
            to=[order.customer],
            text=order.text,
            test=order.test,
        )
        await keep(self._store, item, self._announce)

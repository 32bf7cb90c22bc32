"""Quiet messages that stay in the house: what a fresh installation uses until a provider is configured."""

from activities.comms import Messenger
from activities.paging.outbox import Announce, keep
from model.effects import Recipient, Tell
from store import OutboxItem, Store


class OutboxMessenger(Messenger):
    """Keeps messages in the store's outbox, one per recipient."""

    def __init__(self, store: Store, announce: Announce | None = None) -> None:
        self._store = store
        self._announce = announce

    async def tell(self, order: Tell, recipient: Recipient, key: str) -> None:
        """Keep one message for one recipient; the same key again changes nothing.

        Args:
            order: What is told.
            recipient: Whom.
            key: The message's key, with or without the recipient at its end.

        Raises:
            Failed: The store did not take it.
        """
        item = OutboxItem(
            key=f"{key.removesuffix(f'/{recipient.person}')}/{recipient.person}",
            incident_id=order.incident,
            lane="message",
            at=order.at,
            person=recipient.person,
            channel=recipient.contact.channel,
            address=recipient.contact.address,
            to=order.to,
            text=order.text,
            test=order.test,
        )
        await keep(self._store, item, self._announce)

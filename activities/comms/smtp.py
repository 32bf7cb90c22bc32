"""Quiet messages by e-mail."""

from activities.comms import Messenger
from activities.smtp import Letter, Mailer
from model.effects import Recipient, Tell


class SmtpMessenger(Messenger):
    """Sends a message as a letter."""

    def __init__(self, mailer: Mailer) -> None:
        """Send by `mailer`."""
        self._mailer = mailer

    async def tell(self, order: Tell, recipient: Recipient, key: str) -> None:
        """Bring one message; the same key makes the same `Message-ID`.

        Raises:
            Failed: It was not taken.
        """
        letter = Letter(
            to=recipient.contact.address,
            subject=f"{order.incident}: {order.text}",
            text=f"{order.text}\n\n{order.incident} · for {', '.join(order.to)} · nobody was paged for this",
            at=order.at,
            key=key,
            thread=order.incident,
        )
        await self._mailer.send(letter)

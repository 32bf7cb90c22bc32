"""What customers get, by e-mail."""

from activities.customers import Carrier
from activities.smtp import Letter, Mailer
from model.catalogue.entries import Contact
from model.effects import Deliver


class SmtpCarrier(Carrier):
    """Sends a text as a letter; its first line is the subject."""

    def __init__(self, mailer: Mailer) -> None:
        """Send by `mailer`."""
        self._mailer = mailer

    async def deliver(self, order: Deliver, contact: Contact, key: str) -> None:
        """Bring one text; the same key makes the same `Message-ID`.

        Raises:
            Failed: It was not taken.
        """
        letter = Letter(
            to=contact.address,
            subject=order.text.partition("\n")[0].lstrip("# "),
            text=order.text,
            at=order.at,
            key=key,
            thread=order.incident,
        )
        await self._mailer.send(letter)

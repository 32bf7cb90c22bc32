"""Pages by e-mail: for people whose mail program wakes them, and as the channel behind the others."""

import re

from activities.paging import Pager
from activities.smtp import Letter, Mailer
from model.effects import Page
from model.engage.pagetext import call_link

_LINK = re.compile(r"Ack: (https?://\S+)")


class SmtpPager(Pager):
    """Sends a page as a letter."""

    def __init__(self, mailer: Mailer) -> None:
        """Send by `mailer`."""
        self._mailer = mailer

    async def page(self, order: Page, text: str, key: str) -> None:
        """Hand over one page; the same key makes the same `Message-ID`.

        Raises:
            Failed: It was not taken.
        """
        letter = Letter(
            to=order.contact.address,
            subject=text,
            text=_body(order, text),
            at=order.at,
            key=key,
            thread=order.incident,
        )
        await self._mailer.send(letter)


def _body(order: Page, text: str) -> str:
    link = _LINK.search(text)
    lines = [text, ""]
    if link:
        lines += ["Acknowledge, and see what is known:", link[1], ""]
        if call := call_link(order, link[1]):
            lines += ["Join the call, which counts you in:", call, ""]
    who = order.name or order.person
    lines.append(f"{order.incident} · paged: {who} for {order.team}, {order.at:%Y-%m-%d %H:%M} UTC")
    return "\n".join(lines)

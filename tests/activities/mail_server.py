"""A real mail server on a port of its own: keeps every letter, or answers what it is told to."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from socket import socket
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from activities.smtp import Mailer


class House:
    """What a mail server does: keeps, or answers what it is told to."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.says: dict[str, str] = {}

    async def handle_MAIL(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:
        envelope.mail_from = address
        return self.says.get("MAIL", "250 OK")

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:
        if "RCPT" not in self.says:
            envelope.rcpt_tos.append(address)
        return self.says.get("RCPT", "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if "DATA" not in self.says:
            self.envelopes.append(envelope)
        return self.says.get("DATA", "250 OK")

    async def handle_QUIT(self, server: Any, session: Any, envelope: Envelope) -> str:
        if "QUIT" in self.says:
            await asyncio.Event().wait()  # for ever: until the server ends
        return "221 Bye"

    @property
    def letters(self) -> list[EmailMessage]:
        contents = [envelope.content for envelope in self.envelopes]
        return [message_from_bytes(c, policy=default) for c in contents if isinstance(c, bytes)]


@contextmanager
def serving(house: House, **options: Any) -> Iterator[Mailer]:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(house, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield Mailer("127.0.0.1", port, "AllClear <allclear@house.test>", tls="none", within=timedelta(seconds=3))
    finally:
        controller.stop()

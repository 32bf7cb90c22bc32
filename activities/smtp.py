"""E-mail for pages and quiet messages: one connection per message, and what the server said in words."""

import asyncio
import contextlib
import hashlib
import os
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from typing import Any, Final, Literal

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from activities import Failed
from model.text import Refused, clean, cut, one_line

WITHIN: Final = timedelta(seconds=7)
"""How long one message may take: less than `activities.paging.send.WITHIN`, so that the reason is ours."""
GOODBYE: Final = 1.0
"""Seconds for the parting words, once the server has taken the message."""
SUBJECT_LONGEST: Final = 80
"""Characters of a subject: what a telephone's lock screen shows."""
FOR_GOOD: Final = 500
"""From this code on a server says no for good (RFC 5321, 4.2.1)."""

Tls = Literal["starttls", "tls", "none"]
_HEADER: Final = HeaderRegistry()


@dataclass(frozen=True)
class Letter:
    """What a person gets.

    Attributes:
        key: The effect's key: the same key makes the same `Message-ID`, by which a repetition is recognised.
        thread: What it belongs to: mail programs show one thread together.
    """

    to: str
    subject: str
    text: str
    at: datetime
    key: str
    thread: str


@dataclass(frozen=True)
class Mailer:
    """A mail server, and how we come to it.

    Attributes:
        sender: An address, or a name with one: `AllClear <allclear@example.com>`.
        password: Used with `user` only.
        within: How long one message may take.
    """

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    tls: Tls = "starttls"
    within: timedelta = WITHIN

    def __post_init__(self) -> None:
        """Refuse a sender that no server would take.

        Raises:
            Refused: It is not one address.
        """
        found = _addresses(self.sender)
        if len(found) != 1 or not found[0].domain:
            raise Refused(f"ALLCLEAR_SMTP_SENDER: '{one_line(clean(self.sender))}' is not one mail address")

    async def send(self, letter: Letter) -> None:
        """Hand over one letter.

        Raises:
            Failed: The server did not take it, or is not there.
        """
        message = self._message(letter)
        with self._in_words():
            async with asyncio.timeout(self.within.total_seconds()):
                await self._hand_over(message, letter.to)

    async def check(self) -> None:
        """Connect, log in and hang up: for `allclear doctor`.

        Raises:
            Failed: It did not work.
        """
        with self._in_words():
            async with asyncio.timeout(self.within.total_seconds()), self._connected() as server:
                await server.noop()

    async def _hand_over(self, message: EmailMessage, to: str) -> None:
        async with self._connected() as server:
            await server.send_message(message, sender=self._sender.addr_spec, recipients=[to])

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[SMTP]:
        server = SMTP(
            hostname=self.host,
            port=self.port,
            local_hostname=_our_name(),
            username=self.user or None,
            password=self.password if self.user else None,
            use_tls=self.tls == "tls",
            start_tls=self.tls == "starttls",
            timeout=self.within.total_seconds(),
        )
        try:
            await server.connect()
            yield server
            # The message is taken: whatever happens now, sending it again would only repeat it.
            with contextlib.suppress(SMTPException, OSError, TimeoutError):
                await server.quit(timeout=GOODBYE)
        finally:
            server.close()

    def _message(self, letter: Letter) -> EmailMessage:
        """Return the letter as it goes out. What comes from outside is one line, in every header.

        Raises:
            Failed: The address is none.
        """
        message = EmailMessage(policy=POLICY)
        message["From"] = self._sender
        message["To"] = address(letter.to)
        message["Subject"] = subject(letter.subject)
        message["Date"] = letter.at
        message["Message-ID"] = self._id(letter.key)
        message["References"] = self._id(letter.thread)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(clean(letter.text) + "\n", cte="quoted-printable")
        return message

    def _id(self, key: str) -> str:
        return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{self._sender.domain}>"

    @property
    def _sender(self) -> Address:
        return _addresses(self.sender)[0]

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (SMTPException, OSError, TimeoutError, ValueError) as error:
            reason, again = _said(error)
            text = cut(one_line(clean(f"{self.host}:{self.port} {self._without_password(reason)}")), 400)
            raise Failed(text, again=again) from None

    def _without_password(self, text: str) -> str:
        """Return what a server said without our password, however it may have echoed it."""
        raw = self.password.encode()
        both = f"\0{self.user}\0{self.password}".encode()
        for secret in (self.password, b64encode(raw).decode(), b64encode(both).decode()) if raw else ():
            text = text.replace(secret, "***")
        return text


def subject(text: str) -> str:
    """Return the beginning of a text as one line that fits a subject."""
    line = one_line(clean(text))
    return line if len(line) <= SUBJECT_LONGEST else line[: SUBJECT_LONGEST - 1].rstrip() + "…"


def address(spec: str) -> Address:
    """Return exactly one mail address.

    Raises:
        Failed: The text is none, or several.
    """
    found = _addresses(spec)
    if len(found) != 1 or found[0].addr_spec != spec or not found[0].domain:
        raise Failed(f"'{one_line(clean(spec))}' is not a mail address", again=False)
    return found[0]


def _addresses(text: str) -> tuple[Address, ...]:
    if clean(text) != text or "\n" in text:
        return ()
    try:
        header: Any = _HEADER("From", text)
    except Exception:  # the parser raises many things, IndexError among them
        return ()
    return () if header.defects else tuple(header.addresses)


def _our_name() -> str:
    """Return what we greet a server with; not asked of DNS, which may take longer than a page."""
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"


def _said(error: Exception) -> tuple[str, bool]:
    """Return why it failed, and whether another attempt may succeed.

    Not when the server refused this person or this message for good. A refused login or sender can be
    mended by those who run this; until then the page stays owed.
    """
    match error:
        case SMTPRecipientsRefused(recipients=refused):
            said = "; ".join(f"{one.code} {one.message}" for one in refused)
            return f"refused {refused[0].recipient}: {said}", any(one.code < FOR_GOOD for one in refused)
        case SMTPAuthenticationError():
            return f"refused the login ({error.code}): check ALLCLEAR_SMTP_USER and its password", True
        case SMTPDataError():
            return f"refused the message: {error.code} {error.message}", error.code < FOR_GOOD
        case SMTPResponseException():
            return f"answered {error.code} {error.message}", True
        case SMTPNotSupported():
            return error.message, False
        case TimeoutError():
            return "did not answer in time", True
        case SMTPException() | OSError():
            return f"cannot be used: {_cause(error)}", True
        case _:
            return f"was not asked: {error}", False


def _cause(error: Exception) -> str:
    """Return what is behind an error, shorter than the library says it."""
    match error.__cause__ or error:
        case ssl.SSLCertVerificationError() as untrusted:
            return f"its certificate is not trusted ({untrusted.verify_message})"
        case ssl.SSLError() as broken:
            return f"no TLS with it ({broken.reason}); is ALLCLEAR_SMTP_TLS right?"
        case OSError(errno=int(number)) if number > 0:
            return os.strerror(number)
        case cause:
            return str(cause)

"""One signed or keyed JSON request to a provider, and what its answer means; never twice by itself."""

import asyncio
import json
import logging
import os
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from activities import Failed
from model.text import clean, cut, one_line
from model.times import short

WITHIN: Final = timedelta(seconds=7)
"""How long one answer may take: less than `activities.paging.send.WITHIN`, so that the reason is ours."""
LARGEST: Final = 64 * 1024
"""Bytes of an answer that are read: no provider says more than a few hundred."""
EXCERPT: Final = 120
LONGEST_PAUSE: Final = timedelta(days=1)
"""The longest `Retry-After` believed: a page that waits longer is of no use to anybody."""
LATER: Final = frozenset({408, 409, 425, 429})
"""Refusals that are none for good (RFC 9110, 8470, 6585): too slow, at odds with another one, too early, too many."""

# It would log every address, and those of webhooks are secrets, often.
logging.getLogger("httpx2").setLevel(logging.WARNING)

_ALWAYS: Final = {"content-type": "application/json", "user-agent": "AllClear", "accept-encoding": "identity"}
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_LINK: Final = re.compile(r"Ack: (https?://\S+)")


@dataclass(frozen=True)
class Answer:
    """What the other side said.

    Attributes:
        text: The beginning of its body.
    """

    code: int
    headers: httpx2.Headers
    text: str

    @property
    def retry_after(self) -> timedelta | None:
        """Return how long the other side asked to be left alone; a date counts from its own `Date`."""
        said = self.headers.get("retry-after", "").strip()
        if said.isascii() and said.isdigit():
            return timedelta(seconds=min(int(said[:9]), LONGEST_PAUSE.total_seconds()))
        try:
            pause = parsedate_to_datetime(said) - parsedate_to_datetime(self.headers.get("date", ""))
        except (TypeError, ValueError):  # not said, no date, or one with and one without a time zone
            return None
        return min(max(pause, timedelta()), LONGEST_PAUSE)

    @property
    def json(self) -> Mapping[str, Any] | None:
        """Return the body where it is a JSON object."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return None
        return found if isinstance(found, Mapping) else None

    def excerpt(self, secrets: Sequence[str]) -> str:
        """Return the beginning of the body as one line, without what nobody may read in a timeline."""
        text = self.text
        for secret in filter(None, secrets):
            text = text.replace(secret, "***").replace(json.dumps(secret)[1:-1], "***")
        return cut(one_line(clean(text)), EXCERPT)


@dataclass(frozen=True)
class Poster:
    """Sends JSON over HTTP: a connection per request, no redirects, no repetition of its own.

    Attributes:
        within: How long one answer may take, everything included.
        trust: Whom to believe about names; default: the usual authorities, or those of `SSL_CERT_FILE`.
        largest: Bytes of an answer that are read: lists need more than `LARGEST`.
    """

    within: timedelta = WITHIN
    trust: ssl.SSLContext = field(default_factory=httpx2.create_ssl_context)
    largest: int = LARGEST

    async def send(
        self, who: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Answer:
        """Return what `url` answered.

        Args:
            who: Stands for the address in errors: addresses of webhooks are secrets, often.
            url: Checked with `web_host` before.
            body: JSON.
            headers: Sent along.
            method: As in HTTP.

        Raises:
            Failed: There was no answer.
        """
        try:
            async with asyncio.timeout(self.within.total_seconds()):
                return await self._exchange(method, url, body, {**_ALWAYS, **(headers or {})})
        except (TimeoutError, httpx2.TimeoutException):
            raise Failed(f"{who} gave no answer within {short(self.within)}") from None
        except httpx2.HTTPError as error:
            raise Failed(f"{who} cannot be reached: {cause(error) or str(error) or type(error).__name__}") from None
        except (httpx2.InvalidURL, UnicodeError):
            raise Failed(f"{who}: the address cannot be read", again=False) from None

    async def _exchange(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        async with (
            httpx2.AsyncClient(verify=self.trust, timeout=self.within.total_seconds()) as client,
            client.stream(method, url, content=body, headers=headers) as answer,
        ):
            raw = bytearray()
            async for part in answer.aiter_raw():
                raw += part
                if len(raw) >= self.largest:
                    break
            return Answer(answer.status_code, answer.headers, raw[: self.largest].decode(errors="replace"))


def web_host(url: str) -> str:
    """Return the host of an address that a page may be sent to.

    A page carries a link that acknowledges, so it travels encrypted, or to this machine.

    Raises:
        Failed: It is none; the address is not named, because it may hold a secret.
    """
    wrong = Failed("the address is no web address; write https://host/path", again=False)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if not host or clean(url) != url or " " in url or parts.scheme not in ("http", "https"):
        raise wrong
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise Failed(f"{host}: a page carries a link that acknowledges, so it needs https", again=False)
    return host


def refused(who: str, answer: Answer, secrets: Sequence[str] = ()) -> Failed:
    """Return what an answer other than 2xx means.

    Args:
        who: Who answered.
        answer: What.
        secrets: What must not be repeated.
    """
    if 300 <= answer.code < 400:
        return Failed(f"{who} answered {answer.code}: redirects are not followed, write the final address", again=False)
    said = answer.excerpt(secrets)
    again = answer.code in LATER or answer.code >= 500
    pause = answer.retry_after if again else None
    waits = f", and wants {short(pause)} of rest" if pause else ""
    return Failed(f"{who} answered {answer.code}{waits}{f': {said}' if said else ''}", again=again, retry_after=pause)


def ack_link(text: str) -> str:
    """Return the link of a page's text by which it is acknowledged; nothing where it has none."""
    found = _LINK.search(text)
    return found[1] if found else ""


def cause(error: BaseException) -> str:
    """Return what is behind an error, shorter than the libraries say it; nothing where none of them says more."""
    link: BaseException | None = error
    while link is not None:
        match link:
            case ssl.SSLCertVerificationError():
                return f"its certificate is not trusted ({link.verify_message})"
            case ssl.SSLError():
                return f"no TLS with it ({link.reason})"
            case OSError(errno=int(number)) if number > 0:
                return os.strerror(number)
            case OSError(strerror=str(words)):
                return words
        # Some libraries have it in `reason`.
        reason = getattr(link, "reason", None)
        link = reason if isinstance(reason, BaseException) else link.__cause__ or link.__context__
    return ""

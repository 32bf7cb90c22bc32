"""Amazon SNS over HTTPS: whether a message is really SNS's, and from a topic of ours.

What is signed, and how, is Amazon's (docs.aws.amazon.com/sns, "Verifying the signatures of Amazon SNS messages"):
version 1 is SHA1 with RSA, version 2 SHA256 with RSA. The certificate is fetched from an address that only Amazon has.
"""

import asyncio
import base64
import binascii
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import Certificate, load_pem_x509_certificate

from gateway.bodies import parse_json
from gateway.problems import RETRY_AFTER, Problem
from model.text import cut
from model.times import parse_moment

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets what is at an address that was checked before; raises `OSError` or `httpx.HTTPError`."""

OLDEST: Final = timedelta(minutes=65)
"""How old a message may be: SNS tries an HTTPS endpoint for 3600 s at most, and five minutes in hand."""
AHEAD: Final = timedelta(minutes=5)
"""How far its clock may be ahead of ours."""
KEPT: Final = 24 * 3600.0
"""Seconds a certificate is kept."""
CERTIFICATES: Final = 50
"""Certificates kept; there is one in force for each region."""
WITHIN: Final = 5.0
"""Seconds that Amazon may take for a certificate; SNS itself waits for fifteen."""
LARGEST: Final = 64 * 1024
"""Bytes of an answer of Amazon's."""

_HOST: Final = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
_PATH: Final = re.compile(r"/SimpleNotificationService-[A-Za-z0-9_-]+\.pem")
_HASHES: Final = {"1": SHA1, "2": SHA256}
_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: Final = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
_NEEDED: Final = ("Type", "MessageId", "TopicArn", "Message", "Timestamp", "SignatureVersion", "Signature")
TOPICS: Final = "ALLCLEAR_SNS_TOPICS"


@dataclass(frozen=True)
class Envelope:
    """What SNS delivers, after its signature was checked."""

    kind: str
    id: str
    topic: str
    message: str
    subscribe_url: str = ""


class Verifier:
    """Opens envelopes: only those that SNS signed, not long ago, and of topics of ours where they are named."""

    def __init__(
        self,
        topics: Sequence[str] = (),
        fetch: Fetch | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Allow `topics` by their whole ARN; none: any topic, for whoever passes the door, and no subscription."""
        self.topics = frozenset(topics)
        self._fetch = fetch or get
        self._now = now
        self._kept: dict[str, tuple[Certificate, float]] = {}
        self._fetching = asyncio.Lock()

    async def opened(self, body: bytes) -> Envelope:
        """Return what is in an envelope.

        Raises:
            Problem: 400 or 422 if it is none, 401 if SNS did not sign it, 403 if the topic is not ours, 503 if the
                certificate cannot be had at the moment.
        """
        said = parse_json(body)
        if not isinstance(said, dict) or said.get("Type") not in _SIGNED:
            raise _no_envelope(
                "Type", "should be Notification or SubscriptionConfirmation; raw delivery has no signature"
            )
        for name in (*_NEEDED, *(_CONFIRMATION if said["Type"] != "Notification" else ())):
            if not isinstance(said.get(name), str):
                raise _no_envelope(name, "is needed, as text")
        # The signature leaves room for a line more in a value, which would move the others.
        if any("\n" in said[name] for name in ("MessageId", "TopicArn", "Timestamp")):
            raise _forged("a line break in it")
        if self.topics and said["TopicArn"] not in self.topics:
            raise Problem(403, f"the topic {cut(said['TopicArn'], 200)} is not one of {TOPICS}")
        self._check_time(said["Timestamp"])
        await self._check_signature(said)
        return Envelope(
            said["Type"], said["MessageId"], said["TopicArn"], said["Message"], said.get("SubscribeURL", "")
        )

    async def confirm(self, envelope: Envelope) -> None:
        """Confirm the subscription of a topic that is allowed.

        Raises:
            Problem: The topic is not named in the settings, the address is not Amazon's, or does not answer.
        """
        if envelope.topic not in self.topics:
            text = f"the subscription of {cut(envelope.topic, 200)} is not confirmed: add the topic to {TOPICS}"
            raise Problem(403, text)
        where = urlsplit(envelope.subscribe_url)
        query = parse_qs(where.query)
        right = query.get("Action") == ["ConfirmSubscription"] and query.get("TopicArn") == [envelope.topic]
        if not (_is_amazon(envelope.subscribe_url) and where.path in ("", "/") and right):
            raise _forged("its SubscribeURL does not lead to Amazon SNS")
        await self._get(envelope.subscribe_url)

    def _check_time(self, text: str) -> None:
        try:
            at = parse_moment(text)
        except ValueError as error:
            raise _no_envelope("Timestamp", str(error)) from None
        if not -AHEAD <= self._now() - at <= OLDEST:
            raise _forged(f"its Timestamp {cut(text, 40)} is too far from now")

    async def _check_signature(self, said: dict[str, Any]) -> None:
        algorithm = _HASHES.get(said["SignatureVersion"])
        if algorithm is None:
            raise _forged("its SignatureVersion should be 1 or 2")
        try:
            signature = base64.b64decode(said["Signature"], validate=True)
        except (binascii.Error, ValueError):
            raise _forged("its Signature is not base64") from None
        certificate = await self._certificate(said.get("SigningCertURL") or said.get("SigningCertUrl"))
        names = [name for name in _SIGNED[said["Type"]] if isinstance(said.get(name), str)]
        signed = "".join(f"{name}\n{said[name]}\n" for name in names).encode(errors="replace")
        key = certificate.public_key()
        try:
            if not isinstance(key, RSAPublicKey):
                raise InvalidSignature
            key.verify(signature, signed, PKCS1v15(), algorithm())
        except InvalidSignature:
            raise _forged("the signature does not hold") from None

    async def _certificate(self, url: Any) -> Certificate:
        if not isinstance(url, str) or not _is_amazon(url) or not _PATH.fullmatch(urlsplit(url).path) or "?" in url:
            raise _forged("its SigningCertURL is not one of Amazon SNS")
        certificate = self._known(url)
        if certificate is None:
            async with self._fetching:  # one after the other: a storm of new addresses is nobody's we know
                certificate = self._known(url) or await self._fetched(url)
        if not certificate.not_valid_before_utc <= self._now() <= certificate.not_valid_after_utc:
            raise _forged("its certificate is not valid today")
        return certificate

    def _known(self, url: str) -> Certificate | None:
        found = self._kept.get(url)
        return found[0] if found and time.monotonic() - found[1] <= KEPT else None

    async def _fetched(self, url: str) -> Certificate:
        try:
            certificate = load_pem_x509_certificate(await self._get(url))
        except ValueError:
            raise _forged("there is no certificate at its SigningCertURL") from None
        self._kept.pop(url, None)
        while len(self._kept) >= CERTIFICATES:
            self._kept.pop(next(iter(self._kept)))
        self._kept[url] = (certificate, time.monotonic())
        return certificate

    async def _get(self, url: str) -> bytes:
        try:
            return await self._fetch(url)
        except (OSError, httpx.HTTPError) as error:
            text = (
                f"Amazon SNS does not answer at {urlsplit(url).hostname} ({type(error).__name__}): nothing is verified"
            )
            raise Problem(503, text, headers=RETRY_AFTER) from None


async def get(url: str) -> bytes:
    """Return what is at an address, following nobody elsewhere.

    Raises:
        httpx.HTTPError: It does not answer with 200.
        OSError: It answers with too much.
    """
    async with (
        httpx.AsyncClient(timeout=WITHIN, follow_redirects=False) as http,
        asyncio.timeout(WITHIN),
        http.stream("GET", url) as answer,
    ):
        if answer.status_code != 200:
            raise OSError(f"status {answer.status_code}")
        body = b""
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > LARGEST:
                raise OSError("too large")
        return body


def _is_amazon(url: str) -> bool:
    """Whether an address is exactly of the form that only Amazon SNS has: no user, no port, no other name."""
    try:
        where = urlsplit(url)
        port = where.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and not set(url) & set(" \\") and not where.fragment
    return plain and where.scheme == "https" and port is None and bool(_HOST.fullmatch(where.netloc))


def _forged(why: str) -> Problem:
    return Problem(401, f"this is no message that Amazon SNS signed just now: {why}")


def _no_envelope(name: str, text: str) -> Problem:
    error = {"index": 0, "field": name, "text": text}
    return Problem(422, f"this is no message of Amazon SNS: {name} {text}", accepted=0, errors=[error])

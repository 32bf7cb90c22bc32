"""The link in a page: it proves who opens it, for one person and one incident, for a week (design §1, §3).

Whoever holds the link is believed to be that person, so it travels only in that person's own pages, is never
logged, and opens nothing else. The signature is SHA-1's 27 characters on purpose: a text message has 160.
"""

import hmac
from base64 import b32encode
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from model.text import Refused

LIFETIME = timedelta(days=7)
"""How long a link is good for: a page is answered in minutes, a handover in days."""
SKEW = timedelta(minutes=5)
"""How far the clock of the machine that signed may be ahead of ours."""
SALT = "allclear.page"
CALLS = "allclear.call-name"


def sign(secret: str, incident: str, person: str, now: datetime | None = None) -> str:
    """Return the token that proves `person` in `incident`; about 42 characters.

    Raises:
        ValueError: The secret is empty, so that anybody could sign.
    """
    return str(_serializer(secret, incident, now).dumps(person))


def unsign(
    secret: str,
    token: str,
    incident: str,
    max_age: timedelta = LIFETIME,
    now: datetime | None = None,
) -> str:
    """Return the person whom a token proves in an incident.

    Raises:
        Refused: It was not made by us for this incident, or it is too old.
        ValueError: The secret is empty.
    """
    try:
        person, signed_at = _serializer(secret, incident, now).loads(token, return_timestamp=True)
    except (BadData, UnicodeError):
        raise Refused("this link was not made for this incident, or not all of it arrived") from None
    age = (now or datetime.now(UTC)) - signed_at
    if age > max_age:
        raise Refused(f"this link has expired: links are good for {max_age.days} days")
    if age < -SKEW or not isinstance(person, str) or not person:
        raise Refused("this link was signed with a wrong clock; ask for a new page")
    return person


def page_link(public_url: str, secret: str, incident: str, person: str) -> str:
    """Return the address that a page to `person` carries; empty when there is no public address."""
    if not public_url:
        return ""
    return f"{public_url.rstrip('/')}/i/{quote(incident)}?t={sign(secret, incident, person)}"


def call_secret(secret: str, incident: str, call: str) -> str:
    """Return the letters that stand in a call's link: always the same for it, and guessed by nobody.

    Args:
        secret: The settings' secret.
        incident: Its id.
        call: `tech`, `support` or `fork-1`.

    Returns:
        Sixteen small letters and digits, 80 bits.

    Raises:
        ValueError: The secret is empty, so that anybody could make them.
    """
    if not secret:
        raise ValueError("an empty secret hides nothing")
    digest = hmac.digest(secret.encode(), f"{CALLS}/{incident}/{call}".encode(), "sha256")
    return b32encode(digest[:10]).decode().lower()


def _serializer(secret: str, incident: str, now: datetime | None) -> URLSafeTimedSerializer:
    """Return a signer whose salt holds the incident: another's token fails, and none is longer for it."""
    if not secret:
        raise ValueError("an empty secret proves nothing")

    class At(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(now.timestamp()) if now else super().get_timestamp()

    return URLSafeTimedSerializer(
        secret, salt=f"{SALT}/{incident}", signer=At, signer_kwargs={"key_derivation": "hmac"}
    )

"""Pages by a signed webhook (standardwebhooks.com): for every provider without a connector of its own."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from standardwebhooks.webhooks import Webhook

from activities.paging import Pager
from activities.posting import Poster, ack_link, refused, web_host
from model.effects import Page
from model.engage.pagetext import call_link
from model.text import Refused

SIGNING: Final = "whsec_"
SHORTEST, LONGEST = 24, 64
"""Bytes of a key, as Standard Webhooks asks for."""
GONE: Final = frozenset({404, 410})


class WebhookPager(Pager):
    """Posts a page to the address in the catalogue, signed with our keys."""

    proves = "somebody is there; whether they take our signature, only a page shows"

    def __init__(
        self,
        keys: Sequence[str],
        poster: Poster | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Sign with each of `keys`, so that receivers can change from one to the next.

        Args:
            keys: `whsec_` and base64.
            poster: How requests are sent.
            now: When a request is signed; receivers refuse what is older than five minutes.

        Raises:
            Refused: There is none, or one is no such key; it is not named.
        """
        if not keys or not all(_is_key(key) for key in keys):
            raise Refused(
                f"ALLCLEAR_WEBHOOK_KEYS: a key is {SIGNING} and {SHORTEST} to {LONGEST} bytes in base64; "
                f'make one: echo "{SIGNING}$(openssl rand -base64 32)"'
            )
        self._keys = list(keys)
        self._hooks = [Webhook(key) for key in keys]
        self._poster = poster or Poster()
        self._now = now

    async def page(self, order: Page, text: str, key: str) -> None:
        """Hand over one page; the same key makes the same `webhook-id`, and any 2xx takes it.

        Raises:
            Failed: It was not taken.
        """
        url = order.contact.address
        host = web_host(url)
        link = ack_link(text)
        body = json.dumps(_told(order, text, key, link), ensure_ascii=False)
        answer = await self._poster.send(host, url, body.encode(), self._signed(message_id(key), body))
        if not 200 <= answer.code < 300:
            raise refused(host, answer, (*self._keys, url, link))

    async def check(self, address: str) -> None:
        """Ask whether somebody is there, with HEAD: nothing is posted, so nobody is woken.

        Raises:
            Failed: Nobody is, or it is the wrong address.
        """
        host = web_host(address)
        answer = await self._poster.send(host, address, method="HEAD")
        # What takes only POST answers HEAD with 405, 401 or 400, and is there.
        if answer.code in GONE or answer.code >= 500 or 300 <= answer.code < 400:
            raise refused(host, answer, (address,))

    def _signed(self, id: str, body: str) -> dict[str, str]:
        at = self._now()
        return {
            "webhook-id": id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(hook.sign(id, at, body) for hook in self._hooks),
        }


def message_id(key: str) -> str:
    """Return a key as `webhook-id`: ASCII, and without the full stop that parts what is signed."""
    return quote(key, safe="/").replace(".", "%2E")


def _told(order: Page, text: str, key: str, link: str) -> dict[str, Any]:
    return {
        "type": "page",
        "timestamp": order.at.isoformat(),
        "data": {
            "key": key,
            "incident": order.incident,
            "person": order.person,
            "name": order.name,
            "team": order.team,
            "level": order.level,
            "severity": order.severity,
            "service": order.service,
            "region": order.region,
            "what": order.what,
            "customers_hit": order.customers_hit,
            "opened_at": order.opened_at.isoformat(),
            "text": text,
            "ack": link,
            "call": call_link(order, link),
        },
    }


def _is_key(key: str) -> bool:
    try:
        raw = base64.b64decode(key.removeprefix(SIGNING), validate=True)
    except (binascii.Error, ValueError):
        return False
    return key.startswith(SIGNING) and SHORTEST <= len(raw) <= LONGEST

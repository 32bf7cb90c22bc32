"""Pages through PagerDuty's Events API v2: its own rules wake whoever is behind a routing key."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from activities import Failed
from activities.paging import Pager
from activities.posting import Answer, Poster, ack_link, refused, web_host
from model.effects import Page
from model.engage.pagetext import call_link
from model.text import cut, one_line

US: Final = "https://events.pagerduty.com"
EU: Final = "https://events.eu.pagerduty.com"
SUMMARY_LONGEST: Final = 1024
"""Bytes of a summary; PagerDuty takes as many characters."""
SEVERITY: Final = {1: "critical", 2: "critical", 3: "error", 4: "warning"}
"""Ours → theirs, anything less is `info`: their high urgency begins with `error`, and ours that wakes with 3."""
NOBODYS: Final = "allclear/doctor"
"""A `dedup_key` that never has an alert."""


class PagerDutyPager(Pager):
    """Triggers an alert per page. The catalogue names a routing key (`pagerduty: checkout`), the settings have it."""

    proves = "PagerDuty takes events with every key"

    def __init__(self, keys: Mapping[str, str], url: str = US, poster: Poster | None = None) -> None:
        """Send to `url`, with the routing key that a contact names.

        Args:
            keys: Name → routing key.
            url: Of the service region: `US`, or `EU`.
            poster: How requests are sent.
        """
        self._keys = dict(keys)
        self._url = url.rstrip("/") + "/v2/enqueue"
        self._poster = poster or Poster()

    @property
    def names(self) -> list[str]:
        """Return the names that contacts may use."""
        return list(self._keys)

    async def page(self, order: Page, text: str, key: str) -> None:
        """Hand over one page; the same key is the same `dedup_key`, and no second alert.

        Raises:
            Failed: It was not taken.
        """
        link = ack_link(text)
        event: dict[str, Any] = {
            "event_action": "trigger",
            "dedup_key": key,
            "client": "AllClear",
            "payload": _payload(order, text),
        }
        if link:
            links = [{"href": link, "text": f"Acknowledge {order.incident}"}]
            call = call_link(order, link)
            links += [{"href": call, "text": f"Join the call of {order.incident}"}] if call else []
            event |= {"client_url": link, "links": links}
        await self._enqueue(order.contact.address, event, link)

    async def check(self, address: str) -> None:
        """Resolve an alert that never was: PagerDuty checks the routing key, and wakes nobody.

        Raises:
            Failed: The key or the address is wrong, or nobody answers.
        """
        await self._enqueue(address, {"event_action": "resolve", "dedup_key": NOBODYS})

    async def _enqueue(self, name: str, event: Mapping[str, Any], link: str = "") -> None:
        key = self._keys.get(name)
        if key is None:
            named = ", ".join(sorted(self._keys)) or "none"
            raise Failed(f"ALLCLEAR_PAGERDUTY_KEYS has no key '{one_line(name)}' (it has: {named})", again=False)
        web_host(self._url)
        body = json.dumps({"routing_key": key, **event}).encode()
        answer = await self._poster.send("PagerDuty", self._url, body)
        _judge(answer, name, (key, link))


def _judge(answer: Answer, name: str, secrets: tuple[str, ...]) -> None:
    """Return if the event was taken.

    Raises:
        Failed: It was not. With 429 PagerDuty has dropped it, and means us to come again.
    """
    said = answer.json
    if answer.code == 400:
        raise Failed(f"PagerDuty refused the event for '{name}': {_words(answer, secrets)}", again=False)
    if not 200 <= answer.code < 300:
        raise refused("PagerDuty", answer, secrets)
    if said is None or "status" not in said:
        # A proxy's sign-in page answers 200; once it is out of the way, the next attempt gets through.
        raise Failed(f"this is not PagerDuty: {answer.code}, {answer.excerpt(secrets)}")
    if said["status"] != "success":
        raise Failed(f"PagerDuty did not take the event for '{name}': {_words(answer, secrets)}", again=False)


def _words(answer: Answer, secrets: tuple[str, ...]) -> str:
    """Return the message and the errors of an answer, or what there is instead."""
    said = answer.json or {}
    errors = said.get("errors")
    words = [said.get("message"), *(errors if isinstance(errors, list) else [])]
    text = "; ".join(word for word in words if isinstance(word, str))
    return replace(answer, text=text or answer.text).excerpt(secrets)


def _payload(order: Page, text: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "summary": cut(text, SUMMARY_LONGEST),
        "source": order.service or order.incident,
        "severity": SEVERITY.get(order.severity, "info"),
        "timestamp": order.opened_at.isoformat(),
        "group": order.team,
        "custom_details": {
            "incident": order.incident,
            "person": order.name or order.person,
            "level": order.level,
            "region": order.region,
            "customers_hit": order.customers_hit,
            "call_phone": order.call_phone,
        },
    }
    return told | ({"class": order.what} if order.what else {})

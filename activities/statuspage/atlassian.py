"""The public page at Atlassian Statuspage: an incident there per event, an update of it per entry.

Found again by what we keep in its metadata, where every entry's key is written in the same request as the entry: an
attempt that is repeated finds it, and subscribers are not told twice. Our own names for an event are not told there.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from activities import Failed
from activities.posting import Answer, Poster, refused, web_host
from activities.statuspage import StatusPage
from model.effects import Publication
from model.text import cut

URL: Final = "https://api.statuspage.io"
OURS: Final = "allclear"
"""Our part of an incident's metadata, whose top-level values must be objects."""
STATUS: Final = {"wrong": "investigating", "mitigated": "monitoring", "resolved": "resolved"}
NAME_LONGEST: Final = 255
BODY_LONGEST: Final = 25_000
"""Characters that Statuspage takes (its API's description)."""
REST: Final = timedelta(minutes=1)
"""How long to leave it alone after 420 or 429 without a time: it counts requests over the last 60 seconds."""
RECENT: Final = 100
"""Latest incidents looked through for ours, resolved ones too."""
KEPT: Final = 200
"""Keys of entries kept with an incident."""
LARGEST: Final = 8 * 1024 * 1024
"""Bytes of an answer: a hundred incidents come with all their updates."""
UP: Final = ("operational", "")
"""Statuses of a component that is well; any other, set by hand perhaps, is not made less than it is."""

_Json = Mapping[str, Any]


class Statuspage(StatusPage):
    """Publishes at Atlassian Statuspage. A component is what it is called: as customers call a service of ours."""

    def __init__(
        self, page: str, key: str, *, url: str = URL, notify: bool = True, poster: Poster | None = None
    ) -> None:
        """Publish on a page.

        Args:
            page: Its id.
            key: A key of its API.
            url: Where the API is.
            notify: Its subscribers are told of every entry.
            poster: How requests are sent.
        """
        self._url = f"{url.rstrip('/')}/v1/pages/{page}"
        self._key = key
        self._notify = notify
        self._poster = poster or Poster(largest=LARGEST)

    async def publish(self, order: Publication, key: str) -> None:
        """Put an entry on the page; the same key again changes nothing.

        Raises:
            Failed: It was not taken.
        """
        event, entry = _reference(order.incident), _reference(key)
        unresolved = await self._all("/incidents/unresolved?per_page=100")
        found = _of(event, unresolved) or _of(event, await self._all(f"/incidents?limit={RECENT}"))
        kept = _kept(found)
        if entry in kept["entries"]:
            return
        others = [incident for incident in unresolved if incident.get("id") != (found or {}).get("id")]
        about = cut(order.about.external, NAME_LONGEST)
        told: dict[str, Any] = {
            "status": STATUS[order.status],
            "body": cut(order.text.external, BODY_LONGEST),
            "deliver_notifications": self._notify,
            **self._affected(order, found, others, await self._all("/components?per_page=100")),
        }
        # A name that somebody has changed there since stays.
        if found is None or found.get("name") == kept["name"]:
            told["name"] = kept["name"] = about
        ours = {"event": event, "name": kept["name"], "entries": [*kept["entries"], entry][-KEPT:]}
        told["metadata"] = {**((found or {}).get("metadata") or {}), OURS: ours}
        if found is None:
            await self._one("POST", "/incidents", {"incident": told})
        else:
            await self._one("PATCH", f"/incidents/{found['id']}", {"incident": told})

    async def check(self, names: Sequence[str] = ()) -> str:
        """Read the page and its components with the key; nothing is written, so its right to write is not proven.

        Args:
            names: What customers call our services: one without a component is named.

        Raises:
            Failed: With what to mend.
        """
        page = await self._one("GET", "", None)
        components = await self._all("/components?per_page=100")
        there = {str(component.get("name", "")).casefold() for component in components}
        lost = sorted({name for name in names if name and name.casefold() not in there})
        said = f"Statuspage shows us '{page.get('name', '')}' with {len(components)} components"
        return f"{said}; none is called {', '.join(lost)}" if lost else said

    def _affected(
        self, order: Publication, found: _Json | None, others: Sequence[_Json], components: Sequence[_Json]
    ) -> dict[str, Any]:
        """Return which components an entry is about, and what becomes of them."""
        names = {name.casefold() for name in order.services}
        named = {c["id"] for c in components if not c.get("group") and str(c.get("name", "")).casefold() in names}
        concerned = named | {component["id"] for component in (found or {}).get("components") or []}
        elsewhere = {component["id"] for incident in others for component in incident.get("components") or []}
        now = {component["id"]: component.get("status", "") for component in components}
        if order.status == "wrong":
            changed = {id: "degraded_performance" for id in concerned if now.get(id, "") in UP}
        elif order.status == "resolved":
            under = "under_maintenance"
            changed = {id: "operational" for id in concerned - elsewhere if now.get(id, under) not in (*UP, under)}
        else:
            changed = {}
        return {
            **({"component_ids": sorted(concerned)} if concerned else {}),
            **({"components": dict(sorted(changed.items()))} if changed else {}),
        }

    async def _all(self, path: str) -> list[_Json]:
        """Return a list."""
        answer = await self._ask("GET", path)
        try:
            found = json.loads(answer.text)
        except ValueError:
            found = None
        if not isinstance(found, list) or not all(isinstance(it, Mapping) and "id" in it for it in found):
            raise self._stranger(answer)
        return found

    async def _one(self, method: str, path: str, body: _Json | None) -> _Json:
        """Return the object that a request read or made."""
        answer = await self._ask(method, path, body)
        found = answer.json
        if found is None or "id" not in found:
            raise self._stranger(answer)
        return found

    async def _ask(self, method: str, path: str, body: _Json | None = None) -> Answer:
        web_host(self._url)
        written = json.dumps(body).encode() if body is not None else b""
        headers = {"authorization": f"OAuth {self._key}"}
        answer = await self._poster.send("Statuspage", self._url + path, written, headers, method)
        if 200 <= answer.code < 300:
            return answer
        if answer.code in (420, 429):
            raise Failed("Statuspage has had too many requests of ours", retry_after=answer.retry_after or REST)
        if answer.code in (401, 403):
            raise Failed(f"Statuspage refused the key ({answer.code}): {self._said(answer)}", again=False)
        if answer.code == 404 and method != "PATCH":
            raise Failed(f"Statuspage has no such page, or not for this key: {self._said(answer)}", again=False)
        raise refused("Statuspage", answer, [self._key])

    def _stranger(self, answer: Answer) -> Failed:
        # A proxy's sign-in page answers 200; once it is out of the way, the next attempt gets through.
        return Failed(f"this is not Statuspage: {answer.code}, {self._said(answer)}")

    def _said(self, answer: Answer) -> str:
        return answer.excerpt([self._key])


def _reference(name: str) -> str:
    """Return what stands for a name of ours where others may read it."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _of(event: str, incidents: Sequence[_Json]) -> _Json | None:
    """Return an event's incident."""
    return next((incident for incident in incidents if _kept(incident)["event"] == event), None)


def _kept(incident: _Json | None) -> dict[str, Any]:
    """Return what we keep with an incident."""
    metadata = (incident or {}).get("metadata")
    ours = metadata.get(OURS) if isinstance(metadata, Mapping) else None
    kept = ours if isinstance(ours, Mapping) else {}
    entries = kept.get("entries")
    return {
        "event": kept.get("event", ""),
        "name": kept.get("name", ""),
        "entries": list(entries) if isinstance(entries, list) else [],
    }

"""Which other pages wait for somebody: a storm pages people once and says how many more there are."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from model.coordinate.waiting import unanswered
from model.incident import BEFORE_CLOSE
from store import Store, StoreError

MOST: Final = 30
"""Incidents looked at: the latest; each is read whole."""
LISTED: Final = 500
"""Incidents listed: those that are closed, and only reflected on, are among them."""
WITHIN: Final = timedelta(seconds=2)
"""How long the record may take; a page does not wait for it."""


@dataclass(frozen=True)
class Other:
    """A page that waits in another incident."""

    incident: str
    severity: int
    title: str
    since: datetime


@dataclass(frozen=True)
class Elsewhere:
    """What waits in other incidents.

    Attributes:
        pages: The latest first.
        missing: Why there may be more; nothing where every open incident was looked at.
    """

    pages: Sequence[Other] = ()
    missing: str = ""


async def pages_elsewhere(store: Store, person: str, here: str) -> Elsewhere:
    """Return the pages that a person has not answered in other open incidents, as the record has them."""
    found: list[Other] = []
    try:
        async with asyncio.timeout(WITHIN.total_seconds()):
            listed = await store.incidents(open_only=True, limit=LISTED)
            wanted = [it.id for it in listed if it.phase in BEFORE_CLOSE and it.id != here]
            for name in wanted[:MOST]:
                incident = await store.incident(name)
                page = unanswered(incident, person) if incident else None
                if incident and page:
                    found.append(Other(incident.id, incident.severity, incident.title, page.since))
    except (StoreError, TimeoutError):
        return Elsewhere(found, "the record does not answer, so other pages of yours may be missing here")
    more = len(wanted) - MOST
    return Elsewhere(found, f"{more} more incidents are open that were not looked at" if more > 0 else "")

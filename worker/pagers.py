"""The pagers over HTTP: which ones the settings configure, and whether they would work now."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Protocol, TypeAlias

from activities import Failed
from activities.paging import Pager
from activities.paging.pagerduty import PagerDutyPager
from activities.paging.webhook import WebhookPager
from model.catalogue.catalog import Catalog
from model.text import Refused
from worker.settings import Settings

NAMED: Final = 3
"""Contacts named in a line; the rest is counted."""
AT_ONCE: Final = 20
"""Contacts tried at the same time, so that a large catalogue is no flood."""


class _Checked(Pager, Protocol):
    proves: str
    """What a passed check means, in words."""

    async def check(self, address: str) -> None:
        """Try a contact's address without waking anybody; raises `Failed`."""


Trial: TypeAlias = Callable[[], Awaitable[str]]
"""Tries something harmless; returns how it is, raises `Refused` with what to mend."""


def pagers_of(settings: Settings) -> dict[str, _Checked]:
    """Return the configured pagers over HTTP by their channels.

    Raises:
        Refused: The settings cannot work; secrets in them are not said.
    """
    found: dict[str, _Checked] = {}
    if keys := settings.paging_keys("webhook"):
        found["webhook"] = WebhookPager(keys)
    if named := settings.paging_names("pagerduty"):
        found["pagerduty"] = PagerDutyPager(named, settings.pagerduty_url)
    urls = {channel.lower(): url for channel, url in settings.paging_names("apprise").items()}
    taken = {*found, *(["email"] if settings.smtp_host else [])} & set(urls)
    if taken:
        raise Refused(f"ALLCLEAR_APPRISE_URLS: {', '.join(sorted(taken))} has a connector of its own; take one of them")
    return found | (_apprise(urls) if urls else {})


def _apprise(urls: Mapping[str, str]) -> dict[str, _Checked]:
    # Imported here: it takes half a second, of which an installation without it is spared.
    try:
        from activities.paging.apprise import ApprisePager
    except ModuleNotFoundError:
        how = "pip install 'allclear-incidents[apprise]'"
        raise Refused(f"ALLCLEAR_APPRISE_URLS: Apprise is not installed: {how}") from None
    return {channel: ApprisePager(channel, url) for channel, url in urls.items()}


def trials(settings: Settings, catalog: Catalog) -> dict[str, Trial]:
    """Return what `allclear doctor` tries: every configured channel with the contacts of the catalogue.

    Raises:
        Refused: The settings cannot work.
    """
    pagers = pagers_of(settings)
    found: dict[str, Trial] = {
        channel: partial(_try, channel, pager, _addresses(catalog, channel)) for channel, pager in pagers.items()
    }
    configured = {*pagers, *(["email"] if settings.smtp_host else [])}
    return found | ({"channels": partial(_reachable, catalog, configured)} if configured else {})


def _addresses(catalog: Catalog, channel: str) -> dict[str, list[str]]:
    """Return address → people who have it."""
    found: dict[str, list[str]] = {}
    for id, person in catalog.people.items():
        for contact in person.contact:
            if contact.channel == channel:
                found.setdefault(contact.address, []).append(id)
    return found


async def _try(channel: str, pager: _Checked, addresses: Mapping[str, list[str]]) -> str:
    unused = set(pager.names) - set(addresses) if isinstance(pager, PagerDutyPager) else set()
    tried = [*addresses, *sorted(unused)]
    turn = asyncio.Semaphore(AT_ONCE)
    outcomes = await asyncio.gather(*(_wrong(pager, address, turn) for address in tried))
    wrong = [
        f"{', '.join(addresses.get(address, [address]))}: {reason}"
        for address, reason in zip(tried, outcomes, strict=True)
        if reason
    ]
    if wrong:
        more = f"; and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        raise Refused("; ".join(wrong[:NAMED]) + more)
    if not tried:
        return f"is configured, and nobody in the catalogue has a contact `{channel}`"
    return f"{sum(map(len, addresses.values()))} contacts: {pager.proves}"


async def _wrong(pager: _Checked, address: str, turn: asyncio.Semaphore) -> str:
    try:
        async with turn:
            await pager.check(address)
    except Failed as failed:
        return failed.reason
    return ""


async def _reachable(catalog: Catalog, configured: set[str]) -> str:
    lost = [
        f"{id} ({', '.join(contact.channel for contact in person.contact)})"
        for id, person in catalog.people.items()
        if person.contact and not configured & {contact.channel for contact in person.contact}
    ]
    if lost:
        raise Refused(f"THESE ARE NOT WOKEN, their pages stay in the outbox: {', '.join(lost)}; configure a channel")
    return f"everybody with a contact is reached over one of: {', '.join(sorted(configured))}"

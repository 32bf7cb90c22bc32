"""`allclear doctor`: looks at everything an incident will need, and says what to do about what is missing."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from temporalio.client import Client
from temporalio.service import RPCError

from activities import Failed
from link import attributes
from model.catalogue.catalog import CatalogError, check
from model.text import Refused, one_line
from store import StoreError
from store.migrate import head_is_current
from worker import chats, customers, statuspages, tickets
from worker.binaries import binary
from worker.embedded import RETENTION, retention
from worker.files import load_catalog, read_yaml
from worker.pagers import trials
from worker.run import cluster, deployments, mailer, open_client
from worker.settings import Settings

NAMED: Final = 3
"""Findings named in a line; the rest is counted."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What.
        ok: Whether an incident can count on it.
        text: One line: how it is, or what to do.
    """

    name: str
    ok: bool
    text: str


async def doctor(settings: Settings) -> list[Check]:
    """Return what was found, in the order in which it should be mended; nothing is changed."""
    return [one async for one in _checks(settings)]


async def _checks(settings: Settings) -> AsyncIterator[Check]:
    yield await _look("catalogue", _catalogue(settings))
    yield await _look("store", _store(settings))
    async for one in _temporal(settings):
        yield one
    yield await _look("links", _links(settings))
    yield await _look("senders", _senders(settings))
    if settings.mode == "shadow":
        yield Check("mode", True, "shadow: nobody is woken, pages and messages stay in the outbox (ALLCLEAR_MODE)")
    if settings.smtp_host:
        yield await _look("smtp", _smtp(settings))
    async for one in _pagers(settings):
        yield one
    async for one in _followers(settings):
        yield one
    async for one in _customers(settings):
        yield one
    if settings.deployments:
        yield await _look("deployments", _deployments(settings))


async def _look(name: str, looking: Awaitable[str]) -> Check:
    """Return what was found; what is raised says what to do."""
    try:
        return Check(name, True, one_line(await looking))
    except RPCError as error:
        return Check(name, False, one_line(f"Temporal answers: {error.message}"))
    except (Refused, StoreError, Failed) as error:
        return Check(name, False, one_line(str(error)))


async def _catalogue(settings: Settings) -> str:
    findings = check(await asyncio.to_thread(read_yaml, settings.catalog))
    errors = [str(finding) for finding in findings if finding.level == "error"]
    if errors:
        raise Refused(f"{settings.catalog} cannot be used: {_some(errors)}; mend them, or set ALLCLEAR_CATALOG")
    warned = f"; {_some([str(finding) for finding in findings])}" if findings else ""
    return f"{settings.catalog} can be used{warned}"


def _some(things: Sequence[str]) -> str:
    more = f" and {len(things) - NAMED} more" if len(things) > NAMED else ""
    return "; ".join(things[:NAMED]) + more


async def _store(settings: Settings) -> str:
    if not await asyncio.to_thread(head_is_current, settings.store_url):
        raise Refused("the store is not there, or older than this version: run `allclear migrate`")
    return "is there, and has the tables of this version"


async def _temporal(settings: Settings) -> AsyncIterator[Check]:
    # Nothing is sent that would have to be signed, so no secret is made for it.
    reading = settings.model_copy(update={"secret": SecretStr("unused")})
    clients: list[Client] = []

    async def reach() -> str:
        clients.append(await open_client(reading))
        return f"answers at {clients[0].service_client.config.target_host}, namespace {clients[0].namespace}"

    if _embedded():
        yield await _look("programs", _programs())
    yield await _look("temporal", reach())
    for client in clients:
        yield await _look("attributes", _attributes(client))
        yield await _look("retention", _retention(client))


def _embedded() -> bool:
    try:
        return cluster() is None
    except Refused:
        return False  # said by who connects


async def _programs() -> str:
    return f"{binary('temporal')} and {binary('temporal-test-server')}"


async def _attributes(client: Client) -> str:
    missing = await attributes.missing(client)
    if missing:
        commands = attributes.how_to_add(missing, client.namespace).replace("\n", " && ")
        raise Refused(f"the worker will not start without search attributes: `{commands}`")
    return "every search attribute is there"


async def _retention(client: Client) -> str:
    kept = await retention(client)
    if kept < RETENTION:
        raise Refused(
            f"closed processes can be looked at for {kept.days} days only: `temporal operator namespace update "
            f"--namespace {client.namespace} --retention {RETENTION.days}d`"
        )
    return f"closed processes can be looked at for {kept.days} days; the store keeps their record for ever"


async def _links(settings: Settings) -> str:
    url = urlsplit(settings.gateway_url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise Refused(f"ALLCLEAR_PUBLIC_URL: {settings.gateway_url} is no web address")
    if _loopback(url.hostname) or url.hostname in ("0.0.0.0", "::"):
        raise Refused(
            f"NO PHONE CAN OPEN THE LINKS IN PAGES: they lead to {settings.gateway_url}, which is each phone itself; "
            "set ALLCLEAR_PUBLIC_URL to where phones reach the gateway"
        )
    plain = "" if url.scheme == "https" else "; who reads along can answer for others: use https"
    return f"links in pages lead to {settings.gateway_url}{plain}"


async def _senders(settings: Settings) -> str:
    if settings.token.get_secret_value():
        return "senders of alarms show ALLCLEAR_TOKEN"
    if not _loopback(settings.gateway_host):
        raise Refused("alarms from other machines will be refused: set ALLCLEAR_TOKEN, here and there")
    return "alarms are taken from this machine only; for others, set ALLCLEAR_GATEWAY_HOST and ALLCLEAR_TOKEN"


def _loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f".{host.rstrip('.')}".endswith(".localhost")
    return bool((getattr(address, "ipv4_mapped", None) or address).is_loopback)


async def _smtp(settings: Settings) -> str:
    await mailer(settings).check()
    bare = settings.smtp_user and settings.smtp_tls == "none"
    warned = "; the password travels unencrypted: set ALLCLEAR_SMTP_TLS=starttls" if bare else ""
    return f"{settings.smtp_host}:{settings.smtp_port} takes e-mail from {settings.smtp_sender}{warned}"


async def _pagers(settings: Settings) -> AsyncIterator[Check]:
    try:
        catalog = await asyncio.to_thread(load_catalog, settings.catalog)
    except (CatalogError, Refused):
        return  # said where the catalogue is looked at
    try:
        found = trials(settings, catalog)
    except Refused as error:
        yield Check("paging", False, one_line(str(error)))
        return
    for name, trial in found.items():
        yield await _look(name, trial())


async def _followers(settings: Settings) -> AsyncIterator[Check]:
    """Look at the tickets and rooms that follow the record."""
    try:
        catalog = await asyncio.to_thread(load_catalog, settings.catalog)
    except (CatalogError, Refused):
        return  # said where the catalogue is looked at
    for kind in ("tickets", "chat"):
        try:
            found = tickets.trials(settings) if kind == "tickets" else chats.trials(settings, catalog)
        except Refused as error:
            yield Check(kind, False, one_line(str(error)))
            continue
        for name, trial in found.items():
            yield await _look(name, trial())


async def _customers(settings: Settings) -> AsyncIterator[Check]:
    """Look at what brings customers something: the table of them, and the public page."""
    try:
        catalog = await asyncio.to_thread(load_catalog, settings.catalog)
    except (CatalogError, Refused):
        return  # said where the catalogue is looked at
    if settings.customers:
        yield await _look("customers", customers.check(settings, catalog))
    try:
        found = statuspages.trials(settings, catalog)
    except Refused as error:
        yield Check("statuspage", False, one_line(str(error)))
        return
    for name, trial in found.items():
        yield await _look(name, trial())


async def _deployments(settings: Settings) -> str:
    source = deployments(settings)
    reading = await source.read() if source else None
    if reading and reading.bad:
        raise Refused(f"{settings.deployments}: lines are left out: {_some(reading.bad)}")
    return f"{settings.deployments} has {len(reading.deployments) if reading else 0} deployments"

"""What is measured: a server as `allclear up` starts it, a worker with everything, connectors that stamp time."""

import asyncio
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities import rush
from activities.paging import Pager
from activities.record.sql import SqlRecorder
from activities.rush import Rush
from activities.tickets.markdown import MarkdownTickets
from link import attributes
from link import catalog as live
from link.converter import DATA_CONVERTER
from link.guard import Prover
from model.catalogue.catalog import Catalog
from model.effects import Page, Recipient, Tell
from store import Store, open_store
from store.migrate import upgrade
from tests.bench.bare import Reach, bare_worker
from worker.binaries import binary
from worker.compose import Connectors, make_workers, rest_collector
from worker.embedded import FLAGS

PARTITION, REGION = "bench", "here"
CALM = {"aggregate_services": 100_000}
"""A policy under which alarms of many services stay single-service events."""


class Stamping:
    """A pager and a messenger that only note when they were handed something.

    Attributes:
        busy_at: When anything of ours, a ticket included, was done last.
    """

    def __init__(self) -> None:
        self.busy_at = 0.0
        self.services: dict[str, asyncio.Future[float]] = {}
        self.people: dict[str, float] = {}
        self.told = 0

    def expected(self, service: str) -> asyncio.Future[float]:
        """Return when the first page about a service is handed over."""
        return self.services.setdefault(service, asyncio.get_running_loop().create_future())

    async def page(self, order: Page, text: str, key: str) -> None:
        now = self.busy_at = time.perf_counter()
        self.people.setdefault(order.person, now)
        if not (at := self.expected(order.service)).done():
            at.set_result(now)

    async def tell(self, order: Tell, recipient: Recipient, key: str) -> None:
        self.busy_at = time.perf_counter()
        self.told += 1

    async def at_rest(self, quiet: float = 2 * rush.WITHIN, patience: float = 60.0) -> None:
        """Return when nothing has been done for `quiet` seconds, or after `patience` all the same.

        Long enough for the record that waited while pages went out: it would be counted to who comes next.
        """
        deadline = time.perf_counter() + patience
        left = self.busy_at + quiet - time.perf_counter()
        while left > 0 and time.perf_counter() < deadline:
            await asyncio.sleep(left)
            left = self.busy_at + quiet - time.perf_counter()


class StampingTickets(MarkdownTickets):
    """The real tickets, the last thing that follows a page."""

    def __init__(self, store: Store, folder: Path, stamps: Stamping) -> None:
        super().__init__(store, folder)
        self._stamps = stamps

    async def refresh(self, incident: str) -> None:
        await super().refresh(incident)
        self._stamps.busy_at = time.perf_counter()


@dataclass(frozen=True)
class House:
    """Everything a figure needs."""

    client: Client
    pager: Stamping
    reach: Reach
    store: Store


@asynccontextmanager
async def house(
    catalog: Catalog, policy: Mapping[str, Any] | None = None, pagers: Mapping[str, Pager] | None = None
) -> AsyncIterator[House]:
    """Open a house of its own for one figure, and close it in order.

    Args:
        catalog: Who works here.
        policy: Numbers that differ from the defaults; the figure says so.
        pagers: For channels that leave the house.
    """
    live.use(catalog, catalog.policy.overridden(policy or {}))
    secret = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="allclear-bench-") as name:
        folder = Path(name)
        async with connected_to_nobody(folder, pagers) as connectors, served(folder, secret) as server:
            await attributes.register(server.client)
            reach = Reach()
            async with working(server.client, connectors, secret), bare_worker(server.client, reach):
                pager = connectors.inside_pager
                assert isinstance(pager, Stamping)
                assert connectors.store
                yield House(server.client, pager, reach, connectors.store)


@asynccontextmanager
async def connected_to_nobody(folder: Path, pagers: Mapping[str, Pager] | None = None) -> AsyncIterator[Connectors]:
    """Yield connectors that reach nobody and stamp the time; record and tickets are real."""
    url = f"sqlite+aiosqlite:///{folder / 'allclear.db'}"
    await asyncio.to_thread(upgrade, url)
    store = open_store(url)
    pager = Stamping()
    try:
        yield Connectors(
            pagers={"*": pager, **(pagers or {})},
            store=store,
            messengers={"*": pager},
            inside_pager=pager,
            inside_messenger=pager,
            rush=Rush(),
            recorder=SqlRecorder(store),
            tickets=StampingTickets(store, folder / "tickets", pager),
        )
    finally:
        await store.close()


@asynccontextmanager
async def working(client: Client, connectors: Connectors, secret: str) -> AsyncIterator[None]:
    """Run a worker with everything."""
    rest_collector()
    async with make_workers(client, connectors, secret=secret):
        yield


@asynccontextmanager
async def served(folder: Path, secret: str) -> AsyncIterator[WorkflowEnvironment]:
    """Run a server as `allclear up` starts it."""
    async with await _server(folder, secret) as server:
        yield server


async def _server(folder: Path, secret: str) -> WorkflowEnvironment:
    return await WorkflowEnvironment.start_local(
        dev_server_existing_path=binary("temporal"),
        dev_server_database_filename=str(folder / "temporal.db"),
        dev_server_log_level="error",
        dev_server_extra_args=[*FLAGS, "--output", "none"],
        data_converter=DATA_CONVERTER,
        interceptors=[Prover(secret)],
    )


def organisation(teams: int, services: int, on_call: int = 1) -> Catalog:
    """Return a made-up organisation of one region.

    Args:
        teams: How many teams; each has a second level of one person, and shares its manager with nine others.
        services: How many services, dealt out to the teams in turn.
        on_call: People on each team's first level.
    """
    people: dict[str, Any] = {}
    named: dict[str, Any] = {}

    def person(name: str) -> str:
        people[name] = {"name": f"{name} of Bench", "contact": [{"email": f"{name}@example.test"}]}
        return name

    for n in range(teams):
        first = [person(f"p{n}-{m}") for m in range(on_call)]
        named[f"team-{n}"] = {"on_call": [first, [person(f"q{n}")]], "manager": person(f"m{n // 10}")}
    named["incident-response"] = {"on_call": [[person("ir")]], "manager": person("boss")}
    named["support"] = {"on_call": [[person("sup")]], "manager": "boss"}
    return Catalog.load(
        {
            "organisation": "Bench",
            "partitions": {PARTITION: [REGION]},
            "people": people,
            "teams": named,
            "services": {service(n): {"team": f"team-{n % teams}", "regions": [REGION]} for n in range(services)},
            "suspects": [service(n) for n in range(min(3, services))],
            "roles": {
                "incident_response": "incident-response",
                "support": "support",
                "call_leaders": ["boss"],
            },
        }
    )


def service(n: int) -> str:
    """Return the n-th service's name."""
    return f"service-{n}"


def alarm(n: int, state: str = "ALARM", severity: int = 2) -> dict[str, Any]:
    """Return the alarm of the n-th service."""
    return {
        "alarm": "errors",
        "service": service(n),
        "region": REGION,
        "metric": "error-rate",
        "state": state,
        "severity": severity,
        "value": 4.2,
    }


async def at_rest(handle: WorkflowHandle[Any, Any], quiet: float = 0.4, patience: float = 30.0) -> None:
    """Return when a process's history has not grown for `quiet` seconds.

    Raises:
        TimeoutError: It still grows after `patience`.
    """
    async with asyncio.timeout(patience):
        length, since = -1, 0.0
        while length < 0 or time.monotonic() - since < quiet:
            found = (await handle.describe()).history_length
            if found != length:
                length, since = found, time.monotonic()
            await asyncio.sleep(0.05)

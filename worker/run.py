"""A worker's life: its cluster, its connectors, its catalogue, and running until it is told to stop."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from temporalio.client import Client
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError, RPCStatusCode

from activities.comms import Messenger
from activities.comms.outbox import OutboxMessenger
from activities.comms.smtp import SmtpMessenger
from activities.customers import Carrier
from activities.customers.outbox import OutboxCarrier
from activities.customers.smtp import SmtpCarrier
from activities.customers.told import Told
from activities.documents.ops_review import FiledReviews
from activities.oncall import Calendars
from activities.oncall.ical import IcalCalendars, with_calendars
from activities.paging import Pager
from activities.paging.bundle import Bundles
from activities.paging.outbox import OutboxPager
from activities.paging.smtp import SmtpPager
from activities.record.sql import SqlRecorder
from activities.rush import Rush
from activities.smtp import Mailer
from activities.statuspage.embedded import EmbeddedPage
from activities.telemetry.deployments_file import FileDeployments
from activities.tickets.markdown import MarkdownTickets
from activities.watch.prometheus import Prometheus
from activities.watch.watching import MetricsOf
from link import attributes
from link import catalog as live
from link.client import connect
from link.signing import page_link
from link.starting import open_detection, open_watch
from model.catalogue.calendars import calendars_of
from model.catalogue.catalog import UNMAPPED, Catalog, CatalogError
from model.detect.traffic import Traffic
from model.detect.watch import watched_regions
from model.text import Refused
from store import Store, open_store
from store.migrate import upgrade
from worker import chats, tickets
from worker.compose import GRACE, Connectors, Workers, make_workers, rest_collector
from worker.customers import Customers, table_of
from worker.embedded import HOST, running_at
from worker.files import load_catalog
from worker.pagers import pagers_of
from worker.schedules import keep_schedules
from worker.settings import Settings
from worker.statuspages import status_page_of

Say = Callable[[str], None]
"""Gets one line for whoever watches."""

LOOK: Final = 1.0
"""Seconds between looks at the catalogue's file."""
CALENDARS_EVERY: Final = 3600.0
"""Seconds between readings of on-call calendars; a changed catalogue reads them at once."""
CONNECTED: Final = timedelta(seconds=10)
"""How long Temporal may take to answer a new client."""
DRAINED: Final = GRACE + timedelta(seconds=20)
"""How long a worker may take to end; five seconds more than its activities where Temporal is away."""
LONGEST_PAUSE: Final = 30.0
"""Seconds between attempts to start a worker that cannot run, at most."""

logger = logging.getLogger(__name__)


def cluster() -> ClientConnectConfig | None:
    """Return the cluster that `TEMPORAL_…` or a `temporal.toml` names; None where none does.

    Raises:
        Refused: They cannot be read.
    """
    file = os.environ.get("TEMPORAL_CONFIG_FILE")
    if file and not Path(file).is_file():
        raise Refused(f"TEMPORAL_CONFIG_FILE: there is no file {file}")
    try:
        config = ClientConfig.load_client_connect_config()
    except RuntimeError as error:
        raise Refused(f"temporal.toml, or TEMPORAL_… in the environment: {error}") from None
    return config if config.get("target_host") else None


async def open_client(settings: Settings) -> Client:
    """Return a client of the configured cluster, else of the embedded server of the data folder.

    Raises:
        Refused: It does not answer, or refuses us.
    """
    config = cluster()
    given = {key: value for key, value in (config or {}).items() if key not in ("target_host", "namespace")}
    if config:
        address, namespace = str(config["target_host"]), config.get("namespace") or "default"
    else:
        address = running_at(settings.data) or f"{HOST}:{settings.temporal_port}"
        namespace = settings.namespace
    try:
        async with asyncio.timeout(CONNECTED.total_seconds()):
            return await connect(address, namespace, secret=settings.the_secret(), **given)
    except (RuntimeError, RPCError, TimeoutError) as error:
        how = "is it the right one?" if config else "start it with `allclear up`, or set TEMPORAL_ADDRESS"
        logger.debug("connecting to %s", address, exc_info=error)
        raise Refused(f"Temporal does not answer at {address}; {how}") from None


def expose_metrics(settings: Settings) -> None:
    """Serve the SDK's metrics, where a port is set for them; before the first client is made.

    Raises:
        Refused: The port is taken, or the address is none of this machine's.
    """
    if not settings.metrics_port:
        return
    host = settings.metrics_host
    address = f"[{host}]:{settings.metrics_port}" if host.version == 6 else f"{host}:{settings.metrics_port}"
    metrics = PrometheusConfig(
        bind_address=address,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
    )
    try:
        Runtime.set_default(Runtime(telemetry=TelemetryConfig(metrics=metrics)))
    except ValueError as error:
        raise Refused(f"{address} (ALLCLEAR_METRICS_HOST, ALLCLEAR_METRICS_PORT): {error}") from None


def connectors(settings: Settings, store: Store, announce: Say | None = None) -> Connectors:
    """Return what the settings configure; what nothing is configured for stays in the outbox.

    Args:
        settings: This installation's.
        store: The record, and the outbox.
        announce: Hears what is new in the outbox.

    Raises:
        Refused: The settings cannot work.
    """
    pager, messenger = OutboxPager(store, announce), OutboxMessenger(store, announce)
    carrier = OutboxCarrier(store, announce)
    inside = Connectors(
        pagers={"*": pager},
        messengers={"*": messenger},
        inside_pager=pager,
        inside_messenger=messenger,
        carriers={"*": carrier},
        inside_carrier=carrier,
        told=Told(settings.data / "told"),
        reviews=FiledReviews(store, settings.data / "documents"),
        recorder=SqlRecorder(store),
        store=store,
        tickets=MarkdownTickets(store, settings.tickets),
        deployments=deployments(settings),
        status_page=EmbeddedPage(settings.data / "shadow-status"),
        bundles=Bundles(lambda: live.policy().bundle_within.total_seconds()),
        rush=Rush(),
        metrics=prometheus(settings),
        watches=settings.data / "watch",
        links=partial(page_link, settings.gateway_url, settings.the_secret()),
    )
    if settings.mode == "shadow":
        return inside
    return outside(inside, settings, mailer(settings) if settings.smtp_host else None)


def outside(inside: Connectors, settings: Settings, mail: Mailer | None) -> Connectors:
    """Add what leaves the house.

    Args:
        inside: What stays there.
        settings: This installation's.
        mail: Its mail server, where one is configured.

    Raises:
        Refused: The settings cannot work.
    """
    pagers: dict[str, Pager] = {**inside.pagers, **pagers_of(settings)}
    messengers: dict[str, Messenger] = dict(inside.messengers)
    carriers: dict[str, Carrier] = dict(inside.carriers)
    if mail is not None:
        pagers["email"], messengers["email"] = SmtpPager(mail), SmtpMessenger(mail)
        carriers["email"] = SmtpCarrier(mail)
    return replace(
        inside,
        pagers=pagers,
        messengers=messengers,
        carriers=carriers,
        status_page=status_page_of(settings),
        mirrors=[*tickets.mirrors_of(settings), *chats.mirrors_of(settings)],
    )


def prometheus(settings: Settings) -> MetricsOf | None:
    """Return what reads a watched series; None where no Prometheus is configured."""
    if not settings.prometheus:
        return None

    def metrics_of(traffic: Traffic) -> Prometheus:
        return Prometheus(settings.prometheus, traffic.every)

    return metrics_of


def mailer(settings: Settings) -> Mailer:
    """Return the configured mail server.

    Raises:
        Refused: The sender is no mail address.
    """
    return Mailer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_sender,
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value(),
        tls=settings.smtp_tls,
    )


def deployments(settings: Settings) -> FileDeployments | None:
    """Return the configured source of deployments."""
    return FileDeployments(settings.deployments) if settings.deployments else None


class CatalogFile:
    """The catalogue's file: read at the start, and again whenever it changes."""

    def __init__(
        self, path: Path, say: Say, calendars: Calendars | None = None, customers: Customers | None = None
    ) -> None:
        """Watch a file.

        Args:
            path: The file.
            say: Hears what becomes of it.
            calendars: Read those that it names.
            customers: Those beside it.
        """
        self._path = path
        self._say = say
        self._calendars = calendars
        self._customers = customers
        self._asked_at = 0.0
        self._read = self._stamp()

    def load(self) -> Catalog:
        """Make the file's catalogue, and its policy, the live ones of this process.

        Raises:
            Refused: It cannot be used; all its errors are in the text.
        """
        self._read = self._stamp()
        try:
            catalog = load_catalog(self._path)
        except CatalogError as error:
            raise Refused(f"{self._path} cannot be used:\n{error}") from None
        if self._customers is not None:
            catalog = self._customers.join(catalog)
        live.use(catalog, catalog.policy)
        return catalog

    async def read_beside(self) -> None:
        """Read what the live catalogue does not say itself: calendars and customers."""
        await self.read_calendars()
        await self.read_customers()

    async def read_customers(self) -> None:
        """Read the customers beside the live catalogue; a table that cannot be used changes nothing, and is named."""
        catalog = live.live()
        if self._customers is None or catalog is None:
            return
        joined = await self._customers.read(catalog)
        live.use(joined, joined.policy)

    async def read_calendars(self) -> None:
        """Read the on-call calendars that the live catalogue names; one that cannot be read keeps what it said."""
        catalog = live.live()
        self._asked_at = time.monotonic()
        if self._calendars is None or catalog is None or not calendars_of(catalog):
            return
        filled, said = await with_calendars(catalog, self._calendars, datetime.now(UTC))
        for text in said:
            logger.warning("on call: %s", text)
        live.use(filled, filled.policy)

    async def watch(self, client: Client) -> None:
        """Take in every change, until cancelled; a file that cannot be used changes nothing, and is named."""
        before = self._read
        while True:
            await asyncio.sleep(LOOK)
            if time.monotonic() - self._asked_at > CALENDARS_EVERY:
                await self.read_calendars()
            if self._customers is not None and self._customers.due():
                await self.read_customers()
            now = await asyncio.to_thread(self._stamp)
            # Twice the same: nobody is in the middle of writing it.
            if now == before != self._read:
                await self._again(client)
            before = now

    async def _again(self, client: Client) -> None:
        try:
            catalog = await asyncio.to_thread(self.load)
        except Exception as error:
            self._say(f"THE CATALOGUE WAS NOT TAKEN, the one before stays in force: {error}")
            return
        await self.read_calendars()
        self._say(f"{self._path} is in force as it is now: {counted(catalog)}")
        try:
            await open_detections(client, catalog)
            await open_watches(client, catalog)
        except RPCError as error:
            self._say(f"a new partition is watched from its first alarm on only: {error.message}")

    def _stamp(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino


def catalog_file(settings: Settings, say: Say) -> CatalogFile:
    """Return the catalogue's file with what belongs to it: every process that answers alarms must know the same.

    Raises:
        Refused: The settings cannot work.
    """
    calendars = IcalCalendars(settings.catalog.parent, settings.data / "calendars")
    customers = Customers(table_of(settings), settings.data / "customers" / "copy.csv", say)
    return CatalogFile(settings.catalog, say, calendars, customers)


async def calendars_read(settings: Settings, path: Path, catalog: Catalog, at: datetime) -> tuple[Catalog, list[str]]:
    """Return a file's catalogue with its on-call calendars read as a worker reads them, and what is wrong with them.

    Nothing is kept: the copies are the workers'.
    """
    calendars = IcalCalendars(path.parent, settings.data / "calendars", keep=False)
    return await with_calendars(catalog, calendars, at)


def counted(catalog: Catalog) -> str:
    """Return how much is in a catalogue."""
    tabled = f", {catalog.customers_tabled} customers in a table" if catalog.customers_tabled else ""
    return f"{len(catalog.services)} services, {len(catalog.teams)} teams, {len(catalog.people)} people{tabled}"


async def open_detections(client: Client, catalog: Catalog) -> None:
    """Let every partition be watched, and what the catalogue does not know, so that people can declare."""
    for partition in [*catalog.partitions, UNMAPPED]:
        await open_detection(client, partition)


async def open_watches(client: Client, catalog: Catalog) -> None:
    """Let every region be watched in which the catalogue names canaries or traffic."""
    for region in watched_regions(catalog):
        await open_watch(client, region)


@contextlib.asynccontextmanager
async def working(
    client: Client, settings: Settings, store: Store, announce: Say | None = None, say: Say = logger.warning
) -> AsyncIterator[Catalog]:
    """Work in this block; leaving it lets what is under way end.

    Args:
        client: Whose namespace is served.
        settings: This installation's.
        store: The record.
        announce: Hears what is new in the outbox.
        say: Hears what an operator should know.

    Yields:
        The catalogue at the start; `link.catalog.live` has it as it is now.

    Raises:
        Refused: It cannot work; the text says what to mend.
    """
    await _check_attributes(client, say)
    file = catalog_file(settings, say)
    await asyncio.to_thread(file.load)
    await file.read_beside()
    catalog = live.live()
    assert catalog is not None
    parts = connectors(settings, store, announce)
    secret = settings.the_secret()
    rest_collector()
    try:
        await open_detections(client, catalog)
        await open_watches(client, catalog)
        await keep_schedules(client, say=say)
    except RPCError as error:
        raise Refused(f"namespace {client.namespace}: nothing can be started ({error.message})") from None
    make = partial(make_workers, client, parts, secret=secret)
    stop = asyncio.Event()
    at_work = asyncio.create_task(_keep_working(make(), make, stop, say))
    watching = asyncio.create_task(file.watch(client))
    try:
        async with _hearing(client, settings, say):
            yield catalog
    finally:
        watching.cancel()
        stop.set()
        await asyncio.gather(watching, at_work, return_exceptions=True)


def _hearing(client: Client, settings: Settings, say: Say) -> contextlib.AbstractAsyncContextManager[None]:
    """Hear what people say in rooms; a shadow has none."""
    return contextlib.nullcontext() if settings.mode == "shadow" else chats.hearing(client, settings, say)


async def run_worker(client: Client, settings: Settings, stop: asyncio.Event) -> None:
    """Be a worker until `stop`: for `allclear worker`, with a store of its own.

    Raises:
        Refused: It cannot work; the text says what to mend.
        StoreError: The store cannot be brought up to date.
    """
    await asyncio.to_thread(upgrade, settings.store_url)
    store = open_store(settings.store_url)
    try:
        async with working(client, settings, store, logger.info):
            await stop.wait()
    finally:
        await store.close()


async def _check_attributes(client: Client, say: Say) -> None:
    try:
        missing = await attributes.missing(client)
    except RPCError as error:
        if error.status not in (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED):
            raise Refused(f"namespace {client.namespace}: {error.message}") from None
        say(f"the search attributes cannot be checked here ({error.message}); without them nothing works")
        return
    if missing:
        commands = attributes.how_to_add(missing, client.namespace)
        raise Refused(f"namespace {client.namespace} lacks search attributes; add them:\n{commands}")


async def _keep_working(worker: Workers, make: Callable[[], Workers], stop: asyncio.Event, say: Say) -> None:
    """Run a worker until `stop`, and another when it ends by itself."""
    pause = 1.0
    while not stop.is_set():
        running = asyncio.create_task(worker.run())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        try:
            async with asyncio.timeout(DRAINED.total_seconds()):
                if not running.done():
                    await worker.shutdown()
                await running
        except TimeoutError:
            say("the worker has not ended what it is at; Temporal will have it done again")
        except Exception as error:
            say(f"the worker ended by itself ({type(error).__name__}: {error}); starting another one")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            worker = make()

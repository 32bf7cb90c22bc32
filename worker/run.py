"""A worker's life: its cluster, its connectors, its catalogue, and running until it is told to stop."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
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
from model.catalogue.catalog import Catalog
from model.detect.traffic import Traffic
from model.text import Refused
from store import Store, open_store
from store.migrate import upgrade
from worker import chats, tickets
from worker.catalogue import Say, catalog_file, open_detections, open_watches
from worker.compose import GRACE, Connectors, Workers, make_workers, rest_collector
from worker.embedded import HOST, running_at
from worker.pagers import pagers_of
from worker.schedules import keep_schedules
from worker.settings import Settings
from worker.statuspages import status_page_of

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

"""`allclear up`: Temporal, worker and gateway in one process, for one machine."""

import asyncio
import contextlib
import json
import shlex
import signal
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from gateway.app import make_app
from gateway.server import serve
from gateway.slack import Slack
from link import catalog as live
from model.catalogue.catalog import GLOBAL, Catalog
from model.catalogue.oncall import levels_at
from model.text import Refused
from store import Store, StoreError, open_store
from store.migrate import upgrade
from worker.catalogue import counted
from worker.chats import slack_side
from worker.embedded import PID, Embedded, free_port, locked
from worker.run import cluster, expose_metrics, open_client, working
from worker.settings import Settings

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Each stops everything in order; a closed terminal is no reason to leave something half done."""
SHOWN: Final = 5
"""Open incidents named at the start."""

T = TypeVar("T")


async def up(settings: Settings, console: Console) -> int:
    """Run everything until a signal; what is open then goes on at the next start.

    Args:
        settings: This installation's.
        console: Where people see what happens.

    Returns:
        The exit status: 0 when it was stopped, 1 when it cannot run; `cli.finish.finish` ends with it.
    """
    screen = _Screen(console)
    try:
        with _stopping() as stop:
            async with contextlib.AsyncExitStack() as stack:
                running = await _unless(stop, _start(settings, stack, screen))
                if running is not None:
                    await _welcome(screen, running)
                    await _unless(stop, running.keep(screen))
                screen.line("Stopping; what is open goes on at the next start.")
    except (Refused, StoreError, OSError) as error:
        screen.line(f"[bold red]allclear up:[/] {escape(str(error))}")
        return 1
    return 0


class _Screen:
    """What people see. Printing never fails: nobody may be looking."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, markup: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._console.print(Text.from_markup(markup, emoji=False), soft_wrap=True)

    def fact(self, name: str, text: str) -> None:
        self.line(f"  [bold]{name:<9}[/] {escape(text)}")

    def page(self, text: str) -> None:
        """Show what would have woken somebody."""
        self._timed("bold", text)

    def notice(self, text: str) -> None:
        """Show what an operator should know."""
        self._timed("yellow", text)

    def _timed(self, style: str, text: str) -> None:
        self.line(f"[dim]{datetime.now(UTC).astimezone():%H:%M:%S}[/]  [{style}]{escape(text)}[/]")


@dataclass
class _Running:
    """What runs, as `up` shows it."""

    settings: Settings
    server: Embedded | None
    store: Store
    catalog: Catalog
    gateway: str

    async def keep(self, screen: _Screen) -> None:
        """Start the server again when it ends, for ever."""
        if self.server:
            await self.server.keep(screen.notice)
        await asyncio.Event().wait()


async def _start(settings: Settings, stack: contextlib.AsyncExitStack, screen: _Screen) -> _Running:
    """Start every part. The stack ends them in the opposite order.

    The gateway stops accepting, the worker ends what it is at, the store is closed, then the server.
    """
    other = f"{settings.data}: another `allclear up` (process {PID}) runs here; end it, or set ALLCLEAR_DATA"
    stack.enter_context(locked(settings.data / "up.lock", other))
    if not settings.gateway_port:  # links need it before the gateway listens
        settings = settings.model_copy(update={"gateway_port": free_port(0, "ALLCLEAR_GATEWAY_PORT")})
    expose_metrics(settings)
    server = None if cluster() else await stack.enter_async_context(_embedded(settings))
    await asyncio.to_thread(upgrade, settings.store_url)
    store = open_store(settings.store_url)
    stack.push_async_callback(store.close)
    client = await open_client(settings)
    catalog = await stack.enter_async_context(working(client, settings, store, screen.page, screen.notice))
    app = make_app(
        client=client,
        catalog=lambda: live.live() or catalog,
        store=store,
        secret=settings.the_secret(),
        token=settings.token.get_secret_value(),
        public_url=settings.gateway_url,
        keys=settings.source_keys(),
        topics=settings.topics,
        alone=settings.gateways in (0, 1),
        slack=Slack(*side) if (side := slack_side(settings)) else None,
    )
    gateway = await stack.enter_async_context(serve(app, settings.gateway_host, settings.gateway_port))
    return _Running(settings, server, store, catalog, gateway.url)


@contextlib.asynccontextmanager
async def _embedded(settings: Settings) -> AsyncIterator[Embedded]:
    ports = {"port": settings.temporal_port, "ui_port": settings.ui_port}
    server = Embedded(settings.data, settings.namespace, **ports)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.contextmanager
def _stopping() -> Iterator[asyncio.Event]:
    """Let signals set an event instead of ending the process."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # Under nohup the terminal's end is ignored, and stays so.
    caught = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in caught:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in caught:
            loop.remove_signal_handler(number)


async def _unless(stop: asyncio.Event, doing: Coroutine[Any, Any, T]) -> T | None:
    """Return what `doing` returns; None when `stop` came first, and `doing` was ended."""
    task = asyncio.create_task(doing)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        task.cancel()
        await asyncio.wait({task})
    return None if task.cancelled() else task.result()


async def _welcome(screen: _Screen, running: _Running) -> None:
    settings, catalog = running.settings, running.catalog
    screen.line(f"[bold green]AllClear is up[/] for {escape(catalog.organisation or 'you')}.\n")
    if running.server:
        screen.fact("Web UI", f"{running.server.ui_url}/namespaces/{settings.namespace}/workflows")
    else:
        screen.fact("Temporal", f"the cluster at {(cluster() or {}).get('target_host')}")
    screen.fact("Gateway", running.gateway)
    if settings.gateway_url != running.gateway:
        screen.fact("Links", f"in pages lead to {settings.gateway_url}")
    screen.fact("Tickets", str(settings.tickets))
    screen.fact("Catalogue", f"{settings.catalog} ({counted(catalog)})")
    if settings.mode == "shadow":
        screen.fact("Shadow", "nothing leaves the house: pages and messages stay in the outbox (ALLCLEAR_MODE)")
    screen.fact("Open", await _open(running.store))
    screen.line("\nRaise an alarm:\n")
    screen.line(f"  {escape(_curl(running))}\n")
    who = _first_paged(catalog)
    screen.line(
        f"Pages appear below. Answer one by its link, or: ALLCLEAR_USER={escape(who)} allclear ack · in · "
        'note "…" · approve'
    )
    screen.line("Ctrl-C stops everything; what is open goes on at the next start.\n")


async def _open(store: Store) -> str:
    found = await store.incidents(open_only=True)
    named = ", ".join(f"{one.id} (SEV{one.severity} {one.phase})" for one in found[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"{named}{more}" if found else "no incident"


def _curl(running: _Running) -> str:
    """Return a command that raises an alarm: it pages, with the catalogue as it is."""
    token = ' -H "Authorization: Bearer $ALLCLEAR_TOKEN"' if running.settings.token.get_secret_value() else ""
    alarm = shlex.quote(json.dumps(_alarm(running.catalog)))
    return f"curl -sS {running.gateway}/alarms/allclear{token} -d {alarm}"


def _alarm(catalog: Catalog) -> dict[str, object]:
    service = next(iter(catalog.services.values()), None)
    metric = service.kpis[0].name if service and service.kpis else "error-rate"
    return {
        "alarm": f"{metric}-high",
        "service": service.id if service else "anything",
        "region": service.regions[0] if service and service.regions else GLOBAL,
        "metric": metric,
        "state": "ALARM",
        "severity": 2,
    }


def _first_paged(catalog: Catalog) -> str:
    """Return whom that alarm pages first."""
    owner = catalog.owner(str(_alarm(catalog)["service"]))
    levels = levels_at(owner, datetime.now(UTC)) if owner else []
    return next((person for level in levels for person in level), "you")

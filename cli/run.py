"""What runs for long: `up`, `worker`, `gateway`; and what looks after it: `doctor`, `migrate`.

Each imports its parts when it is called: the other commands need none of them, and start faster without.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator

import typer
from rich.text import Text

from cli import here
from cli.say import FAILED, OK, as_json, console, line, table
from cli.talk import Json
from worker.settings import Settings

_PANEL = "Run"
_LOGGER = logging.getLogger(__name__)


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up", rich_help_panel=_PANEL, epilog="Example: ALLCLEAR_CATALOG=catalog.yaml allclear up")(_up)
    app.command("worker", rich_help_panel=_PANEL, epilog=_WORKER)(_worker)
    app.command("gateway", rich_help_panel=_PANEL, epilog=_GATEWAY)(_gateway)
    app.command("doctor", rich_help_panel=_PANEL, epilog="Example: allclear doctor --json")(_doctor)
    app.command("migrate", rich_help_panel=_PANEL, epilog=_MIGRATE)(_migrate)


_WORKER = "Example: TEMPORAL_ADDRESS=temporal.example.test:7233 ALLCLEAR_SECRET=… allclear worker"
_GATEWAY = "Example: ALLCLEAR_GATEWAY_HOST=0.0.0.0 ALLCLEAR_TOKEN=… allclear gateway"
_MIGRATE = "Example: ALLCLEAR_STORE=sqlite+aiosqlite:///data/allclear.db allclear migrate"


def _up() -> int:
    """Run everything on this machine: Temporal, a worker and the gateway."""
    from cli.up import up

    return asyncio.run(up(here.settings(), console()))


def _worker() -> int:
    """Run a worker: it performs what incidents owe, and answers for them."""
    from worker.run import expose_metrics, run_worker

    settings = _logging()
    expose_metrics(settings)

    async def work() -> int:
        with _until_stopped() as stop:
            client = await here.connected(settings)
            line(console(), f"Working for {client.service_client.config.target_host}, {client.namespace}.")
            await run_worker(client, settings, stop)
        return OK

    return asyncio.run(work())


def _gateway() -> int:
    """Run the gateway: alarms and reports in by HTTP, people's phone pages out."""
    from gateway.app import make_app
    from gateway.server import serve
    from gateway.slack import Slack
    from link import catalog as live
    from store import open_store
    from worker.catalogue import catalog_file
    from worker.chats import slack_side

    settings = _logging()

    async def work() -> int:
        store = open_store(settings.store_url)
        try:
            with _until_stopped() as stop:
                client = await here.connected(settings)
                file = catalog_file(settings, _LOGGER.warning)
                catalog = file.load()
                await file.read_beside()
                app = make_app(
                    client=client,
                    catalog=lambda: live.live() or catalog,
                    store=store,
                    secret=settings.the_secret(),
                    token=settings.token.get_secret_value(),
                    public_url=settings.gateway_url,
                    keys=settings.source_keys(),
                    topics=settings.topics,
                    alone=settings.gateways == 1,
                    slack=Slack(*side) if (side := slack_side(settings)) else None,
                )
                async with serve(app, settings.gateway_host, settings.gateway_port) as address:
                    line(console(), f"Listening on {address.url}.")
                    watching = asyncio.create_task(file.watch(client))
                    await stop.wait()
                    watching.cancel()
        finally:
            await store.close()
        return OK

    return asyncio.run(work())


def _logging() -> Settings:
    """Let our own rooms say what they do; of others, only what goes wrong."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    for room in ("cli", "gateway", "worker", "workflows", "activities", "link", "store"):
        logging.getLogger(room).setLevel(logging.INFO)
    return here.settings()


@contextlib.contextmanager
def _until_stopped() -> Iterator[asyncio.Event]:
    """Let Ctrl-C and a service manager's stop set an event, so that everything ends in order."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    caught = (signal.SIGINT, signal.SIGTERM)
    for number in caught:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in caught:
            loop.remove_signal_handler(number)


def _doctor(json: Json = False) -> int:
    """Look at everything an incident will need, and say what to do about what is missing."""
    from cli.doctor import doctor

    found = asyncio.run(doctor(here.settings()))
    if json:
        as_json([{"name": it.name, "ok": it.ok, "text": it.text} for it in found])
    else:
        marks = {True: Text("ok", style="good"), False: Text("MEND", style="bad")}
        table(console(), ("", "", ""), [(marks[it.ok], it.name, it.text) for it in found])
    return OK if all(it.ok for it in found) else FAILED


def _migrate() -> int:
    """Bring the store's tables up to what this version needs."""
    from store.migrate import upgrade

    settings = here.settings()
    if not settings.store:
        settings.data.mkdir(parents=True, exist_ok=True)
    upgrade(settings.store_url)
    line(console(), "The store is up to date.", "good")
    return OK

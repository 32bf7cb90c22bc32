"""What the tests of the command stand on: nothing of whoever runs them, a way to type, and a house that is up."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from activities.comms.outbox import OutboxMessenger
from activities.paging.outbox import OutboxPager
from activities.record.sql import SqlRecorder
from activities.tickets.markdown import MarkdownTickets
from link import attributes
from link import catalog as live
from link.client import connect
from model.policy import Policy
from store import open_store
from store.migrate import upgrade
from tests import local_server
from tests.cli.typing import House
from worker.catalogue import open_detections
from worker.compose import Connectors, make_workers
from worker.embedded import FLAGS
from worker.files import EXAMPLE_CATALOG, load_catalog

SECRET = "a secret of the tests"
NAMESPACES = [f"cli-{number}" for number in range(8)]
"""One for each test: what is open in a namespace is part of what a command without an id means."""


@pytest.fixture(autouse=True)
def _empty_house(own_settings: None, own_catalogue: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let every test begin with nothing of anybody's, and as nobody."""
    monkeypatch.setenv("ALLCLEAR_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("USER", "nobody-of-the-catalogue")
    monkeypatch.setenv("LOGNAME", "nobody-of-the-catalogue")


@pytest.fixture(scope="session")
def free_namespaces() -> Iterator[str]:
    return iter(NAMESPACES)


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    environment = await local_server.start(
        dev_server_extra_args=[*FLAGS, *(word for name in NAMESPACES for word in ("--namespace", name))],
    )
    async with environment:
        yield environment


@pytest.fixture
async def namespace(
    temporal: WorkflowEnvironment, free_namespaces: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> Client:
    """A namespace of one's own, that the command finds; nobody works there."""
    address, name = temporal.client.service_client.config.target_host, next(free_namespaces)
    for key, value in (("TEMPORAL_ADDRESS", address), ("TEMPORAL_NAMESPACE", name), ("ALLCLEAR_SECRET", SECRET)):
        monkeypatch.setenv(key, value)
    client = await connect(address, name, secret=SECRET)
    await attributes.register(client)
    return client


@pytest.fixture
async def house(namespace: Client, tmp_path: Path) -> AsyncIterator[House]:
    """A namespace with a worker."""
    catalog = load_catalog(EXAMPLE_CATALOG)
    live.use(catalog, Policy())
    url = f"sqlite+aiosqlite:///{tmp_path / 'allclear.db'}"
    upgrade(url)
    store = open_store(url)
    pager, messenger = OutboxPager(store), OutboxMessenger(store)
    connectors = Connectors(
        pagers={"*": pager},
        messengers={"*": messenger},
        inside_pager=pager,
        inside_messenger=messenger,
        recorder=SqlRecorder(store),
        tickets=MarkdownTickets(store, tmp_path / "data" / "tickets"),
    )
    async with make_workers(namespace, connectors, secret=SECRET):
        await open_detections(namespace, catalog)
        yield House(namespace)
    await store.close()

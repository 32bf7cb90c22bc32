from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from activities.comms.outbox import OutboxMessenger
from activities.paging.outbox import OutboxPager
from activities.record.sql import SqlRecorder
from activities.tickets.markdown import MarkdownTickets
from link import attributes
from link import catalog as live
from link.client import connect
from link.converter import DATA_CONVERTER
from link.guard import Prover
from link.signing import page_link
from model.catalogue.catalog import Catalog
from store import Store, open_store
from store.migrate import upgrade
from tests import local_server
from tests.gateway.house import SECRET, House, new_name, nowhere
from worker.compose import Connectors, make_workers

EXAMPLE = Path(__file__).parent.parent.parent / "scenarios" / "catalog.yaml"
WORKED = "worked"
"""The namespace that has a worker; in the other one signals stay where the gateway put them."""


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    environment = await local_server.start(
        dev_server_extra_args=["--namespace", WORKED],
        data_converter=DATA_CONVERTER,
        interceptors=[Prover(SECRET)],
    )
    async with environment:
        await attributes.register(environment.client)
        yield environment


@pytest.fixture(scope="session")
def client(temporal: WorkflowEnvironment) -> Client:
    return temporal.client


@pytest.fixture(scope="session")
async def worked(temporal: WorkflowEnvironment) -> Client:
    """A client of the namespace in which `staffed` runs a worker."""
    address = temporal.client.service_client.config.target_host
    client = await connect(address, WORKED, secret=SECRET)
    await attributes.register(client)
    return client


@pytest.fixture(scope="session")
def example() -> Catalog:
    return Catalog.load(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
async def staffed_house(
    worked: Client, example: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """What `staffed` gives, for all tests of this process."""
    folder: Path = tmp_path_factory.mktemp("staffed")
    url = f"sqlite:///{folder}/allclear.db"
    upgrade(url)
    store = open_store(url)
    connectors = Connectors(
        pagers={"*": OutboxPager(store)},
        messengers={"*": OutboxMessenger(store)},
        inside_pager=OutboxPager(store),
        inside_messenger=OutboxMessenger(store),
        recorder=SqlRecorder(store),
        tickets=MarkdownTickets(store, folder),
        links=lambda incident, person: page_link("http://127.0.0.1:8600", SECRET, incident, person),
    )
    async with make_workers(worked, connectors, secret=SECRET):
        yield House(worked, store, example, "public")
    await store.close()


@pytest.fixture
def staffed(staffed_house: House) -> House:
    """An organisation whose workflows run; its catalogue is live again, whichever another test's worker used since."""
    live.use(staffed_house.catalog, staffed_house.catalog.policy)
    return staffed_house


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    url = f"sqlite:///{tmp_path}/allclear.db"
    upgrade(url)
    store = open_store(url)
    yield store
    await store.close()


@pytest.fixture
def house(client: Client, store: Store, example: Catalog) -> House:
    partition = new_name("p")
    catalog = example.model_copy(update={"partitions": {partition: ["eu-west", "us-east"]}})
    return House(client, store, catalog, partition)


@pytest.fixture
async def dead() -> Client:
    return await nowhere()

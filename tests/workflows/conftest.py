"""One embedded server for all tests of this folder; each has its partition and its task queue."""

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from link import attributes
from link.converter import DATA_CONVERTER
from link.guard import Prover
from tests import local_server
from tests.workflows.house import SECRET, House, house
from worker.embedded import FLAGS


@pytest.fixture(scope="session")
async def client() -> AsyncIterator[Client]:
    environment = await local_server.start(
        dev_server_extra_args=FLAGS,
        data_converter=DATA_CONVERTER,
        interceptors=[Prover(SECRET)],
    )
    async with environment:
        await attributes.register(environment.client)
        yield environment.client


@pytest.fixture
async def home(client: Client) -> AsyncIterator[House]:
    async with house(client) as it:
        yield it

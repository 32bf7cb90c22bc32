"""One embedded server for all tests of this folder; each has its partition and its task queue."""

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from link import attributes
from link.converter import DATA_CONVERTER
from link.guard import Prover
from tests.workflows.house import SECRET, House, house
from worker.binaries import binary
from worker.embedded import FLAGS


@pytest.fixture(scope="session")
async def client() -> AsyncIterator[Client]:
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=binary("temporal"),
        dev_server_log_level="error",
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

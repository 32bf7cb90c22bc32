"""One time-skipping server for all tests of this folder: it is only asked for answers here."""

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from worker.drill.drivers import skipping

SECRET = "a secret of the tests"


@pytest.fixture(scope="session")
async def client() -> AsyncIterator[Client]:
    async with skipping(SECRET) as server:
        yield server.client

"""One Request Tracker for all tests of a session."""

from collections.abc import AsyncIterator

import pytest

from tests.activities.tickets.rt_desk import RequestTrackerDesk
from tests.activities.tickets.rt_server import request_tracker


@pytest.fixture(scope="session")
async def rt_desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RequestTrackerDesk]:
    async with request_tracker(tmp_path_factory.mktemp("rt")) as there:
        yield RequestTrackerDesk(there)

"""What every test shares: hypothesis without deadlines of its own (machines here are noisy), and the real servers."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, settings

from tests.activities.comms.synapse import Homeserver, synapse
from tests.activities.tickets.rt_desk import RequestTrackerDesk
from tests.activities.tickets.rt_server import request_tracker

settings.register_profile("allclear", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("allclear")


@pytest.fixture(scope="session")
async def homeserver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Homeserver]:
    async with synapse(tmp_path_factory.mktemp("synapse")) as it:
        yield it


@pytest.fixture(scope="session")
async def rt_desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RequestTrackerDesk]:
    async with request_tracker(tmp_path_factory.mktemp("rt")) as there:
        yield RequestTrackerDesk(there)

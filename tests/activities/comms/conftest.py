from collections.abc import AsyncIterator

import pytest

from tests.activities.comms.synapse import Homeserver, synapse


@pytest.fixture(scope="session")
async def homeserver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Homeserver]:
    async with synapse(tmp_path_factory.mktemp("synapse")) as it:
        yield it

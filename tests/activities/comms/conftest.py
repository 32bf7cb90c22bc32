import uuid

import pytest

from activities.comms.matrix.account import Matrix
from activities.comms.matrix.rooms import MatrixRooms
from activities.mirror import Subject
from tests.activities.comms.slack_stub import Workspace
from tests.activities.comms.subjects import subject
from tests.activities.comms.synapse import Account, Homeserver


@pytest.fixture
async def bot(homeserver: Homeserver) -> Account:
    return await homeserver.account("allclear")


@pytest.fixture
async def ana(homeserver: Homeserver) -> Account:
    return await homeserver.account("ana")


@pytest.fixture
def mirror(bot: Account) -> MatrixRooms:
    return MatrixRooms(Matrix(bot.url, bot.token))


@pytest.fixture
def it() -> Subject:
    """An incident that no other test has."""
    return subject(f"INC-20260302-{uuid.uuid4().hex[:6].upper()}")


@pytest.fixture
def workspace() -> Workspace:
    return Workspace()

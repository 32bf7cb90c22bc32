"""Every test gets a fresh database, once in SQLite and once in PostgreSQL, as far as that can be had here."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from store import Store
from store.migrate import upgrade
from store.tables import Base
from tests.store.postgres import Postgres, postgres
from tests.store.samples import opened


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    with postgres() as it:
        yield it


@pytest.fixture(scope="session")
def migrated(server: Postgres) -> str:
    """A database with all tables, for all tests that change no table."""
    url = server.url(server.database())
    upgrade(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Where a store can be made; nothing is there yet."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/store/allclear.db"
    server: Postgres = request.getfixturevalue("server")
    return server.url(server.database())


@pytest.fixture
async def store(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """A store with all its tables, and nothing in them."""
    own = kind == "sqlite" or "url" in request.fixturenames
    address: str = request.getfixturevalue("url" if own else "migrated")
    if own:
        upgrade(address)
    async with opened(address) as it:
        if not own:
            async with it.engine.begin() as connection:
                for table in reversed(Base.metadata.sorted_tables):
                    await connection.execute(table.delete())
        yield it

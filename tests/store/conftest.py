"""Every test gets a fresh SQLite database.

Where `ALLCLEAR_TEST_POSTGRES` is the URL of a PostgreSQL database that may be emptied, the tests use that
too; they cannot share it side by side: `pytest -n 0`.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store import Store
from store.migrate import downgrade, upgrade
from tests.store.samples import opened

POSTGRES = os.environ.get("ALLCLEAR_TEST_POSTGRES", "")


@pytest.fixture(params=["sqlite", *(["postgresql"] if POSTGRES else [])])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store/allclear.db"
    upgrade(POSTGRES)
    downgrade(POSTGRES, "base")
    return POSTGRES


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    upgrade(url)
    async with opened(url) as it:
        yield it

"""Nothing of whoever runs the tests; one server of our own for all that only need one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from worker.embedded import Embedded
from worker.settings import Settings

NAMESPACE = "tested"


@pytest.fixture(autouse=True)
def _empty_house(own_settings: None, own_catalogue: None) -> None:
    """Let every test begin with nothing of anybody's."""


@pytest.fixture(scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Embedded]:
    """Return a server that stays as it is."""
    it = Embedded(tmp_path_factory.mktemp("server"), NAMESPACE)
    await it.start()
    yield it
    await it.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", namespace=NAMESPACE, gateway_port=0, temporal_port=0, ui_port=0)

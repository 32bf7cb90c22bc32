"""Nothing of whoever runs the tests; one server of our own for all that only need one."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from link import catalog as live
from worker.embedded import Embedded
from worker.settings import Settings

NAMESPACE = "tested"


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(("ALLCLEAR_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    # Somebody's own temporal.toml lies there.
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path / "none"))


@pytest.fixture(autouse=True)
def _own_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_live", [])


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

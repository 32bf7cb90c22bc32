"""What every test shares: hypothesis without deadlines (machines here are noisy), an empty house, real servers."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from link import catalog as live
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


@pytest.fixture
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let nothing in that whoever runs the tests has set up."""
    for name in [*os.environ]:
        if name.startswith(("ALLCLEAR_", "TEMPORAL_", "FORCE_COLOR", "SSL_CERT_FILE")):
            monkeypatch.delenv(name)
    # Somebody's own temporal.toml lies there.
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path / "none"))


@pytest.fixture
def own_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no catalogue be live that another test has read, and leave none behind."""
    monkeypatch.setattr(live, "_live", [])

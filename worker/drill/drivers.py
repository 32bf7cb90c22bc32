"""Where a drill is played: on the time-skipping server, or on the embedded one in real time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from link import attributes
from link.converter import DATA_CONVERTER
from link.guard import Prover
from worker.binaries import binary
from worker.embedded import FLAGS


class Driver(Protocol):
    """A server and its clock."""

    client: Client

    async def now(self) -> datetime:
        """Return the server's time."""
        ...

    async def until(self, moment: datetime) -> None:
        """Return when the server's time is `moment`; at once if it is past."""
        ...


class Skipping:
    """The time-skipping test server: minutes to months in seconds."""

    def __init__(self, environment: WorkflowEnvironment, client: Client) -> None:
        """Drive this environment."""
        self._environment = environment
        self.client = client

    async def now(self) -> datetime:
        """Return the virtual time."""
        return await self._environment.get_current_time()

    async def until(self, moment: datetime) -> None:
        """Skip to a moment."""
        while (left := moment - await self.now()) > timedelta():
            await self._environment.sleep(left)


class RealTime:
    """The embedded server: for drills whose policy counts in seconds."""

    def __init__(self, client: Client) -> None:
        """Drive this server."""
        self.client = client

    async def now(self) -> datetime:
        """Return the wall's time."""
        return datetime.now(UTC)

    async def until(self, moment: datetime) -> None:
        """Wait for a moment."""
        await asyncio.sleep(max((moment - await self.now()).total_seconds(), 0))


@asynccontextmanager
async def skipping(secret: str) -> AsyncIterator[Driver]:
    """Start a time-skipping server of our own, on a free port."""
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=binary("temporal-test-server"),
        data_converter=DATA_CONVERTER,
        interceptors=[Prover(secret)],
    )
    async with environment:
        await attributes.register(environment.client)
        yield Skipping(environment, environment.client)


@asynccontextmanager
async def real_time(secret: str) -> AsyncIterator[Driver]:
    """Start an embedded server of our own, on free ports, in memory."""
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=binary("temporal"),
        dev_server_log_level="error",
        dev_server_extra_args=FLAGS,
        data_converter=DATA_CONVERTER,
        interceptors=[Prover(secret)],
    )
    async with environment:
        await attributes.register(environment.client)
        yield RealTime(environment.client)


DRIVERS = {"skipping": skipping, "real-time": real_time}
"""By the names `allclear drill --driver` takes."""

"""The floors: the least that the same server and SDK need, without anything of ours."""

import asyncio
import time
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "floor"
REACH = "reach"
WITHIN = timedelta(seconds=30)
LONG = timedelta(minutes=5)
"""What an escalation would wait: a timer is part of any page that may go unanswered."""


class Reach:
    """The activity that does nothing but stamp the time."""

    def __init__(self) -> None:
        self.at: dict[str, asyncio.Future[float]] = {}

    def expected(self, name: str) -> asyncio.Future[float]:
        """Return when `name` is reached first."""
        return self.at.setdefault(name, asyncio.get_running_loop().create_future())

    @activity.defn(name=REACH)
    async def reach(self, name: str) -> None:
        if not (at := self.expected(name)).done():
            at.set_result(time.perf_counter())


@workflow.defn
class Hop:
    """A signal that starts it, one activity."""

    def __init__(self) -> None:
        self._said: list[str] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: bool(self._said))
        await workflow.execute_activity(REACH, self._said[0], start_to_close_timeout=WITHIN)

    @workflow.signal
    def alarm(self, name: str) -> None:
        self._said.append(name)


@workflow.defn
class Call:
    """People reached all at once, then a wait for one acknowledgement."""

    def __init__(self) -> None:
        self._acknowledged = False

    @workflow.run
    async def run(self, prefix: str, people: int) -> None:
        await asyncio.gather(
            *(workflow.execute_activity(REACH, f"{prefix}/{n}", start_to_close_timeout=WITHIN) for n in range(people))
        )
        await workflow.wait_condition(lambda: self._acknowledged, timeout=LONG)

    @workflow.update
    def acknowledge(self, by: str) -> str:
        self._acknowledged = True
        return by


@workflow.defn
class Sink:
    """Signals that are counted, for ever."""

    def __init__(self) -> None:
        self._taken = 0

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: workflow.info().is_continue_as_new_suggested())
        workflow.continue_as_new()

    @workflow.signal
    def alarm(self, x: Any = None) -> None:
        self._taken += 1


def bare_worker(client: Client, reach: Reach) -> Worker:
    """Return the worker of the floors; without a sandbox, which costs a little at each start."""
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=[Hop, Call, Sink],
        activities=[reach.reach],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )

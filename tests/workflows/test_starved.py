"""A worker stays with a workflow that had to wait for the processor."""

import time
from uuid import uuid4

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from worker.compose import patient

STARVED = 2.5
"""Seconds: more than the SDK's own patience."""


@workflow.defn
class Starved:
    """A process whose turn takes long because the machine does other things."""

    def __init__(self) -> None:
        self._heard = 0

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self._heard > 0)
        return self._heard

    @workflow.signal
    def hear(self) -> None:
        time.sleep(STARVED)
        self._heard += 1


async def test_a_workflow_that_was_starved_for_seconds_goes_on(client: Client) -> None:
    queue = f"starved-{uuid4()}"
    worker = Worker(client, task_queue=queue, workflows=[Starved], workflow_runner=UnsandboxedWorkflowRunner())
    async with patient(worker):
        handle = await client.start_workflow(Starved.run, id=queue, task_queue=queue, start_signal="hear")
        assert await handle.result() == 1
        events = [event async for event in handle.fetch_history_events()]
    failures = [event for event in events if event.HasField("workflow_task_failed_event_attributes")]
    assert not failures

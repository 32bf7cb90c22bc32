"""What a drill relies on in the time-skipping test server (design §4): a version that differs tells us here first."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, FailureError, WorkflowAlreadyStartedError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from link import attributes
from worker.drill.drivers import Driver, skipping
from worker.drill.settle import Settler

QUEUE = "conformance"
BEGUN = asyncio.Event()
DONE = asyncio.Event()


@activity.defn
async def work() -> None:
    BEGUN.set()
    await DONE.wait()


@activity.defn
async def look() -> str:
    return "seen"


@workflow.defn
class Probe:
    """The constructs our processes are made of, and no more."""

    def __init__(self) -> None:
        self.rings: list[datetime] = []
        self.heard: list[str] = []
        self.orders: list[str] = []

    @workflow.run
    async def run(self, waits: list[float], runs: int = 1) -> list[datetime]:
        timers = [asyncio.create_task(self._ring(seconds)) for seconds in waits]
        while not all(timer.done() for timer in timers):
            await workflow.wait_condition(lambda: bool(self.orders) or all(timer.done() for timer in timers))
            while self.orders:
                await self._obey(self.orders.pop(0))
        if runs > 1:
            workflow.set_current_details("moved")
            workflow.continue_as_new(args=[waits, runs - 1])
        return self.rings

    async def _ring(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.rings.append(workflow.now())

    async def _obey(self, order: str) -> None:
        name, _, target = order.partition(" ")
        within = timedelta(minutes=1)
        if name == "work":
            await workflow.execute_activity(work, start_to_close_timeout=within)
        elif name == "look":
            self.heard.append(await workflow.execute_local_activity(look, start_to_close_timeout=within))
        elif name == "signal":
            try:
                await workflow.get_external_workflow_handle(target).signal("hear", "hello")
            except FailureError as error:
                self.heard.append(type(error).__name__)
        elif name == "find":
            workflow.upsert_search_attributes([attributes.PHASE.value_set(target)])
            workflow.upsert_memo({"turn": 1})
            workflow.set_current_details(f"in {target}")

    @workflow.signal
    def hear(self, what: str) -> None:
        self.heard.append(what)

    @workflow.signal
    def order(self, what: str) -> None:
        self.orders.append(what)

    @workflow.update
    def say(self, what: str) -> str:
        self.heard.append(what)
        return f"heard {what}"

    @say.validator
    def _may_say(self, what: str) -> None:
        if what == "nonsense":
            raise ApplicationError("say something else", type="Refused", non_retryable=True)

    @workflow.query
    def all(self) -> list[str]:
        return self.heard


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Driver]:
    async with (
        skipping("a secret of this test") as driver,
        Worker(
            driver.client,
            task_queue=QUEUE,
            workflows=[Probe],
            activities=[work, look],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ),
    ):
        yield driver


@pytest.fixture
def client(server: Driver) -> Client:
    return server.client


async def begin(client: Client, workflow_id: str, waits: list[float], runs: int = 1, **more: Any) -> Settler:
    settler = Settler(client)
    settler.started(workflow_id)
    await client.start_workflow("Probe", args=[waits, runs], id=workflow_id, task_queue=QUEUE, **more)
    await settler.settle()
    return settler


async def heard(client: Client, workflow_id: str) -> list[str]:
    found: list[str] = await client.get_workflow_handle(workflow_id).query("all")
    return found


async def test_time_goes_forward_from_where_it_is_and_only_when_it_is_told_to(server: Driver) -> None:
    before = await server.now()
    assert before >= datetime.now(UTC) - timedelta(seconds=5)
    await asyncio.sleep(0.05)
    assert await server.now() - before < timedelta(seconds=5)
    began = time.monotonic()
    await begin(server.client, "time", [60.0 * 86_400])
    await server.until(before + timedelta(days=40))
    assert time.monotonic() - began < 10
    drift = await server.now() - before - timedelta(days=40)
    assert timedelta() <= drift < timedelta(seconds=5)
    await server.until(before)
    assert await server.now() >= before + timedelta(days=40), "the past is reached at once"
    await server.client.get_workflow_handle("time").terminate()


async def test_timers_fire_at_their_moments_and_several_at_the_same_one(server: Driver) -> None:
    start = await server.now()
    settler = await begin(server.client, "timers", [60, 60, 60, 3600, 86_400 * 30])
    await server.until(start + timedelta(hours=2))
    await settler.settle()
    await server.until(start + timedelta(days=31))
    await settler.settle()
    rings = await server.client.get_workflow_handle("timers").result()
    since = [(datetime.fromisoformat(ring) - start).total_seconds() for ring in rings]
    for due, rang in zip([60, 60, 60, 3600, 86_400 * 30], since, strict=True):
        assert due <= rang < due + 5


async def test_the_clock_runs_at_wall_speed_while_an_activity_is_under_way(server: Driver) -> None:
    """So a drill settles on histories: a virtual sleep is no barrier."""
    settler = await begin(server.client, "busy", [86_400])
    await server.client.get_workflow_handle("busy").signal("order", "work")
    await BEGUN.wait()
    start, began = await server.now(), time.monotonic()
    await server.until(start + timedelta(seconds=0.3))
    assert time.monotonic() - began >= 0.2
    hasty = Settler(server.client, patience=0.2)
    hasty.started("busy")
    with pytest.raises(TimeoutError, match=r"^still under way after 0\.2 s: busy \(work, attempt 1\)$"):
        await hasty.settle()
    assert await settler._is_busy("busy"), "the sleep is over, the work is not"
    DONE.set()
    await settler.settle()
    await server.client.get_workflow_handle("busy").terminate()


async def test_an_update_is_answered_at_once_while_the_clock_stands(client: Client) -> None:
    await begin(client, "answers", [86_400])
    handle = client.get_workflow_handle("answers")
    began = time.monotonic()
    assert await handle.execute_update("say", "hello", id="u1") == "heard hello"
    assert await handle.execute_update("say", "hello", id="u1") == "heard hello"
    assert time.monotonic() - began < 5
    assert await heard(client, "answers") == ["hello"], "the same id is the same update"


async def test_a_refused_update_says_why_and_leaves_no_trace(client: Client) -> None:
    await begin(client, "refuses", [86_400])
    handle = client.get_workflow_handle("refuses")
    before = len((await handle.fetch_history()).events)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("say", "nonsense")
    assert str(refused.value.cause) == "Refused: say something else"
    after = [event.event_type for event in (await handle.fetch_history()).events[before:]]
    assert EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED not in after
    assert await heard(client, "refuses") == []


async def test_a_signal_starts_what_is_not_there_and_joins_what_is(client: Client) -> None:
    settler = Settler(client)
    settler.started("joined")
    for what in ("first", "second"):
        await client.start_workflow(
            "Probe",
            args=[[86_400]],
            id="joined",
            task_queue=QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="hear",
            start_signal_args=[what],
        )
        await settler.settle()
    assert await heard(client, "joined") == ["first", "second"]


async def test_a_name_is_taken_for_good_and_says_whose_it_is(server: Driver) -> None:
    taken: dict[str, Any] = {
        "memo": {"origin": "first"},
        "id_conflict_policy": WorkflowIDConflictPolicy.FAIL,
        "id_reuse_policy": WorkflowIDReusePolicy.REJECT_DUPLICATE,
        "request_eager_start": True,
    }
    settler = await begin(server.client, "taken", [60], **taken)
    for _ in range(2):
        with pytest.raises(WorkflowAlreadyStartedError):
            await server.client.start_workflow("Probe", args=[[60]], id="taken", task_queue=QUEUE, **taken)
        known = await server.client.get_workflow_handle("taken").describe()
        assert await known.memo_value("origin") == "first"
        await server.until(await server.now() + timedelta(minutes=2))
        await settler.settle()
    assert (await server.client.get_workflow_handle("taken").describe()).status == WorkflowExecutionStatus.COMPLETED


async def test_processes_hear_each_other_and_learn_who_is_gone(client: Client) -> None:
    settler = await begin(client, "speaks", [86_400])
    await begin(client, "listens", [86_400])
    settler.started("listens")
    for order in ("signal listens", "signal nobody", "look"):
        await client.get_workflow_handle("speaks").signal("order", order)
        await settler.settle()
    assert await heard(client, "listens") == ["hello"]
    assert await heard(client, "speaks") == ["ApplicationError", "seen"]


async def test_a_process_goes_on_in_a_new_run_and_the_old_one_still_answers(server: Driver) -> None:
    settler = await begin(server.client, "renewed", [3600], runs=3)
    first = (await server.client.get_workflow_handle("renewed").describe()).run_id
    await server.client.get_workflow_handle("renewed").signal("hear", "in the first run")
    await settler.settle()
    for _ in range(2):
        await server.until(await server.now() + timedelta(hours=1, seconds=5))
        await settler.settle()
    now = await server.client.get_workflow_handle("renewed").describe()
    assert (now.run_id != first, now.status) == (True, WorkflowExecutionStatus.RUNNING)
    assert await heard(server.client, "renewed") == []
    assert await server.client.get_workflow_handle("renewed", run_id=first).query("all") == ["in the first run"]


async def test_processes_are_found_by_what_they_were_started_with_and_set_later(client: Client) -> None:
    given = TypedSearchAttributes([SearchAttributePair(attributes.INCIDENT_ID, "INC-20260302-7F3A")])
    settler = await begin(client, "found", [86_400], search_attributes=given)
    await client.get_workflow_handle("found").signal("order", "find mitigate")
    await settler.settle()
    found = (await client.get_workflow_handle("found").describe()).typed_search_attributes
    assert (found[attributes.INCIDENT_ID], found[attributes.PHASE]) == ("INC-20260302-7F3A", "mitigate")

"""A house for one test: a worker with connectors that record, and a partition of its own on a server all share."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import yaml
from temporalio.api.common.v1 import Header, Payload, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import EventType, UpdateWorkflowExecutionLifecycleStage, WorkflowTaskFailedCause
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.api.update.v1 import Input, Meta, Request, WaitPolicy
from temporalio.api.workflowservice.v1 import (
    SignalWorkflowExecutionRequest,
    UpdateWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.workflow import _Definition

from activities import Failed
from link import catalog as live
from link.send import send_update
from link.starting import open_detection, signal_detection
from model.catalogue.catalog import Catalog
from model.catalogue.plan import plan_for
from model.detect.partition import Detection
from model.effects import Deployment, Lookup, Page, Recipient, Tell
from model.incident import AlarmFact, Incident
from model.matter import Matter
from model.messages import Answer
from worker.compose import WORKFLOWS, Connectors, make_workers
from worker.files import EXAMPLE_CATALOG

SECRET = "a secret of the tests"
TYPES = {_Definition.must_from_class(cls).name for cls in WORKFLOWS}
"""The names of what the worker runs."""
RACES = (
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_UPDATE,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
)
"""Messages arrived while a run was ending, or a hundred during one task: the server lets them be seen first."""
DEADLINE = 20.0
"""Seconds after which what a test waits for does not come any more."""


class Outside:
    """Everything outside the house: it records, and is down when a test says so."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.hanging: dict[str, asyncio.Event] = {}
        self.tried: list[tuple[str, str]] = []
        self.pages: dict[str, Page] = {}
        self.told: dict[str, Tell] = {}
        self.lines: dict[str, dict[int, Any]] = {}
        self.deployed: list[Deployment] = []

    async def _at(self, port: str, key: str) -> None:
        self.tried.append((port, key))
        if port in self.hanging:
            await self.hanging[port].wait()
        if port in self.down:
            raise Failed(f"{port} is down")

    async def page(self, order: Page, text: str, key: str) -> None:
        await self._at("paging", key)
        self.pages[key] = order

    async def tell(self, order: Tell, recipient: Recipient, key: str) -> None:
        await self._at("comms", key)
        self.told[key] = order

    async def record(self, record: Any) -> None:
        incident = str(record.incident["id"])
        await self._at("record", incident)
        self.lines.setdefault(incident, {}).update({entry.seq: entry for entry in record.entries})

    async def refresh(self, incident: str) -> None:
        await self._at("tickets", incident)

    async def around(self, order: Lookup) -> list[Deployment] | None:
        await self._at("telemetry", order.incident)
        return self.deployed

    def connectors(self) -> Connectors:
        return Connectors(
            pagers={"*": self},
            messengers={"*": self},
            inside_pager=self,
            inside_messenger=self,
            recorder=self,
            tickets=self,
            deployments=self,
        )

    def tries(self, port: str) -> list[str]:
        return [key for tried, key in self.tried if tried == port]


@dataclass
class House:
    """One organisation's `Detection` and its incidents, as a test speaks of them."""

    client: Client
    catalog: Catalog
    queue: str
    outside: Outside = field(default_factory=Outside)
    ids: list[str] = field(default_factory=list)

    @property
    def detection(self) -> str:
        return f"detection/{next(iter(self.catalog.partitions))}"

    def started(self, workflow_id: str) -> None:
        if workflow_id not in self.ids:
            self.ids.append(workflow_id)

    async def open(self) -> None:
        """Let `Detection` run, as `allclear up` does."""
        self.started(self.detection)
        await open_detection(self.client, self.detection.removeprefix("detection/"), queue=self.queue)

    async def begin(self, state: Matter) -> str:
        """Let one process run by itself, as whoever starts it would; return its id."""
        self.started(state.id)
        handle = await self.client.start_workflow(type(state).__name__, state, id=state.id, task_queue=self.queue)
        await handle.query("snapshot")  # an update may come before the first turn, in which nobody is engaged yet
        return state.id

    def an_incident(self) -> Incident:
        """Return an incident of checkout-api as `Detection` would open it now."""
        now = datetime.now(UTC)
        fact = AlarmFact(alarm="err", service="checkout-api", region="eu-west", metric="error-rate", since=now)
        return Incident(
            id=f"INC-{now:%Y%m%d}-{uuid.uuid4().hex[:8].upper()}",
            title="Payments fail",
            opened_at=now,
            alarms={fact.key: fact},
            services=["checkout-api"],
            regions=["eu-west"],
            plan=plan_for(self.catalog, services=["checkout-api"], at=now),
            policy=live.policy(),
        )

    async def alarm(self, alarm: str = "err", *, service: str = "checkout-api", **more: Any) -> None:
        said = {"alarm": alarm, "service": service, "region": "eu-west", "state": "ALARM", **more}
        await self.signal_detection("alarm", said)

    async def signal_detection(self, name: str, said: Any) -> None:
        self.started(self.detection)
        partition = self.detection.removeprefix("detection/")
        await signal_detection(self.client, partition, name, said, queue=self.queue)

    async def watching(self) -> Detection:
        """Return what `Detection` knows."""
        handle = self.client.get_workflow_handle(self.detection)
        state: Detection = await handle.query("snapshot", result_type=Detection)
        return state

    async def incident(self, incident: str) -> Incident:
        """Return what an incident knows."""
        handle = self.client.get_workflow_handle(incident)
        state: Incident = await handle.query("snapshot", result_type=Incident)
        return state

    async def opened(self, service: str = "checkout-api") -> str:
        """Return the id of the service's incident, once somebody is paged for it."""
        found: list[str] = []

        async def there() -> bool:
            known = (await self.watching()).incidents.values()
            found[:] = [k.id for k in known if service in k.services and k.id in self.ids]
            return bool(found)

        await until(there, f"an incident of {service}")
        await until(lambda: any(key.startswith(found[-1]) for key in self.outside.pages), f"a page for {found[-1]}")
        return found[-1]

    async def paged(self, person: str) -> None:
        """Return once somebody is paged."""
        await until(lambda: any(page.person == person for page in self.outside.pages.values()), f"a page to {person}")

    async def say(self, workflow_id: str, update: str, **said: Any) -> Answer:
        """Send a person's message as the gateway does."""
        return await send_update(self.client, workflow_id, update, said)

    async def raw_signal(self, workflow_id: str, name: str, payloads: list[Payload]) -> str:
        """Send a signal with exactly these payloads, and return why the server refused it, if it did."""
        request = SignalWorkflowExecutionRequest(
            namespace=self.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            signal_name=name,
            input=Payloads(payloads=payloads),
            request_id=uuid.uuid4().hex,
        )
        try:
            await self.client.workflow_service.signal_workflow_execution(request)
        except RPCError as error:
            return error.message
        return ""

    async def raw_update(
        self,
        workflow_id: str,
        name: str,
        payloads: list[Payload],
        *,
        update_id: str = "",
        headers: dict[str, Payload] | None = None,
    ) -> str:
        """Send an update with exactly these payloads, and return why it was refused; nothing if it was not."""
        request = UpdateWorkflowExecutionRequest(
            namespace=self.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            wait_policy=WaitPolicy(
                lifecycle_stage=UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED
            ),
            request=Request(
                meta=Meta(update_id=update_id or uuid.uuid4().hex),
                input=Input(name=name, header=Header(fields=headers or {}), args=Payloads(payloads=payloads)),
            ),
        )
        try:
            response = await self.client.workflow_service.update_workflow_execution(request)
        except RPCError as error:
            return error.message
        assert response.HasField("outcome"), f"{name} was not answered"
        return innermost(response.outcome.failure) if response.outcome.HasField("failure") else ""

    async def events(self, workflow_id: str) -> list[HistoryEvent]:
        """Return the events of every run of a process, oldest first."""
        runs: list[list[HistoryEvent]] = []
        run_id: str | None = None
        while True:
            try:
                history = await self.client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
            except RPCError:  # it was never begun
                return []
            runs.insert(0, list(history.events))
            started = runs[0][0].workflow_execution_started_event_attributes
            run_id = started.continued_execution_run_id
            if not run_id:
                return [event for run in runs for event in run]

    async def runs(self, workflow_id: str) -> int:
        """Return how many runs a process has had."""
        kinds = [event.event_type for event in await self.events(workflow_id)]
        return kinds.count(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)

    async def shows(self, workflow_id: str, run_id: str | None = None) -> str:
        """Return what the Temporal Web UI shows of a process, or of one of its runs."""
        handle = self.client.get_workflow_handle(workflow_id, run_id=run_id)
        metadata: WorkflowMetadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return metadata.current_details

    async def task_failures(self, *ids: str) -> list[str]:
        """Return every workflow task that failed by our doing: each is a wedge, until somebody mends the code."""
        found = []
        for workflow_id in ids or self.ids:
            events = await self.events(workflow_id)
            if events and events[0].workflow_execution_started_event_attributes.workflow_type.name not in TYPES:
                continue
            for event in events:
                failed = event.workflow_task_failed_event_attributes
                if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED and failed.cause not in RACES:
                    found.append(f"{workflow_id}: {innermost(failed.failure)}")
        return found


def innermost(failure: Failure) -> str:
    """Return what the rule said, without what the layers above put around it."""
    while failure.HasField("cause"):
        failure = failure.cause
    return failure.message


def catalog_with(partition: str, **sections: Any) -> Catalog:
    """Return the example catalogue with one partition of that name, and some sections replaced."""
    data = yaml.safe_load(EXAMPLE_CATALOG.read_text(encoding="utf-8"))
    return Catalog.load({**data, "partitions": {partition: ["eu-west", "us-east"]}, **sections})


@asynccontextmanager
async def house(
    client: Client,
    *,
    policy: dict[str, Any] | None = None,
    cached: int = 1000,
    connect: Callable[[Connectors], Connectors] = lambda them: them,
    **sections: Any,
) -> AsyncIterator[House]:
    """Run a worker for a partition nobody else has.

    At the end no workflow task may have failed, in any run of any process.
    """
    name = f"t-{uuid.uuid4().hex[:8]}"
    catalog = catalog_with(name, **sections)
    live.use(catalog, catalog.policy.overridden(policy or {}))
    home = House(client, catalog, queue=name)
    async with make_workers(
        client,
        connect(home.outside.connectors()),
        secret=SECRET,
        started=home.started,
        queue=home.queue,
        cached=cached,
    ):
        yield home
    assert await home.task_failures() == []


async def until(so: Callable[[], Awaitable[bool]] | Callable[[], bool], what: str, deadline: float = DEADLINE) -> None:
    """Return when it is so.

    Raises:
        AssertionError: It never was.
    """
    last = time.monotonic() + deadline
    while True:
        answer = so()
        if answer if isinstance(answer, bool) else await answer:
            return
        assert time.monotonic() < last, f"waited {deadline:g} s in vain for {what}"
        await asyncio.sleep(0.02)

"""The barrier between two steps: nothing is under way any more.

Virtual sleep is none: the clock runs at wall speed while work is in flight, and the sleep returns
regardless. So the
histories are read: no workflow task pending, no activity open, no signal on its way, no new process (design
§4). The server's description says cheaply whether there is anything new to read.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse
from temporalio.client import Client
from temporalio.service import RPCError

_OPENS = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
    EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
}
_CLOSES = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: (
        "activity_task_completed_event_attributes",
        "scheduled_event_id",
    ),
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: (
        "activity_task_failed_event_attributes",
        "scheduled_event_id",
    ),
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: (
        "activity_task_timed_out_event_attributes",
        "scheduled_event_id",
    ),
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: (
        "activity_task_canceled_event_attributes",
        "scheduled_event_id",
    ),
    EventType.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED: (
        "external_workflow_execution_signaled_event_attributes",
        "initiated_event_id",
    ),
    EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: (
        "signal_external_workflow_execution_failed_event_attributes",
        "initiated_event_id",
    ),
}
_OVER = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
}
PAUSE, LONGEST_PAUSE = 0.003, 0.05
"""Seconds between two looks: from the first, growing, to the longest: what is waited for needs the processor too."""
PATIENCE = 60.0
"""Seconds after which a drill that does not settle is given up, saying who is busy."""


class _Look(NamedTuple):
    """How far a run had come when it was looked at, and whether something was under way then."""

    run: str
    length: int
    busy: bool


class Settler:
    """Knows every process of a drill and waits until all of them rest."""

    def __init__(self, client: Client, patience: float = PATIENCE) -> None:
        """Watch by `client`, and give up after `patience` seconds."""
        self._client = client
        self._patience = patience
        self.ids: list[str] = []
        self._over: set[str] = set()
        self._seen: dict[str, _Look] = {}
        self._at: dict[str, str] = {}

    def started(self, workflow_id: str) -> None:
        """Hear of a process."""
        if workflow_id not in self.ids:
            self.ids.append(workflow_id)

    async def settle(self) -> None:
        """Return when nothing is under way.

        Raises:
            TimeoutError: Something is, after the patience is over.
            RuntimeError: A process is wedged: its code fails, or the server took it from us.
        """
        busy: Sequence[str] = []
        pause = PAUSE
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    known = [i for i in self.ids if i not in self._over]
                    states = await asyncio.gather(*(self._is_busy(i) for i in known))
                    busy = [i for i, is_busy in zip(known, states, strict=True) if is_busy]
                    if not busy and len(known) == len([i for i in self.ids if i not in self._over or i in known]):
                        return
                    await asyncio.sleep(pause)
                    pause = min(1.2 * pause, LONGEST_PAUSE)
        except TimeoutError:
            named = ", ".join(f"{i}{self._at.get(i, '')}" for i in busy)
            raise TimeoutError(f"still under way after {self._patience:g} s: {named}") from None

    async def _is_busy(self, workflow_id: str) -> bool:
        execution = WorkflowExecution(workflow_id=workflow_id)
        request = DescribeWorkflowExecutionRequest(namespace=self._client.namespace, execution=execution)
        try:
            now = await self._client.workflow_service.describe_workflow_execution(request)
            self._at[workflow_id] = _activities(now)
            run, length = now.workflow_execution_info.execution.run_id, now.workflow_execution_info.history_length
            seen = self._seen.get(workflow_id)
            if seen and (seen.run, seen.length) == (run, length):
                return seen.busy
            history = await self._client.get_workflow_handle(workflow_id, run_id=run).fetch_history()
        except RPCError:
            return True
        busy = self._judged(workflow_id, history.events)
        self._seen[workflow_id] = _Look(run, len(history.events), busy)
        return busy

    def _judged(self, workflow_id: str, events: Sequence[HistoryEvent]) -> bool:
        last = events[-1].event_type
        if last in _OVER:
            self._over.add(workflow_id)
            return False
        if last == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
            return True
        if last == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            cause = events[-1].workflow_task_failed_event_attributes.failure.message
            raise RuntimeError(f"{workflow_id} is wedged: {cause}")
        return _under_way(events)


def _activities(now: DescribeWorkflowExecutionResponse) -> str:
    """Return what a process waits for, in words: nobody finds out later."""
    found = [f"{it.activity_type.name}, attempt {it.attempt}" for it in now.pending_activities]
    return f" ({'; '.join(found)})" if found else ""


def _under_way(events: Sequence[HistoryEvent]) -> bool:
    open_ids: set[int] = set()
    task = False
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
            task = True
        elif event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            task = False
        elif event.event_type in _OPENS:
            open_ids.add(event.event_id)
        elif event.event_type in _CLOSES:
            attributes, field = _CLOSES[event.event_type]
            open_ids.discard(getattr(getattr(event, attributes), field))
    return task or bool(open_ids) or events[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED

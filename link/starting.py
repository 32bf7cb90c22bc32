"""How one process of ours begins another: by a client, from an activity, exactly once (design §2).

Never as a child: an abandoned child that closes after its parent's run freezes the time-skipping server's
clock, and between alarm and page it costs a dispatch more.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from link import answers, attributes
from model.effects import Errand, Forward, Outcome, Start

START = "start_process"
"""Activity: `Errand[Start]` → `Outcome`."""
FORWARD = "forward"
"""Activity: `Errand[Forward]` → `Outcome`."""
QUEUE = "allclear"
"""The task queue of every process."""
BEHIND = "-behind"
"""Ends the name of the queue of what may wait. Pages have places of their own in a worker: three hundred ticket systems
that hang in a storm must not take them."""
DETECTION = "Detection"
WATCH = "Watch"


def behind(queue: str) -> str:
    """Return the queue of what may wait, beside a queue of processes."""
    return queue + BEHIND


class Starter:
    """The activities that begin processes."""

    def __init__(self, client: Client, queue: str = QUEUE, started: Callable[[str], None] = lambda _: None) -> None:
        """Start by `client` on `queue`; `started` hears every id (a drill settles on them)."""
        self._client = client
        self._queue = queue
        self._started = started

    @activity.defn(name=START)
    async def start_process(self, errand: Errand[Start]) -> Outcome:
        """Begin a process; one that began already by the same order counts as done.

        An id that somebody else's process has is an outcome, not a success: an incident must never be
        swallowed by another one of the same name.
        """
        order = errand.order
        self._started(order.workflow_id)
        try:
            await self._client.start_workflow(
                order.workflow,
                order.payload,
                id=order.workflow_id,
                task_queue=self._queue,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                memo={"origin": order.origin},
                search_attributes=_attributes(order.payload),
                static_summary=_summary(order.payload),
                request_eager_start=True,
            )
        except WorkflowAlreadyStartedError:
            description = await self._client.get_workflow_handle(order.workflow_id).describe()
            if await description.memo_value("origin", default="") != order.origin:
                return Outcome(ok=False, again=False, reason=f"the name {order.workflow_id} is taken")
        return Outcome()

    @activity.defn(name=FORWARD)
    async def forward(self, errand: Errand[Forward]) -> Outcome:
        """Pass a message on to the `Detection` of another partition."""
        order = errand.order
        self._started(f"detection/{order.partition}")
        await signal_detection(
            self._client,
            order.partition,
            order.name,
            order.payload,
            queue=self._queue,
            clock_shift=order.clock_shift,
        )
        return Outcome()


async def signal_detection(
    client: Client,
    partition: str,
    name: str,
    payload: Any,
    *,
    queue: str = QUEUE,
    clock_shift: timedelta = timedelta(),
) -> None:
    """Hand a message to a partition's `Detection`, which begins with it if it is not there.

    Returns only after Temporal has accepted the message.
    """
    with answers.enclosing(payload):
        await client.start_workflow(
            DETECTION,
            _first(partition, clock_shift),
            id=f"detection/{partition}",
            task_queue=queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=name,
            start_signal_args=[payload],
            static_summary=f"Detection: {partition}",
        )


async def open_detection(
    client: Client, partition: str, *, queue: str = QUEUE, clock_shift: timedelta = timedelta()
) -> None:
    """Let a partition's `Detection` run, so that people can declare before the first alarm."""
    await client.start_workflow(
        DETECTION,
        _first(partition, clock_shift),
        id=f"detection/{partition}",
        task_queue=queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Detection: {partition}",
    )


def _first(partition: str, clock_shift: timedelta) -> dict[str, Any]:
    """Return what a partition's first run begins with.

    Only what is no default: it travels with every alarm, and to write the whole policy takes longer than the alarm.
    """
    return {"partition": partition, **({"clock_shift": clock_shift} if clock_shift else {})}


async def open_watch(client: Client, region: str, *, queue: str = QUEUE) -> None:
    """Let a region be watched from the outside; once begun it goes on for ever."""
    await client.start_workflow(
        WATCH,
        id=f"watch/{region}",
        task_queue=queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Watch: {region}",
    )


def _attributes(state: dict[str, Any]) -> TypedSearchAttributes:
    """Return the attributes a new process is found by, so that its first task need not set them."""
    return TypedSearchAttributes(_of_incident(state) if "severity" in state else _of_matter(state))


def _of_incident(state: dict[str, Any]) -> list[SearchAttributePair[Any]]:
    if not state.get("id"):
        return []
    return [
        SearchAttributePair(attributes.INCIDENT_ID, state["id"]),
        SearchAttributePair(attributes.SEVERITY, str(state["severity"])),
        SearchAttributePair(attributes.SERVICES, attributes.keywords(state["services"])),
        SearchAttributePair(attributes.REGIONS, attributes.keywords(state["regions"])),
        SearchAttributePair(attributes.OPENED_AT, datetime.fromisoformat(state["opened_at"])),
    ]


def _of_matter(state: dict[str, Any]) -> list[SearchAttributePair[Any]]:
    """Return what is known of a COE, an item, a campaign … before it has begun."""
    words = {
        attributes.INCIDENT_ID: state.get("incident"),
        attributes.TEAM: state.get("team"),
        attributes.ITEM_STATUS: state.get("status"),
    }
    moments = {attributes.OPENED_AT: state.get("opened_at"), attributes.DUE_AT: state.get("due_at")}
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(key, str(word)[: attributes.KEYWORD_LONGEST]) for key, word in words.items() if word
    ]
    return [*pairs, *(SearchAttributePair(key, datetime.fromisoformat(at)) for key, at in moments.items() if at)]


def _summary(state: dict[str, Any]) -> str:
    """Return a process's line in the Web UI's list."""
    severity = f"SEV{state['severity']} " if "severity" in state else ""
    return f"{severity}{state.get('title', '')}".encode()[:180].decode(errors="ignore")

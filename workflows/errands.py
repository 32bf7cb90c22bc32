"""How each kind of owed effect is performed: which activity, how long it may take."""

from collections.abc import Mapping
from datetime import timedelta

from pydantic import BaseModel
from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ApplicationError, FailureError

from activities.catalogue import PLAN
from activities.comms import COMPOSE, NOTICE, TELL
from activities.customers import DELIVER
from activities.mirror import MIRROR
from activities.mitigation import EXECUTE
from activities.paging import PAGE
from activities.record import RECORD
from activities.statuspage import PUBLISH
from activities.telemetry import DEPLOYMENTS
from link.starting import FORWARD, START, behind
from model.effects import Errand, Follow, Lane, Outcome, Owed, Page, Signal
from model.recording import Record
from workflows.lanes import Perform

CRASHES = RetryPolicy(initial_interval=timedelta(milliseconds=200), backoff_coefficient=2, maximum_attempts=3)
"""Temporal's retries are for a worker that died; what a provider says comes back as an outcome."""
FIRST = Priority(priority_key=1)
"""What a page waits for."""
QUICK = timedelta(seconds=5)
"""What answers from memory, or with one word to Temporal. Never a local activity: one whose end meets a query is told
to the workflow one task later than to its replay (`docs/decisions/no-local-activities.md`)."""
PAGE_WITHIN = timedelta(seconds=12)
"""Three seconds beside others (`Policy.bundle_within`), eight for the provider, and one to say how it went."""
OTHERS_WITHIN = timedelta(seconds=30)
MIRROR_WITHIN = timedelta(seconds=90)
NOTICE_WITHIN = timedelta(seconds=120)
"""All customers of one message."""
LONGEST_ID = 1000
"""Characters a workflow's id may have (the server's `limit.maxIDLength`)."""


async def page(key: str, owed: Owed) -> Outcome:
    """Page one person; a worse severity goes first."""
    order = owed.order
    severity = order.severity if isinstance(order, Page) else 3
    who = order.person if isinstance(order, Page) else ""
    return await _activity(PAGE, key, order, PAGE_WITHIN, f"page {who}", Priority(priority_key=severity))


async def tell(key: str, owed: Owed) -> Outcome:
    """Bring a quiet message."""
    return await _behind(TELL, key, owed.order, OTHERS_WITHIN, "tell", Priority(priority_key=5))


async def notice(key: str, owed: Owed) -> Outcome:
    """Bring a message to customers."""
    return await _behind(NOTICE, key, owed.order, NOTICE_WITHIN, "notice", Priority(priority_key=4))


async def publish(key: str, owed: Owed) -> Outcome:
    """Put an entry on the public page."""
    return await _behind(PUBLISH, key, owed.order, OTHERS_WITHIN, "publish", Priority(priority_key=4))


async def compose(key: str, owed: Owed) -> Outcome:
    """Make words of facts. Not a local activity: that would keep a page of the same moment waiting for the words."""
    return await _behind(COMPOSE, key, owed.order, OTHERS_WITHIN, "compose", Priority(priority_key=4))


async def lookup(key: str, owed: Owed) -> Outcome:
    """Ask the telemetry."""
    return await _behind(DEPLOYMENTS, key, owed.order, OTHERS_WITHIN, "deployments", Priority(priority_key=3))


async def execute(key: str, owed: Owed) -> Outcome:
    """Run a step of the ladder."""
    return await _activity(EXECUTE, key, owed.order, OTHERS_WITHIN, "execute", Priority(priority_key=1))


async def deliver(key: str, owed: Owed) -> Outcome:
    """Bring a customer their copy of what was approved."""
    return await _behind(DELIVER, key, owed.order, OTHERS_WITHIN, "deliver", Priority(priority_key=4))


async def follow(key: str, owed: Owed) -> Outcome:
    """Bring a ticket or a room outside up to the record."""
    order = owed.order
    system = order.system if isinstance(order, Follow) else ""
    return await _behind(MIRROR, key, order, MIRROR_WITHIN, system, Priority(priority_key=5))


async def record(batch: Record) -> Outcome:
    """Write the record."""
    outcome: Outcome = await workflow.execute_activity(
        RECORD,
        batch,
        task_queue=behind(workflow.info().task_queue),
        result_type=Outcome,
        start_to_close_timeout=OTHERS_WITHIN,
        retry_policy=CRASHES,
        priority=Priority(priority_key=5),
        summary="record",
    )
    return outcome


async def plan(key: str, owed: Owed) -> Outcome:
    """Ask the catalogue."""
    return await _activity(PLAN, key, owed.order, QUICK, "plan", FIRST)


async def start(key: str, owed: Owed) -> Outcome:
    """Begin another process."""
    return await _activity(START, key, owed.order, QUICK, "start", FIRST)


async def forward(key: str, owed: Owed) -> Outcome:
    """Pass a message on to another partition."""
    return await _activity(FORWARD, key, owed.order, QUICK, "forward", FIRST)


async def signal(key: str, owed: Owed) -> Outcome:
    """Give another process of ours a word; one that is gone for good is an outcome."""
    order = owed.order
    assert isinstance(order, Signal)
    if not 0 < len(order.workflow_id) <= LONGEST_ID:  # the server would refuse the whole turn, for ever
        return Outcome(ok=False, again=False, reason=f"'{order.workflow_id[:60]}' is no process's id")
    try:
        await workflow.get_external_workflow_handle(order.workflow_id).signal(order.name, order.payload)
    except ApplicationError as error:
        return Outcome(ok=False, again=False, reason=f"{order.workflow_id} is not there ({error.message})")
    except FailureError as error:
        return Outcome(ok=False, reason=str(error))
    return Outcome()


async def _behind(
    name: str, key: str, order: BaseModel, within: timedelta, summary: str, priority: Priority
) -> Outcome:
    """Perform what may wait, where it takes no page's place."""
    return await _activity(name, key, order, within, summary, priority, behind(workflow.info().task_queue))


async def _activity(
    name: str,
    key: str,
    order: BaseModel,
    within: timedelta,
    summary: str,
    priority: Priority,
    queue: str | None = None,
) -> Outcome:
    outcome: Outcome = await workflow.execute_activity(
        name,
        Errand(key=key, order=order),
        task_queue=queue,
        result_type=Outcome,
        start_to_close_timeout=within,
        retry_policy=CRASHES,
        priority=priority,
        summary=summary,
    )
    return outcome


PERFORMERS: Mapping[Lane, Perform] = {
    "plan": plan,
    "page": page,
    "signal": signal,
    "process": start,
    "lookup": lookup,
    "compose": compose,
    "message": tell,
    "notice": notice,
    "publish": publish,
    "execute": execute,
    "deliver": deliver,
    "mirror": follow,
}
"""How the effects of a matter are performed; `Detection` has lanes of its own."""

"""Sends people's updates: the same update id until it is answered or the deadline is over (design §2)."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from model.messages import Answer
from model.text import Refused

DEADLINE = timedelta(seconds=30)
"""How long a sender keeps trying."""
_AGAIN = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.ABORTED,
    RPCStatusCode.INTERNAL,
    RPCStatusCode.CANCELLED,
    # "unexpected workflow task failure": the message met a run on its way into the next one.
    RPCStatusCode.FAILED_PRECONDITION,
}


class Unreachable(Exception):
    """Temporal, or every worker, could not be reached in time."""


async def send_update(
    client: Client, workflow_id: str, name: str, payload: Any, *, deadline: timedelta = DEADLINE
) -> Answer:
    """Send an update and return its answer.

    Raises:
        Refused: The process refused it; the text says what would be accepted.
        Unreachable: Nobody answered within the deadline.
    """
    update_id = _update_id(payload)
    pauses = _pauses()
    last = ""
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            while True:
                try:
                    answer: Answer = await client.get_workflow_handle(workflow_id).execute_update(
                        name, payload, id=update_id, result_type=Answer
                    )
                    return answer
                except WorkflowUpdateFailedError as error:
                    raise Refused(_reason(error)) from None
                except (WorkflowUpdateRPCTimeoutOrCancelledError, RuntimeError) as error:
                    # The SDK turns a cancellation, our own deadline's too, into this error: it must go on as one.
                    task = asyncio.current_task()
                    if task and task.cancelling():
                        raise asyncio.CancelledError from None
                    # A lazy client that cannot connect raises a bare RuntimeError.
                    last = str(error)
                except RPCError as error:
                    if error.status == RPCStatusCode.NOT_FOUND and not await _running(client, workflow_id):
                        raise Refused(f"{workflow_id} is not open: {error.message}") from None
                    if error.status not in _AGAIN and error.status != RPCStatusCode.NOT_FOUND:
                        raise Refused(error.message) from None
                    last = error.message
                await asyncio.sleep(next(pauses))
    except TimeoutError:
        raise Unreachable(f"no answer within {deadline.total_seconds():g} s: {last or 'no worker runs'}") from None


def _update_id(payload: Any) -> str:
    key = payload.get("key") if isinstance(payload, dict) else None
    return str(key) if key else uuid.uuid4().hex


def _pauses() -> Iterator[float]:
    pause = 0.05
    while True:
        yield pause
        pause = min(pause * 2, 2.0)


async def _running(client: Client, workflow_id: str) -> bool:
    """Whether the process runs: a message that met its change of runs is not refused but sent again."""
    try:
        description = await client.get_workflow_handle(workflow_id).describe()
    except RPCError:
        return False
    return description.status is not None and description.status.name in ("RUNNING", "CONTINUED_AS_NEW")


def _reason(error: BaseException) -> str:
    """Return the innermost words of a failure: what the rule said."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return str(getattr(cause, "message", "") or cause)

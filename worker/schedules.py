"""What happens by the calendar: Temporal Schedules, made when a worker starts (L1)."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError

from link.starting import QUEUE

OPS_REVIEW: Final = "ops-review"
"""The Schedule's id."""
WEDNESDAY: Final = 3
"""L1: the operational metrics meeting is on Wednesdays; Temporal counts from Sunday, 0."""
HOUR: Final = 6
"""L1: the hour, in UTC, at which it is gathered: before the working day from Europe to the Americas. An hour changed
in the Web UI stays as it is there."""
CATCH_UP: Final = timedelta(hours=18)
"""L1: after a downtime the day's review is still made; yesterday's is not."""

logger = logging.getLogger(__name__)


async def keep_schedules(client: Client, queue: str = QUEUE, say: Callable[[str], None] = logger.warning) -> None:
    """Make the Schedules that are missing; one that is there begins what this version has, when people want it.

    A namespace that has no Schedules, or does not let us make them, is said: nothing else depends on it.
    """
    try:
        await _keep(client, OPS_REVIEW, _ops_review(queue))
    except RPCError as error:
        say(f"the weekly review begins only by hand, its Schedule cannot be made ({error.message})")


async def _keep(client: Client, name: str, wanted: Schedule) -> None:
    try:
        await client.create_schedule(name, wanted)
    except ScheduleAlreadyRunningError:
        # When, and whether it is paused, belongs to whoever looks after it in the Web UI.
        await client.get_schedule_handle(name).update(lambda found: _renewed(found, wanted))


def _renewed(found: ScheduleUpdateInput, wanted: Schedule) -> ScheduleUpdate:
    return ScheduleUpdate(replace(found.description.schedule, action=wanted.action, policy=wanted.policy))


def _ops_review(queue: str) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            "OpsReviewStarter",
            id="ops-review-starter",
            task_queue=queue,
            static_summary="Begins the weekly operational review",
        ),
        spec=ScheduleSpec(
            calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(HOUR)], day_of_week=[ScheduleRange(WEDNESDAY)])]
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
        state=ScheduleState(note="The weekly operational review (L1). Change the hour here if it does not suit you."),
    )

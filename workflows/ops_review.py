"""`OpsReview`: the weekly operational review, gathered and open for a day; and what a Schedule begins it by (L1)."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel
from temporalio import workflow
from temporalio.common import Priority, SearchAttributeUpdate
from temporalio.exceptions import ApplicationError, FailureError

from activities.documents import OPS_PLAN, OPS_REVIEW
from link import attributes, clock
from link.starting import START, behind
from model.catalogue.plan import Plan
from model.close.closing_messages import AddAction
from model.close.items import ItemChanged
from model.effects import Errand, Outcome, Start
from model.learn import ops_review as rules
from model.learn.ops_review import Gathered, Week
from model.learn.ops_review import OpsReview as State
from model.learn.ops_review_page import review_details
from model.reflect import after
from workflows import errands
from workflows.door import door
from workflows.matter import MOVED, MatterProcess

GATHER_WITHIN = timedelta(minutes=2)
"""How long the store may take to be asked about a week."""


class Starting(BaseModel):
    """How a review is begun; a Schedule says nothing, a drill says when its story is."""

    clock_shift: timedelta = timedelta()
    test: bool = False


@workflow.defn(name="OpsReviewStarter")
class OpsReviewStarter:
    """Begins the review of the day under its own id: Schedules append a timestamp to the ids they start."""

    @workflow.run
    async def run(self, x: Starting | None = None) -> str:
        """Begin it; return its id.

        Raises:
            ApplicationError: The id belongs to something else, which the Schedule's list of runs shows.
        """
        given = x or Starting()
        now = clock.now(given.clock_shift)
        plan = await workflow.execute_activity(OPS_PLAN, now, result_type=Plan, start_to_close_timeout=errands.QUICK)
        state = rules.new(plan, now, given.clock_shift, test=given.test)
        order = Start(
            workflow="OpsReview", workflow_id=state.id, origin=state.id, payload=state.model_dump(mode="json")
        )
        outcome = await workflow.execute_activity(
            START,
            Errand(key=f"{state.id}/start", order=order),
            result_type=Outcome,
            start_to_close_timeout=errands.QUICK,
        )
        if not outcome.ok:
            raise ApplicationError(outcome.reason, non_retryable=True)
        return state.id


@workflow.defn(name="OpsReview")
class OpsReview(MatterProcess):
    """One week's review."""

    state: State

    @workflow.init
    def __init__(self, state: State) -> None:
        """Begin with what the starter, or the last run, knew."""
        self.state = state
        self.begin()

    @workflow.run
    async def run(self, state: State) -> None:
        """Run for a day."""
        if not await self.live():
            workflow.set_current_details(MOVED)
            workflow.continue_as_new(self.state)

    add_action = door(AddAction, rules.add_action)

    def begin(self) -> None:
        """Begin a run."""
        super().begin()
        self._gathering: asyncio.Task[None] | None = None

    def resting(self) -> bool:
        """Whether nothing is under way."""
        return super().resting() and self._gathering is None

    def advance(self, now: datetime) -> datetime | None:
        """Do what is due, and gather."""
        due = super().advance(now)
        week = rules.wanted(self.state, now)
        if week and self._gathering is None and not self._paused:
            self._gathering = asyncio.create_task(self._gather(week))
        return due

    async def _gather(self, week: Week) -> None:
        try:
            found: Gathered = await workflow.execute_activity(
                OPS_REVIEW,
                week,
                task_queue=behind(workflow.info().task_queue),
                result_type=Gathered,
                start_to_close_timeout=GATHER_WITHIN,
                retry_policy=errands.CRASHES,
                priority=Priority(priority_key=5),
                summary="gather the week",
            )
        except FailureError as error:
            found = Gathered(outcome=Outcome(ok=False, reason=str(error.cause or error)[:200]))
        except Exception as error:  # nobody awaits this task: it must not end without a word
            workflow.logger.exception("the week could not be gathered")
            found = Gathered(outcome=Outcome(ok=False, reason=f"{type(error).__name__}: {error}"[:200]))
        self._gathering = None
        rules.gathered(self.state, found, self.now())
        self.touched = True

    @workflow.signal(description="internal: an action item of this review says how it stands")
    def item_changed(self, x: Any = None) -> None:
        """Learn how an item stands."""
        rules.item_changed(self.state, ItemChanged.model_validate(x), self.now())
        self.touched = True

    def course(self, now: datetime) -> datetime | None:
        """Do what is due."""
        return rules.advance(self.state, now)

    def effect_ended(self, key: str, outcome: Outcome, now: datetime) -> None:
        """Take in how an effect went."""
        after.effect_ended(self.state, key, outcome, now)

    def details(self, now: datetime) -> str:
        """Return the review's page."""
        return review_details(self.state, now)

    def attributes(self) -> list[SearchAttributeUpdate[Any]]:
        """Return what the review is found by."""
        return [attributes.TEAM.value_set(self.state.team), attributes.ITEM_STATUS.value_set(self.state.status)]

    @workflow.query(description="Everything this review knows.")
    def snapshot(self) -> State:
        """Return the state."""
        return self.state

"""`Campaign`: a lesson on its way to everybody it concerns, for months or years (L3)."""

from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

from link import attributes
from model.effects import Outcome
from model.learn import campaign_course
from model.learn import campaign_rules as rules
from model.learn.campaign import Campaign as State
from model.learn.campaign_messages import Finish, Measure, StartRung
from model.learn.campaign_page import campaign_details
from model.reflect import after
from workflows.after import DIALOG
from workflows.door import door
from workflows.matter import MOVED, MatterProcess


@workflow.defn(name="Campaign")
class Campaign(MatterProcess):
    """One campaign, until its adoption is measured as done."""

    state: State

    @workflow.init
    def __init__(self, state: State) -> None:
        """Begin with what the incident, or the last run, knew."""
        self.state = state
        self.begin()

    @workflow.run
    async def run(self, state: State) -> None:
        """Run until it is done."""
        if not await self.live():
            workflow.set_current_details(MOVED)
            workflow.continue_as_new(self.state)

    start_rung = door(StartRung, rules.start_rung)
    finish = door(Finish, rules.finish)

    @workflow.signal(description=Measure.described())
    def measure(self, x: Any = None) -> None:
        """Take in a measurement."""
        campaign_course.measured(self.state, x, self.now())
        self.touched = True

    def unreadable(self, name: str, why: str, payload: Any) -> None:
        """Count what the guard caught."""
        campaign_course.unreadable(self.state, name, why, payload, self.now())
        self.touched = True

    def course(self, now: datetime) -> datetime | None:
        """Do what is due."""
        return campaign_course.advance(self.state, now)

    def effect_ended(self, key: str, outcome: Outcome, now: datetime) -> None:
        """Take in how an effect went."""
        after.effect_ended(self.state, key, outcome, now)

    def waits_for_a_person(self) -> bool:
        """Whether its owner was asked to move it up a short while ago; a stall of months must not hold up new runs."""
        since = self.state.asked_for
        return since is not None and self.now() - since < DIALOG

    def details(self, now: datetime) -> str:
        """Return the campaign's page."""
        return campaign_details(self.state, now)

    def attributes(self) -> list[SearchAttributeUpdate[Any]]:
        """Return what the campaign is found by."""
        state = self.state
        return [
            attributes.TEAM.value_set(state.team),
            attributes.ITEM_STATUS.value_set(state.status),
            attributes.DUE_AT.value_set(state.due_at),
            attributes.AWAITING.value_set(attributes.keywords(state.awaited)),
        ]

    @workflow.query(description="Everything this campaign knows.")
    def snapshot(self) -> State:
        """Return the state."""
        return self.state

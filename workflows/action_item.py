"""`ActionItem`: one promised fix, until it was tried against the failure it should prevent (R8-R11)."""

from datetime import datetime
from typing import Any

from temporalio import workflow

from link import catalog as live
from model.effects import Outcome
from model.reflect import action_course, after_messages
from model.reflect import action_rules as rules
from model.reflect.action_item import ActionItem as State
from model.reflect.action_item import CustomersTold, Replaced
from model.text import Refused
from workflows.after import AfterProcess
from workflows.door import door
from workflows.matter import MOVED


def _real_owner(item: State, said: after_messages.HandOver) -> None:
    catalog = live.live()
    if catalog is None or item.plan.person(said.owner):
        return
    person = catalog.person_by(said.owner)
    if person is None:
        raise Refused(f"the catalogue has no person {said.owner}")
    teams = catalog.teams_of(person.id)
    if said.team not in teams:
        raise Refused(f"{person.id} is not of {said.team}; they are of {', '.join(teams) or 'no team'}")


@workflow.defn(name="ActionItem")
class ActionItem(AfterProcess):
    """One action item."""

    state: State

    @workflow.init
    def __init__(self, state: State) -> None:
        """Begin with what the incident, or the last run, knew."""
        self.state = state
        self.begin()

    @workflow.run
    async def run(self, state: State) -> None:
        """Run until it is done or withdrawn."""
        if not await self.live():
            workflow.set_current_details(MOVED)
            workflow.continue_as_new(self.state)

    start = door(after_messages.Start, rules.start)
    replan = door(after_messages.Replan, rules.replan)
    agree = door(after_messages.Agree, rules.agree)
    implemented = door(after_messages.Implemented, rules.implemented)
    validated = door(after_messages.Validated, rules.validated)
    hand_over = door(after_messages.HandOver, rules.hand_over, _real_owner)
    withdraw = door(after_messages.Withdraw, rules.withdraw)

    def course(self, now: datetime) -> datetime | None:
        """Do what is due by the rules."""
        return action_course.advance(self.state, now)

    def effect_ended(self, key: str, outcome: Outcome, now: datetime) -> None:
        """Take in how an effect went."""
        action_course.effect_ended(self.state, key, outcome, now)

    @workflow.signal(description="internal: the item that replaces this one is validated")
    def replaced(self, x: Any = None) -> None:
        """Learn that the successor is there."""
        action_course.replaced(self.state, Replaced.model_validate(x), self.now())
        self.touched = True

    @workflow.signal(description="internal: customers know the date as it stands")
    def customers_told(self, x: Any = None) -> None:
        """Learn that customers were told of a moved promise."""
        action_course.customers_told(self.state, CustomersTold.model_validate(x), self.now())
        self.touched = True

    @workflow.query(description="Everything this item knows.")
    def snapshot(self) -> State:
        """Return the state."""
        return self.state

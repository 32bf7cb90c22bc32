"""`Coe`: a correction of errors, from its assignment until it is reviewed (R1, L1)."""

from datetime import datetime

from temporalio import workflow

from model.effects import Outcome
from model.reflect import after_messages, coe_course
from model.reflect import coe_rules as rules
from model.reflect.coe import Coe as State
from workflows.after import AfterProcess
from workflows.door import door
from workflows.matter import MOVED


@workflow.defn(name="Coe")
class Coe(AfterProcess):
    """One COE."""

    state: State

    @workflow.init
    def __init__(self, state: State) -> None:
        """Begin with what the incident, or the last run, knew."""
        self.state = state
        self.begin()

    @workflow.run
    async def run(self, state: State) -> None:
        """Run until it is reviewed."""
        if not await self.live():
            workflow.set_current_details(MOVED)
            workflow.continue_as_new(self.state)

    submit = door(after_messages.Submit, rules.submit)
    review = door(after_messages.Review, rules.review)

    def course(self, now: datetime) -> datetime | None:
        """Do what is due by the rules."""
        return coe_course.advance(self.state, now)

    def effect_ended(self, key: str, outcome: Outcome, now: datetime) -> None:
        """Take in how an effect went."""
        coe_course.effect_ended(self.state, key, outcome, now)

    @workflow.query(description="Everything this COE knows.")
    def snapshot(self) -> State:
        """Return the state."""
        return self.state

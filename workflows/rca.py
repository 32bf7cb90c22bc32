"""`Rca`: what customers are promised to read within seven days, delivered once (R7)."""

from datetime import datetime
from typing import Any

from temporalio import workflow

from link import catalog as live
from model.coordinate.wording import Names, refuse_internal
from model.effects import Outcome
from model.reflect import after_messages, rca_course
from model.reflect import rca_rules as rules
from model.reflect.rca import AuthorNamed, CustomersNamed
from model.reflect.rca import Rca as State
from workflows.after import AfterProcess
from workflows.door import door
from workflows.matter import MOVED


def _nothing_internal(rca: State, said: after_messages.Submit) -> None:
    """Check against the whole catalogue: an RCA's plan knows only the names of its own services."""
    catalog = live.live()
    if catalog:
        refuse_internal(said.text, Names.of_catalog(catalog))


@workflow.defn(name="Rca")
class Rca(AfterProcess):
    """One RCA."""

    state: State

    @workflow.init
    def __init__(self, state: State) -> None:
        """Begin with what the incident, or the last run, knew."""
        self.state = state
        self.begin()

    @workflow.run
    async def run(self, state: State) -> None:
        """Run until it is delivered."""
        if not await self.live():
            workflow.set_current_details(MOVED)
            workflow.continue_as_new(self.state)

    submit = door(after_messages.Submit, rules.submit, _nothing_internal)
    approve = door(after_messages.Approve, rules.approve)
    recall = door(after_messages.Recall, rules.recall)

    def course(self, now: datetime) -> datetime | None:
        """Do what is due by the rules."""
        return rca_course.advance(self.state, now)

    def effect_ended(self, key: str, outcome: Outcome, now: datetime) -> None:
        """Take in how an effect went."""
        rca_course.effect_ended(self.state, key, outcome, now)

    @workflow.signal(description="internal: somebody was asked to write it")
    def author_named(self, x: Any = None) -> None:
        """Learn who writes it."""
        rca_course.author_named(self.state, AuthorNamed.model_validate(x), self.now())
        self.touched = True

    @workflow.signal(description="internal: the incident was not over, and these customers were hit too")
    def customers_named(self, x: Any = None) -> None:
        """Learn of further customers."""
        rca_course.customers_named(self.state, CustomersNamed.model_validate(x), self.now())
        self.touched = True

    @workflow.query(description="Everything this RCA knows.")
    def snapshot(self) -> State:
        """Return the state."""
        return self.state

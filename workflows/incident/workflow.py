"""`Incident`: one state, one loop, one timer; effects are owed and performed in lanes."""

from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

from link import attributes
from model import course
from model.details import awaited, incident_details
from model.effects import Outcome
from model.incident import Incident as State
from workflows.incident.close import Close
from workflows.incident.coordinate import Coordinate
from workflows.incident.engage import Engage
from workflows.incident.inside import Inside
from workflows.incident.mitigate import Mitigate
from workflows.incident.support import Support
from workflows.matter import MOVED, MatterProcess


@workflow.defn(name="Incident")
class Incident(Engage, Coordinate, Mitigate, Support, Close, Inside, MatterProcess):
    """One incident, from the first alarm until all clear."""

    state: State

    @workflow.init
    def __init__(self, state: State) -> None:
        """Begin with what `Detection`, or the last run, knew."""
        self.state = state
        self.begin()

    @workflow.run
    async def run(self, state: State) -> None:
        """Run until it is all clear."""
        if not await self.live():
            workflow.set_current_details(MOVED)
            workflow.continue_as_new(self.state)

    def course(self, now: datetime) -> datetime | None:
        """Do what is due by the rules of its phase."""
        return course.advance(self.state, now)

    def effect_ended(self, key: str, outcome: Outcome, now: datetime) -> None:
        """Take in how an effect went."""
        course.effect_ended(self.state, key, outcome, now)

    def waits_for_a_person(self) -> bool:
        """Whether the Web UI may have a dialog open on this run."""
        return bool(awaited(self.state))

    def details(self, now: datetime) -> str:
        """Return the incident's page."""
        return incident_details(self.state, now)

    def attributes(self) -> list[SearchAttributeUpdate[Any]]:
        """Return what the incident is found by."""
        state = self.state
        return [
            attributes.PHASE.value_set(state.phase.value),
            attributes.SEVERITY.value_set(str(state.severity)),
            attributes.SERVICES.value_set(attributes.keywords(state.services)),
            attributes.REGIONS.value_set(attributes.keywords(state.regions)),
            attributes.AWAITING.value_set(attributes.keywords(awaited(state))),
        ]

    @workflow.query(description="Everything this incident knows.")
    def snapshot(self) -> State:
        """Return the state."""
        return self.state

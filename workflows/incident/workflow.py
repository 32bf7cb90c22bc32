"""`Incident`: one state, one loop, one timer; effects are owed and performed in lanes."""

import asyncio
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate
from temporalio.exceptions import FailureError

from link import attributes, clock
from model import course
from model.details import awaited, incident_details
from model.effects import Outcome
from model.incident import Incident as State
from model.incident import Phase
from workflows import errands
from workflows.incident.close import Close
from workflows.incident.coordinate import Coordinate
from workflows.incident.engage import Engage
from workflows.incident.inside import Inside
from workflows.lanes import Lanes
from workflows.process import Process


@workflow.defn(name="Incident")
class Incident(Engage, Coordinate, Close, Inside, Process):
    """One incident, from the first alarm until all clear."""

    @workflow.init
    def __init__(self, state: State) -> None:
        """Begin with what `Detection`, or the last run, knew."""
        self.state = state
        self.begin()
        self._paused = False
        self._recording: asyncio.Task[None] | None = None
        self._shown: dict[str, object] = {}
        self._lanes = Lanes(
            {
                "plan": errands.plan,
                "page": errands.page,
                "signal": errands.signal,
                "lookup": errands.lookup,
                "message": errands.tell,
            },
            self._ended,
            parallel=frozenset({"page"}),
        )

    @workflow.run
    async def run(self, state: State) -> None:
        """Run until it is all clear."""
        if not await self.live():
            workflow.set_current_details(
                "This run has ended; the incident goes on in the next: [open it here]"
                "(/namespaces/{namespace}/workflows/{workflowId})."
            )
            workflow.continue_as_new(self.state)

    def now(self) -> datetime:
        """Return the story's time."""
        return clock.now(self.state.clock_shift)

    def over(self) -> bool:
        """Whether all is clear and written down."""
        return course.finished(self.state) and self.resting()

    def resting(self) -> bool:
        """Whether nothing is under way."""
        return not self._lanes.flying and self._recording is None

    def pausing(self) -> None:
        """Begin nothing more in this run."""
        self._paused = True

    def waits_for_a_person(self) -> bool:
        """Whether the Web UI may have a dialog open on this run."""
        return bool(awaited(self.state))

    def advance(self, now: datetime) -> datetime | None:
        """Do what is due, begin what is owed, show where we are."""
        due = course.advance(self.state, now)
        if not self._paused:
            self._lanes.start(self.state.owed, now)
            if self._recording is None and course.to_record(self.state, now):
                self._recording = asyncio.create_task(self._record())
        self._show(now)
        return due

    def _ended(self, key: str, outcome: Outcome) -> None:
        course.effect_ended(self.state, key, outcome, self.now())
        self.touched = True

    async def _record(self) -> None:
        batch = course.record_of(self.state)
        try:
            outcome = await errands.record(batch)
        except FailureError as error:
            outcome = Outcome(ok=False, reason=str(error.cause or error))
        self._recording = None
        course.record_ended(self.state, batch, outcome, self.now())
        self.touched = True

    def _show(self, now: datetime) -> None:
        state = self.state
        workflow.set_current_details(incident_details(state, now))
        shown: dict[str, object] = {
            "phase": state.phase,
            "severity": str(state.severity),
            "services": attributes.keywords(state.services),
            "regions": attributes.keywords(state.regions),
            "awaiting": attributes.keywords(awaited(state)),
        }
        if shown == self._shown or state.phase == Phase.DETECT:
            return
        updates: list[SearchAttributeUpdate[Any]] = [
            attributes.PHASE.value_set(state.phase.value),
            attributes.SEVERITY.value_set(str(state.severity)),
            attributes.SERVICES.value_set(attributes.keywords(state.services)),
            attributes.REGIONS.value_set(attributes.keywords(state.regions)),
            attributes.AWAITING.value_set(attributes.keywords(awaited(state))),
        ]
        self._shown = shown
        workflow.upsert_search_attributes(updates)

    @workflow.query(description="Everything this incident knows.")
    def snapshot(self) -> State:
        """Return the state."""
        return self.state
